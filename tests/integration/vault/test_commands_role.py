"""The role that obeys comments: it takes away, and does nothing else. On the real server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from vault_house import order

from daypass.adapters.clock import machine_now
from daypass.adapters.vault.compare import superfluous
from daypass.adapters.vault.issuer import VaultIssuer
from daypass.adapters.vault.registry import VaultRegistry
from daypass.adapters.vault.session import login_jwt
from daypass.adapters.vault.transit import TransitSigner, app_jwt_signer, public_keys
from daypass.errors import VaultRefusedError
from daypass.lifecycle.ports import SlotState
from daypass.model.intent import Intent, IntentKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vault_house import House

    from daypass.adapters.vault.session import Session

pytestmark = pytest.mark.integration
RUN = "acme/access/.github/workflows/access-commands-run.yml@refs/heads/main"
RECONCILE = "acme/access/.github/workflows/access-reconcile.yml@refs/heads/main"
READ = "daypass-orders-db-read-1h"


def log_in(house: House, role: str = "daypass-commands", **claims: object) -> Session:
    told = {"event_name": "issue_comment", "job_workflow_ref": RUN, **claims}
    return login_jwt(house.settings.vault, lambda: house.jwt(**told), role=role)


@pytest.fixture
def commands(house: House) -> Iterator[Session]:
    """Logged in as access-commands-run, with that role's own policy only."""
    with log_in(house) as session:
        yield session


@pytest.mark.parametrize("event", ["issue_comment", "workflow_dispatch"])
def test_the_bound_workflow_logs_in(event: str, house: House) -> None:
    with log_in(house, event_name=event) as session:
        assert session.now()


CLAIMS: dict[str, dict[str, object]] = {
    "the-workflow-that-calls-it": {
        "job_workflow_ref": "acme/access/.github/workflows/access-commands.yml@refs/heads/main"
    },
    "the-workflow-that-mints": {"job_workflow_ref": RECONCILE},
    "that-file-on-another-branch": {
        "job_workflow_ref": "acme/access/.github/workflows/access-commands-run.yml@refs/heads/x"
    },
    "that-file-of-another-repository": {
        "job_workflow_ref": "evil/access/.github/workflows/access-commands-run.yml@refs/heads/main"
    },
    "another-branch": {"ref": "refs/heads/x"},
    "a-push": {"event_name": "push"},
    "a-schedule": {"event_name": "schedule"},
    "a-pull-request": {"event_name": "pull_request"},
    "pull-request-target": {"event_name": "pull_request_target"},
    "another-repository": {"repository_id": "457"},
    "another-owner": {"repository_owner_id": "901"},
    "another-audience": {"aud": "https://github.com/acme"},
    "no-workflow": {"job_workflow_ref": None},
}


@pytest.mark.parametrize("name", sorted(CLAIMS))
def test_nobody_else_does(name: str, house: House) -> None:
    with pytest.raises(VaultRefusedError, match="refused the log-in to role daypass-commands"):
        log_in(house, **CLAIMS[name])


def test_neither_workflow_gets_the_others_role(house: House) -> None:
    with pytest.raises(VaultRefusedError, match="role daypass-apply"):
        log_in(house, "daypass-apply", event_name="workflow_dispatch")
    with pytest.raises(VaultRefusedError, match="role daypass-commands"):
        log_in(house, job_workflow_ref=RECONCILE, event_name="workflow_dispatch")


def test_it_finds_a_grant_notes_the_intent_and_ends_it(commands: Session, house: House) -> None:
    root = VaultIssuer(house.root)
    minted = root.mint(order("cmd-end"))
    slots = VaultRegistry(house.root, house.settings.vault.kv_mount)
    slots.write("cmd-end", SlotState.DELIVERED, {"accessor": minted.accessor}, 0)

    registry = VaultRegistry(commands, house.settings.vault.kv_mount)
    issuer = VaultIssuer(commands)
    slot = registry.read("cmd-end")
    assert slot is not None
    assert slot.data["accessor"] == minted.accessor
    for kind in (IntentKind.REDELIVER, IntentKind.DONE, IntentKind.REDELIVER):
        registry.write_intent(Intent("cmd-end", kind, 7, machine_now()))
    assert issuer.lookup(minted.accessor) is not None
    issuer.revoke(minted.accessor)
    assert issuer.lookup(minted.accessor) is None
    assert [item.kind for item in slots.intents()] == [IntentKind.DONE]
    slots.remove_intent("cmd-end")


