"""A pull request's whole life through PyGithub and stock git, and the box's people and faults."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import github as pygithub
import pytest

from daypass.errors import SandboxError
from daypass.sandbox.organisation import request
from daypass.sandbox.person import Person, Proposal, make_home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from daypass.model.secret import Secret
    from daypass.sandbox.github import GitHub
    from daypass.sandbox.github.state import Repository

pytestmark = pytest.mark.integration


@pytest.fixture
def people(github: GitHub, tmp_path: Path) -> dict[str, Person]:
    """alice and bob may write, mallory too, dave administers; all work in acme/access."""
    names = ("alice", "bob", "mallory", "dave")
    accounts = {
        name: github.add_member(name, keys=[make_home(tmp_path / name, name)]) for name in names
    }
    repository = github.create_repository(
        "access", members=accounts.values(), admin=accounts["dave"]
    )
    github.first_commit(repository, {"README.md": b"# access\n"}, accounts["dave"])
    return {
        name: Person(github, repository, account, github.token(account), tmp_path / name)
        for name, account in accounts.items()
    }


@pytest.fixture
def repository(github: GitHub, people: dict[str, Person]) -> Repository:
    """acme/access, with people in it."""
    assert people
    return github.all_repositories()[0]


@pytest.fixture
def log_in(github: GitHub) -> Iterator[Callable[[Secret], pygithub.Github]]:
    """PyGithub with somebody's token."""
    clients: list[pygithub.Github] = []

    def logged_in(token: Secret) -> pygithub.Github:
        auth = pygithub.Auth.Token(token.reveal())
        clients.append(
            pygithub.Github(
                base_url=github.api_url,
                auth=auth,
                retry=None,
                seconds_between_requests=0,
                seconds_between_writes=0,
            )
        )
        return clients[-1]

    yield logged_in
    for client in clients:
        client.close()


def test_pygithub_plays_a_pull_requests_whole_life(
    github: GitHub, people: dict[str, Person], log_in: Callable[[Secret], pygithub.Github]
) -> None:
    alice, bob = people["alice"], people["bob"]
    alice.push([Proposal("ask", request("a-1"), "Ask for the orders")])
    hers = log_in(alice.token).get_repo("acme/access")
    his = log_in(bob.token).get_repo("acme/access")

    pull = hers.create_pull(base="main", head="ask", title="Ask", body="please")
    assert (pull.user.id, pull.state, pull.merged, pull.mergeable) == (
        alice.account.id,
        "open",
        False,
        True,
    )
    assert pull.head.repo.id == hers.id
    assert pull.base.sha == his.get_branch("main").commit.sha
    (file,) = pull.get_files()
    assert (file.filename, file.status) == ("access/requests/a-1.yaml", "added")
    assert file.sha == alice.git("rev-parse", "refs/box/ask:access/requests/a-1.yaml").strip()
    assert [commit.author.id for commit in pull.get_commits()] == [alice.account.id]

    with pytest.raises(pygithub.GithubException, match="approve your own"):
        pull.create_review(event="APPROVE")
    first = his.get_pull(pull.number).create_review(event="REQUEST_CHANGES", body="why?")
    first.dismiss("explained")
    his.get_pull(pull.number).create_review(event="APPROVE")
    assert [(item.user.id, item.state, item.commit_id) for item in pull.get_reviews()] == [
        (bob.account.id, "DISMISSED", pull.head.sha),
        (bob.account.id, "APPROVED", pull.head.sha),
    ]

    comment = pull.create_issue_comment("on my way")
    his.get_pull(pull.number).get_issue_comment(comment.id).edit("edited by somebody else")
    (seen,) = pull.get_issue_comments()
    assert (seen.user.id, seen.body) == (alice.account.id, "edited by somebody else")

    merged = his.get_pull(pull.number).merge(merge_method="squash", commit_title="Ask (#1)")
    after = hers.get_pull(pull.number)
    assert (after.merged, after.merge_commit_sha) == (True, merged.sha)
    assert after.merged_by.id == bob.account.id
    assert [item.number for item in hers.get_commit(merged.sha).get_pulls()] == [pull.number]
    assert github.directory.by_id(alice.account.id) is alice.account


