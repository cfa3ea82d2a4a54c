"""Resource: one privileged path, with its owners, its sensitivity and its limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Self

from daypass.model.instant import Duration

if TYPE_CHECKING:
    from collections.abc import Mapping


LEGACY_STATIC: Final = "legacy-static"  # the type of what rests on a secret that stays the same


class Sensitivity(StrEnum):
    """How much harm the resource can do, from the least to the most."""

    LOW = "low"
    MODERATE = "moderate"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def pins_recipients(self) -> bool:
        """Whether secrets go only to keys pinned in the identity, not to what GitHub holds."""
        return self in (Sensitivity.HIGH, Sensitivity.CRITICAL)


class IssueMode(StrEnum):
    """When the secret comes into being: at the merge, or when its holder claims it."""

    ON_MERGE = "on-merge"
    ON_CLAIM = "on-claim"


class Recording(StrEnum):
    """What record of its use the resource asks for."""

    REQUIRED = "required"
    API_LOG = "api-log"
    NONE = "none"


# The emergency lane gives no more than this, whatever a resource, a level or a policy allows.
EMERGENCY_CAP: Final = Duration(3600)


@dataclass(frozen=True, slots=True)
class Tier:
    """A Vault role whose `default_ttl` and `max_ttl` both are this long."""

    length: Duration
    role: str


@dataclass(frozen=True, slots=True)
class Level:
    """One level of access, and the Vault roles behind it. Requesters name levels, never paths."""

    name: str
    engine: str
    mount: str
    tiers: tuple[Tier, ...]  # shortest first
    issue: IssueMode
    confirm: str | None = None  # the Vault role that looks at the target after an end

    @property
    def longest(self) -> Duration:
        """The longest grant that this level can give."""
        return self.tiers[-1].length

    def tier_for(self, duration: Duration) -> Tier | None:
        """The shortest tier that lasts at least that long; None when there is none."""
        return next((tier for tier in self.tiers if tier.length >= duration), None)

    @property
    def emergency_tiers(self) -> tuple[Tier, ...]:
        """The tiers that the emergency lane can need: no longer ones than serve its cap."""
        longest = self.tier_for(EMERGENCY_CAP)
        return tuple(tier for tier in self.tiers if tier.length <= EMERGENCY_CAP or tier is longest)


@dataclass(frozen=True, slots=True)
class Approvers:
    """Who must approve, by the resource's own word; policies can only ask for more."""

    groups: tuple[str, ...]
    at_least: int
    owner: bool


@dataclass(frozen=True, slots=True)
class Resource:
    """A privileged path, as its owners described it."""

    name: str
    type: str
    environment: str
    sensitivity: Sensitivity
    business_owner: str
    lifecycle_owner: str
    levels: Mapping[str, Level]
    max_duration: Duration
    recording: Recording
    approvers: Approvers
    connection: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Build from a document that its schema has accepted."""
        spec = document["spec"]
        approvers = spec["approvers"]
        return cls(
            name=document["metadata"]["name"],
            type=spec["type"],
            environment=spec["environment"],
            sensitivity=Sensitivity(spec["sensitivity"]),
            business_owner=spec["owners"]["business"],
            lifecycle_owner=spec["owners"]["lifecycle"],
            levels={name: _level(name, body) for name, body in spec["levels"].items()},
            max_duration=Duration.parse(spec["maxDuration"]),
            recording=Recording(spec["recording"]),
            approvers=Approvers(
                tuple(approvers["groups"]), approvers["atLeast"], approvers.get("owner", False)
            ),
            connection=dict(spec.get("connection", {})),
            labels=dict(document["metadata"].get("labels", {})),
        )


def _level(name: str, body: Mapping[str, Any]) -> Level:
    tiers = (Tier(Duration.parse(length), role) for length, role in body["tiers"].items())
    return Level(
        name=name,
        engine=body["engine"],
        mount=body["mount"],
        tiers=tuple(sorted(tiers, key=lambda tier: tier.length.seconds)),
        issue=IssueMode(body.get("issue", IssueMode.ON_MERGE)),
        confirm=body.get("confirm"),
    )


# One name for the token role and for the only policy that it may hand out.
ROLE_PREFIX: Final = "daypass"
BREAK_GLASS_PREFIX: Final = f"{ROLE_PREFIX}-bg-"  # of the emergency lane
OFFLINE_PREFIX: Final = f"{ROLE_PREFIX}-offline-"  # of what people mint while GitHub is down


def token_role_name(resource: str, level: str, tier: Duration) -> str:
    """The Vault token role (and policy) through which grants of that tier are minted."""
    return f"{ROLE_PREFIX}-{resource}-{level}-{tier}"


def break_glass_role_name(resource: str, level: str, tier: Duration) -> str:
    """The same for the emergency lane, whose token roles and policies are its own."""
    return f"{BREAK_GLASS_PREFIX}{resource}-{level}-{tier}"


def offline_role_name(resource: str, level: str, tier: Duration) -> str:
    """The same for what its invokers mint themselves, while GitHub is down."""
    return f"{OFFLINE_PREFIX}{resource}-{level}-{tier}"


def role_names(resource: str, level: str, tier: Duration) -> tuple[str, ...]:
    """Every token role of that tier: of routine, emergency and offline grants."""
    makers = (token_role_name, break_glass_role_name, offline_role_name)
    return tuple(name(resource, level, tier) for name in makers)
