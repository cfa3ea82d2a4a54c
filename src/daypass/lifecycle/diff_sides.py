"""Sides of a policy diff: a recorded question, asked anew by the documents of one commit.

An input holds facts of then. What documents decide (who is active, who belongs to a group of the
settings, whose word counts) is worked out anew; what came from outside (teams, approvals, context,
other grants) stays as it was. What nobody asked then is assumed, one way and the other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from daypass.lifecycle.diff_records import (
    NOTHING,
    Assumption,
    Recorded,
    accounts_of,
    approvers_by,
    dismissers_by,
    groups_by,
    parties_by,
    teams_of,
)
from daypass.model.grant import Lane
from daypass.model.instant import Instant
from daypass.model.pullrequest import Account, AccountType
from daypass.policy.approvals import askers, name_of
from daypass.policy.asked import Surroundings
from daypass.policy.compiled import compile_rules
from daypass.policy.decide import decide
from daypass.policy.facts import ApprovalFacts, Stage, Status
from daypass.policy.gather import (
    approver_groups,
    context_facts,
    exceptions_facts,
    requester_facts,
    resource_facts,
    subject_facts,
    unknown_groups,
)
from daypass.policy.groups import TEAM_PREFIX, groups_in_rules
from daypass.policy.input import groups_not_told
from daypass.policy.voices import voiceless
from daypass.policy.zone_facts import with_zones

if TYPE_CHECKING:
    from collections.abc import Iterable

    from daypass.lifecycle.diff_records import Team
    from daypass.model.catalogue import Catalogue
    from daypass.model.decision import Decision
    from daypass.policy.compiled import CompiledPolicies
    from daypass.policy.facts import (
        ApprovalsFacts,
        ExceptionFacts,
        RequesterFacts,
        SubjectFacts,
    )
    from daypass.policy.groups import GroupDirectory
    from daypass.policy.input import DecisionInput

_TEAMS_ALONE: Final = 6  # more are assumed together only


@dataclass(frozen=True, slots=True)
class Side:
    """The documents of one commit, and their policies."""

    catalogue: Catalogue
    policies: CompiledPolicies

    @classmethod
    def of(cls, catalogue: Catalogue) -> Side:
        """The side of a catalogue."""
        return cls(catalogue, compile_rules(catalogue))

    def decide(self, recorded: Recorded, assumed: Assumption = NOTHING) -> Decision:
        """The recorded question by these documents. The record must hold an input."""
        facts, catalogue = recorded.facts, self.catalogue
        if facts is None:
            raise ValueError("the record holds no input")
        asked, groups = facts.request, groups_by(self.catalogue, recorded, assumed)
        around = Surroundings(Instant.parse(facts.now), groups, context=facts.context)
        resource = catalogue.resources.get(asked.resource)
        of_lane = asked.lane == Lane.ROUTINE
        excepted = catalogue.exceptions_about(asked.subject, asked.resource, asked.access)
        anew = replace(
            facts,
            resource=resource_facts(resource, asked.access) if resource else None,
            subject=self._subject(facts, around),
            groups=approver_groups(catalogue, resource, groups, around.now),
            unknown_groups=unknown_groups(groups),
            context=context_facts(around, catalogue),
            exceptions=_as_if_begun(exceptions_facts(excepted, catalogue), facts)
            if of_lane
            else (),
        )
        if facts.stage is Stage.LIVE:
            named = groups_in_rules(catalogue.policies.values())
            anew = replace(anew, unknown_at_issue=groups_not_told(facts.to_json(), named))
        if facts.stage is Stage.ISSUE:  # of a live grant they are those of its issue
            anew = replace(
                anew,
                requester=self._requester(facts, around),
                approvals=self._approvals(recorded, facts, groups, assumed),
            )
        return decide(with_zones(anew, catalogue.policies.values()), self.policies)

    def may_speak(self, recorded: Recorded) -> frozenset[int]:
        """The accounts whose word did not count then by the documents, and counts by these."""
        facts = recorded.facts
        if facts is None or facts.stage is not Stage.ISSUE or recorded.then is None:
            return frozenset()
        then = recorded.then
        now = Instant.parse(facts.now)
        if facts.approvals.fault is not None:
            if not self._lifts_fault(recorded, facts):
                return frozenset()
            groups = groups_by(self.catalogue, recorded)
            spoke = accounts_of(approvers_by(self.catalogue, facts), groups)
        else:
            spoke = voiceless(then, now) | parties_by(then, facts).keys()
        spoke |= self._new_dismissers(recorded, facts)
        return spoke - self._barred(recorded, facts)

    def _subject(self, facts: DecisionInput, around: Surroundings) -> SubjectFacts | None:
        identity = self.catalogue.identities.get(facts.request.subject)
        if identity is None:
            return None
        overdue = facts.subject.overdue if facts.subject is not None else ()
        return replace(subject_facts(identity, self.catalogue, around), overdue=overdue)

    def _requester(self, facts: DecisionInput, around: Surroundings) -> RequesterFacts:
        account_id = facts.requester.account_id
        account = None if account_id is None else Account(account_id, "", AccountType.USER)
        found = requester_facts(account, self.catalogue, around)
        return replace(found, overdue=facts.requester.overdue)

    def _hands(self, recorded: Recorded, facts: DecisionInput) -> set[int]:
        """Who wrote or pushed any of it: those who were out, and not by the documents of then."""
        then = parties_by(recorded.then, facts) if recorded.then is not None else {}
        return set(facts.approvals.excluded) - then.keys()

    def _barred(self, recorded: Recorded, facts: DecisionInput) -> set[int | None]:
        """The accounts whose approval does not count here."""
        without = voiceless(self.catalogue, Instant.parse(facts.now))
        hands = self._hands(recorded, facts)
        return {*without, *parties_by(self.catalogue, facts), *hands, facts.requester.account_id}

    def _lifts_fault(self, recorded: Recorded, facts: DecisionInput) -> bool:
        """Whether nothing counted because of who asked, and by these documents that one may."""
        then = recorded.then
        before = then.identities.get(facts.request.subject) if then is not None else None
        here = self.catalogue.identities.get(facts.request.subject)
        account = facts.requester.account_id
        return (
            facts.approvals.fault is not None
            and here is not None
            and account in askers(here, self.catalogue)
            and (before is None or then is None or account not in askers(before, then))
        )

    def _approvals(
        self,
        recorded: Recorded,
        facts: DecisionInput,
        groups: GroupDirectory,
        assumed: Assumption,
    ) -> ApprovalsFacts:
        given = facts.approvals
        lifted = self._lifts_fault(recorded, facts)
        barred = self._barred(recorded, facts)
        counted = [item for item in given.counted if item.account_id not in barred]
        if assumed.all_approved:
            known = {item.account_id for item in counted}
            counted += [
                ApprovalFacts(account, None, 0, "", facts.now, ())
                for account in sorted(self.may_speak(recorded) - known)
            ]
        hands = self._hands(recorded, facts)
        return replace(
            given,
            status=str(Status.KNOWN) if lifted else given.status,
            fault=None if lifted else given.fault,
            blocked_by=self._objections(recorded, facts, groups, assumed),
            excluded=tuple(sorted(hands | parties_by(self.catalogue, facts).keys())),
            counted=tuple(
                replace(
                    item,
                    identity=identity.name if identity is not None else None,
                    groups=groups.names_of(item.account_id, identity.name if identity else None),
                )
                for item in sorted(counted, key=lambda item: item.account_id)
                for identity in (self.catalogue.identity_of(item.account_id),)
            ),
        )

    def _objections(
        self,
        recorded: Recorded,
        facts: DecisionInput,
        groups: GroupDirectory,
        assumed: Assumption,
    ) -> tuple[int, ...]:
        """Whose "no" stands: of people who are known here, and have no part in it."""
        if assumed.all_approved and self._new_dismissers(recorded, facts):
            return ()
        mine = parties_by(self.catalogue, facts, of_exceptions=False)
        unknown = any(not group.known for group in groups.groups.values())
        return tuple(
            account
            for account in facts.approvals.blocked_by
            if account not in mine
            and (
                unknown
                or self.catalogue.identity_of(account) is not None
                or any(account in group.accounts for group in groups.groups.values())
            )
        )

    def _new_dismissers(self, recorded: Recorded, facts: DecisionInput) -> frozenset[int]:
        """Who may take back the "no" that stood then, by these documents and not by those of then.

        Whether one of them did is not recorded: it would not have counted.
        """
        if recorded.then is None or not facts.approvals.blocked_by:
            return frozenset()
        here, before = (
            accounts_of(dismissers_by(catalogue, facts), groups_by(catalogue, recorded))
            for catalogue in (self.catalogue, recorded.then)
        )
        return here - before - self._barred(recorded, facts)


@dataclass(frozen=True, slots=True)
class Gaps:
    """What a record does not tell, and the documents of either side ask."""

    subject: frozenset[tuple[int, Team]]  # whether it, or who asks for it, belongs to a team
    approvers: frozenset[tuple[int, Team]]  # the same of those who approved
    silent: frozenset[int]  # whose word did not count then, and counts on a side
    unasked: frozenset[Team]

    @classmethod
    def of(cls, recorded: Recorded, sides: Iterable[Side]) -> Gaps:
        """The gaps of a record that holds an input."""
        facts = recorded.facts
        if facts is None:
            return cls(frozenset(), frozenset(), frozenset(), frozenset())
        sides = tuple(sides)
        teams = frozenset().union(*(teams_of(side.catalogue) for side in sides))
        unasked = frozenset(team for team in teams if not recorded.knows(team))
        identities = (side.catalogue.identities.get(facts.request.subject) for side in sides)
        askers_ = {item.github_id for item in identities if item is not None}
        silent = frozenset().union(*(side.may_speak(recorded) for side in sides))
        spoke: set[int] = set()
        if facts.stage is Stage.ISSUE:
            askers_.add(facts.requester.account_id)
            spoke = {item.account_id for item in facts.approvals.counted}
        # Of those who spoke in vain the record does not tell the teams either.
        heard = {(who, team) for who in spoke for team in unasked}
        heard |= {(who, team) for who in silent for team in teams}
        return cls(
            frozenset((account, team) for account in askers_ if account for team in unasked),
            frozenset(heard),
            silent,
            unasked,
        )

    def assumptions(self) -> tuple[Assumption, ...]:
        """Each way in which it can have been, as far as it matters; the plainest first."""
        everybody = self.subject | self.approvers
        teams = sorted({team.slug for _, team in everybody})
        each = [
            frozenset(pair for pair in everybody if pair[1].slug == slug)
            for slug in (teams if len(teams) <= _TEAMS_ALONE else ())
        ]
        members = dict.fromkeys([frozenset(), *each, self.subject, self.approvers, everybody])
        words = (False, True) if self.silent else (False,)
        return tuple(Assumption(item, word) for word in words for item in members)

    def words(
        self, assumed: Assumption, catalogue: Catalogue, *, of_teams: bool
    ) -> tuple[str, ...]:
        """What is not known of an assumption, for people. `of_teams`: whether teams matter."""
        said = []
        teams = sorted({TEAM_PREFIX + team.slug for team in self.unasked})
        if teams and of_teams:
            said.append(f"who belonged to {', '.join(teams)} was not asked then")
        if assumed.all_approved:
            names = ", ".join(sorted(name_of(account, catalogue) for account in self.silent))
            said.append(
                f"whether {names} approved or dismissed is not recorded: it did not count then"
            )
        return tuple(said)


def _as_if_begun(
    exceptions: Iterable[ExceptionFacts], facts: DecisionInput
) -> tuple[ExceptionFacts, ...]:
    """Exceptions that a recorded question came too early for, as if it were asked at their begin.

    Else no new exception would ever show what it lets through.
    """
    if facts.stage is Stage.LIVE:
        return tuple(exceptions)
    now = Instant.parse(facts.now)
    return tuple(
        item
        if (early := Instant.parse(item.not_before).since(now)) <= 0
        else replace(
            item,
            not_before=facts.now,
            not_after=str(Instant.parse(item.not_after).plus(-early)),
        )
        for item in exceptions
    )
