"""Who the box's GitHub believes: the App's JWT, tokens, permissions, and what OIDC vouches for."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from daypass.sandbox.bao_client import BaoClient
from daypass.sandbox.github.accounts import Credential
from support.app_jwt import app_jwt

if TYPE_CHECKING:
    from daypass.model.secret import Secret
    from daypass.sandbox.github import GitHub
    from daypass.sandbox.github.state import Repository
    from daypass.sandbox.openbao import OpenBao

pytestmark = pytest.mark.integration


@pytest.fixture
def key(github: GitHub) -> Secret:
    """The App's private key."""
    return github.app.generate_key()


@pytest.fixture
def repository(github: GitHub) -> Repository:
    """acme/access, private."""
    bob = github.add_member("bob")
    made = github.create_repository("access", admin=bob)
    github.first_commit(made, {"README.md": b"x\n"}, bob)
    return made


def ask(url: str, path: str, token: str | None, method: str = "GET", body: Any = None) -> Any:
    """Status and JSON of one call."""
    target = urlsplit(url)
    connection = http.client.HTTPConnection(target.hostname or "", target.port)
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    connection.request(method, target.path + path, json.dumps(body) if body else None, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, json.loads(content) if content else None


def fetch_token(github: GitHub, jwt: str, body: Any = None) -> Any:
    path = f"/app/installations/{github.app.installation_id}/access_tokens"
    return ask(github.api_url, path, jwt, "POST", body)


@pytest.mark.parametrize("by_client_id", [False, True])
def test_the_apps_jwt_gets_a_token(
    github: GitHub, key: Secret, repository: Repository, by_client_id: bool
) -> None:
    issuer = github.app.client_id if by_client_id else github.app.id
    status, answer = fetch_token(github, app_jwt(key, issuer))
    assert status == 201
    assert answer["permissions"]["contents"] == "write"
    assert ask(github.api_url, "/repos/acme/access", answer["token"])[1]["id"] == repository.id


@pytest.mark.parametrize(
    "wrong",
    [
        {"exp": 1},
        {"exp": 2**40},
        {"exp": "soon"},
        {"iat": 2**40},
        {"iss": 1},
        {"algorithm": "none"},
        {"algorithm": "HS256"},
        {"algorithm": "RS512"},
    ],
    ids=str,
)
def test_a_jwt_that_is_wrong_gets_nothing(
    github: GitHub, key: Secret, wrong: dict[str, Any]
) -> None:
    status, answer = fetch_token(github, app_jwt(key, github.app.id, **wrong))
    assert status == 401
    assert "token" not in answer


def test_another_apps_key_gets_nothing(github: GitHub, key: Secret) -> None:
    github.app.trusted.clear()
    assert fetch_token(github, app_jwt(key, github.app.id))[0] == 401


@pytest.mark.parametrize("jwt", ["a.b.c", "..", "e30.e30.e30", "bm8.bm8.bm8"])
def test_what_is_no_jwt_gets_nothing(github: GitHub, jwt: str) -> None:
    assert fetch_token(github, jwt)[0] == 401


def test_a_jwt_is_no_token(github: GitHub, key: Secret, repository: Repository) -> None:
    jwt = app_jwt(key, github.app.id)
    assert ask(github.api_url, "/app", jwt)[0] == 200
    assert ask(github.api_url, f"/repos/{repository.full_name}", jwt)[0] == 404


def test_a_token_is_as_narrow_as_it_was_asked_for(
    github: GitHub, key: Secret, repository: Repository
) -> None:
    jwt = app_jwt(key, github.app.id)
    other = github.create_repository("other", admin=github.add_member("carol"))
    wish = {"permissions": {"contents": "read"}, "repository_ids": [repository.id]}
    _, answer = fetch_token(github, jwt, wish)
    token = answer["token"]
    assert ask(github.api_url, f"/repos/{other.full_name}", token)[0] == 404
    assert ask(github.api_url, "/orgs/acme/teams", token)[0] == 403
    path = "/repos/acme/access/issues"
    assert ask(github.api_url, path, token, "POST", {"title": "x"})[0] == 403
    assert fetch_token(github, jwt, {"permissions": {"contents": "admin"}})[0] == 422
    assert fetch_token(github, jwt, {"repository_ids": [1]})[0] == 422


def test_tokens_that_are_wrong_expired_or_revoked_are_refused(
    github: GitHub, key: Secret, repository: Repository
) -> None:
    path = f"/repos/{repository.full_name}"
    assert ask(github.api_url, path, None)[0] == 404
    assert ask(github.api_url, path, "ghp_wrong")[0] == 401
    _, answer = fetch_token(github, app_jwt(key, github.app.id))
    assert ask(github.api_url, path, answer["token"])[0] == 200
    over = github.directory.issue(Credential(github.app.bot, expires_at=1.0), "ghs")
    assert ask(github.api_url, path, over.reveal())[0] == 401
    github.directory.revoke(answer["token"])
    assert ask(github.api_url, path, answer["token"])[0] == 401


def test_a_stranger_sees_neither_repository_nor_git(github: GitHub, repository: Repository) -> None:
    stranger = github.token(github.directory.add("stranger")).reveal()
    assert ask(github.api_url, f"/repos/{repository.full_name}", stranger)[0] == 404
    refs = "/acme/access.git/info/refs?service=git-upload-pack"
    assert ask(github.server_url, refs, None)[0] == 401
    assert ask(github.server_url, refs, stranger)[0] == 404


def test_openbao_believes_a_run_and_nobody_else(
    github: GitHub, repository: Repository, bao: OpenBao
) -> None:
    client, mount = bao.client, f"jwt-{github.app.id}"
    client.write(f"sys/auth/{mount}", {"type": "jwt"})
    issuer = github.issuer.url
    client.write(f"auth/{mount}/config", {"oidc_discovery_url": issuer, "bound_issuer": issuer})
    ref = "acme/access/.github/workflows/access-reconcile.yml@refs/heads/main"
    role = {
        "role_type": "jwt",
        "user_claim": "repository_id",
        "bound_audiences": ["vault"],
        "bound_claims": {
            "repository_id": str(repository.id),
            "ref": "refs/heads/main",
            "job_workflow_ref": ref,
            "ref_protected": "true",
        },
    }
    client.write(f"auth/{mount}/role/apply", role)
    run = github.begin_run(
        repository=repository, workflow=".github/workflows/access-apply.yml", job_workflow_ref=ref
    )
    assert run.run.subject() == (
        f"repo:acme@{github.organisation.id}/access@{repository.id}:ref:refs/heads/main"
    )

    def log_in(credentials: Any, audience: str = "vault") -> int | None:
        url = credentials.env["ACTIONS_ID_TOKEN_REQUEST_URL"] + f"&audience={audience}"
        token = credentials.env["ACTIONS_ID_TOKEN_REQUEST_TOKEN"]
        status, answer = ask(url.partition("?")[0], "?" + url.partition("?")[2], token)
        if status != 200:
            return None
        body = {"role": "apply", "jwt": answer["value"]}
        return int(BaoClient(bao.address)._exchange("POST", f"auth/{mount}/login", body)[0])

    assert log_in(run) == 200
    assert log_in(run, "another") == 400
    by_hand = github.begin_run(repository=repository, workflow=".github/workflows/other.yml")
    assert log_in(by_hand) == 400
    branch = github.begin_run(
        repository=repository, workflow="w.yml", ref="refs/heads/x", job_workflow_ref=ref
    )
    assert log_in(branch) == 400
    github.end_run(run)
    assert log_in(run) is None
    assert ask(github.api_url, f"/repos/{repository.full_name}", run.token.reveal())[0] == 401


@pytest.mark.parametrize(
    ("facts", "end"),
    [
        ({"environment": "production"}, ":environment:production"),
        ({"event": "pull_request"}, ":pull_request"),
        ({"ref": "refs/heads/x"}, ":ref:refs/heads/x"),
    ],
    ids=str,
)
def test_the_subject_says_what_github_says(
    github: GitHub, repository: Repository, facts: dict[str, str], end: str
) -> None:
    run = github.begin_run(repository=repository, workflow="w.yml", **facts)
    assert run.run.subject().endswith(f"access@{repository.id}{end}")
