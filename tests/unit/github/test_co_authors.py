"""Which accounts co-authors have, as GitHub's GraphQL API tells it; and what it does not tell."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import github_answers as answers
import pytest
from github_answers import GRAPHQL, REPO, SETTINGS

from daypass.adapters.github.forge import GitHubForge
from daypass.errors import ForgeUnavailableError
from daypass.model.pullrequest import CoAuthor, CommitAuthors, PullRequest
from daypass.model.secret import Secret

if TYPE_CHECKING:
    import responses

CANARY = "canary-in-a-message"
BY_MAIL = "Ask\n\nCo-authored-by: Eve <Eve@Example.org>\n"
AUTHOR = {"email": "alice@example.org", "user": None}


def page(nodes: list[Any], *, more: bool = False) -> dict[str, Any]:
    """The authors of a commit, as GitHub answers."""
    return {"authors": {"nodes": nodes, "pageInfo": {"hasNextPage": more}}}


def shown(commits: dict[str, Any]) -> dict[str, Any]:
    return {"json": {"data": {"repository": commits}}}


def fetched(
    github: responses.RequestsMock,
    *messages: str,
    files: list[dict[str, Any]] | None = None,
    **told: Any,
) -> PullRequest:
    """What is told of a pull request with those commits, in which GraphQL answers as `told`."""
    github.reset()
    path, files = f"{REPO}/pulls/3", files or [answers.changed()]
    commits = [answers.commit(text, sha=f"{n:040x}") for n, text in enumerate(messages)]
    head = commits[-1]["sha"]  # what is not among the commits would be asked for again
    pull = answers.pull(commits=len(commits), changed_files=len(files), merged_at=None)
    github.get(path, json=pull | {"head": pull["head"] | {"sha": head}})
    github.get(f"{path}/files", json=files)
    github.get(f"{path}/commits", json=commits)
    github.get(f"{path}/reviews", json=[])
    github.get(f"{REPO}/issues/3/events", json=[])
    github.get(f"{REPO}/activity", json=[answers.activity(after=head)])
    if told:
        github.post(GRAPHQL, **told)
    with GitHubForge.as_user(SETTINGS, Secret("user-token")) as forge:
        return forge.pull_request(3)


def questions(github: responses.RequestsMock) -> list[dict[str, Any]]:
    bodies = (call.request.body for call in github.calls if call.request.method == "POST")
    return [json.loads(body or b"") for body in bodies]


@pytest.mark.parametrize(
    "message",
    [
        "Ask",
        "Ask\n\nSigned-off-by: Eve <eve@example.org>\n",
        "Ask\n\nCo-authored-by: Eve <12+eve@users.noreply.github.test>\n",
    ],
)
def test_github_is_asked_nothing_more_where_a_number_tells(
    github: responses.RequestsMock, message: str
) -> None:
    """No answer is prepared: a question would fail."""
    got = fetched(github, message)
    assert (got.commit_authors, got.co_authors_unknown_because) == ((), "")


@pytest.mark.parametrize(
    ("path", "asks"),
    [
        ("README.md", 0),
        ("services/access/requests/x.yaml", 0),
        ("access/requests/x.yaml", 1),
        ("access/break-glass/x.yaml", 1),
        ("access/policies/x.yaml", 1),
        ("access/daypass.yaml", 1),
        ("schemas/grant.schema.json", 1),
        (".github/workflows/x.yml", 1),
    ],
)
def test_github_is_asked_only_about_what_approvals_are_counted_for(
    github: responses.RequestsMock, path: str, asks: int
) -> None:
    files = [answers.changed(filename="docs.md"), answers.changed(filename=path)]
    fetched(github, BY_MAIL, files=files, json=answers.authors({"eve@example.org": 12}))
    assert len(questions(github)) == asks


def test_a_file_that_was_renamed_out_of_what_counts_is_asked_about(
    github: responses.RequestsMock,
) -> None:
    moved = answers.changed(filename="x.yaml", status="renamed")
    before = {"previous_filename": "access/policies/x.yaml"}
    fetched(github, BY_MAIL, files=[moved | before], json=answers.authors({}))
    assert len(questions(github)) == 1
    with pytest.raises(ForgeUnavailableError):  # what it was called before is not told
        fetched(github, BY_MAIL, files=[moved], json=answers.authors({}))


def test_one_question_asks_for_the_commits_that_need_it(github: responses.RequestsMock) -> None:
    """Whom GitHub shows as an author is one, also where no line that we read names them."""
    told = answers.authors({"EVE@example.org": 12, "alice@work.example": 11}, commits=2)
    got = fetched(github, BY_MAIL, "Ask", BY_MAIL, json=told)
    known = (CoAuthor("eve@example.org", 12), CoAuthor("alice@work.example", 11))
    authors = (CoAuthor("alice@example.org", None), *known)
    assert got.commit_authors == tuple(CommitAuthors(f"{n:040x}", authors) for n in (0, 2))
    (question,) = questions(github)
    assert question["variables"] == {"owner": "acme", "name": "access"}
    assert f'c0: object(oid: "{0:040x}")' in question["query"]
    assert f'c1: object(oid: "{2:040x}")' in question["query"]
    assert f"{1:040x}" not in question["query"]
    assert "example.org" not in question["query"]


def test_many_commits_are_asked_for_part_by_part(github: responses.RequestsMock) -> None:
    told = answers.authors({"eve@example.org": 12}, commits=50)
    got = fetched(github, *[BY_MAIL] * 120, json=told)
    assert [item.sha for item in got.commit_authors] == [f"{n:040x}" for n in range(120)]
    assert [item["query"].count("object(") for item in questions(github)] == [50, 50, 20]


def test_an_account_that_is_gone_is_unknown(github: responses.RequestsMock) -> None:
    told = answers.authors({})
    told["data"]["repository"]["c0"]["authors"]["nodes"] += [
        {"email": "Eve@example.org", "user": None},
        {"email": None, "user": {"databaseId": 12}},
    ]
    (shown,) = fetched(github, BY_MAIL, json=told).commit_authors
    assert shown.authors[1:] == (CoAuthor("eve@example.org", None), CoAuthor("", 12))


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"status": 403}, "GitHub answered 403"),
        ({"status": 404}, "GitHub answered 404"),
        (
            {"json": {"data": None, "errors": [{"type": "FORBIDDEN", "message": CANARY}]}},
            "GitHub answered FORBIDDEN to POST /graphql",
        ),
        (shown({"c0": None}), "does not show one of the commits yet"),
        (shown({}), "does not show one of the commits yet"),
        (shown({"c0": page([])}), "does not show one of the commits yet"),
        (shown({"c0": page([AUTHOR], more=True)}), "more than 100 authors"),
    ],
)
def test_what_github_refuses_to_tell_is_not_known(
    github: responses.RequestsMock, told: dict[str, Any], why: str
) -> None:
    """Neither as if there were no account: that would be a refusal for good."""
    got = fetched(github, BY_MAIL, **told)
    assert got.commit_authors == ()
    assert why in got.co_authors_unknown_because
    assert CANARY not in got.co_authors_unknown_because


def test_a_commit_that_is_not_shown_leaves_the_others_known(
    github: responses.RequestsMock,
) -> None:
    told = shown({"c0": None, "c1": page([AUTHOR])})
    got = fetched(github, BY_MAIL, BY_MAIL, **told)
    assert [item.sha for item in got.commit_authors] == [f"{1:040x}"]
    assert got.co_authors_unknown_because


@pytest.mark.parametrize(
    "told",
    [
        {"status": 502},
        {"status": 403, "headers": {"Retry-After": "60"}},
        {"json": {"errors": [{"type": "RATE_LIMITED", "message": CANARY}]}},
        {"json": {"data": {}, "errors": [{"message": CANARY}]}},
        {"json": {"data": {"repository": None}}},
        {"json": {"data": {"repository": {"c0": {"authors": {"nodes": [{}]}}}}}},
        {"json": {"data": {"repository": {"c0": {"authors": {"nodes": [AUTHOR]}}}}}},
        shown({"c0": page([{}])}),
        {"json": {"data": None}},
        {"json": []},
        {"body": "<html>"},
    ],
)
def test_an_outage_is_told_as_one(github: responses.RequestsMock, told: dict[str, Any]) -> None:
    with pytest.raises(ForgeUnavailableError) as caught:
        fetched(github, BY_MAIL, **told)
    assert CANARY not in f"{caught.value.message} {caught.value.remedy}"
