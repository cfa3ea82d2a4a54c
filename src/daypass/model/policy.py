"""AccessPolicy: what a security team writes, and the decision point applies.

A `permit` policy allows what it matches if all its conditions hold; a `guard` only adds conditions
and never permits by itself. Deny overrides: every enforced policy that matches must be satisfied.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Self

from daypass.model.decision import Enforcement
from daypass.model.expression_names import names_in
from daypass.model.grant import Lane
from daypass.model.identity import IdentityType
from daypass.model.instant import Duration, Instant
from daypass.model.resource import IssueMode, Recording, Sensitivity

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from daypass.model.resource import Resource

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")  # as `datetime.weekday` counts


class PolicyEffect(StrEnum):
    """What a policy can do for a request that it matches."""

    PERMIT = "permit"
    GUARD = "guard"


class AppliesAt(StrEnum):
    """When a free rule is asked: only when access is issued, or for live grants too."""

    ISSUE = "issue"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class Match:
    """What a policy is about. An empty field matches all; within a field any entry suffices.

    A permit policy that names no lane is about the routine lane only: nobody gets the emergency
    lane from a policy that did not think of it.
    """

    resource_names: tuple[str, ...] = ()
    resource_labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    resource_types: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    sensitivities: tuple[Sensitivity, ...] = ()
    levels: tuple[str, ...] = ()
    subject_names: tuple[str, ...] = ()
    subject_types: tuple[IdentityType, ...] = ()
    subject_groups: tuple[str, ...] = ()
    subject_labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    lanes: tuple[Lane, ...] = ()


@dataclass(frozen=True, slots=True)
class RollingWindow:
    """At most so many seconds of access in any stretch of time that is `per` long."""

    seconds: int
    per: Duration


@dataclass(frozen=True, slots=True)
class Times:
    """Hours of the day and days of the week at which access may be issued, in a time zone.

    `start` and `end` are minutes since midnight; an end before the start is on the next day, and
    belongs to the day on which it started.
    """

    time_zone: str  # a name of the IANA database, e.g. `Europe/Zurich`
    days: tuple[str, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Freeze:
    """A stretch of time in which nothing is issued. `reason` is for people."""

    start: Instant
    end: Instant
    reason: str


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds. Only `max_duration` concerns live grants; the others make sense at issue."""

    max_duration: Duration | None = None
    window: RollingWindow | None = None
    concurrent: int | None = None
    times: Times | None = None
    freezes: tuple[Freeze, ...] = ()


@dataclass(frozen=True, slots=True)
class ApprovalRequirement:
    """So many people of a group, or of the resource's business owner (`group` is None then)."""

    group: str | None
    at_least: int

    def __str__(self) -> str:
        return f"{self.at_least} of {self.group or 'the owner of the resource'}"


@dataclass(frozen=True, slots=True)
class Stage:
    """One round of approval: all requirements of it (`all_of`), or any one (`any_of`).

    Nobody counts twice within one policy: not in two stages, and not for two requirements.
    """

    name: str
    all_of: tuple[ApprovalRequirement, ...] = ()
    any_of: tuple[ApprovalRequirement, ...] = ()


