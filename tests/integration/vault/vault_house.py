"""What the tests of the Vault adapters share: documents, settings, orders and claims."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from daypass.adapters.clock import machine_now
from daypass.lifecycle.ports import MintOrder
from daypass.model.instant import Duration
from daypass.model.resource import Approvers, IssueMode, Level, Recording, Resource, Sensitivity
from daypass.model.resource import Tier as ModelTier
from daypass.model.secret import Secret
from daypass.model.settings import EvidenceSettings, GitHubSettings, Settings, VaultSettings

if TYPE_CHECKING:
    from pathlib import Path

    from oidc_issuer import OidcIssuer

    from daypass.adapters.vault.session import Session
    from daypass.adapters.vault.steps import Setup


def level(name: str, roles: dict[str, str], issue: IssueMode) -> Level:
    tiers = tuple(ModelTier(Duration.parse(length), role) for length, role in roles.items())
    return Level(name, "database", "database", tiers, issue)


def resource(name: str, *levels: Level) -> Resource:
    return Resource(
        name=name,
        type="database",
        environment="production",
        sensitivity=Sensitivity.HIGH,
        business_owner="orders-team",
        lifecycle_owner="dba",
        levels={item.name: item for item in levels},
        max_duration=Duration.parse("8h"),
        recording=Recording.REQUIRED,
        approvers=Approvers(("dba",), 1, owner=True),
    )


READ = level("read", {"1m": "orders-read-1m", "1h": "orders-read-1h"}, IssueMode.ON_MERGE)
ADMIN = level("admin", {"1m": "orders-admin-1m", "1h": "orders-admin-1h"}, IssueMode.ON_CLAIM)
ORDERS = resource("orders-db", READ, ADMIN)


def settings_for(address: str, oidc_issuer: str, **vault: object) -> Settings:
    mounts = {"kv_mount": "vt-kv", "transit_mount": "vt-transit", "jwt_mount": "vt-jwt"}
    vault = {"namespace": None, **mounts, **vault}
    return Settings(
        github=GitHubSettings(
            owner="acme",
            owner_id=900,
            repository="access",
            repository_id=456,
            app_id=7,
            app_user_id=8,
            installation_id=9,
            oidc_issuer=oidc_issuer,
        ),
        vault=VaultSettings(
            address=address,
            ca_file=None,
            audience="daypass-test",
            **vault,
        ),
        evidence=EvidenceSettings("evidence", None, "daypass", "daypass@acme.example"),
        groups={},
        foundation_owners=("security",),
        foundation_at_least=1,
        claim_window=Duration.parse("1h"),
    )


@dataclass(frozen=True)
class House:
    """A Vault with daypass's set-up in it."""

    settings: Settings
    setup: Setup
    oidc: OidcIssuer
    root: Session
    app_pem: Path

    def claims(self, **changes: object) -> dict[str, object]:
        now = machine_now().seconds
        claims: dict[str, object] = {
            "iss": self.oidc.url,
            "aud": "daypass-test",
            "sub": "repo:acme/access:ref:refs/heads/main",
            "iat": now,
            "nbf": now - 5,
            "exp": now + 300,
            "repository_id": "456",
            "repository_owner_id": "900",
            "ref": "refs/heads/main",
            "event_name": "push",
            "environment": "daypass",
            "job_workflow_ref": (
                "acme/access/.github/workflows/access-reconcile.yml@refs/heads/main"
            ),
        }
        return {name: value for name, value in {**claims, **changes}.items() if value is not None}

    def jwt(self, **changes: object) -> Secret:
        return Secret(self.oidc.sign(self.claims(**changes)))


def order(grant_id: str, access: str = "read", tier: str = "1h", ttl: int = 600) -> MintOrder:
    chosen = ORDERS.levels[access]
    length = Duration.parse(tier)
    role = next(item.role for item in chosen.tiers if item.length == length)
    return MintOrder(
        grant_id=grant_id,
        token_role=f"daypass-orders-db-{access}-{tier}",
        engine="database",
        mount="database",
        role=role,
        ttl=ttl,
        issue=chosen.issue,
        wrap_ttl=120,
        meta={"grant": grant_id},
    )
