"""The box's GraphQL: who the authors of a commit are, and what GitHub answers instead."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from daypass.sandbox.github.accounts import Credential

if TYPE_CHECKING:
    from daypass.sandbox.github import GitHub
    from daypass.sandbox.github.state import Repository

pytestmark = pytest.mark.integration

MESSAGE = """\
Pair

Co-authored-by: Not A Trailer <eve@acme.example>

Co-authored-by: Bob <BOB@acme.example>
CO-AUTHORED-BY: Bob again <bob@acme.example>
Co-authored-by: Eve <eve@users.noreply.github.com>
Co-authored-by: New <new@users.noreply.github.com>
Co-authored-by: Tool <noreply@assistant.example>
"""
QUERY = """
query($owner: String!, $name: String!) {
  repository(owner: $owner, name: $name) {
    c: object(oid: "%s") { ... on Commit { authors(first: %d) {
      nodes { email user { databaseId } } pageInfo { hasNextPage } } } }
    gone: object(oid: "%s") { ... on Commit { oid } }
  }
}"""


@pytest.fixture
def repository(github: GitHub) -> Repository:
    bob = github.add_member("bob")
    github.add_member("eve")
    github.directory.add("new")
    made = github.create_repository("access", admin=bob)
    github.first_commit(made, {"README.md": b"x\n"}, bob)
    return made


def commit(repository: Repository) -> str:
    """A commit by nobody's account, with those co-authors."""
    who = {"NAME": "Zed", "EMAIL": "zed@elsewhere.example", "DATE": "@0 +0000"}
    extra = {f"GIT_{role}_{key}": it for role in ("AUTHOR", "COMMITTER") for key, it in who.items()}
    words = ("commit-tree", "main^{tree}", "-F", "-")
    return repository.store.git(*words, data=MESSAGE.encode(), extra=extra).strip()


def ask(github: GitHub, token: str | None, query: str, owner: str = "acme") -> Any:
    target = urlsplit(github.server_url)
    connection = http.client.HTTPConnection(target.hostname or "", target.port)
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    body = json.dumps({"query": query, "variables": {"owner": owner, "name": "access"}})
    connection.request("POST", "/api/graphql", body, headers)
    answer = connection.getresponse()
    content = json.loads(answer.read())
    connection.close()
    return answer.status, content


def test_authors_are_the_git_author_and_the_trailers(
    github: GitHub, repository: Repository
) -> None:
    sha = commit(repository)
    directory = github.directory
    bob, eve = directory.by_login("bob"), directory.by_login("eve")
    assert bob is not None
    assert eve is not None
    token = github.token(bob).reveal()
    status, told = ask(github, token, QUERY % (sha, 100, "0" * 40))
    assert status == 200
    shown = told["data"]["repository"]
    assert shown["gone"] is None
    known = {item["email"]: item["user"] for item in shown["c"]["authors"]["nodes"]}
    assert known == {
        "zed@elsewhere.example": None,
        "BOB@acme.example": {"databaseId": bob.id},
        "eve@users.noreply.github.com": {"databaseId": eve.id},
        "new@users.noreply.github.com": None,
        "noreply@assistant.example": None,
    }
    part = ask(github, token, QUERY % (sha, 2, sha))[1]["data"]["repository"]["c"]["authors"]
    assert (len(part["nodes"]), part["pageInfo"]) == (2, {"hasNextPage": True})


def test_errors_come_with_status_200(github: GitHub, repository: Repository) -> None:
    sha = commit(repository)
    query = QUERY % (sha, 100, sha)
    bob = github.directory.by_login("bob")
    assert bob is not None
    token = github.token(bob).reveal()
    assert ask(github, None, query)[0] == 401
    limited = Credential(github.app.bot, {"metadata": "read"}, frozenset({repository.id}))
    app = github.directory.issue(limited, "ghs").reveal()
    wrong = {
        "FORBIDDEN": ask(github, app, query),
        "NOT_FOUND": ask(github, token, query, owner="other"),
        None: ask(github, token, query.replace("email", "mail")),
    }
    for kind, (status, told) in wrong.items():
        assert status == 200
        assert [item.get("type") for item in told["errors"]] == [kind]
    assert "errors" in ask(github, token, QUERY % (sha, 101, sha))[1]
    assert "errors" in ask(github, token, "{ repository")[1]
