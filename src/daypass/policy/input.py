"""The input of a decision: everything that it rests on, gathered into one value.

The same facts give the same bytes, whoever asks: the check of a pull request, the plan, the apply,
the re-evaluation of a live grant. The canonical JSON of it is kept in the record of each decision.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Self

from daypass.model.canonical import digest
from daypass.policy.facts import (
    ApprovalsFacts,
    ContextFacts,
    ExceptionFacts,
    GroupFacts,
    HistoryFacts,
    RequesterFacts,
    RequestFacts,
    ResourceFacts,
    Stage,
    Status,
    SubjectFacts,
)
from daypass.policy.gather import (
    approvals_facts,
    approver_groups,
    context_facts,
    exceptions_facts,
    history_facts,
    request_facts,
    requester_facts,
    resource_facts,
    subject_facts,
    unknown_groups,
)
from daypass.policy.groups import groups_in_rules
from daypass.policy.zone import ZoneFacts
from daypass.policy.zone_facts import with_zones

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from daypass.model.catalogue import Catalogue
    from daypass.model.policy import AccessPolicy
    from daypass.model.resource import Resource
    from daypass.policy.approvals import ApprovalCount
    from daypass.policy.asked import Asked, Surroundings

VERSION: Final = 1  # of the shape of the input; an older record says which it has


@dataclass(frozen=True, slots=True)
class DecisionInput:
    """All that one decision rests on. `to_json` is what records keep, and `from_json` reads."""

    stage: Stage
    now: str
    request: RequestFacts
    requester: RequesterFacts
    subject: SubjectFacts | None
    resource: ResourceFacts | None
    approvals: ApprovalsFacts
    groups: Mapping[str, GroupFacts]  # those that can be asked to approve
    unknown_groups: tuple[str, ...]  # of all groups
    history: HistoryFacts
    context: Mapping[str, ContextFacts]
    exceptions: tuple[ExceptionFacts, ...] = ()  # of the routine lane only; none: not in the JSON
    rests_on: tuple[str, ...] = ()  # exceptions that a live grant's record names; none: as above
    zones: Mapping[str, ZoneFacts] = field(default_factory=dict)  # asked for; none: as above
    asked_groups: tuple[str, ...] = ()  # that expressions name; none: as above
    # Of a live grant: groups that expressions name, and of which its record does not say whether
    # the requester and the approvers belonged to them; none: as above.
    unknown_at_issue: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The input as JSON."""
        return {
            "version": VERSION,
            "stage": str(self.stage),
            "now": self.now,
            "request": self.request.to_json(),
            "requester": self.requester.to_json(),
            "subject": self.subject.to_json() if self.subject else None,
            "resource": self.resource.to_json() if self.resource else None,
            "approvals": self.approvals.to_json(),
            "groups": {name: group.to_json() for name, group in self.groups.items()},
            "unknownGroups": list(self.unknown_groups),
            "history": self.history.to_json(),
            "context": {name: item.to_json() for name, item in self.context.items()},
            **(
                {"exceptions": [item.to_json() for item in self.exceptions]}
                if self.exceptions
                else {}
            ),
            **({"restsOn": list(self.rests_on)} if self.rests_on else {}),
            **self._zones_json(),
            **({"askedGroups": list(self.asked_groups)} if self.asked_groups else {}),
            **({"unknownAtIssue": list(self.unknown_at_issue)} if self.unknown_at_issue else {}),
        }

    def _zones_json(self) -> dict[str, Any]:
        zones = {name: zone.to_json() for name, zone in self.zones.items()}
        return {"zones": zones} if zones else {}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read a recorded input.

        Raises:
            ValueError: it has another version's shape, or is no decision input.
        """
        request, requester, approvals = asked_in(value)
        try:
            return cls(
                stage=Stage(value["stage"]),
                now=value["now"],
                request=request,
                requester=requester,
                subject=SubjectFacts.from_json(value["subject"]) if value["subject"] else None,
                resource=ResourceFacts.from_json(value["resource"]) if value["resource"] else None,
                approvals=approvals,
                groups={name: GroupFacts.from_json(item) for name, item in value["groups"].items()},
                unknown_groups=tuple(value["unknownGroups"]),
                history=HistoryFacts.from_json(value["history"]),
                context={
                    name: ContextFacts.from_json(item) for name, item in value["context"].items()
                },
                exceptions=tuple(
                    ExceptionFacts.from_json(item) for item in value.get("exceptions", ())
                ),
                rests_on=tuple(value.get("restsOn", ())),
                zones={
                    name: ZoneFacts.from_json(item) for name, item in value.get("zones", {}).items()
                },
                asked_groups=tuple(value.get("askedGroups", ())),
                unknown_at_issue=tuple(value.get("unknownAtIssue", ())),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise _no_input() from error

    @property
    def digest(self) -> str:
        """`sha256:<hex>` of the canonical JSON."""
        return digest(self.to_json())


def build_input(
    asked: Asked,
    catalogue: Catalogue,
    approvals: ApprovalCount | None,
    surroundings: Surroundings,
) -> DecisionInput:
    """The input of the decision whether to issue.

    Args:
        asked: the request as it lies in the tree that is judged, its lane, and who asks.
        catalogue: settings, resources, identities, policies and exceptions of the tree that rules.
        approvals: as `count_approvals` counted them; None where GitHub was not asked.
        surroundings: time, groups, history and context.
    """
    request = asked.request
    identity = catalogue.identities.get(request.subject)
    resource = catalogue.resources.get(request.resource)
    groups = surroundings.groups
    facts = DecisionInput(
        stage=Stage.ISSUE,
        now=str(surroundings.now),
        request=request_facts(asked),
        requester=requester_facts(asked.requester, catalogue, surroundings),
        subject=subject_facts(identity, catalogue, surroundings) if identity else None,
        resource=resource_facts(resource, request.access) if resource else None,
        approvals=approvals_facts(approvals, groups),
        groups=approver_groups(catalogue, resource, groups, surroundings.now),
        unknown_groups=unknown_groups(groups),
        history=history_facts(surroundings, request.id, catalogue, resource),
        context=context_facts(surroundings, catalogue),
        exceptions=exceptions_facts(asked.exceptions(catalogue), catalogue),
        asked_groups=asked_groups(catalogue, resource),
    )
    return with_zones(facts, catalogue.policies.values())


def groups_not_told(value: Mapping[str, Any], names: Collection[str]) -> tuple[str, ...]:
    """Those of the groups of which a recorded input does not say who of its people is a member.

    It says so of each group that was asked for when it was gathered. What daypass gathered before
    it asked for groups that expressions name says so of those that approve, or show a member.

    Raises:
        ValueError: it is no decision input.
    """
    if not names:
        return ()
    try:
        told = {*value.get("askedGroups", ()), *value["requester"]["groups"]}
        told.update(*(item["groups"] for item in value["approvals"]["counted"]))
        told.update(value["subject"]["groups"] if value["subject"] else ())
        known = Status.KNOWN
        told.update(name for name, item in value["groups"].items() if item["status"] == known)
        return tuple(sorted(set(names) - told.difference(value["unknownGroups"])))
    except (KeyError, TypeError, AttributeError) as error:
        raise _no_input() from error


def with_untold(facts: DecisionInput, policies: Collection[AccessPolicy]) -> DecisionInput:
    """A recorded input as other policies read it: groups that it does not tell of are unknown."""
    untold = groups_not_told(facts.to_json(), groups_in_rules(policies))
    if not untold:
        return facts
    return replace(
        facts,
        unknown_groups=tuple(sorted({*facts.unknown_groups, *untold})),
        unknown_at_issue=tuple(sorted({*facts.unknown_at_issue, *untold})),
    )


def asked_groups(catalogue: Catalogue, resource: Resource | None) -> tuple[str, ...]:
    """The groups that expressions ask about: by their names, or as the resource's own."""
    policies = catalogue.policies.values()
    names = set(groups_in_rules(policies))
    if resource is not None and any(policy.own_groups_in_rules for policy in policies):
        names |= {resource.business_owner, resource.lifecycle_owner, *resource.approvers.groups}
    return tuple(sorted(names))


def asked_in(value: Mapping[str, Any]) -> tuple[RequestFacts, RequesterFacts, ApprovalsFacts]:
    """Of a recorded input: what was asked, by whom, and who approved it.

    Raises:
        ValueError: it has another version's shape, or is no decision input.
    """
    _check_version(value)
    try:
        return (
            RequestFacts.from_json(value["request"]),
            RequesterFacts.from_json(value["requester"]),
            ApprovalsFacts.from_json(value["approvals"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise _no_input() from error


def _check_version(value: Mapping[str, Any]) -> None:
    if value.get("version") != VERSION:
        raise ValueError(f"the input has version {value.get('version')!r}, not {VERSION}")


def _no_input() -> ValueError:
    return ValueError("this is no decision input, or a part of it is missing")
