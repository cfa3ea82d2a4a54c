"""Caps of Vault: no grant is promised more time than role, mount and system give."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from test_vault_minting import grant_of
from vault_house import House, order

from daypass.adapters.vault.bot_policy import bot_policies
from daypass.adapters.vault.claim import open_delivery
from daypass.adapters.vault.client import Client
from daypass.adapters.vault.issuer import VaultIssuer
from daypass.adapters.vault.session import Session, login_jwt
from daypass.errors import VaultRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daypass.sandbox.openbao import OpenBao
    from daypass.sandbox.postgres import Postgres

pytestmark = pytest.mark.integration

ROLE = "database/roles/orders-read-1h"
HOUR = {"default_ttl": "1h", "max_ttl": "1h"}
UNCAPPED = {"max_lease_ttl": "0", "default_lease_ttl": "0"}
# What is set, to what, back to what, and what the refusal must hold.
SHORT: dict[str, tuple[str, dict[str, str], dict[str, str], tuple[str, str]]] = {
    "the mount": (
        "sys/mounts/database/tune",
        {"max_lease_ttl": "40s"},
        UNCAPPED,
        ("max_lease_ttl of database/ is 40s", "`bao secrets tune -max-lease-ttl=1h database/`"),
    ),
    "the role": (
        ROLE,
        {"default_ttl": "30s"},
        HOUR,
        (f"default_ttl of {ROLE} is 30s", f"`bao write {ROLE} default_ttl=1h max_ttl=1h`"),
    ),
    "the mount, for a role that names none": (
        ROLE,
        {"default_ttl": "0", "max_ttl": "0"},
        HOUR,
        (f"{ROLE} names no default_ttl", f"`bao write {ROLE} default_ttl="),
    ),
    "tokens": (
        "sys/auth/token/tune",
        {"max_lease_ttl": "90s"},
        {"max_lease_ttl": "0"},
        ("max_lease_ttl of auth/token/ is 90s", "`bao auth tune -max-lease-ttl=1h token/`"),
    ),
}


@contextmanager
def written(vault_server: OpenBao, path: str, body: dict[str, str], back: dict[str, str]) -> Any:
    vault_server.client.write(path, body)
    try:
        yield
    finally:
        vault_server.client.write(path, back)


@pytest.fixture
def holder(house: House) -> Iterator[Client]:
    with Client(house.settings.vault) as client:
        yield client


@pytest.mark.parametrize("name", sorted(SHORT))
@pytest.mark.parametrize("access", ["read", "admin"])
def test_what_vault_would_end_early_is_not_minted(
    name: str, access: str, issuer: VaultIssuer, vault_server: OpenBao, postgres: Postgres
) -> None:
    path, body, back, words = SHORT[name]
    if access == "admin":  # its credential comes into being when it is claimed
        path = path.replace("orders-read-1h", "orders-admin-1h")
        words = tuple(word.replace("orders-read-1h", "orders-admin-1h") for word in words)  # type: ignore[assignment]  # two of them
    if name == "the mount, for a role that names none":
        vault_server.client.write("sys/mounts/database/tune", {"default_lease_ttl": "50s"})
    live, users = issuer.live_accessors(), postgres.roles()
    try:
        with (
            written(vault_server, path, body, back),
            pytest.raises(VaultRefusedError, match="would end it early") as refused,
        ):
            issuer.mint(order(f"short-{access}", access))
        assert words[0] in refused.value.message
        assert words[1] in refused.value.remedy
    finally:
        vault_server.client.write("sys/mounts/database/tune", UNCAPPED)
    assert issuer.live_accessors() == live
    assert postgres.roles() == users


def test_a_cap_above_the_grant_is_no_matter(issuer: VaultIssuer, vault_server: OpenBao) -> None:
    with written(vault_server, "sys/mounts/database/tune", {"max_lease_ttl": "10m"}, UNCAPPED):
        minted = issuer.mint(order("fits", ttl=600))
        issuer.revoke(minted.accessor)
        with pytest.raises(VaultRefusedError, match="is 10m, below 601s"):
            issuer.mint(order("fits-not", ttl=601))


def test_caps_are_read_once_a_run(
    bot: Session, issuer: VaultIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: Counter[str] = Counter()
    call = Session.call

    def counted(self: Session, method: str, path: str, *rest: Any, **more: Any) -> Any:
        asked[path] += method == "GET"
        return call(self, method, path, *rest, **more)

    monkeypatch.setattr(Session, "call", counted)
    for number in range(3):
        issuer.revoke(issuer.mint(order(f"once-{number}")).accessor)
    tunes = ("sys/mounts/database/tune", "sys/mounts/auth/token/tune")
    assert [asked[path] for path in (ROLE, *tunes)] == [1, 1, 1]
    assert bot.now()


def test_with_the_policy_of_an_older_release_nothing_is_minted(
    house: House, vault_server: OpenBao
) -> None:
    name = house.settings.vault.apply_role
    text = bot_policies(house.settings, house.setup.roles)[name]
    older = text.replace('path "sys/mounts/database/tune"', 'path "sys/mounts/other/tune"')
    assert older != text
    vault_server.client.write(f"sys/policies/acl/{name}", {"policy": older})
    try:
        with login_jwt(house.settings.vault, house.jwt) as session:
            issuer = VaultIssuer(session)
            live = issuer.live_accessors()
            with pytest.raises(VaultRefusedError, match="may not read its caps") as refused:
                issuer.mint(order("older"))
            assert "`daypass vault apply`" in refused.value.remedy
            assert issuer.live_accessors() == live
    finally:
        vault_server.client.write(f"sys/policies/acl/{name}", {"policy": text})


@pytest.mark.parametrize("access", ["read", "admin"])
def test_a_claim_sees_when_its_credential_really_ends(
    access: str, issuer: VaultIssuer, vault_server: OpenBao, holder: Client
) -> None:
    """A cap that is lowered after the run has read it, or between the issue and the claim."""
    before = order(f"before-{access}", access)
    minted = issuer.mint(before)
    whole = open_delivery(holder, minted.token, grant_of(before, minted))
    assert whole.ends is not None
    assert whole.ends >= minted.not_after
    after = order(f"after-{access}", access)
    with written(vault_server, "sys/mounts/database/tune", {"max_lease_ttl": "40s"}, UNCAPPED):
        cut = issuer.mint(after)
        opened = open_delivery(holder, cut.token, grant_of(after, cut))
    assert opened.ends is not None
    assert 30 < cut.not_after.since(opened.ends) <= 560
    for item in (minted, cut):
        issuer.revoke(item.accessor)
