"""What daypass asks of GitHub, what it makes of the answers, and how failures are told."""

from __future__ import annotations

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import github_answers as answers
import pytest
import requests
import responses
from github_answers import API, BASE, FIRST, GRAPHQL, HEAD, MERGE, NOTHING, REPO, SETTINGS
from responses import matchers

from daypass.adapters.github import forge as forge_module
from daypass.adapters.github import pulls, wire
from daypass.adapters.github.connection import Connection
from daypass.adapters.github.forge import GitHubForge
from daypass.adapters.github.sharing import Patience
from daypass.errors import DaypassError, ForgeRefusedError, ForgeUnavailableError
from daypass.model.instant import Instant
from daypass.model.pullrequest import (
    Account,
    AccountType,
    CoAuthor,
    CommitAuthors,
    ReviewState,
)
from daypass.model.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator

CANARY = "canary-in-a-body"
MARKER = "<!-- daypass:delivery:x -->"


@pytest.fixture
def forge(monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHubForge]:
    monkeypatch.setattr("daypass.adapters.github.forge._UNTIL_GITHUB_KNOWS", (0.0, 0.0, 0.0))
    with GitHubForge.as_user(SETTINGS, Secret("user-token")) as made:
        yield made


def serve(github: responses.RequestsMock, **over: Any) -> None:
    path = f"{REPO}/pulls/3"
    github.get(path, json=over.get("pull", answers.pull()))
    github.get(f"{path}/files", json=over.get("files", [answers.changed()]))
    github.get(f"{path}/commits", json=over.get("commits", [answers.commit()]))
    github.get(f"{path}/reviews", json=over.get("reviews", [answers.review()]))
    github.get(f"{REPO}/issues/3/events", json=over.get("events", [answers.merged()]))
    if "activity" in over:
        github.get(f"{REPO}/activity", **over["activity"])
    else:
        github.get(f"{REPO}/activity", json=[answers.activity()])
    if "authors" in over:
        github.post(GRAPHQL, json=over["authors"])


def test_a_pull_request_comes_with_all_that_approvals_are_counted_on(
    github: responses.RequestsMock, forge: GitHubForge
) -> None:
    message = "Ask\n\nCo-authored-by: Eve <eve@example.org>\nco-authored-by: F <f@example.org>\n"
    commits = [answers.commit(message, author=None, committer={})]
    serve(github, commits=commits, authors=answers.authors({"eve@example.org": 12}))
    got = forge.pull_request(3)
    assert got.complete
    assert got.author == Account(11, "alice", AccountType.USER)
    assert got.commits[0].author is None
    assert got.commits[0].committer is None
    assert got.commits[0].co_authors == ("eve@example.org", "f@example.org")
    authors = (CoAuthor("alice@example.org", None), CoAuthor("eve@example.org", 12))
    assert got.commit_authors == (CommitAuthors(HEAD, authors),)
    assert got.reviews[0].commit == HEAD
    assert got.pushes[0].actor == got.author
    assert got.merged_at == Instant.parse(answers.MERGED)
    assert (got.base_repository_id, got.base_ref) == (77, "main")
    asked = next(call.request.url for call in github.calls if "activity" in str(call.request.url))
    assert "ref=refs%2Fheads%2Fask" in str(asked)


@pytest.mark.parametrize(
    ("line", "address"),
    [
        ("Co-authored-by : Eve <eve@example.org>", "eve@example.org"),
        ("  co-authored-by: Eve < eve@example.org > \r", "eve@example.org"),
        ('Co-authored-by: "a<b>" <eve@example.org>', "eve@example.org"),
        ("Co-authored-by: eve@example.org", "eve@example.org"),
        ("Co-authored-by: <<eve@example.org>>", "<<eve@example.org>>"),
        ("Co-authored-by:", ""),
    ],
)
def test_a_co_author_is_seen_however_the_line_is_written(line: str, address: str) -> None:
    """What bears no address belongs to no account, and nothing counts then."""
    assert wire.commit(answers.commit(f"Ask\n\n{line}\n")).co_authors == (address,)
    assert wire.commit(answers.commit("Ask\n\nI thank co-authored-by: <x@y>\n")).co_authors == ()


