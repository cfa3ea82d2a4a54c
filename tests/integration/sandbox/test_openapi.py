"""What the box's GitHub answers is what GitHub's own OpenAPI description says it answers.

tests/support/github-openapi.json holds the description's part that concerns the box; it says where
it is from. Every operation that the box serves is called here, and every answer judged.
"""

from __future__ import annotations

import base64
import http.client
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from jsonschema import Draft202012Validator

from daypass.sandbox.github.state import Environment
from daypass.sandbox.github.web import TABLES
from support.app_jwt import app_jwt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daypass.sandbox.github import GitHub
    from daypass.sandbox.github.accounts import Account
    from daypass.sandbox.github.state import Repository

pytestmark = pytest.mark.integration
NAMES = {"owner": "acme", "repo": "access"}
TEAM = "/orgs/{org}/teams/{team_slug}"
# GitHub's answers name a team's own address so (`url`, `members_url`); its description does not.
TEAM_BY_ID = "/organizations/{org_id}/team/{team_id}"
REPOSITORY = "/repos/{owner}/{repo}"
PULL = REPOSITORY + "/pulls/{pull_number}"
REVIEW = PULL + "/reviews/{review_id}"
ISSUE = REPOSITORY + "/issues/{issue_number}"
COMMENT = REPOSITORY + "/issues/comments/{comment_id}"
ENVIRONMENT = REPOSITORY + "/environments/{environment_name}"
DAYPASS = {"environment_name": "daypass", **NAMES}
OWNERS = b"* @acme/dba\n/x @nobody\n"
PROTECTION = {
    "url": "https://api.github.example/repos/acme/access/branches/main/protection",
    "required_pull_request_reviews": {
        "dismiss_stale_reviews": True,
        "require_code_owner_reviews": True,
        "required_approving_review_count": 1,
        "require_last_push_approval": True,
    },
    "enforce_admins": {"url": "https://api.github.example/x", "enabled": True},
    "allow_force_pushes": {"enabled": False},
    "allow_deletions": {"enabled": False},
}
DESCRIPTION = json.loads(
    (Path(__file__).parents[2] / "support" / "github-openapi.json").read_text()
)


