"""Facts: what the decision point is told, as plain values that are the same bytes everywhere.

Every field holds what JSON holds, so that a recorded input can be read back and decided again.
There is no free text in it: of a reason only its length, of a pull request only numbers and ids.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Self

from daypass.policy.facts_json import Facts, frozen, read_fields

if TYPE_CHECKING:
    from collections.abc import Mapping


SHARED_ACCOUNT: Final = "shared-account"  # the type of a resource that has one holder at a time


class Status(StrEnum):
    """Whether something is known. Stale is known once, and too old to rest on."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    STALE = "stale"


class Stage(StrEnum):
    """What is decided: whether to issue, or whether a live grant may live on."""

    ISSUE = "issue"
    LIVE = "live"


@dataclass(frozen=True, slots=True)
class RequestFacts(Facts):
    """What is asked. `issued_at` is set for live grants, whose time has begun."""

    id: str
    lane: str
    subject: str
    resource: str
    access: str
    duration_seconds: int
    reason_length: int
    ticket: str | None = None
    not_before: str | None = None
    issued_at: str | None = None
    device: str | None = None
    workload_declared: bool = False  # its words are for people
    renews: str | None = None
    drill: bool = False  # an exercise of the emergency lane


@dataclass(frozen=True, slots=True)
class RequesterFacts(Facts):
    """Who opened the pull request; all None when the account is gone.

    `invoker`: whether the settings let it take the emergency lane; None while that is not known.
    `overdue`: the emergencies that it took and whose review is overdue.
    """

    account_id: int | None
    identity: str | None = None
    type: str | None = None
    status: str | None = None
    groups: tuple[str, ...] = ()
    invoker: bool | None = False
    overdue: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PersonFacts(Facts):
    """Somebody who answers for the subject. `status` is `missing` when nobody has that name."""

    name: str
    account_id: int | None
    type: str | None
    status: str


@dataclass(frozen=True, slots=True)
class SubjectFacts(Facts):
    """Who is to receive access.

    `overdue`: its emergencies whose review is overdue. `keys_shared_with`: of what is no person,
    the people who have pinned one of its keys.
    """

    name: str
    type: str
    status: str
    account_id: int | None
    environment: str | None
    owners: tuple[PersonFacts, ...]
    sponsor: PersonFacts | None
    contract_end: str | None
    tools: tuple[str, ...]
    autonomy: str | None
    pinned_recipients: int
    authn_method: str | None
    labels: Mapping[str, str]
    groups: tuple[str, ...]
    overdue: tuple[str, ...] = ()
    keys_shared_with: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`."""
        parts = read_fields(cls, value)
        parts["owners"] = tuple(PersonFacts.from_json(item) for item in parts["owners"])
        if parts["sponsor"] is not None:
            parts["sponsor"] = PersonFacts.from_json(parts["sponsor"])
        return cls(**{name: frozen(item) for name, item in parts.items()})


@dataclass(frozen=True, slots=True)
class LevelFacts(Facts):
    """The level of access that is asked for, and how long its longest tier is."""

    name: str
    engine: str
    issue: str
    longest_seconds: int


@dataclass(frozen=True, slots=True)
class ResourceFacts(Facts):
    """What access is asked to. `level` is None when it has no such level."""

    name: str
    type: str
    environment: str
    sensitivity: str
    business_owner: str
    lifecycle_owner: str
    labels: Mapping[str, str]
    max_duration_seconds: int
    recording: str
    approver_groups: tuple[str, ...]
    approvers_at_least: int
    approvers_owner: bool
    levels: tuple[str, ...]
    level: LevelFacts | None

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`."""
        parts = read_fields(cls, value)
        if parts["level"] is not None:
            parts["level"] = LevelFacts.from_json(parts["level"])
        return cls(**{name: frozen(item) for name, item in parts.items()})


@dataclass(frozen=True, slots=True)
class ApprovalFacts(Facts):
    """One approval that counts, with the groups that the approver belonged to."""

    account_id: int
    identity: str | None
    review_id: int
    commit: str
    at: str
    groups: tuple[str, ...]

    @property
    def who(self) -> str:
        """The approver, for people."""
        return self.identity or f"account {self.account_id}"


@dataclass(frozen=True, slots=True)
class ApprovalsFacts(Facts):
    """All approvals that count, or why they cannot be counted."""

    status: str
    fault: str | None = None
    blocked_by: tuple[int, ...] = ()
    excluded: tuple[int, ...] = ()
    counted: tuple[ApprovalFacts, ...] = ()

    @property
    def are_counted(self) -> bool:
        """Whether it is certain which approvals count, if not whether an objection stands."""
        unsettled = self.fault is None and bool(self.blocked_by)
        return self.status == Status.KNOWN or unsettled

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`."""
        parts = read_fields(cls, value)
        parts["counted"] = tuple(ApprovalFacts.from_json(item) for item in parts["counted"])
        return cls(**{name: frozen(item) for name, item in parts.items()})


