"""The GitHub adapter against the box's GitHub, over HTTP and real git."""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jwt
import pytest
import requests

from daypass.adapters.clock import machine_now
from daypass.adapters.github.forge import GitHubForge
from daypass.errors import ForgeRefusedError, ForgeUnavailableError
from daypass.model.pullrequest import ReviewState, Team
from daypass.model.settings import GitHubSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from daypass.sandbox.github import GitHub
    from daypass.sandbox.github.accounts import Account
    from daypass.sandbox.github.state import Repository

pytestmark = pytest.mark.integration
MARKER = "<!-- daypass:delivery:x -->"


@dataclass
class Office:
    """A repository with people, and the App's view of it."""

    github: GitHub
    repository: Repository
    alice: Account
    bob: Account
    forge: GitHubForge
    work: Path

    def api(self, account: Account, verb: str, path: str, **body: Any) -> Any:
        answer = requests.request(
            verb,
            f"{self.github.api_url}/repos/acme/access{path}",
            json=body or None,
            headers={"Authorization": f"token {self.github.token(account).reveal()}"},
            timeout=20,
        )
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def push(self, account: Account, branch: str, *, amend: bool = False, url: str = "") -> str:
        """A commit in alice's name, pushed by that account."""
        token = self.github.token(account).reveal()
        where = url or f"{self.github.server_url}/acme/access.git"
        where = where.replace("http://", f"http://x:{token}@")
        if amend:
            git(self.work, "commit", "-q", "--amend", "--allow-empty", "-m", "Ask, amended")
        else:
            git(self.work, "fetch", "-q", where, "main")
            git(self.work, "checkout", "-q", "-B", branch, "FETCH_HEAD")
            git(self.work, "commit", "-q", "--allow-empty", "-m", "Start")
            (self.work / f"{branch}.yaml").write_text("asked\n")
            git(self.work, "add", ".")
            git(self.work, "commit", "-q", "-m", "Ask\n\nCo-authored-by: B <bob@acme.example>")
        git(self.work, "push", "-q", "--force", where, f"HEAD:{branch}")
        return git(self.work, "rev-parse", "HEAD")

    def open(self, branch: str, head: str = "") -> int:
        asked = self.api(
            self.alice, "POST", "/pulls", title=branch, head=head or branch, base="main"
        )
        return int(asked["number"])

    def merge(self, number: int) -> str:
        self.api(self.bob, "POST", f"/pulls/{number}/reviews", event="APPROVE")
        merged = self.api(self.bob, "PUT", f"/pulls/{number}/merge", merge_method="squash")
        return str(merged["sha"])


def git(directory: Path, *words: str) -> str:
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(directory),
        "GIT_AUTHOR_NAME": "Alice", "GIT_AUTHOR_EMAIL": "alice@acme.example",
        "GIT_COMMITTER_NAME": "Alice", "GIT_COMMITTER_EMAIL": "alice@acme.example",
    }  # fmt: skip
    done = subprocess.run(
        ["git", "-C", str(directory), *words], check=True, env=environment, capture_output=True
    )
    return done.stdout.decode().strip()


@pytest.fixture
def office(github: GitHub, tmp_path: Path) -> Iterator[Office]:
    alice, bob = (
        github.add_member("alice", keys=["ssh-ed25519 AAAA alice"]),
        github.add_member("bob"),
    )
    github.add_team("dba", [alice, bob])
    repository = github.create_repository("access", admin=alice, members=[alice, bob])
    github.first_commit(repository, {"README.md": b"#\n"}, alice)
    repository.rules.protected = False
    settings = GitHubSettings(
        "acme", github.organisation.id, "access", repository.id, github.app.id, github.app.bot.id,
        github.app.installation_id, github.api_url, github.server_url,
    )  # fmt: skip
    pem = github.app.generate_key().reveal()
    git(tmp_path, "init", "-q")
    with GitHubForge.as_app(
        settings, lambda payload: jwt.encode(payload, pem, "RS256"), machine_now
    ) as forge:
        yield Office(github, repository, alice, bob, forge, tmp_path)


def test_a_merged_pull_request_is_found_by_its_commit_with_all_its_facts(office: Office) -> None:
    head = office.push(office.alice, "ask")
    merge = office.merge(office.open("ask"))
    [found] = office.forge.pull_requests_of(merge)
    assert found.complete, found.incomplete_because
    assert (found.merge_commit_sha, found.head_sha) == (merge, head)
    assert found.base_repository_id == office.repository.id
    assert [item.path for item in found.files] == ["ask.yaml"]
    assert [item.author.id if item.author else None for item in found.commits] == [
        office.alice.id,
        office.alice.id,
    ]
    assert found.commits[-1].co_authors == ("bob@acme.example",)
    [review] = found.reviews
    assert (review.state, review.commit) == (ReviewState.APPROVED, head)
    assert [push.actor.id for push in found.pushes if push.actor] == [office.alice.id]


def test_who_amended_under_her_name_is_found_out(office: Office) -> None:
    office.push(office.alice, "ask")
    number = office.open("ask")
    head = office.push(office.bob, "ask", amend=True)
    found = office.forge.pull_request(number)
    assert found.complete, found.incomplete_because
    assert {item.author.id for item in found.commits if item.author} == {office.alice.id}
    assert [push.actor.id for push in found.pushes if push.actor] == [
        office.bob.id,
        office.alice.id,
    ]
    assert found.pushes[0].after == head