@dataclass(frozen=True, slots=True)
class Requirements:
    """What a request must bring, and what its carrying out must respect."""

    ticket: str | None = None  # an RE2 pattern for the whole ticket
    reason_length: int = 0  # characters
    recording: Recording | None = None
    issue: IssueMode | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """A free condition, as ValidatingAdmissionPolicy has them: a CEL expression and a message."""

    name: str
    expression: str
    message: str
    applies_at: AppliesAt = AppliesAt.ALWAYS
    may_be_excepted: bool = False  # whether an exception document may name it


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """One policy document. `document` is what its digest is computed of."""

    name: str
    description: str
    effect: PolicyEffect
    enforcement: Enforcement
    match: Match
    limits: Limits
    stages: tuple[Stage, ...]
    approvals_not_required: str | None  # why, in words; never together with stages
    require: Requirements
    rules: tuple[Rule, ...]
    document: Mapping[str, Any] = field(repr=False)

    @property
    def groups_in_rules(self) -> frozenset[str]:
        """Every group that its expressions ask about by name."""
        return frozenset().union(*(names_in(rule.expression).groups for rule in self.rules))

    @property
    def own_groups_in_rules(self) -> frozenset[str]:
        """The fields of the resource whose groups its expressions ask about."""
        return frozenset().union(*(names_in(rule.expression).own_groups for rule in self.rules))

    @property
    def groups(self) -> frozenset[str]:
        """Every group that it names besides its expressions."""
        asked = (item.group for stage in self.stages for item in (*stage.all_of, *stage.any_of))
        return frozenset(name for name in asked if name) | frozenset(self.match.subject_groups)

    def opens_in_emergency(self, resource: Resource, level: str) -> bool:
        """Whether it permits humans that level by the emergency lane, its conditions aside.

        Names, groups and labels of subjects are not asked: who has them changes day by day.
        """
        match = self.match
        return (
            self.effect is PolicyEffect.PERMIT
            and self.enforcement is Enforcement.ENFORCE
            and Lane.BREAK_GLASS in match.lanes
            and _among(match.subject_types, IdentityType.HUMAN)
            and _among(match.resource_names, resource.name)
            and _among(match.resource_types, resource.type)
            and _among(match.environments, resource.environment)
            and _among(match.sensitivities, resource.sensitivity)
            and _among(match.levels, level)
            and all(resource.labels.get(k) in v for k, v in match.resource_labels.items())
        )

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Build from a document that its schema has accepted.

        Raises:
            ValueError: what a schema cannot see: a freeze that ends before it begins, or an
                instant that does not exist.
        """
        metadata, spec = document["metadata"], document["spec"]
        approvals = spec.get("approvals", {})
        require = spec.get("require", {})
        return cls(
            name=metadata["name"],
            description=spec["description"],
            effect=PolicyEffect(spec["effect"]),
            enforcement=Enforcement(spec["enforcement"]),
            match=_match(spec["match"]),
            limits=_limits(spec.get("limits", {})),
            stages=tuple(_stage(stage) for stage in approvals.get("stages", ())),
            approvals_not_required=approvals.get("notRequired"),
            require=Requirements(
                ticket=require.get("ticket"),
                reason_length=require.get("reasonLength", 0),
                recording=Recording(require["recording"]) if "recording" in require else None,
                issue=IssueMode(require["issue"]) if "issue" in require else None,
            ),
            rules=tuple(
                Rule(
                    name=rule["name"],
                    expression=rule["expression"],
                    message=rule["message"],
                    applies_at=AppliesAt(rule.get("appliesAt", AppliesAt.ALWAYS)),
                    may_be_excepted=rule.get("mayBeExcepted", False),
                )
                for rule in spec.get("rules", ())
            ),
            document=document,
        )


def _among(wanted: Collection[str], value: str) -> bool:
    return not wanted or value in wanted


def _match(spec: Mapping[str, Any]) -> Match:
    resources, subjects = spec.get("resources", {}), spec.get("subjects", {})
    return Match(
        resource_names=tuple(resources.get("names", ())),
        resource_labels=_labels(resources),
        resource_types=tuple(resources.get("types", ())),
        environments=tuple(resources.get("environments", ())),
        sensitivities=tuple(Sensitivity(item) for item in resources.get("sensitivities", ())),
        levels=tuple(spec.get("levels", ())),
        subject_names=tuple(subjects.get("names", ())),
        subject_types=tuple(IdentityType(item) for item in subjects.get("types", ())),
        subject_groups=tuple(subjects.get("groups", ())),
        subject_labels=_labels(subjects),
        lanes=tuple(Lane(item) for item in spec.get("lanes", ())),
    )


def _labels(spec: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    return {key: tuple(values) for key, values in spec.get("labels", {}).items()}


def _limits(spec: Mapping[str, Any]) -> Limits:
    window, times = spec.get("window"), spec.get("times")
    return Limits(
        max_duration=Duration.parse(spec["maxDuration"]) if "maxDuration" in spec else None,
        window=RollingWindow(window["hours"] * 3600, Duration.parse(window["per"]))
        if window
        else None,
        concurrent=spec.get("concurrent"),
        times=Times(
            time_zone=times["timeZone"],
            days=tuple(times.get("days", DAYS)),
            start=_minutes(times["from"]),
            end=_minutes(times["to"]),
        )
        if times
        else None,
        freezes=tuple(_freeze(freeze) for freeze in spec.get("freezes", ())),
    )


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def _freeze(spec: Mapping[str, Any]) -> Freeze:
    start, end = Instant.parse(spec["from"]), Instant.parse(spec["to"])
    if end <= start:
        # A freeze the wrong way round would freeze nothing, and nobody would notice.
        raise ValueError(f"the freeze from {start} to {end} ends before it begins")
    return Freeze(start, end, spec["reason"])


def _stage(spec: Mapping[str, Any]) -> Stage:
    return Stage(
        name=spec["name"],
        all_of=tuple(_requirement(item) for item in spec.get("allOf", ())),
        any_of=tuple(_requirement(item) for item in spec.get("anyOf", ())),
    )


def _requirement(spec: Mapping[str, Any]) -> ApprovalRequirement:
    return ApprovalRequirement(group=spec.get("group"), at_least=spec["atLeast"])