@pytest.mark.parametrize(("method", "parents"), [("merge", 2), ("squash", 1), ("rebase", 1)])
def test_each_way_of_merging_brings_the_change(
    people: dict[str, Person], repository: Repository, method: str, parents: int
) -> None:
    number = people["alice"].propose("ask", request("a-1"), "Ask")
    people["bob"].push([Proposal("other", {"OTHER.md": b"x\n"}, "Meanwhile")])
    other = people["bob"].open_pull_request("other", "Meanwhile")
    people["dave"].merge(other)
    sha = people["bob"].merge(number, method=method)
    commit = repository.store.commit(sha)
    assert len(commit.parents) == parents
    assert repository.store.branch("main") == sha
    assert repository.store.blob(sha, "OTHER.md") is not None
    assert repository.store.blob(sha, "access/requests/a-1.yaml") is not None


def test_what_conflicts_cannot_be_merged(people: dict[str, Person]) -> None:
    numbers = [
        people[name].propose(name, {"README.md": name.encode()}, "Rewrite")
        for name in ("alice", "bob")
    ]
    people["dave"].merge(numbers[0])
    shown = people["dave"].api("GET", f"/repos/acme/access/pulls/{numbers[1]}")
    assert shown["mergeable"] is False
    with pytest.raises(SandboxError, match="405"):
        people["dave"].merge(numbers[1])


def test_a_push_after_the_review_moves_the_head_and_not_the_review(
    people: dict[str, Person], repository: Repository
) -> None:
    number = people["alice"].propose("ask", request("a-1"), "Ask")
    people["bob"].approve(number)
    before = repository.pulls[number].head_sha
    people["mallory"].push(
        [Proposal("ask", request("a-1", duration="8h"), "Ask")], onto="origin/ask"
    )
    pull = repository.pulls[number]
    assert pull.head_sha != before
    assert [review.commit_id for review in pull.reviews] == [before]
    record = people["alice"].api("GET", "/repos/acme/access/activity?ref=refs/heads/ask")
    assert [(item["actor"]["login"], item["activity_type"]) for item in record] == [
        ("mallory", "push"),
        ("alice", "branch_creation"),
    ]
    assert [record[1]["after"], record[0]["after"]] == [record[0]["before"], pull.head_sha]


def test_a_force_push_is_recorded_as_one(people: dict[str, Person], repository: Repository) -> None:
    people["alice"].propose("ask", request("a-1"), "Ask")
    with pytest.raises(SandboxError, match="git push failed"):
        people["alice"].push([Proposal("ask", request("a-2"), "Ask anew")])
    people["alice"].push([Proposal("ask", request("a-2"), "Ask anew")], force=True)
    assert repository.activities[-1].type == "force_push"


@pytest.mark.parametrize("name", ["alice", "dave"])
def test_nobody_pushes_to_main_but_the_app(
    github: GitHub, people: dict[str, Person], repository: Repository, name: str
) -> None:
    before = repository.store.branch("main")
    change = Proposal("straight", request("a-1"), "Straight to main")
    people[name].push([change])
    with pytest.raises(SandboxError, match="GH013"):
        people[name].git("push", "-q", "origin", "refs/box/straight:refs/heads/main")
    assert repository.store.branch("main") == before
    people[name].token = app_token(github)
    people[name].git("push", "-q", "origin", "refs/box/straight:refs/heads/main")
    assert repository.activities[-1].actor is github.app.bot
    with pytest.raises(SandboxError, match="force-push"):
        people[name].git("push", "-q", "--force", "origin", f"{before}:refs/heads/main")
    with pytest.raises(SandboxError, match="git push failed"):
        people[name].git("push", "-q", "origin", ":refs/heads/main")


