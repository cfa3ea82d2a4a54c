"""GitHub's answers, as its API description has them, for tests without a network."""

from __future__ import annotations

from typing import Any

from daypass.model.settings import GitHubSettings

API = "https://github.test:443/api/v3"  # PyGithub spells the port out
SETTINGS = GitHubSettings(
    owner="acme",
    owner_id=1,
    repository="access",
    repository_id=77,
    app_id=5,
    app_user_id=900,
    installation_id=6,
    api_url=API,
    server_url="https://github.test",
)
GRAPHQL = "https://github.test:443/api/graphql"
REPO = f"{API}/repos/acme/access"
HEAD, BASE, FIRST, MERGE = "a" * 40, "b" * 40, "c" * 40, "d" * 40
NOTHING = "0" * 40
OPENED, MERGED = "2026-11-22T10:00:00Z", "2026-11-22T11:00:00Z"


def user(number: int, login: str = "", kind: str = "User") -> dict[str, Any]:
    return {"id": number, "login": login or f"user{number}", "type": kind}


def pull(**over: Any) -> dict[str, Any]:
    repo = {"id": 77, "full_name": "acme/access"}
    return {
        "number": 3,
        "html_url": "https://github.test/acme/access/pull/3",
        "user": user(11, "alice"),
        "state": "closed",
        "created_at": OPENED,
        "merged_at": MERGED,
        "merge_commit_sha": MERGE,
        "merged_by": user(12, "bob"),
        "head": {"ref": "ask", "sha": HEAD, "repo": repo},
        "base": {"ref": "main", "sha": BASE, "repo": repo},
        "commits": 1,
        "changed_files": 1,
    } | over


def commit(message: str = "Ask", **over: Any) -> dict[str, Any]:
    author = user(11, "alice")
    body = {"sha": HEAD, "commit": {"message": message}, "author": author, "committer": author}
    return body | over


def authors(accounts: dict[str, int], commits: int = 1) -> dict[str, Any]:
    """GraphQL's answer for the authors of commits: address → account; alice@… is nobody's."""
    nodes = [{"email": "alice@example.org", "user": None}]
    nodes += [
        {"email": email, "user": {"databaseId": number}} for email, number in accounts.items()
    ]
    page = {"nodes": nodes, "pageInfo": {"hasNextPage": False}}
    shown = {f"c{number}": {"authors": page} for number in range(commits)}
    return {"data": {"repository": shown}}


def changed(**over: Any) -> dict[str, Any]:
    return {"filename": "access/requests/x.yaml", "status": "added", "sha": FIRST} | over


def review(**over: Any) -> dict[str, Any]:
    return {
        "id": 31,
        "user": user(12, "bob"),
        "state": "APPROVED",
        "commit_id": HEAD,
        "submitted_at": "2026-11-22T10:30:00Z",
    } | over


def activity(**over: Any) -> dict[str, Any]:
    return {
        "id": 1,
        "before": NOTHING,
        "after": HEAD,
        "ref": "refs/heads/ask",
        "timestamp": OPENED,
        "activity_type": "branch_creation",
        "actor": user(11, "alice"),
    } | over


def merged(**over: Any) -> dict[str, Any]:
    """The event that GitHub records of a merge."""
    return {
        "event": "merged",
        "actor": user(12, "bob"),
        "commit_id": MERGE,
        "created_at": MERGED,
    } | over


def comment(number: int, body: str, author: int = 900, **over: Any) -> dict[str, Any]:
    return {
        "id": number,
        "html_url": f"https://github.test/acme/access/pull/3#issuecomment-{number}",
        "user": user(author),
        "body": body,
        "created_at": OPENED,
        "updated_at": OPENED,
    } | over
