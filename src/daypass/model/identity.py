"""Identity: a human, service, CI job, workload, agent or vendor, and who answers for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

from daypass.model.instant import Instant

if TYPE_CHECKING:
    from collections.abc import Mapping


class IdentityType(StrEnum):
    """Exactly one of these is what an identity is."""

    HUMAN = "human"
    SERVICE = "service"
    CI = "ci"
    WORKLOAD = "workload"
    AGENT = "agent"
    VENDOR = "vendor"

    @property
    def is_person(self) -> bool:
        """Whether a person sits behind it: humans, and vendors' humans."""
        return self in (IdentityType.HUMAN, IdentityType.VENDOR)

    @property
    def is_machine(self) -> bool:
        """Whether it runs by itself, and has to prove who it is without anybody's help."""
        return self in (IdentityType.SERVICE, IdentityType.CI, IdentityType.WORKLOAD)


class IdentityStatus(StrEnum):
    """Only `active` identities receive access."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    OFFBOARDED = "offboarded"


@dataclass(frozen=True, slots=True)
class Identity:
    """One identity. `github_id` is the key of a person; the login is only for people to read."""

    name: str
    type: IdentityType
    status: IdentityStatus
    owners: tuple[str, ...] = ()
    environment: str | None = None
    github_id: int | None = None
    github_login: str | None = None
    vault_entity: str | None = None  # the id of its entity in Vault: who logs in there as it
    recipients: tuple[str, ...] = ()  # pinned SSH or age public keys, one line each
    authn: Mapping[str, Any] | None = None
    rotation: Mapping[str, Any] | None = None
    vendor_organisation: str | None = None
    sponsor: str | None = None  # of a vendor or an agent: the name of a human
    contract_end: Instant | None = None  # the end of that day, UTC
    tools: tuple[str, ...] = ()
    autonomy: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_active(self) -> bool:
        """Whether it may receive access at all."""
        return self.status is IdentityStatus.ACTIVE

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Build from a document that its schema has accepted."""
        spec = document["spec"]
        github = spec.get("github", {})
        vendor = spec.get("vendor", {})
        agent = spec.get("agent", {})
        end = vendor.get("contractEnd")
        return cls(
            name=document["metadata"]["name"],
            type=IdentityType(spec["type"]),
            status=IdentityStatus(spec["status"]),
            owners=tuple(spec.get("owners", ())),
            environment=spec.get("environment"),
            github_id=github.get("id"),
            github_login=github.get("login"),
            vault_entity=spec.get("vault", {}).get("entity"),
            recipients=tuple(spec.get("recipients", ())),
            authn=spec.get("authn"),
            rotation=spec.get("rotation"),
            vendor_organisation=vendor.get("organisation"),
            sponsor=vendor.get("sponsor") or agent.get("sponsor"),
            contract_end=Instant.parse(f"{end}T23:59:59Z") if end is not None else None,
            tools=tuple(agent.get("tools", ())),
            autonomy=agent.get("autonomy"),
            labels=dict(document["metadata"].get("labels", {})),
        )