def test_without_protection_anybody_with_write_access_pushes_to_main(
    people: dict[str, Person], repository: Repository
) -> None:
    repository.rules.protected = False
    people["mallory"].push([Proposal("straight", request("a-1"), "Straight")])
    people["mallory"].git("push", "-q", "origin", "refs/box/straight:refs/heads/main")
    assert repository.activities[-1].actor is people["mallory"].account
    sha = repository.store.branch("main")
    assert people["alice"].api("GET", f"/repos/acme/access/commits/{sha}/pulls") == []


def test_pushing_a_pull_requests_head_to_main_merges_it_as_on_github(
    people: dict[str, Person], repository: Repository
) -> None:
    number = people["alice"].propose("ask", request("a-1"), "Ask")
    repository.rules.protected = False
    people["mallory"].git("fetch", "-q", "origin")
    people["mallory"].git("push", "-q", "origin", "origin/ask:refs/heads/main")
    pull = repository.pulls[number]
    assert pull.merged_at is not None
    assert pull.merged_by is people["mallory"].account


def test_rules_can_want_approvals_before_a_merge(
    people: dict[str, Person], repository: Repository
) -> None:
    repository.rules.enforces_reviews = True
    number = people["alice"].propose("ask", request("a-1"), "Ask")
    with pytest.raises(SandboxError, match="405"):
        people["bob"].merge(number)
    people["bob"].approve(number)
    people["bob"].merge(number)


def test_a_pull_request_from_a_fork_and_the_fork_deleted(
    github: GitHub, people: dict[str, Person], repository: Repository, tmp_path: Path
) -> None:
    outsider = github.directory.add("eve", emails=["eve@elsewhere.example"])
    repository.private = False
    fork = github.fork(repository, outsider)
    eve = Person(github, fork, outsider, github.token(outsider), tmp_path / "eve")
    eve.home.mkdir()
    with pytest.raises(SandboxError, match="403"):
        eve.api(
            "POST",
            "/repos/acme/access/pulls",
            {"title": "x", "head": "main", "base": "main"},
        )
    eve.push([Proposal("ask", request("a-1"), "Ask")])
    opened = eve.api(
        "POST", "/repos/acme/access/pulls", {"title": "Ask", "head": "eve:ask", "base": "main"}
    )
    assert opened["head"]["repo"]["id"] == fork.id
    with pytest.raises(SandboxError, match="403"):
        eve.api("PUT", f"/repos/acme/access/pulls/{opened['number']}/merge", {})
    github.delete_repository(fork)
    shown = people["alice"].api("GET", f"/repos/acme/access/pulls/{opened['number']}")
    assert shown["head"]["repo"] is None


def test_a_commit_of_an_unknown_address_has_no_author(people: dict[str, Person]) -> None:
    alice = people["alice"]
    alice.account.emails.clear()
    alice.account.emails.add("elsewhere@nowhere.example")
    number = alice.propose("ask", request("a-1"), "Ask")
    alice.account.emails.clear()
    (commit,) = alice.api("GET", f"/repos/acme/access/pulls/{number}/commits")
    assert commit["author"] is None
    assert commit["commit"]["author"]["email"] == "elsewhere@nowhere.example"


def test_logins_are_renamed_and_reused_and_ids_are_not(
    github: GitHub, people: dict[str, Person]
) -> None:
    alice, bob = people["alice"], people["bob"]
    github.directory.rename(alice.account, "alice-was-here")
    squatter = github.directory.add("alice")
    assert bob.api("GET", "/users/alice")["id"] == squatter.id
    assert bob.api("GET", "/users/alice/keys") == []
    assert bob.api("GET", f"/user/{alice.account.id}")["login"] == "alice-was-here"


def test_what_a_deleted_account_wrote_has_no_author(
    github: GitHub, people: dict[str, Person]
) -> None:
    number = people["alice"].propose("ask", request("a-1"), "Ask")
    people["bob"].approve(number)
    github.directory.delete(people["bob"].account)
    (review,) = people["alice"].api("GET", f"/repos/acme/access/pulls/{number}/reviews")
    assert review["user"] is None
    with pytest.raises(SandboxError, match="401"):
        people["bob"].approve(number)