def test_it_signs_for_the_app_and_knows_the_evidence_key(commands: Session, house: House) -> None:
    vault, evidence = house.settings.vault, house.settings.evidence
    sign = app_jwt_signer(commands, vault.transit_mount, vault.app_key)
    assert sign({"iss": 7, "iat": 0, "exp": 300}).count(".") == 2
    known = public_keys(commands, vault.transit_mount, evidence.key)
    assert known == public_keys(house.root, vault.transit_mount, evidence.key)
    with pytest.raises(VaultRefusedError):
        TransitSigner(commands, vault.transit_mount, evidence.key).sign(b"a forged event")


MINT: dict[str, Any] = {
    "policies": [READ],
    "ttl": "60s",
    "explicit_max_ttl": "60s",
    "renewable": False,
    "no_default_policy": True,
    "num_uses": "2",
    "display_name": "grant-x",
    "meta": {"grant": "x"},
}
SLOT = {"data": {"state": "closed", "data": {}}, "options": {"cas": 0}}
REFUSED: dict[str, tuple[str, str, dict[str, Any] | None]] = {
    "minting": ("POST", f"auth/token/create/{READ}", MINT),
    "minting-plainly": ("POST", "auth/token/create", {"policies": ["root"]}),
    "minting-an-orphan": ("POST", "auth/token/create-orphan", {"policies": ["root"]}),
    "signing-evidence": ("POST", "vt-transit/sign/evidence", {"input": "eA=="}),
    "signing-evidence-hashed": ("POST", "vt-transit/sign/evidence/sha2-256", {"input": "eA=="}),
    "signing-pss": (
        "POST",
        "vt-transit/sign/github-app/sha2-256",
        {"input": "eA==", "signature_algorithm": "pss"},
    ),
    "exporting-the-app-key": ("GET", "vt-transit/export/signing-key/github-app", None),
    "rotating-the-evidence-key": ("POST", "vt-transit/keys/evidence/rotate", None),
    "reading-the-app-key": ("GET", "vt-transit/keys/github-app", None),
    "writing-a-slot": ("POST", "vt-kv/data/daypass/grants/cmd-slot", SLOT),
    "deleting-a-slot": ("DELETE", "vt-kv/data/daypass/grants/cmd-end", None),
    "destroying-a-slot": ("POST", "vt-kv/destroy/daypass/grants/cmd-end", {"versions": [1]}),
    "listing-slots": ("LIST", "vt-kv/metadata/daypass/grants", None),
    "deleting-an-intent": ("DELETE", "vt-kv/data/daypass/intents/cmd-end", None),
    "deleting-all-of-an-intent": ("DELETE", "vt-kv/metadata/daypass/intents/cmd-end", None),
    "listing-intents": ("LIST", "vt-kv/metadata/daypass/intents", None),
    "reading-notes": ("GET", "vt-kv/data/daypass/notes/trust", None),
    "moving-the-trust": ("POST", "vt-kv/data/daypass/notes/trust", {"data": {"commit": "x"}}),
    "putting-work-on-the-list": ("POST", "vt-kv/data/daypass/pending/x", {"data": {}}),
    "reading-other-kv": ("GET", "vt-kv/data/other/secret", None),
    "reading-credentials": ("GET", "database/creds/orders-read-1h", None),
    "listing-tokens": ("LIST", "auth/token/accessors", None),
    "revoking-a-token-by-value": ("POST", "auth/token/revoke", {"token": "x"}),
    "revoking-by-prefix": ("POST", "sys/leases/revoke-prefix/database", None),
    "revoking-a-lease": ("POST", "sys/leases/revoke", {"lease_id": "database/creds/x/1"}),
    "looking-at-leases": ("LIST", "sys/leases/lookup/database/creds/orders-read-1h", None),
    "writing-a-policy": ("POST", "sys/policies/acl/daypass-commands", {"policy": ""}),
    "writing-its-jwt-role": ("POST", "auth/vt-jwt/role/daypass-commands", {"bound_claims": {}}),
    "renewing-itself": ("POST", "auth/token/renew-self", None),
    "sealing": ("POST", "sys/seal", None),
}


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_it_can_do_nothing_else(name: str, commands: Session) -> None:
    method, path, body = REFUSED[name]
    with pytest.raises(VaultRefusedError, match=r"\(403\)"):
        commands.call(method, path, body)


def test_what_the_set_up_lays_in_is_never_pruned(house: House) -> None:
    assert superfluous(house.root, house.setup) == ()
