"""GitHub Actions as far as identity goes: runs, their tokens, and the OIDC issuer."""

from __future__ import annotations

import base64
import json
import secrets
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from daypass.sandbox.github.routing import RefusalError

if TYPE_CHECKING:
    from daypass.model.secret import Secret
    from daypass.sandbox.github.accounts import Account
    from daypass.sandbox.github.state import Repository

_TOKEN_SECONDS: Final = 300
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Run:
    """One workflow run, and what GitHub vouches for about it."""

    id: int
    attempt: int
    repository: Repository
    actor: Account
    workflow: str  # a path in the repository, .github/workflows/….yml
    event: str
    ref: str  # refs/heads/…
    sha: str
    job_workflow_ref: str
    environment: str | None
    runner_environment: str

    @property
    def workflow_ref(self) -> str:
        """`owner/repo/.github/workflows/x.yml@refs/heads/main`."""
        return f"{self.repository.full_name}/{self.workflow}@{self.ref}"

    @property
    def ref_protected(self) -> bool:
        """Whether rules guard the ref that the run was started for."""
        rules = self.repository.rules
        return rules.protected and self.ref == f"refs/heads/{self.repository.default_branch}"

    def subject(self) -> str:
        """`sub` in the form of repositories created after 15 July 2026, with both ids."""
        owner, repository = self.repository.owner, self.repository
        place = f"repo:{owner.login}@{owner.id}/{repository.name}@{repository.id}"
        if self.environment is not None:
            return f"{place}:environment:{self.environment}"
        if self.event == "pull_request":
            return f"{place}:pull_request"
        return f"{place}:ref:{self.ref}"


@dataclass(frozen=True, slots=True)
class RunCredentials:
    """What a runner gives a job: its environment, and its GITHUB_TOKEN."""

    run: Run
    env: dict[str, str] = field(repr=False)  # holds the token that gets OIDC tokens
    token: Secret


class Issuer:
    """The OIDC issuer: signs what is known of a run, for whoever holds the run's request token."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._key_id = secrets.token_hex(8)
        self._runs: dict[str, Run] = {}

    def open(self, run: Run) -> str:
        """A request token for that run."""
        token = secrets.token_urlsafe(32)
        self._runs[token] = run
        return token

    def close(self, run_id: int) -> None:
        """The run is over: its request token gets nothing more."""
        self._runs = {token: run for token, run in self._runs.items() if run.id != run_id}

    def configuration(self) -> Json:
        """`/.well-known/openid-configuration`."""
        return {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/.well-known/jwks",
            "subject_types_supported": ["public", "pairwise"],
            "response_types_supported": ["id_token"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid"],
            "claims_supported": ["sub", "aud", "exp", "iat", "iss", "jti", "nbf", "ref"],
        }

    def keys(self) -> Json:
        """The JWKS."""
        numbers = self._key.public_key().public_numbers()
        return {
            "keys": [
                {
                    "kty": "RSA",
                    "alg": "RS256",
                    "use": "sig",
                    "kid": self._key_id,
                    "n": _base64(numbers.n.to_bytes(256, "big")),
                    "e": _base64(numbers.e.to_bytes(3, "big")),
                }
            ]
        }

    def token_for(self, request_token: str | None, audience: str | None) -> Json:
        """What a job gets: a token for that audience (the owner's URL if none is asked for).

        Raises:
            RefusalError: 401 if no run under way has that request token.
        """
        run = self._runs.get(request_token or "")
        if run is None:
            raise RefusalError(401, "Unauthorized")
        default = f"{self.url.partition('/_services')[0]}/{run.repository.owner.login}"
        return {"value": self.sign(claims_of(run, self.url, audience or default))}

    def sign(self, claims: Json) -> str:
        """A JWT of those claims, whatever they say: the negative tests forge with it."""
        head = {"typ": "JWT", "alg": "RS256", "x5t": self._key_id, "kid": self._key_id}
        signed = f"{_base64(json.dumps(head).encode())}.{_base64(json.dumps(claims).encode())}"
        proof = self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_base64(proof)}"


def claims_of(run: Run, issuer: str, audience: str) -> Json:
    """All claims that GitHub documents, for a token made now."""
    repository, now = run.repository, int(time.time())
    environment = {} if run.environment is None else {"environment": run.environment}
    return {
        "jti": str(uuid.uuid4()),
        "iss": issuer,
        "sub": run.subject(),
        "aud": audience,
        "iat": now,
        "nbf": now - 5,
        "exp": now + _TOKEN_SECONDS,
        "actor": run.actor.login,
        "actor_id": str(run.actor.id),
        "base_ref": "",
        "head_ref": "",
        "event_name": run.event,
        "ref": run.ref,
        "ref_protected": "true" if run.ref_protected else "false",
        "ref_type": "branch",
        "repository": repository.full_name,
        "repository_id": str(repository.id),
        "repository_owner": repository.owner.login,
        "repository_owner_id": str(repository.owner.id),
        "repository_visibility": "private" if repository.private else "public",
        "run_id": str(run.id),
        "run_number": "1",
        "run_attempt": str(run.attempt),
        "runner_environment": run.runner_environment,
        "sha": run.sha,
        "workflow": run.workflow,
        "workflow_ref": run.workflow_ref,
        "workflow_sha": run.sha,
        "job_workflow_ref": run.job_workflow_ref,
        "job_workflow_sha": run.sha,
        **environment,
    }


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