@dataclass(frozen=True, slots=True)
class MemberFacts(Facts):
    """A member of a group: a GitHub account, an identity, or both."""

    account_id: int | None
    identity: str | None

    @property
    def who(self) -> str:
        """The member, for people."""
        return self.identity or f"account {self.account_id}"


@dataclass(frozen=True, slots=True)
class GroupFacts(Facts):
    """Who could approve, for the groups that are asked for approval."""

    status: str
    members: tuple[MemberFacts, ...]

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`."""
        members = tuple(MemberFacts.from_json(item) for item in value["members"])
        return cls(value["status"], members)


@dataclass(frozen=True, slots=True)
class PastGrantFacts(Facts):
    """A grant that the subject has or had, with what policies match on today.

    `then` holds what its resource was when it was given, where that differs. `level_known`: whether
    the resource still has that level.
    """

    id: str
    lane: str
    resource: str
    access: str
    not_before: str
    not_after: str
    live: bool
    type: str | None
    environment: str | None
    sensitivity: str | None
    labels: Mapping[str, str] = field(default_factory=dict)
    then: Mapping[str, Any] = field(default_factory=dict)  # as `OF_RESOURCE`; none: not in the JSON
    level_known: bool = True  # not in the JSON: it is

    def to_json(self) -> dict[str, Any]:
        """The facts as JSON."""
        plain = Facts.to_json(self)
        left_out = {"then": self.then, "levelKnown": not self.level_known}
        return {key: value for key, value in plain.items() if left_out.get(key, True)}


OF_RESOURCE: Final = ("type", "environment", "sensitivity", "labels")  # what policies match on


@dataclass(frozen=True, slots=True)
class HolderFacts(Facts):
    """Somebody's live grant of a shared account."""

    grant: str
    subject: str


@dataclass(frozen=True, slots=True)
class RenewedFacts(Facts):
    """The grant that a request continues; all None: none of that id was ever issued.

    `ended`: the reason of its end, or of the one that is under way; None while it lives.
    """

    subject: str | None = None
    resource: str | None = None
    access: str | None = None
    ended: str | None = None


@dataclass(frozen=True, slots=True)
class HistoryFacts(Facts):
    """The subject's other grants, or that they are not known.

    `holders`: who holds the resource, if it is a shared account. `renewed`: the grant that the
    request continues; None: it continues none, or that grant is not known here.
    """

    status: str
    grants: tuple[PastGrantFacts, ...] = ()
    holders: tuple[HolderFacts, ...] = ()
    renewed: RenewedFacts | None = None

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`."""
        grants = tuple(PastGrantFacts.from_json(item) for item in value["grants"])
        holders = tuple(HolderFacts.from_json(item) for item in value.get("holders", ()))
        renewed = value.get("renewed")
        return cls(
            value["status"],
            grants,
            holders,
            RenewedFacts.from_json(renewed) if renewed is not None else None,
        )


@dataclass(frozen=True, slots=True)
class ExceptionFacts(Facts):
    """An exception for this subject, resource and level, whatever its dates.

    `attributed_to` is the person who answers for what is done under it.
    """

    name: str
    excepts: tuple[str, ...]
    attributed_to: PersonFacts
    not_before: str
    not_after: str
    max_duration_seconds: int

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`."""
        parts = read_fields(cls, value)
        parts["attributed_to"] = PersonFacts.from_json(parts["attributed_to"])
        return cls(**{name: frozen(item) for name, item in parts.items()})


@dataclass(frozen=True, slots=True)
class ContextFacts(Facts):
    """One answer of a context source: posture, on-call, whatever the settings declare.

    `required` says that high and critical resources are not given without it.
    """

    status: str
    value: Any = None
    source: str | None = None
    age_seconds: int | None = None
    required: bool = False