def test_a_merge_that_github_does_not_tell_of_yet_is_asked_for_again(
    github: responses.RequestsMock, forge: GitHubForge
) -> None:
    """Seen on github.com: for seconds after a merge nobody is said to have brought the commit."""
    serve(github)
    path = f"{REPO}/commits/{MERGE}/pulls"
    for listed in ([], [answers.pull(state="open", merged_at=None)], [answers.pull()]):
        github.get(path, json=listed)
    assert [item.number for item in forge.pull_requests_of(MERGE)] == [3]
    assert forge.pull_requests_of(MERGE)  # the last answer stands
    github.replace(responses.GET, path, json=[])
    assert forge.pull_requests_of(MERGE) == ()
    assert len([call for call in github.calls if "/commits/" in str(call.request.url)]) == 8


def test_the_last_change_of_its_base_is_told(
    github: responses.RequestsMock, forge: GitHubForge
) -> None:
    """By a person, or by GitHub itself when the base was merged and deleted."""
    kinds = ("labeled", "base_ref_changed", "automatic_base_change_succeeded", "merged", "closed")
    events = [
        {"event": kind, "created_at": f"2026-11-22T10:1{place}:00Z"}
        for place, kind in enumerate(kinds)
    ]
    serve(github, events=events)
    assert forge.pull_request(3).base_changed_at == Instant.parse("2026-11-22T10:12:00Z")


def _dismissed(review: int = 31, state: str = "changes_requested", **over: Any) -> dict[str, Any]:
    dismissed = {"review_id": review, "state": state, "dismissal_message": "no"}
    body = {"event": "review_dismissed", "actor": answers.user(11), "created_at": answers.MERGED}
    return body | {"dismissed_review": dismissed} | over


def test_who_dismissed_a_review_is_asked_of_github(
    github: responses.RequestsMock, forge: GitHubForge
) -> None:
    events = [_dismissed(), answers.merged(), _dismissed(32, "approved", actor=None)]
    reviews = [answers.review(id=number, state="DISMISSED") for number in (31, 32)]
    serve(github, events=events, reviews=reviews)
    first, second = forge.pull_request(3).dismissals
    assert (first.review, first.was, first.at) == (
        31,
        ReviewState.CHANGES_REQUESTED,
        Instant.parse(answers.MERGED),
    )
    assert (first.actor.id if first.actor else None, second.actor) == (11, None)
    assert second.was is ReviewState.APPROVED


@pytest.mark.parametrize("events", [[], [_dismissed(32)], [_dismissed(state="unheard")]])
def test_a_dismissal_that_github_does_not_tell_of_yet_is_waited_for(
    github: responses.RequestsMock, forge: GitHubForge, events: list[dict[str, Any]]
) -> None:
    serve(github, events=events, reviews=[answers.review(state="DISMISSED")])
    with pytest.raises(ForgeUnavailableError):
        forge.pull_request(3)


@pytest.mark.parametrize(
    ("over", "why"),
    [
        ({"pull": answers.pull(commits=251)}, "250 commits"),
        ({"pull": answers.pull(changed_files=3001)}, "3000 files"),
        ({"commits": []}, "changed while"),
        ({"files": []}, "changed while"),
        ({"activity": {"status": 404}}, "does not show who pushed"),
        ({"activity": {"json": []}}, "does not reach back"),
        (
            {"pull": answers.pull(head={"ref": "ask", "sha": HEAD, "repo": None})},
            "fork that it came from is gone",
        ),
    ],
)
def test_what_cannot_be_had_whole_is_said(
    github: responses.RequestsMock, forge: GitHubForge, over: dict[str, Any], why: str
) -> None:
    serve(github, **over)
    got = forge.pull_request(3)
    assert not got.complete
    assert why in got.incomplete_because


def test_a_fork_that_hides_who_pushed_is_not_asked_again(
    github: responses.RequestsMock, forge: GitHubForge
) -> None:
    fork = {"id": 99, "full_name": "alice/access"}
    pull = answers.pull(head={"ref": "ask", "sha": HEAD, "repo": fork})
    hidden = responses.Response("GET", f"{API}/repos/alice/access/activity", status=404)
    serve(github, pull=pull)
    github.add(hidden)
    got = forge.pull_request(3)
    assert "does not show who pushed" in got.incomplete_because
    assert hidden.call_count == 1


