"""PolicyTest: cases that say what the policies should answer, kept beside them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from daypass.model.decision import Effect
from daypass.model.grant import Lane
from daypass.model.instant import Duration, Instant
from daypass.model.request import AccessRequest
from daypass.model.resource import IssueMode, Recording

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class PastUse:
    """A grant that the subject of a case has, or had."""

    resource: str
    access: str
    start: Instant
    end: Instant
    live: bool


@dataclass(frozen=True, slots=True)
class Expected:
    """What a case expects. What is None is not looked at."""

    effect: Effect
    rules: tuple[str, ...] | None  # `policy/rule`: exactly those that keep it from a permit
    lasts: Duration | None
    issue: IssueMode | None
    recording: Recording | None
    exceptions: tuple[str, ...] | None = None  # by name: exactly those that it rests on


@dataclass(frozen=True, slots=True)
class Case:
    """One request and what surrounds it, and the answer that is expected."""

    name: str
    request: AccessRequest
    requester: str  # an identity
    lane: Lane
    at: Instant
    approvals: tuple[str, ...]  # identities, each of whom approved the head before the merge
    teams: Mapping[str, tuple[str, ...]]  # slug → identities; teams left out are unknown
    history: tuple[PastUse, ...]
    context: Mapping[str, Any]  # name → value; what is left out is unknown
    expected: Expected


@dataclass(frozen=True, slots=True)
class PolicyTest:
    """One document of cases."""

    name: str
    description: str
    cases: tuple[Case, ...] = field(default_factory=tuple)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Build from a document that its schema has accepted.

        Raises:
            ValueError: an instant that does not exist, or two cases of one name.
        """
        spec = document["spec"]
        cases = tuple(_case(item) for item in spec["cases"])
        names = [case.name for case in cases]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"two cases are called {twice}")
        return cls(document["metadata"]["name"], spec["description"], cases)


def _case(item: Mapping[str, Any]) -> Case:
    expect = item["expect"]
    rules = expect.get("rules")
    return Case(
        name=item["name"],
        request=AccessRequest.from_document(
            {"metadata": {"id": item["name"]}, "spec": item["request"]}
        ),
        requester=item.get("requester", item["request"]["subject"]),
        lane=Lane(item.get("lane", Lane.ROUTINE)),
        at=Instant.parse(item["at"]),
        approvals=tuple(item.get("approvals", ())),
        teams={slug: tuple(members) for slug, members in item.get("teams", {}).items()},
        history=tuple(
            PastUse(
                past["resource"],
                past["access"],
                Instant.parse(past["from"]),
                Instant.parse(past["to"]),
                live=past.get("live", False),
            )
            for past in item.get("history", ())
        ),
        context=dict(item.get("context", {})),
        expected=Expected(
            effect=Effect(expect["effect"]),
            rules=tuple(sorted(rules)) if rules is not None else None,
            lasts=Duration.parse(expect["lasts"]) if "lasts" in expect else None,
            issue=IssueMode(expect["issue"]) if "issue" in expect else None,
            recording=Recording(expect["recording"]) if "recording" in expect else None,
            exceptions=tuple(sorted(expect["exceptions"])) if "exceptions" in expect else None,
        ),
    )