def test_a_branch_that_is_gone_after_the_merge_hides_nothing(office: Office) -> None:
    office.push(office.alice, "ask")
    number = office.open("ask")
    office.merge(number)
    office.api(office.alice, "DELETE", "/git/refs/heads/ask")
    assert office.forge.pull_request(number).complete


def test_a_fork_that_is_gone_makes_it_incomplete(office: Office) -> None:
    fork = office.github.fork(office.repository, office.alice)
    url = f"{office.github.server_url}/{fork.full_name}.git"
    office.push(office.alice, "ask", url=url)
    number = office.open("ask", head="alice:ask")
    office.github.delete_repository(fork)
    found = office.forge.pull_request(number)
    assert not found.complete
    assert "fork" in found.incomplete_because


def test_a_commit_that_nobody_asked_for_has_no_pull_request(office: Office) -> None:
    head = office.repository.store.resolve("main")
    assert head
    assert office.forge.pull_requests_of(head) == ()


def test_teams_accounts_and_keys_by_id(office: Office) -> None:
    assert office.forge.team_members("dba") == {office.alice.id, office.bob.id}
    account = office.forge.account(office.alice.id)
    assert account is not None
    office.github.directory.rename(office.alice, "alice-renamed")
    office.github.add_member("alice", keys=["ssh-ed25519 EVIL"])
    assert [key.split()[1] for key in office.forge.ssh_keys(account)] == ["AAAA"]
    assert office.forge.account(99999999) is None
    with pytest.raises(ForgeRefusedError):
        office.forge.team_members("no-such-team")


def test_a_team_is_asked_by_its_id_whoever_has_taken_its_slug(office: Office) -> None:
    dba = office.github.teams["dba"]
    office.github.rename_team(dba, "dba-emea")
    mallory = office.github.add_member("mallory")
    taken = office.github.add_team("dba", [mallory])
    assert office.forge.team_members("dba", dba.id) == {office.alice.id, office.bob.id}
    assert office.forge.team_members("dba") == {mallory.id}
    assert office.forge.team("dba", dba.id) == Team(dba.id, "dba-emea")
    assert office.forge.team("dba") == Team(taken.id, "dba")
    assert office.forge.team("dba", 999_999) is None
    with pytest.raises(ForgeRefusedError):
        office.forge.team_members("dba", 999_999)


def test_a_token_pushes_with_git(office: Office) -> None:
    token = office.forge.installation_token().reveal()
    url = f"{office.github.server_url}/acme/access.git".replace("http://", f"http://x:{token}@")
    assert git(office.work, "ls-remote", url, "main")


def comment_on(office: Office) -> int:
    return int(office.api(office.alice, "POST", "/issues", title="x")["number"])


def test_eight_runs_at_once_leave_one_comment(office: Office) -> None:
    number = comment_on(office)
    with ThreadPoolExecutor(8) as pool:
        posted = list(
            pool.map(lambda _: office.forge.post_comment(number, MARKER, "secret"), range(8))
        )
    standing = office.forge.comments(number)
    assert len(standing) == 1
    assert standing[0].author_id == office.github.app.bot.id
    assert {item.id for item in posted} == {standing[0].id}


def test_a_comment_whose_answer_was_lost_is_not_posted_again(office: Office) -> None:
    number = comment_on(office)
    office.github.fail_next("POST", "/comments$", 502, after=True)
    with pytest.raises(ForgeUnavailableError):
        office.forge.post_comment(number, MARKER, "secret")
    office.forge.post_comment(number, MARKER, "secret")
    assert len(office.forge.comments(number)) == 1


def test_an_edited_comment_shows_it(office: Office) -> None:
    number = comment_on(office)
    posted = office.forge.post_comment(number, MARKER, "secret")
    office.github.clock.shift = 5
    office.api(office.bob, "PATCH", f"/issues/comments/{posted.id}", body=f"{MARKER}\nforged")
    [found] = office.forge.comments(number)
    assert found.edited
    assert found.body.endswith("forged")


def test_many_comments_are_read_to_the_last_page(office: Office) -> None:
    number = comment_on(office)
    for index in range(101):
        office.api(office.bob, "POST", f"/issues/{number}/comments", body=f"chatter {index}")
    office.forge.post_comment(number, MARKER, "secret")
    assert len(office.forge.comments(number)) == 102
    assert office.forge.post_comment(number, MARKER, "secret").body == f"{MARKER}\nsecret"


def test_reading_survives_a_hiccup_and_tells_of_a_rate_limit(office: Office) -> None:
    office.forge.installation_token()
    office.github.fail_next("GET", "/user/", 502, times=2)
    assert office.forge.account(office.alice.id) is not None
    office.github.limit_rate()
    with pytest.raises(ForgeUnavailableError, match="until 20"):
        office.forge.account(office.bob.id)
    office.github.heal()
    office.github.limit_rate(secondary=True)
    with pytest.raises(ForgeUnavailableError, match="60 s more"):
        office.forge.account(office.bob.id)


def test_a_missing_permission_is_named(office: Office) -> None:
    del office.github.app.permissions["members"]
    with pytest.raises(ForgeRefusedError) as caught:
        office.forge.team_members("dba")
    assert "members" in caught.value.remedy.lower()


def test_a_key_that_is_not_the_apps_is_refused(office: Office) -> None:
    office.github.app.trusted.clear()
    with pytest.raises(ForgeRefusedError) as caught:
        office.forge.account(office.alice.id)
    assert "transit key is the App's key" in caught.value.remedy