def _asked(github: responses.RequestsMock, ending: str) -> int:
    return len([call for call in github.calls if ending in str(call.request.url)])


@pytest.mark.parametrize(
    ("path", "lagging"),
    [
        ("pulls/3/commits", []),
        ("pulls/3/commits", [answers.commit(sha=BASE)]),
        ("activity", []),
        ("issues/3/events", []),
        ("issues/3/events", [{"event": "labeled"}]),
    ],
)
def test_answers_that_contradict_each_other_are_asked_for_again(
    github: responses.RequestsMock, forge: GitHubForge, path: str, lagging: list[Any]
) -> None:
    """A replica that lags: too few commits, commits without the head, a push that is missing."""
    github.get(re.compile(rf".*/{path}\b.*"), json=lagging)
    serve(github)
    got = forge.pull_request(3)
    assert got.complete
    assert [item.sha for item in got.commits] == [HEAD]
    assert _asked(github, path) == 2


def test_a_merge_that_the_events_do_not_hold_leaves_the_pull_request_incomplete(
    github: responses.RequestsMock, forge: GitHubForge
) -> None:
    """A change of its base may be missing with the merge: approvals of before it do not count."""
    serve(github, events=[])
    got = forge.pull_request(3)
    assert (got.complete, got.is_too_large) == (False, False)
    assert got.incomplete_because == "GitHub's list of its events does not hold its merge"
    assert _asked(github, "issues/3/events") == 4


def test_an_open_pull_request_has_no_merge_among_its_events(
    github: responses.RequestsMock, forge: GitHubForge
) -> None:
    serve(github, pull=answers.pull(state="open", merged_at=None, merged_by=None), events=[])
    assert forge.pull_request(3).complete
    assert _asked(github, "issues/3/events") == 1


def test_what_agrees_is_asked_for_once(github: responses.RequestsMock, forge: GitHubForge) -> None:
    serve(github)
    assert forge.pull_request(3).complete
    assert len(github.calls) == 6


