"""The input of the decision whether a live grant may live on.

What was asked, by whom, and who approved it are frozen in the grant's record; subject, resource,
groups and context are today's. A run asks this of every live grant, so what many of them share is
worked out once.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from daypass.model.expression_names import names_in
from daypass.model.grant import Lane
from daypass.model.policy import AppliesAt
from daypass.policy.asked import Surroundings
from daypass.policy.facts import HistoryFacts, Stage, Status
from daypass.policy.gather import (
    approver_groups,
    context_facts,
    exceptions_facts,
    resource_facts,
    subject_facts,
    unknown_groups,
)
from daypass.policy.input import DecisionInput, asked_groups, asked_in, groups_not_told
from daypass.policy.zone_facts import reads_zones, with_zones

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from daypass.model.catalogue import Catalogue
    from daypass.model.grant import Grant
    from daypass.model.instant import Instant
    from daypass.model.obligation import Obligation
    from daypass.model.policy import AccessPolicy
    from daypass.policy.facts import (
        ContextFacts,
        ExceptionFacts,
        GroupFacts,
        ResourceFacts,
        SubjectFacts,
    )
    from daypass.policy.groups import GroupDirectory

_NOT_ASKED: Final = HistoryFacts(Status.KNOWN)  # it matters at issue only


@dataclass(slots=True)
class LiveInputs:
    """The inputs of one run, at one time, by one catalogue."""

    now: Instant
    catalogue: Catalogue
    groups: GroupDirectory
    overdue: tuple[Obligation, ...] = ()  # reviews of emergencies, as rules may ask of the subject
    _subjects: dict[str, SubjectFacts | None] = field(default_factory=dict)
    _resources: dict[tuple[str, str], ResourceFacts | None] = field(default_factory=dict)
    _approvers: dict[str, Mapping[str, GroupFacts]] = field(default_factory=dict)
    _asked: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _unknown: tuple[str, ...] | None = None
    _time: str = ""
    _reading_zones: tuple[AccessPolicy, ...] = ()
    _excepted: frozenset[tuple[str, str, str]] = frozenset()
    _asker_groups: frozenset[str] = frozenset()  # that expressions ask about, of the asking and the
    _own_fields: frozenset[str] = frozenset()  # approving; and those of the resource's own groups

    def __post_init__(self) -> None:
        """Write the time once, and find what reads time zones and what exceptions are about."""
        self._time = str(self.now)
        self._reading_zones = tuple(filter(reads_zones, self.catalogue.policies.values()))
        self._excepted = frozenset(item.about for item in self.catalogue.exceptions.values())
        names = [
            names_in(rule.expression)
            for policy in self.catalogue.policies.values()
            for rule in policy.rules
            if rule.applies_at is AppliesAt.ALWAYS
        ]
        self._asker_groups = frozenset().union(*(item.asker_groups for item in names))
        self._own_fields = frozenset().union(*(item.own_groups for item in names))

    def of(self, grant: Grant, context: Mapping[str, ContextFacts]) -> DecisionInput:
        """The input for one grant, with what the context sources say of it.

        Raises:
            ValueError: the record holds no decision input that can be read.
        """
        request, requester, approvals = asked_in(grant.decision_input)
        facts = DecisionInput(
            stage=Stage.LIVE,
            now=self._time,
            request=replace(request, issued_at=str(grant.not_before)),
            requester=requester,
            subject=self._subject(grant.subject),
            resource=self._resource(grant.resource, grant.access),
            approvals=approvals,
            groups=self._approver_groups(grant.resource),
            unknown_groups=self._unknown_groups(),
            history=_NOT_ASKED,
            context=context_facts(Surroundings(self.now, context=context), self.catalogue),
            exceptions=self._exceptions_about(grant),
            rests_on=grant.exceptions,
            asked_groups=self._asked_groups(grant.resource),
            unknown_at_issue=groups_not_told(grant.decision_input, self._asked_of_askers(grant)),
        )
        return with_zones(facts, self._reading_zones)

    def _asked_groups(self, name: str) -> tuple[str, ...]:
        if name not in self._asked:
            self._asked[name] = asked_groups(self.catalogue, self.catalogue.resources.get(name))
        return self._asked[name]

    def _asked_of_askers(self, grant: Grant) -> Collection[str]:
        resource = self.catalogue.resources.get(grant.resource)
        if resource is None or not self._own_fields:
            return self._asker_groups
        owners = {resource.business_owner, resource.lifecycle_owner}
        return self._asker_groups | owners | set(resource.approvers.groups)

    def _exceptions_about(self, grant: Grant) -> tuple[ExceptionFacts, ...]:
        about = (grant.subject, grant.resource, grant.access)
        if grant.lane is not Lane.ROUTINE or about not in self._excepted:
            return ()
        return exceptions_facts(self.catalogue.exceptions_about(*about), self.catalogue)

    def _subject(self, name: str) -> SubjectFacts | None:
        if name not in self._subjects:
            identity = self.catalogue.identities.get(name)
            around = Surroundings(self.now, self.groups, overdue=self.overdue)
            self._subjects[name] = (
                subject_facts(identity, self.catalogue, around) if identity else None
            )
        return self._subjects[name]

    def _resource(self, name: str, access: str) -> ResourceFacts | None:
        key = (name, access)
        if key not in self._resources:
            resource = self.catalogue.resources.get(name)
            self._resources[key] = resource_facts(resource, access) if resource else None
        return self._resources[key]

    def _approver_groups(self, name: str) -> Mapping[str, GroupFacts]:
        if name not in self._approvers:
            resource = self.catalogue.resources.get(name)
            self._approvers[name] = approver_groups(self.catalogue, resource, self.groups, self.now)
        return self._approvers[name]

    def _unknown_groups(self) -> tuple[str, ...]:
        if self._unknown is None:
            self._unknown = unknown_groups(self.groups)
        return self._unknown