def test_lists_are_paged_with_link_headers(
    github: GitHub, people: dict[str, Person], log_in: Callable[[Secret], pygithub.Github]
) -> None:
    number = people["alice"].propose("ask", request("a-1"), "Ask")
    for index in range(70):
        people["alice"].comment(number, f"comment {index}")
    repository = log_in(people["bob"].token).get_repo("acme/access")
    found = [item.body for item in repository.get_issue(number).get_comments()]
    assert found == [f"comment {index}" for index in range(70)]
    pages = [item for item in github.requests if item.path.endswith(f"/{number}/comments")]
    assert [item.method for item in pages].count("GET") == 3


def test_the_record_of_pushes_is_paged_by_cursor(
    people: dict[str, Person], log_in: Callable[[Secret], pygithub.Github]
) -> None:
    alice = people["alice"]
    alice.push([Proposal(f"b-{index}", request(f"a-{index}"), "Ask") for index in range(65)])
    repository = log_in(alice.token).get_repo("acme/access")
    pages = repository.requester
    url, seen = f"{repository.url}/activity?per_page=30", []
    while url:
        headers, data = pages.requestJsonAndCheck("GET", url)
        seen += [item["ref"] for item in data]
        url = next_page(headers)
    assert len(seen) == len(set(seen)) == 66


def next_page(headers: dict[str, Any]) -> str:
    """The URL of the next page; empty if this was the last."""
    links = headers.get("link", "")
    wanted = (part.partition(">")[0].lstrip("< ") for part in links.split(",") if "next" in part)
    return next(wanted, "")


def test_faults_fail_as_often_as_they_are_told(github: GitHub, people: dict[str, Person]) -> None:
    alice = people["alice"]
    github.fail_next("GET", r"/users/", 502, times=2)
    for _ in range(2):
        with pytest.raises(SandboxError, match="502"):
            alice.api("GET", "/users/bob")
    assert alice.api("GET", "/users/bob")["login"] == "bob"
    number = alice.propose("ask", request("a-1"), "Ask")
    github.fail_next("POST", r"/comments$", 502, after=True)
    with pytest.raises(SandboxError, match="502"):
        alice.comment(number, "said once")
    assert [item["body"] for item in alice.comments(number)] == ["said once"]


@pytest.mark.parametrize(("secondary", "status"), [(False, "403"), (True, "429")])
def test_the_rate_can_be_limited(
    github: GitHub, people: dict[str, Person], secondary: bool, status: str
) -> None:
    github.limit_rate(secondary=secondary)
    with pytest.raises(SandboxError, match=status):
        people["alice"].api("GET", "/users/bob")
    people["alice"].api("GET", "/users/bob")


def test_the_record_of_requests_holds_no_token(github: GitHub, people: dict[str, Person]) -> None:
    people["alice"].propose("ask", request("a-1"), "Ask")
    run = github.begin_run(repository=github.all_repositories()[0], workflow=".github/x.yml")
    written = repr(github.requests) + repr(people["alice"])
    assert "git-receive-pack" in written
    secrets = [people["alice"].token.reveal(), run.env["ACTIONS_ID_TOKEN_REQUEST_TOKEN"]]
    assert not [secret for secret in secrets if secret in written]


def test_a_token_on_no_command_line(people: dict[str, Person]) -> None:
    alice = people["alice"]
    alice.git("config", "alias.listing", "!ps -eo args")
    assert alice.token.reveal() not in alice.git("listing")


def test_a_clone_without_blobs_gets_them_when_it_needs_them(
    github: GitHub, people: dict[str, Person], tmp_path: Path
) -> None:
    alice = people["alice"]
    url = f"{github.server_url}/acme/access"
    words = ["git", "clone", "-q", "--filter=blob:none", url, str(tmp_path / "partial")]
    subprocess.run(words, check=True, env=alice.environment())
    assert (tmp_path / "partial" / "README.md").read_bytes() == b"# access\n"


def app_token(github: GitHub) -> Secret:
    """An installation token, as the App would get it."""
    from daypass.model.secret import Secret  # noqa: PLC0415  -- unit tests need no server

    return Secret(github.app.installation_token(github, {})["token"])