def test_a_run_waits_so_long_in_all_and_no_longer(
    github: responses.RequestsMock, forge: GitHubForge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daypass.adapters.github.forge._UNTIL_GITHUB_KNOWS", (1.0, 1.0, 1.0))
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    forge._patience = Patience(4.0)
    serve(github, files=[])
    for asked in (4, 6, 7):
        assert not forge.pull_request(3).complete
        assert _asked(github, "/files") == asked


def test_one_answer_that_an_account_is_gone_is_not_taken_for_it(
    github: responses.RequestsMock, forge: GitHubForge
) -> None:
    github.get(f"{API}/user/11", status=404, json={"message": "Not Found"})
    github.get(f"{API}/user/11", json=answers.user(11))
    account = forge.account(11)
    assert account is not None
    assert account.id == 11


def test_only_merged_ones_into_the_default_branch_of_this_repository_brought_a_commit(
    github: responses.RequestsMock, forge: GitHubForge
) -> None:
    elsewhere = {"ref": "main", "sha": BASE, "repo": {"id": 78}}
    side = {"ref": "side", "sha": BASE, "repo": {"id": 77}}
    listed = [
        answers.pull(number=1, merged_at=None),
        answers.pull(number=2, base=elsewhere),
        answers.pull(number=4, base=side),
        answers.pull(),
    ]
    github.get(f"{REPO}/commits/{MERGE}/pulls", json=listed)
    serve(github)
    assert [item.number for item in forge.pull_requests_of(MERGE)] == [3]


def test_a_team_is_read_to_its_last_page_and_asked_once(
    github: responses.RequestsMock, forge: GitHubForge
) -> None:
    url = f"{API}/orgs/acme/teams/dba/members"
    more = {"Link": f'<{url}?page=2>; rel="next", <{url}?page=2>; rel="last"'}
    first = github.get(url, json=[answers.user(1)], headers=more)
    second = github.get(f"{url}?page=2", json=[answers.user(2)])
    with ThreadPoolExecutor(8) as pool:
        teams = list(pool.map(lambda _: forge.team_members("dba"), range(16)))
    assert set(teams) == {frozenset({1, 2})}
    assert (first.call_count, second.call_count) == (1, 1)


TEAM = f"{API}/orgs/acme/teams/dba"


@pytest.mark.parametrize("counted", [2, 0])
def test_a_team_whose_members_are_not_listed_once_is_asked_for_again(
    github: responses.RequestsMock, forge: GitHubForge, counted: int
) -> None:
    """Also where the team counts none, since it may not count the members of its child teams."""
    github.get(f"{TEAM}/members", json=[])
    github.get(f"{TEAM}/members", json=[answers.user(1), answers.user(2)])
    github.get(TEAM, json={"members_count": counted})
    assert forge.team_members("dba") == {1, 2}


def test_a_team_that_counts_members_and_lists_none_is_not_known(
    github: responses.RequestsMock, forge: GitHubForge
) -> None:
    github.get(f"{TEAM}/members", json=[])
    github.get(TEAM, json={"members_count": 2})
    with pytest.raises(ForgeUnavailableError, match="lists no member of the team dba"):
        forge.team_members("dba")
    assert len(github.calls) == 4 * 3


def test_a_team_without_members_is_empty(
    github: responses.RequestsMock, forge: GitHubForge
) -> None:
    github.get(f"{TEAM}/members", json=[])
    github.get(TEAM, json={"members_count": 0})
    assert forge.team_members("dba") == frozenset()
    assert len(github.calls) == 3


def test_a_full_page_that_lost_its_link_does_not_cut_the_list(
    github: responses.RequestsMock, forge: GitHubForge
) -> None:
    pages = [[answers.user(number) for number in range(1, 101)], [answers.user(101)]]
    for number, page in enumerate(pages, 1):
        query = {"per_page": "100"} | ({"page": str(number)} if number > 1 else {})
        match = [matchers.query_param_matcher(query)]
        github.get(f"{TEAM}/members", json=page, match=match)
    assert forge.team_members("dba") == set(range(1, 102))
    assert len(github.calls) == 2


def test_a_next_page_on_another_host_never_sees_the_token(
    github: responses.RequestsMock, forge: GitHubForge
) -> None:
    url = f"{API}/orgs/acme/teams/dba/members"
    more = {"Link": '<https://evil.test/api/v3/x?page=2>; rel="next"'}
    github.get(url, json=[answers.user(1)], headers=more)
    github.get(f"{API}/x", status=404)
    with pytest.raises(ForgeRefusedError):
        forge.team_members("dba")
    assert all(str(call.request.url).startswith(API) for call in github.calls)


def test_keys_are_those_of_the_account_not_of_whoever_has_its_old_login(
    github: responses.RequestsMock, forge: GitHubForge
) -> None:
    github.get(f"{API}/user/11", json=answers.user(11, "alice-renamed"))
    github.get(f"{API}/users/alice/keys", json=[{"id": 1, "key": "ssh-ed25519 EVIL"}])
    github.get(f"{API}/users/alice-renamed/keys", json=[{"id": 2, "key": "ssh-ed25519 GOOD"}])
    assert forge.ssh_keys(Account(11, "alice", AccountType.USER)) == ("ssh-ed25519 GOOD",)


def test_a_gone_account_is_none_and_has_no_keys(
    github: responses.RequestsMock, forge: GitHubForge
) -> None:
    github.get(f"{API}/user/11", status=404, json={"message": "Not Found"})
    assert forge.account(11) is None
    assert forge.ssh_keys(Account(11, "alice", AccountType.USER)) == ()


def test_an_unheard_of_type_of_account_is_no_user(
    github: responses.RequestsMock, forge: GitHubForge
) -> None:
    github.get(f"{API}/user/11", json=answers.user(11, "x", "Mannequin"))
    account = forge.account(11)
    assert account is not None
    assert account.type is AccountType.OTHER


@pytest.mark.parametrize("ghost", [None, {}, answers.user(10137, "ghost")])
def test_whoever_deleted_their_account_is_nobody(
    github: responses.RequestsMock, forge: GitHubForge, ghost: dict[str, Any] | None
) -> None:
    github.get(f"{API}/user/10137", json=ghost)
    assert forge.account(10137) is None


def test_a_comment_is_posted_once_however_often_it_is_asked_for(
    github: responses.RequestsMock, forge: GitHubForge
) -> None:
    url = f"{REPO}/issues/3/comments"
    github.get(url, json=[answers.comment(8, f"{MARKER}\nthe real one")])
    post = github.post(url, json={})
    assert forge.post_comment(3, MARKER, "again").id == 8
    assert post.call_count == 0


def test_somebody_elses_comment_with_the_marker_does_not_count(
    github: responses.RequestsMock, forge: GitHubForge
) -> None:
    url = f"{REPO}/issues/3/comments"
    forged = answers.comment(8, f"{MARKER}\nforged", author=13)
    quoted = answers.comment(9, f"> {MARKER}\nquoted by the App itself")
    github.get(url, json=[forged, quoted])
    github.post(url, json=answers.comment(10, f"{MARKER}\nours"))
    github.get(url, json=[forged, quoted, answers.comment(10, f"{MARKER}\nours")])
    assert forge.post_comment(3, MARKER, "ours").id == 10
    sent = next(call.request.body for call in github.calls if call.request.method == "POST")
    assert json.loads(sent or b"")["body"] == f"{MARKER}\nours"


def test_of_two_comments_posted_at_once_the_later_is_deleted(
    github: responses.RequestsMock, forge: GitHubForge
) -> None:
    url = f"{REPO}/issues/3/comments"
    theirs, ours = answers.comment(9, f"{MARKER}\na"), answers.comment(10, f"{MARKER}\nb")
    github.get(url, json=[])
    github.post(url, json=ours)
    github.get(url, json=[theirs, ours])
    deleted = github.delete(f"{REPO}/issues/comments/10", status=204)
    assert forge.post_comment(3, MARKER, "b").id == 9
    assert deleted.call_count == 1


def test_what_nobody_can_have_posted_before_is_looked_for_only_once_it_is_posted(
    github: responses.RequestsMock, forge: GitHubForge
) -> None:
    url = f"{REPO}/issues/3/comments"
    theirs, ours = answers.comment(9, f"{MARKER}\na"), answers.comment(10, f"{MARKER}\nb")
    github.post(url, json=ours)
    looked = github.get(url, json=[theirs, ours])
    deleted = github.delete(f"{REPO}/issues/comments/10", status=204)
    assert forge.post_comment(3, MARKER, "b", first=True).id == 9
    assert [looked.call_count, deleted.call_count] == [1, 1]
    assert [call.request.method for call in github.calls] == ["POST", "GET", "DELETE"]


def test_a_post_is_never_sent_twice(github: responses.RequestsMock, forge: GitHubForge) -> None:
    url = f"{REPO}/issues/3/comments"
    github.get(url, json=[])
    posts = [
        github.post(url, status=502),
        github.post(url, status=201, json=answers.comment(10, MARKER)),
    ]
    with pytest.raises(ForgeUnavailableError):
        forge.post_comment(3, MARKER, "b")
    assert [post.call_count for post in posts] == [1, 0]


def test_a_get_that_failed_is_tried_again(
    github: responses.RequestsMock, forge: GitHubForge
) -> None:
    github.get(f"{API}/user/11", status=502)
    github.get(f"{API}/user/11", json=answers.user(11, "alice"))
    account = forge.account(11)
    assert account is not None
    assert account.login == "alice"


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        ({"status": 500}, ForgeUnavailableError, "answered 500"),
        ({"status": 401}, ForgeRefusedError, "gh auth login"),
        ({"status": 404}, ForgeRefusedError, "read:org"),
        ({"status": 307}, ForgeRefusedError, "answered 307"),
        (
            {"status": 403, "headers": {"X-Accepted-GitHub-Permissions": "members=read"}},
            ForgeRefusedError,
            "`members=read`",
        ),
        (
            {
                "status": 403,
                "headers": {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1800000000"},
            },
            ForgeUnavailableError,
            "until 2027-01-15T08:00:00Z",
        ),
        ({"status": 429, "headers": {"Retry-After": "61"}}, ForgeUnavailableError, "61 s more"),
        (
            {"status": 403, "json": {"message": "You have exceeded a secondary rate limit"}},
            ForgeUnavailableError,
            "limits the rate",
        ),
        ({"body": requests.ConnectionError(CANARY)}, ForgeUnavailableError, "did not answer"),
        ({"body": requests.Timeout(CANARY)}, ForgeUnavailableError, "did not answer"),
        ({"body": "<html>captive portal"}, ForgeUnavailableError, "no JSON"),
        ({"json": {"message": CANARY}}, ForgeUnavailableError, "is no list"),
        ({"json": [{"id": "not a number"}]}, ForgeUnavailableError, "member"),
    ],
)
def test_each_failure_is_one_of_ours_and_carries_no_body(
    github: responses.RequestsMock,
    forge: GitHubForge,
    answer: dict[str, Any],
    kind: type[DaypassError],
    words: str,
) -> None:
    if "status" in answer and "json" not in answer:
        answer = answer | {"json": {"message": CANARY, "secret": CANARY}}
    github.get(f"{API}/orgs/acme/teams/dba/members", **answer)
    with pytest.raises(kind) as caught:
        forge.team_members("dba")
    said = f"{caught.value} {caught.value.remedy}"
    assert words in said
    assert CANARY not in said + repr(caught.value.__cause__)