def with_null(schema: Any) -> Any:
    """OpenAPI 3.0's `nullable` as JSON Schema says it; `$ref`s into this document's $defs."""
    if isinstance(schema, list):
        return [with_null(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {key: with_null(value) for key, value in schema.items() if key != "nullable"}
    if "$ref" in plain and isinstance(plain["$ref"], str):
        plain["$ref"] = "#/$defs/" + plain["$ref"].rsplit("/", 1)[1]
    return {"anyOf": [plain, {"type": "null"}]} if schema.get("nullable") is True else plain


DEFINITIONS = with_null(DESCRIPTION["schemas"])


def shape(path: str) -> str:
    """A path's template without the names of its parameters."""
    return re.sub(r"\{\w+\}", "{}", path)


OPERATIONS = {
    (method.upper(), shape(path)): answers
    for path, methods in DESCRIPTION["paths"].items()
    for method, answers in methods.items()
}
OPERATIONS |= {
    ("GET", shape(TEAM_BY_ID + end)): OPERATIONS["GET", shape(TEAM + end)]
    for end in ("", "/members")
}
SERVED = {(method, shape(template)) for table in TABLES for method, template in table.operations()}


class Judge:
    """Calls the box's GitHub, and holds each answer against the description."""

    def __init__(self, github: GitHub) -> None:
        target = urlsplit(github.api_url)
        self._prefix = target.path
        self._connection = http.client.HTTPConnection(target.hostname or "", target.port)
        self.token = ""
        self.called: set[tuple[str, str]] = set()

    def __call__(self, method: str, template: str, body: Any = None, **values: Any) -> Any:
        path = template
        for name, value in values.items():
            path = path.replace("{" + name + "}", str(value))
        data = None if body is None else json.dumps(body)
        query = "" if method != "GET" else "?state=all&per_page=100"
        self._connection.request(
            method, self._prefix + path + query, data, {"Authorization": f"Bearer {self.token}"}
        )
        answer = self._connection.getresponse()
        content = answer.read()
        operation = (method, shape(template))
        wanted = OPERATIONS[operation]
        assert str(answer.status) in wanted, (operation, answer.status, content[:300])
        schema = wanted[str(answer.status)]
        self.called.add(operation)
        if schema is None:
            assert content == b"", operation
            return None
        value = json.loads(content)
        judge = Draft202012Validator({**with_null(schema), "$defs": DEFINITIONS})
        wrong = [f"{error.json_path}: {error.message[:200]}" for error in judge.iter_errors(value)]
        assert not wrong, (operation, wrong)
        return value

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def judge(github: GitHub) -> Iterator[Judge]:
    it = Judge(github)
    yield it
    it.close()


def test_every_operation_is_described() -> None:
    assert set(OPERATIONS) == SERVED


def test_every_answer_conforms(github: GitHub, judge: Judge) -> None:
    alice = github.add_member("alice", keys=["ssh-ed25519 AAAA alice@laptop"])
    bob = github.add_member("bob")
    github.add_team("dba", [bob])
    repository = github.create_repository("access", admin=bob, members=[alice, bob])
    files = {"a.yaml": b"a: 1\n", "b.yaml": b"b: 1\n" * 20, "CODEOWNERS": OWNERS}
    github.first_commit(repository, files, bob)
    repository.protection = PROTECTION
    repository.environments["daypass"] = Environment(7, "daypass", [("main", "branch")], {"A": "b"})
    repository.variables["A"] = "c"
    push_a_branch(github, repository, alice)

    judge.token = github.token(alice).reveal()
    people(judge, bob.id)
    number = ask(judge)
    talk(judge, number)
    judge.token = github.token(bob).reveal()
    sha = answer(judge, number)
    repository_itself(judge, sha)
    judge.token = app_jwt(github.app.generate_key(), github.app.id)
    judge("GET", "/app")
    tokens = "/app/installations/{installation_id}/access_tokens"
    judge("POST", tokens, {}, installation_id=github.app.installation_id)

    assert judge.called == SERVED


def push_a_branch(github: GitHub, repository: Repository, actor: Account) -> None:
    """A branch with an addition, a change, and a renaming."""
    stream = (
        "commit refs/heads/ask\ncommitter A <alice@acme.example> 1795330275 +0000\ndata 3\nAsk\n"
        f"from {repository.store.branch('main')}\n"
        "M 100644 inline c.yaml\ndata 2\nc\n\nM 100644 inline a.yaml\ndata 2\nA\n\n"
        "R b.yaml d.yaml\n"
        f"reset refs/heads/other\nfrom {repository.store.branch('main')}\n"
    )
    repository.store.git("fast-import", "--quiet", data=stream.encode())
    head = repository.store.branch("ask")
    assert head is not None
    github.record(repository, actor, "refs/heads/ask", "0" * 40, head, "branch_creation")


def people(judge: Judge, bobs_id: int) -> None:
    judge("GET", "/user")
    judge("GET", "/users/{username}", username="bob")
    judge("GET", "/user/{account_id}", account_id=bobs_id)
    judge("GET", "/users/{username}/keys", username="alice")
    judge("GET", "/orgs/{org}", org="acme")
    judge("GET", "/orgs/{org}/teams", org="acme")
    team = judge("GET", TEAM, org="acme", team_slug="dba")
    ids = {"org_id": team["organization"]["id"], "team_id": team["id"]}
    assert judge("GET", TEAM_BY_ID, **ids) == team
    assert team["url"].endswith(TEAM_BY_ID.format(**ids))
    judge("GET", TEAM_BY_ID + "/members", **ids)
    judge("GET", TEAM + "/members", org="acme", team_slug="dba")
    judge("GET", TEAM + "/memberships/{username}", org="acme", team_slug="dba", username="bob")


def ask(judge: Judge) -> dict[str, Any]:
    """Open a pull request; the parameters that name it in paths."""
    body = {"title": "Ask", "head": "ask", "base": "main", "body": None}
    opened = judge("POST", REPOSITORY + "/pulls", body, **NAMES)
    number = {"pull_number": opened["number"], "issue_number": opened["number"], **NAMES}
    files = judge("GET", PULL + "/files", **number)
    assert {item["filename"]: item["status"] for item in files} == {
        "a.yaml": "modified",
        "c.yaml": "added",
        "d.yaml": "renamed",
    }
    judge("GET", PULL + "/commits", **number)
    judge("PATCH", PULL, {"title": "Ask for it"}, **number)
    for base in ("other", "main"):
        judge("PATCH", PULL, {"base": base}, **number)
    moved = judge("GET", ISSUE + "/events", **number)
    assert [item["event"] for item in moved] == ["base_ref_changed"] * 2
    return number


def talk(judge: Judge, number: dict[str, Any]) -> None:
    said = judge("POST", ISSUE + "/comments", {"body": "please"}, **number)
    judge("GET", COMMENT, comment_id=said["id"], **NAMES)
    judge("PATCH", COMMENT, {"body": "please, today"}, comment_id=said["id"], **NAMES)
    judge("GET", ISSUE + "/comments", **number)
    judge("DELETE", COMMENT, comment_id=said["id"], **NAMES)


def answer(judge: Judge, number: dict[str, Any]) -> str:
    """Review and merge; the commit that brought it."""
    for event in ("APPROVE", "COMMENT", "REQUEST_CHANGES"):
        given = judge("POST", PULL + "/reviews", {"event": event, "body": "read it"}, **number)
    judge("GET", REVIEW, review_id=given["id"], **number)
    judge("PUT", REVIEW + "/dismissals", {"message": "done"}, review_id=given["id"], **number)
    told = judge("GET", ISSUE + "/events", **number)[-1]
    assert told["event"] == "review_dismissed"
    assert told["dismissed_review"]["review_id"] == given["id"]
    judge("GET", PULL + "/reviews", **number)
    judge("POST", ISSUE + "/labels", ["access"], **number)
    judge("GET", REPOSITORY + "/pulls", **NAMES)
    judge("PUT", PULL + "/merge", {"merge_method": "squash"}, **number)
    judge("GET", PULL + "/merge", **number)
    merged = judge("GET", PULL, **number)
    assert merged["merged"] is True
    told, closed = judge("GET", ISSUE + "/events", **number)[-2:]
    assert (told["event"], closed["event"]) == ("merged", "closed")
    assert (told["commit_id"], told["created_at"]) == (
        merged["merge_commit_sha"],
        merged["merged_at"],
    )
    sha = merged["merge_commit_sha"]
    brought = judge("GET", REPOSITORY + "/commits/{commit_sha}/pulls", commit_sha=sha, **NAMES)
    assert [item["number"] for item in brought] == [number["pull_number"]]
    made = judge("POST", REPOSITORY + "/issues", {"title": "Late", "labels": ["alarm"]}, **NAMES)
    judge("PATCH", ISSUE, {"state": "closed"}, issue_number=made["number"], **NAMES)
    judge("GET", ISSUE, **number)
    judge("GET", REPOSITORY + "/issues", **NAMES)
    return str(sha)


def repository_itself(judge: Judge, sha: str) -> None:
    judge("GET", REPOSITORY, **NAMES)
    activity = judge("GET", REPOSITORY + "/activity", **NAMES)
    assert activity[0]["activity_type"] == "pr_merge"
    permission = REPOSITORY + "/collaborators/{username}/permission"
    judge("GET", permission, username="alice", **NAMES)
    content = judge("GET", REPOSITORY + "/contents/{path}", path="c.yaml", **NAMES)
    assert base64.b64decode(content["content"]) == b"c\n"
    judge("GET", REPOSITORY + "/branches/{branch}", branch="main", **NAMES)
    judge("GET", REPOSITORY + "/commits/{ref}", ref=sha, **NAMES)
    judge("GET", REPOSITORY + "/git/ref/{ref}", ref="heads/main", **NAMES)
    rules = judge("GET", REPOSITORY + "/rulesets", **NAMES)
    judge("GET", REPOSITORY + "/rulesets/{ruleset_id}", ruleset_id=rules[0]["id"], **NAMES)
    judge("GET", REPOSITORY + "/rules/branches/{branch}", branch="main", **NAMES)
    judge("GET", REPOSITORY + "/branches/{branch}/protection", branch="main", **NAMES)
    wrong = judge("GET", REPOSITORY + "/codeowners/errors", **NAMES)["errors"]
    assert [(item["line"], item["kind"]) for item in wrong] == [(2, "Unknown owner")]
    writers = judge("GET", REPOSITORY + "/collaborators", **NAMES)
    assert {item["login"] for item in writers} == {"alice", "bob"}
    judge("GET", ENVIRONMENT, environment_name="daypass", **NAMES)
    named = judge("GET", ENVIRONMENT + "/deployment-branch-policies", **DAYPASS)
    assert named["branch_policies"][0]["name"] == "main"
    assert judge("GET", ENVIRONMENT + "/variables", **DAYPASS)["total_count"] == 1
    variable = judge("GET", REPOSITORY + "/actions/variables/{name}", name="A", **NAMES)
    assert variable["value"] == "c"
    judge("DELETE", REPOSITORY + "/git/refs/{ref}", ref="heads/ask", **NAMES)
    dispatch = REPOSITORY + "/actions/workflows/{workflow_id}/dispatches"
    judge("POST", dispatch, {"ref": "main"}, workflow_id="access-apply.yml", **NAMES)
    status = {"state": "success", "context": "access-validate"}
    judge("POST", REPOSITORY + "/statuses/{sha}", status, sha=sha, **NAMES)
    judge("GET", REPOSITORY + "/commits/{ref}/statuses", ref=sha, **NAMES)
