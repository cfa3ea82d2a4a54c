"""What the bot's own token must not do: each attempt is made, on the real server.

The bot of these tests is logged in by a workflow's identity and has the policy that
`daypass vault apply` has laid in, nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from daypass.adapters.vault.parts import named_parts
from daypass.errors import VaultRefusedError
from daypass.model.secret import Secret

if TYPE_CHECKING:
    from vault_house import House

    from daypass.adapters.vault.session import Session

pytestmark = pytest.mark.integration

READ = "daypass-orders-db-read-1h"
ADMIN = "daypass-orders-db-admin-1h"
GOOD: dict[str, Any] = {
    "policies": [READ],
    "ttl": "60s",
    "explicit_max_ttl": "60s",
    "renewable": False,
    "no_default_policy": True,
    "num_uses": "2",
    "display_name": "grant-x",
    "meta": {"grant": "x"},
}


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in GOOD.items() if key != name}


MINTS = {
    "root": {**GOOD, "policies": ["root"]},
    "its-own-policy": {**GOOD, "policies": ["daypass-apply"]},
    "another-levels-policy": {**GOOD, "policies": [ADMIN]},
    "two-policies": {**GOOD, "policies": [READ, ADMIN]},
    "policies-as-one-string": {**GOOD, "policies": f"{READ},root"},
    "no-policy": {**GOOD, "policies": []},
    "policies-left-out": without("policies"),
    "a-chosen-id": {**GOOD, "id": "chosen"},
    "a-period": {**GOOD, "period": "1h"},
    "no-parent": {**GOOD, "no_parent": True},
    "renewable": {**GOOD, "renewable": True},
    "default-policy": {**GOOD, "no_default_policy": False},
    "ttl-left-out": without("ttl"),
    "end-left-out": without("explicit_max_ttl"),
    "uses-left-out": without("num_uses"),
    "many-uses": {**GOOD, "num_uses": "100"},
    "unlimited-uses": {**GOOD, "num_uses": "0"},
    "meta-left-out": without("meta"),
    "an-alias": {**GOOD, "entity_alias": "root"},
    "batch": {**GOOD, "type": "batch"},
}


def test_the_good_order_is_good(bot: Session) -> None:
    """Otherwise all that follows would prove nothing."""
    answer = bot.call("POST", f"auth/token/create/{READ}", GOOD)
    bot.call("POST", "auth/token/revoke-accessor", {"accessor": answer.auth["accessor"]})


@pytest.mark.parametrize(
    "path",
    ["database/roles/orders-read-1h", "sys/mounts/database/tune", "sys/mounts/auth/token/tune"],
)
def test_it_reads_the_caps_of_what_it_mints(path: str, bot: Session) -> None:
    assert bot.call("GET", path).data


@pytest.mark.parametrize("name", sorted(MINTS))
def test_it_mints_nothing_but_what_access_asks_for(name: str, bot: Session) -> None:
    with pytest.raises(VaultRefusedError):
        bot.call("POST", f"auth/token/create/{READ}", MINTS[name])


@pytest.mark.parametrize("wrap_ttl", [None, 7201])
def test_an_on_claim_token_never_comes_unwrapped_or_wrapped_for_too_long(
    wrap_ttl: int | None, bot: Session
) -> None:
    body = {**GOOD, "policies": [ADMIN]}
    bot.call("POST", f"auth/token/create/{ADMIN}", body, wrap_ttl=60)
    with pytest.raises(VaultRefusedError):
        bot.call("POST", f"auth/token/create/{ADMIN}", body, wrap_ttl=wrap_ttl)


def test_an_on_merge_credential_is_never_read_in_clear(bot: Session) -> None:
    created = bot.call("POST", f"auth/token/create/{READ}", GOOD)
    token = Secret(created.auth["client_token"])
    with pytest.raises(VaultRefusedError):
        bot.call("GET", "database/creds/orders-read-1h", token=token)


REFUSED: dict[str, tuple[str, str, dict[str, Any] | None]] = {
    "reading-credentials": ("GET", "database/creds/orders-read-1h", None),
    "reading-other-roles": ("GET", "database/creds/orders-admin-1h", None),
    "the-database-connection": ("GET", "database/config/orders", None),
    "a-database-role": ("POST", "database/roles/orders-read-1h", {"db_name": "orders"}),
    "another-database-role": ("GET", "database/roles/orders-look", None),
    "the-caps-of-other-mounts": ("GET", "sys/mounts/vt-kv/tune", None),
    "raising-a-mounts-cap": ("POST", "sys/mounts/database/tune", {"max_lease_ttl": "9999h"}),
    "raising-the-cap-of-tokens": ("POST", "sys/mounts/auth/token/tune", {"max_lease_ttl": "9h"}),
    "raising-it-by-the-other-path": ("POST", "sys/auth/token/tune", {"max_lease_ttl": "9h"}),
    "plain-token-create": ("POST", "auth/token/create", {"policies": ["root"]}),
    "orphan-token-create": ("POST", "auth/token/create-orphan", {"policies": ["root"]}),
    "a-role-of-somebody-else": ("POST", "auth/token/create/other", GOOD),
    "writing-a-token-role": ("POST", f"auth/token/roles/{READ}", {"orphan": False}),
    "writing-a-policy": ("POST", "sys/policies/acl/daypass-apply", {"policy": ""}),
    "writing-a-grant-policy": ("POST", f"sys/policies/acl/{READ}", {"policy": ""}),
    "writing-its-jwt-role": ("POST", "auth/vt-jwt/role/daypass-apply", {"bound_claims": {}}),
    "writing-the-issuer": ("POST", "auth/vt-jwt/config", {"oidc_discovery_url": "http://x"}),
    "reading-other-kv": ("GET", "vt-kv/data/other/secret", None),
    "deleting-a-slot": ("DELETE", "vt-kv/data/daypass/grants/some-grant", None),
    "deleting-a-slots-metadata": ("DELETE", "vt-kv/metadata/daypass/grants/some-grant", None),
    "destroying-a-slot": ("POST", "vt-kv/destroy/daypass/grants/some-grant", {"versions": [1]}),
    "kv-settings": ("POST", "vt-kv/config", {"max_versions": 9}),
    "exporting-the-evidence-key": ("GET", "vt-transit/export/signing-key/evidence", None),
    "exporting-the-app-key": ("GET", "vt-transit/export/signing-key/github-app", None),
    "backing-up-a-key": ("GET", "vt-transit/backup/evidence", None),
    "making-a-key-exportable": ("POST", "vt-transit/keys/evidence/config", {"exportable": True}),
    "rotating-a-key": ("POST", "vt-transit/keys/evidence/rotate", None),
    "deleting-a-key": ("DELETE", "vt-transit/keys/evidence", None),
    "making-a-key": ("POST", "vt-transit/keys/mine", {"type": "ed25519"}),
    "signing-with-another-hash": ("POST", "vt-transit/sign/github-app", {"input": "eA=="}),
    "signing-pss": (
        "POST",
        "vt-transit/sign/github-app/sha2-256",
        {"input": "eA==", "signature_algorithm": "pss"},
    ),
    "listing-auth-methods": ("GET", "sys/auth", None),
    "mounting-an-auth-method": ("POST", "sys/auth/mine", {"type": "userpass"}),
    "mounting-an-engine": ("POST", "sys/mounts/mine", {"type": "kv"}),
    "reading-audit-devices": ("GET", "sys/audit", None),
    "raw-storage": ("GET", "sys/raw/core", None),
    "sealing": ("POST", "sys/seal", None),
    "revoking-by-prefix": ("POST", "sys/leases/revoke-prefix/database", None),
    "forcing-a-revocation": ("POST", "sys/leases/revoke-force/database", None),
    "revoking-a-lease-of-others": (
        "POST",
        "sys/leases/revoke",
        {"lease_id": "other/creds/x/1", "sync": True},
    ),
    "looking-at-a-lease-of-others": ("POST", "sys/leases/lookup", {"lease_id": "other/creds/x/1"}),
    "listing-leases-of-others": ("LIST", "sys/leases/lookup/other/creds/x", None),
    "renewing-itself": ("POST", "auth/token/renew-self", None),
    "revoking-a-token-by-value": ("POST", "auth/token/revoke", {"token": "x"}),
}


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_it_can_do_nothing_else(name: str, bot: Session) -> None:
    method, path, body = REFUSED[name]
    with pytest.raises(VaultRefusedError, match=r"\(403\)"):
        bot.call(method, path, body)


def test_a_token_role_cuts_what_the_policy_cannot_compare(bot: Session, house: House) -> None:
    """A ttl is free text for a policy: the role's cap is what bounds it, at the tier."""
    created = bot.call(
        "POST", f"auth/token/create/{READ}", {**GOOD, "ttl": "900h", "explicit_max_ttl": "0"}
    )
    accessor = created.auth["accessor"]
    data = house.root.call("POST", "auth/token/lookup-accessor", {"accessor": accessor}).data
    assert 0 < data["ttl"] <= 3600
    assert data["renewable"] is False
    house.root.call("POST", "auth/token/revoke-accessor", {"accessor": accessor})


def test_the_login_ends_within_ten_minutes_and_cannot_be_renewed(
    bot: Session, house: House
) -> None:
    accessors = bot.call("LIST", "auth/token/accessors").keys
    mine = [
        data
        for accessor in accessors
        if (
            data := house.root.call(
                "POST", "auth/token/lookup-accessor", {"accessor": accessor}, accept={403}
            ).data
        ).get("path")
        == "auth/vt-jwt/login"
    ]
    assert mine
    for data in mine:
        assert data["explicit_max_ttl"] == 600
        assert data["policies"] == sorted(named_parts("daypass-apply", 1))
    # Of these the first is there; the others are those of parts to come.
    there = house.root.call("LIST", "sys/policies/acl").keys
    assert [name for name in there if "apply" in name] == ["daypass-apply"]