@pytest.mark.parametrize(
    ("answer", "why", "remedy"),
    [
        ({"status": 401}, "your token, from GH_TOKEN, is wrong, expired or revoked", "unset GH_"),
        ({"status": 403}, "your token, from GH_TOKEN, may not do that", "lacks a permission"),
        ({"status": 404}, "answered 404", "your token, from GH_TOKEN, may not see"),
        (
            {"status": 403, "headers": {"X-Accepted-GitHub-Permissions": "issues=write"}},
            "your token, from GH_TOKEN, may not do that",
            "lacks the permission `issues=write`",
        ),
        (
            {"status": 403, "headers": {"X-Accepted-OAuth-Scopes": "public_repo, repo"}},
            "your token, from GH_TOKEN, may not do that",
            "lacks one of the scopes `public_repo, repo`",
        ),
        (
            {"status": 403, "headers": {"X-GitHub-SSO": f"required; url=https://{CANARY}/"}},
            "your token, from GH_TOKEN, may not do that",
            "single sign-on",
        ),
    ],
)
def test_a_persons_token_is_theirs_to_mend_and_never_the_apps(
    github: responses.RequestsMock,
    forge: GitHubForge,
    monkeypatch: pytest.MonkeyPatch,
    answer: dict[str, Any],
    why: str,
    remedy: str,
) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.setenv("GH_TOKEN", CANARY)
    github.get(f"{REPO}/issues/3/comments", **answer)
    with pytest.raises(ForgeRefusedError) as caught:
        forge.comments(3)
    assert why in caught.value.message
    assert remedy in caught.value.remedy
    assert "App" not in f"{caught.value} {caught.value.remedy}"
    assert CANARY not in f"{caught.value} {caught.value.remedy}"


