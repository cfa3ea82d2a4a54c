"""What the bot may do, in several policies: Vault limits how long one may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from vault_house import order

from daypass.adapters.vault import bot_policy
from daypass.adapters.vault.issuer import VaultIssuer
from daypass.adapters.vault.session import login_token
from daypass.errors import VaultRefusedError
from daypass.model.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vault_house import House

    from daypass.adapters.vault.session import Session

pytestmark = pytest.mark.integration
NAMES = ("orders-read-1m", "orders-read-1h", "orders-admin-1m", "orders-admin-1h")


@pytest.fixture
def parted(house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    """A bot whose rights are in as many policies as there are rules, of one value each."""
    monkeypatch.setattr(bot_policy, "_LONGEST", 1)
    monkeypatch.setattr(bot_policy, "_VALUES", 1)
    parts = bot_policy.bot_policies(house.settings, house.setup.roles)
    names = [f"parted-{name}" for name in parts]
    for name, text in zip(names, parts.values(), strict=True):
        house.root.call("POST", f"sys/policies/acl/{name}", {"policy": text})
    body = {"policies": names, "no_default_policy": True}
    token = house.root.call("POST", "auth/token/create", body).auth["client_token"]
    with login_token(house.settings.vault, Secret(token)) as session:
        yield session
    for name in names:
        house.root.call("DELETE", f"sys/policies/acl/{name}")


def test_they_allow_together_what_one_does(parted: Session) -> None:
    issuer = VaultIssuer(parted)
    minted = issuer.mint(order("parted"))
    assert minted.accessor in issuer.live_accessors()
    issuer.revoke(minted.accessor)
    for name in NAMES:
        issuer.revoke_lease(f"database/creds/{name}/none")
        assert issuer._due(f"database/creds/{name}/none") is None
        issuer.overdue_leases("database", name)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("sys/leases/lookup", {"lease_id": "database/creds/other/x"}),
        ("sys/leases/lookup", {}),
        ("sys/leases/revoke", {"lease_id": "database/creds/other/x", "sync": True}),
        ("sys/leases/revoke", {"lease_id": "database/creds/orders-read-1h/x", "sync": False}),
        ("sys/leases/revoke", {"lease_id": "database/creds/orders-read-1h/x"}),
        ("auth/token/create/daypass-orders-db-read-1h", {"policies": ["root"]}),
    ],
)
def test_and_no_more(parted: Session, path: str, body: dict[str, object]) -> None:
    with pytest.raises(VaultRefusedError, match="403"):
        parted.call("POST", path, body)
