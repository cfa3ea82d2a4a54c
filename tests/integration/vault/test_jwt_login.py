"""Who may log in as the bot: the bound workflow on the protected branch, and nobody else."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from daypass.adapters.clock import machine_now
from daypass.adapters.vault.session import Session, login_jwt
from daypass.errors import ForgeUnavailableError, VaultRefusedError
from daypass.model.secret import Secret

if TYPE_CHECKING:
    from vault_house import House

pytestmark = pytest.mark.integration
FOREIGN = "acme/access/.github/workflows/access-apply.yml@refs/heads/main"
CLAIMS: dict[str, dict[str, object]] = {
    "another-repository": {"repository_id": "457"},
    "a-repository-of-that-name-by-another-owner": {"repository_owner_id": "901"},
    "another-branch": {"ref": "refs/heads/feature"},
    "a-tag-named-main": {"ref": "refs/tags/main"},
    "a-pull-request": {"ref": "refs/pull/1/merge", "event_name": "pull_request"},
    "pull-request-target": {"event_name": "pull_request_target"},
    "a-comment": {"event_name": "issue_comment"},
    "another-workflow": {"job_workflow_ref": FOREIGN},
    "the-workflow-of-another-branch": {
        "job_workflow_ref": "acme/access/.github/workflows/access-reconcile.yml@refs/heads/x"
    },
    "no-workflow": {"job_workflow_ref": None},
    "no-repository": {"repository_id": None},
    "a-glob": {"repository_id": "*"},
    "no-environment": {"environment": None},
    "another-environment": {"environment": "production"},
    "another-audience": {"aud": "https://github.com/acme"},
    "no-audience": {"aud": None},
    "another-issuer": {"iss": "https://token.actions.example"},
}
TIMES = {  # seconds from the moment of the log-in, never from that of the import
    "expired": {"iat": -1200, "nbf": -1200, "exp": -900},
    "not-yet": {"nbf": 900, "iat": 900, "exp": 1200},
}


def claims_of(name: str) -> dict[str, object]:
    now = machine_now().seconds
    return {
        **CLAIMS.get(name, {}),
        **{claim: now + seconds for claim, seconds in TIMES.get(name, {}).items()},
    }


@pytest.mark.parametrize("name", sorted({*CLAIMS, *TIMES}))
def test_a_token_with_other_claims_is_refused(name: str, house: House) -> None:
    claims = claims_of(name)
    with pytest.raises(VaultRefusedError, match="refused the log-in") as error:
        login_jwt(house.settings.vault, lambda: house.jwt(**claims))
    assert "no reason that can be repeated" not in error.value.message
    for value in claims.values():
        assert str(value) not in error.value.message or len(str(value)) < 3


@pytest.mark.parametrize("event", ["push", "schedule", "workflow_dispatch"])
def test_the_bound_workflow_logs_in(event: str, house: House) -> None:
    with login_jwt(house.settings.vault, lambda: house.jwt(event_name=event)) as session:
        assert session.call("LIST", "auth/token/accessors").keys


@pytest.mark.parametrize("kind", ["none", "hs256", "foreign-key", "tampered", "rubbish"])
def test_a_signature_that_does_not_hold_is_refused(kind: str, house: House) -> None:
    claims = house.claims()
    good = house.oidc.sign(claims)
    other = house.oidc.sign(house.claims(repository_id="457"))
    token = {
        "none": house.oidc.unsigned(claims),
        "hs256": house.oidc.confused(claims),
        "foreign-key": house.oidc.sign(claims, rsa.generate_private_key(65537, 2048)),
        "tampered": ".".join((*good.split(".")[:2], other.split(".")[2])),
        "rubbish": "a.b.c",
    }[kind]
    with pytest.raises(VaultRefusedError, match="refused the log-in") as error:
        login_jwt(house.settings.vault, lambda: Secret(token))
    assert token not in f"{error.value} {error.value!r} {error.value.remedy}"


def test_a_long_run_logs_in_again_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def fetch() -> Secret:
        asked.append(1)
        return house.jwt()

    clock = [1000.0]
    monkeypatch.setattr("daypass.adapters.vault.session.time.monotonic", lambda: clock[0])
    with login_jwt(house.settings.vault, fetch) as session:
        assert len(asked) == 1
        clock[0] += 449  # of 600 s: a quarter is 150
        session.call("LIST", "auth/token/accessors")
        assert len(asked) == 1
        clock[0] += 2
        with ThreadPoolExecutor(8) as pool:
            answers = pool.map(lambda _: session.call("LIST", "auth/token/accessors"), range(16))
            assert all(answer.keys for answer in answers)
        assert len(asked) == 2


def test_an_outage_of_the_identity_source_is_borne_while_the_token_lives(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    up = [True]

    def fetch() -> Secret:
        if not up[0]:
            raise ForgeUnavailableError("GitHub's OIDC service is down", remedy="Later.")
        return house.jwt()

    clock = [1000.0]
    monkeypatch.setattr("daypass.adapters.vault.session.time.monotonic", lambda: clock[0])
    session: Session
    with login_jwt(house.settings.vault, fetch) as session:
        up[0] = False
        clock[0] += 500
        session.call("LIST", "auth/token/accessors")
        clock[0] += 95
        with pytest.raises(ForgeUnavailableError):
            session.call("LIST", "auth/token/accessors")
        up[0] = True