@pytest.mark.parametrize(
    ("variables", "remedy"),
    [
        ({"GITHUB_TOKEN": "x"}, "`unset GITHUB_TOKEN; gh auth login --hostname github.test`"),
        ({"GH_TOKEN": "x", "GITHUB_ACTIONS": "true"}, "job's step a token that serves in GH_TOKEN"),
        ({}, "Log in again: `gh auth login --hostname github.test`"),
    ],
)
def test_the_way_back_in_is_that_of_the_token_at_hand(
    github: responses.RequestsMock,
    forge: GitHubForge,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    remedy: str,
) -> None:
    for name in ("GH_TOKEN", "GITHUB_TOKEN", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    github.get(f"{REPO}/issues/3/comments", status=401)
    with pytest.raises(ForgeRefusedError) as caught:
        forge.comments(3)
    assert remedy in caught.value.remedy


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_the_app_is_refused_is_no_persons_matter(
    github: responses.RequestsMock, status: int
) -> None:
    path = f"{API}/app/installations/{SETTINGS.installation_id}/access_tokens"
    github.post(path, status=status)
    with (
        GitHubForge.as_app(SETTINGS, lambda _: "jwt", lambda: Instant.from_seconds(0)) as bot,
        pytest.raises(ForgeRefusedError) as caught,
    ):
        bot.account(1)
    assert "App" in caught.value.remedy
    assert "gh auth login" not in caught.value.remedy


def test_without_a_token_it_is_said_that_there_is_none(github: responses.RequestsMock) -> None:
    github.get(f"{REPO}/issues/3/comments", status=404)
    with (
        GitHubForge.as_user(SETTINGS, None) as nobody,
        pytest.raises(ForgeRefusedError) as caught,
    ):
        nobody.comments(3)
    assert "There is no GitHub token" in caught.value.remedy


def test_a_slug_that_would_change_the_path_is_refused(forge: GitHubForge) -> None:
    with pytest.raises(ForgeRefusedError):
        forge.team_members("../../repos")
    with pytest.raises(ForgeRefusedError):
        forge.pull_requests_of(NOTHING[:-1] + "/")


def test_threads_never_read_each_others_answers(
    github: responses.RequestsMock, forge: GitHubForge, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember = Connection.request

    def slowly(*arguments: Any) -> None:
        remember(*arguments)
        time.sleep(0.001)  # between what a connection remembers and what it then asks for

    monkeypatch.setattr(Connection, "request", slowly)

    def by_id(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        number = int(str(request.url).rpartition("/")[2])
        return 200, {}, json.dumps(answers.user(number))

    for number in range(1, 200):
        github.add_callback("GET", f"{API}/user/{number}", callback=by_id)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(forge.account, range(1, 200)))
    assert [account.id if account else None for account in found] == list(range(1, 200))


def test_the_app_fetches_one_token_with_a_jwt_of_vaults_time(
    github: responses.RequestsMock,
) -> None:
    now = Instant.parse("2026-11-22T10:00:00Z")
    payloads: list[dict[str, Any]] = []

    def sign(payload: dict[str, Any]) -> str:
        payloads.append(payload)
        return "signed.by.vault"

    fetched = github.post(
        f"{API}/app/installations/6/access_tokens",
        status=201,
        json={"token": "installation-token", "expires_at": "2026-11-22T11:00:00Z"},
    )
    github.get(f"{API}/user/11", json=answers.user(11))
    with GitHubForge.as_app(SETTINGS, sign, lambda: now) as forge:
        forge.account(11)
        assert forge.installation_token().reveal() == "installation-token"
    assert fetched.call_count == 1
    assert payloads == [{"iat": now.seconds - 60, "exp": now.seconds + 300, "iss": "5"}]
    heads = [call.request.headers["Authorization"] for call in github.calls]
    assert heads == ["Bearer signed.by.vault", "token installation-token"]
    assert json.loads(github.calls[0].request.body or b"") == {"repository_ids": [77]}


def test_a_token_about_to_end_is_fetched_anew(github: responses.RequestsMock) -> None:
    now = Instant.parse("2026-11-22T10:00:00Z")
    fetched = github.post(
        f"{API}/app/installations/6/access_tokens",
        json={"token": "t", "expires_at": "2026-11-22T10:04:59Z"},
    )
    with GitHubForge.as_app(SETTINGS, lambda _: "jwt", lambda: now) as forge:
        forge.installation_token()
        forge.installation_token()
    assert fetched.call_count == 2


def test_an_unreadable_token_is_not_quoted(github: responses.RequestsMock) -> None:
    github.post(f"{API}/app/installations/6/access_tokens", json={"token": CANARY})
    with GitHubForge.as_app(SETTINGS, lambda _: "jwt", lambda: Instant(0)) as forge:
        with pytest.raises(ForgeUnavailableError) as caught:
            forge.installation_token()
        assert CANARY not in str(caught.value)


def test_a_refused_app_is_told_apart(github: responses.RequestsMock) -> None:
    github.post(f"{API}/app/installations/6/access_tokens", status=404, json={})
    github.get(f"{API}/user/{FIRST}", json={})
    with GitHubForge.as_app(SETTINGS, lambda _: "jwt", lambda: Instant(0)) as forge:
        with pytest.raises(ForgeRefusedError) as caught:
            forge.account(11)
        assert "App is installed" in caught.value.remedy


def closed(number: int, minute: int) -> dict[str, Any]:
    at = f"2026-11-22T10:{minute:02d}:00Z"
    return answers.pull(number=number, merged_at=None, closed_at=at, updated_at=at)


def test_of_the_closed_ones_a_few_pages_are_read_and_the_last_one_again(
    github: responses.RequestsMock, forge: GitHubForge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forge_module, "CLOSED_PAGES", 2)
    monkeypatch.setattr(forge_module, "PER_PAGE", 2)
    pages = {1: (9, 8), 2: (7, 6), 3: (5, 4)}
    for page, numbers in pages.items():
        github.get(
            f"{REPO}/pulls",
            json=[closed(number, number) for number in numbers],
            headers={"Link": f'<{REPO}/pulls?page={page + 1}>; rel="next"'} if page < 3 else {},
            match=[responses.matchers.query_param_matcher({"page": str(page)}, strict_match=False)],
        )
    first = forge.closed_pull_requests(Instant.parse("2026-11-22T10:00:00Z"))
    assert [item.number for item in first.found] == [9, 8, 7, 6]
    assert first.next_page == 2
    rest = forge.closed_pull_requests(Instant.parse("2026-11-22T10:05:00Z"), first.next_page)
    assert [item.number for item in rest.found] == [7, 6, 5]
    assert rest.next_page is None
    assert first.oldest == Instant.parse("2026-11-22T10:06:00Z")
    assert rest.newest == Instant.parse("2026-11-22T10:07:00Z")


def test_of_a_closed_one_no_more_files_are_read_than_were_asked_for(
    github: responses.RequestsMock, forge: GitHubForge
) -> None:
    github.get(f"{REPO}/issues/3", json={"closed_by": answers.user(12)})
    files = [answers.changed(filename=f"access/requests/{name}.yaml") for name in "abc"]
    link = f'<{REPO}/pulls/3/files?page=2>; rel="next"'  # which is never asked for
    github.get(f"{REPO}/pulls/3/files", json=files, headers={"Link": link})
    got = forge.closing_of(3, 2)
    assert (len(got.files), got.is_cut) == (2, True)


def test_of_the_open_ones_the_newest_are_read(
    github: responses.RequestsMock, forge: GitHubForge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forge_module, "_MOST_OPEN", 2)
    listed = [answers.pull(number=number, state="open") for number in (9, 8, 7)]
    github.get(f"{REPO}/pulls", json=listed)
    got = forge.open_pull_requests("as")
    assert [(item.number, item.author_id) for item in got.found] == [(9, 11), (8, 11)]
    assert got.is_cut
    assert forge.open_pull_requests("break-glass/").found == ()


@pytest.mark.parametrize("over", [{"commits": 251}, {"changed_files": 3001}], ids=str)
def test_the_lists_of_what_is_too_large_are_not_asked_for(
    github: responses.RequestsMock, forge: GitHubForge, over: dict[str, int]
) -> None:
    github.get(f"{REPO}/pulls/3", json=answers.pull(**over))
    got = forge.pull_request(3)
    assert (got.complete, got.is_too_large) == (False, True)
    assert "which is all that GitHub lists" in got.incomplete_because
    assert len(github.calls) == 1


@pytest.mark.parametrize("what", ["reviews", "events"])
def test_lists_that_anybody_can_make_long_are_read_so_far(
    github: responses.RequestsMock, forge: GitHubForge, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(pulls, "_MOST_ACTIVITIES", 2)
    event = {"event": "labeled", "created_at": answers.OPENED}
    many = [answers.review()] * 3 if what == "reviews" else [event] * 3
    serve(github, **{what: many})
    got = forge.pull_request(3)
    assert (got.complete, got.is_too_large) == (False, True)
    assert got.incomplete_because == f"it has more than 2 {what}"


def test_what_is_added_after_the_merge_undoes_no_proof(
    github: responses.RequestsMock, forge: GitHubForge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulls, "_MOST_ACTIVITIES", 2)
    later = "2026-11-22T12:00:00Z"
    added = {"event": "labeled", "created_at": later}
    before = {"event": "base_ref_changed", "created_at": answers.OPENED}
    reviews = [answers.review(), *[answers.review(id=40, submitted_at=later)] * 9]
    serve(github, reviews=reviews, events=[before, answers.merged(), *[added] * 9])
    got = forge.pull_request(3)
    assert got.complete
    assert [item.id for item in got.reviews] == [31, 40]
    assert got.base_changed_at == Instant.parse(answers.OPENED)
