"""Policy diff: what changed documents would have decided otherwise, and would end today.

Recorded inputs are decided twice: by the policies, resources and identities of two commits, and by
the groups that their settings tell by themselves. What people and sources said then (approvals,
members of teams, context, other grants) stays as it was.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from daypass.documents.repository import catalogue_of
from daypass.ledger.commitobject import parse_commit
from daypass.ledger.counting_signers import counting_signers
from daypass.ledger.history import read_event
from daypass.lifecycle.base import PATHS
from daypass.lifecycle.preview import live_grants
from daypass.model.decision import Effect
from daypass.model.event import EventKind
from daypass.model.grant import Lane
from daypass.model.instant import Instant
from daypass.model.names import grant_path
from daypass.model.resource import IssueMode, Recording
from daypass.policy.asked import Surroundings
from daypass.policy.compiled import compile_rules
from daypass.policy.decide import decide
from daypass.policy.facts import HistoryFacts, Stage, Status
from daypass.policy.gather import context_facts, exceptions_facts, resource_facts, subject_facts
from daypass.policy.groups import resolve_groups
from daypass.policy.input import DecisionInput
from daypass.policy.verdict import words
from daypass.policy.zone_facts import with_zones

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from daypass.lifecycle.ports import CommitObject, Repository
    from daypass.model.catalogue import Catalogue
    from daypass.model.decision import Decision
    from daypass.model.grant import Grant
    from daypass.model.identity import Identity
    from daypass.policy.compiled import CompiledPolicies
    from daypass.policy.facts import ExceptionFacts
    from daypass.policy.groups import GroupDirectory

_RECORDINGS: Final = (Recording.NONE, Recording.API_LOG, Recording.REQUIRED)
_INPUT: Final = b"    {"  # how the body of a denial sets its input off


@dataclass(frozen=True, slots=True)
class Shift:
    """A live grant, or a decision of the past, that comes out otherwise."""

    grant_id: str
    kind: str  # `live`, or the event that recorded it: `issued`, `denied`
    commit: str | None
    facts: DecisionInput
    before: Decision
    after: Decision

    @property
    def loosens(self) -> bool:
        """Whether more is given than before."""
        if not self.after.permitted:
            return False
        old, new = self.before, self.after
        on_claim = new.obligations.issue is IssueMode.ON_CLAIM
        return (
            not old.permitted
            or new.seconds > old.seconds
            or (old.obligations.issue is IssueMode.ON_CLAIM and not on_claim)
            or _recording(new) < _recording(old)
        )


@dataclass(frozen=True, slots=True)
class PolicyDiff:
    """All that comes out otherwise, and of how much."""

    changed: tuple[str, ...]  # paths of documents that differ
    live: int
    decided: int
    unreadable: int  # records whose input has another release's shape
    shifts: tuple[Shift, ...]
    exceptions: tuple[str, ...] = ()  # those that differ, each in a line for people


def policy_diff(
    repository: Repository, base: str, head: str, now: Instant, last: int
) -> PolicyDiff:
    """Compare the documents of two commits by what they decide.

    Args:
        repository: the clone.
        base: the commit whose documents rule now.
        head: the commit that changes them; its evidence and live grants are looked at.
        now: a time to decide live grants at; for display only.
        last: how many decisions of the past to look at, at the most.

    Raises:
        DocumentError: the documents of one of the commits are wrong.
    """
    changed = changed_documents(repository, base, head)
    if not changed:
        return PolicyDiff((), 0, 0, 0, ())
    sides = (_Side.of(repository, base), _Side.of(repository, head))
    live = list(_live(live_grants(repository, head).values(), now))
    past = list(_past(repository, base, head, last))
    recorded = [*live, *past]
    shifts = (_shift(item, *sides) for item in recorded if item.facts is not None)
    return PolicyDiff(
        changed,
        len(live),
        len(past),
        sum(1 for item in recorded if item.facts is None),
        tuple(shift for shift in shifts if shift is not None),
        tuple(_changed_exceptions(sides[0].catalogue, sides[1].catalogue)),
    )


def _changed_exceptions(before: Catalogue, after: Catalogue) -> Iterator[str]:
    """What is excepted anew, no longer, or otherwise."""
    for name in sorted(before.exceptions.keys() | after.exceptions.keys()):
        old, new = before.exceptions.get(name), after.exceptions.get(name)
        if old is None or new is None:
            yield f"{'no longer' if new is None else 'excepts'} {new or old}"
        elif old.document != new.document:
            yield f"changes {old}; to {new}"


def changed_documents(repository: Repository, base: str, head: str) -> tuple[str, ...]:
    """Paths of the documents of decisions that two commits hold differently."""
    before, after = (
        {entry.path: entry for path in PATHS for entry in repository.entries(commit, path)}
        for commit in (base, head)
    )
    return tuple(
        sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    )


@dataclass(frozen=True, slots=True)
class _Recorded:
    grant_id: str
    kind: str
    commit: str | None
    facts: DecisionInput | None  # None: it cannot be read


@dataclass(frozen=True, slots=True)
class _Side:
    catalogue: Catalogue
    policies: CompiledPolicies
    groups: GroupDirectory  # of which only those without a team are known

    @classmethod
    def of(cls, repository: Repository, commit: str) -> _Side:
        catalogue = catalogue_of(repository, commit)
        policies = compile_rules(catalogue)
        return cls(catalogue, policies, resolve_groups(catalogue, {}))

    def _groups_of(self, identity: Identity, recorded: tuple[str, ...]) -> tuple[str, ...]:
        """What the settings tell, and of groups that rest on a team what was known then."""
        told = {
            name
            for name in self.groups.names_of(identity.github_id, identity.name)
            if self.groups.group(name).known
        }
        return tuple(
            sorted(told | {name for name in recorded if not self.groups.group(name).known})
        )

    def decide(self, facts: DecisionInput) -> Decision:
        """The recorded question, about the resource and the subject as they are described here."""
        catalogue = self.catalogue
        resource = catalogue.resources.get(facts.request.resource)
        identity = catalogue.identities.get(facts.request.subject)
        subject = facts.subject
        around = Surroundings(Instant.parse(facts.now), context=facts.context)
        asked = facts.request
        excepted = catalogue.exceptions_about(asked.subject, asked.resource, asked.access)
        if identity is not None:
            described = subject_facts(identity, catalogue, around)
            groups = self._groups_of(identity, subject.groups if subject is not None else ())
            overdue = subject.overdue if subject is not None else ()
            subject = replace(described, groups=groups, overdue=overdue)
        facts = replace(
            facts,
            resource=resource_facts(resource, facts.request.access) if resource else None,
            subject=subject if identity is not None else None,
            context=context_facts(around, catalogue),
            exceptions=_as_if_begun(exceptions_facts(excepted, catalogue), facts)
            if asked.lane == Lane.ROUTINE
            else (),
        )
        return decide(with_zones(facts, catalogue.policies.values()), self.policies)


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


def _shift(recorded: _Recorded, base: _Side, head: _Side) -> Shift | None:
    facts = recorded.facts
    if facts is None:
        return None
    before, after = base.decide(facts), head.decide(facts)
    same = (
        before.effect is after.effect
        and before.seconds == after.seconds
        and (not after.permitted or before.obligations == after.obligations)
    )
    if same:
        return None
    return Shift(recorded.grant_id, recorded.kind, recorded.commit, facts, before, after)


def _live(grants: Iterable[Grant], now: Instant) -> Iterator[_Recorded]:
    for grant in grants:
        facts = _read(grant.decision_input)
        if facts is not None:
            facts = replace(
                facts,
                stage=Stage.LIVE,
                now=str(now),
                request=replace(facts.request, issued_at=str(grant.not_before)),
                history=HistoryFacts(Status.KNOWN),
                rests_on=grant.exceptions,
                zones={},  # those of its issue: they may have changed since
            )
        yield _Recorded(grant.id, "live", None, facts)


def _past(repository: Repository, base: str, head: str, last: int) -> Iterator[_Recorded]:
    """The newest decisions that the bot signed, newest first."""
    signers = counting_signers(repository, base)
    if signers is None or last < 1:
        return
    found = 0
    for commit in repository.walk(head):
        recorded = read_event(commit, signers)
        event = recorded.event if recorded is not None else None
        if event is None or event.grant is None:
            continue
        if event.kind is EventKind.ISSUED:
            given = _of_record(repository, commit.sha, event.grant)
        elif event.kind is EventKind.DENIED and event.first("Daypass-Decision") is not None:
            given = _of_body(commit)
        else:
            continue
        yield _Recorded(event.grant, str(event.kind), commit.sha, given)
        found += 1
        if found == last:
            return


def _of_record(repository: Repository, commit: str, grant_id: str) -> DecisionInput | None:
    entries = repository.entries(commit, grant_path(grant_id))
    if not entries:
        return None
    record = json.loads(repository.blobs([entries[0].blob])[entries[0].blob])
    return _read(record["spec"]["decision"]["input"])


def _of_body(commit: CommitObject) -> DecisionInput | None:
    lines = parse_commit(commit.raw).message.split(b"\n")
    given = next((line for line in lines if line.startswith(_INPUT)), None)
    return None if given is None else _read(json.loads(given))


def _read(value: Mapping[str, Any]) -> DecisionInput | None:
    try:
        return DecisionInput.from_json(value)
    except ValueError:
        return None


def _recording(decision: Decision) -> int:
    return _RECORDINGS.index(Recording(decision.obligations.recording))


def effect_words(decision: Decision) -> str:
    """An effect and how long it lasts, for people."""
    lasts = f" for {words(decision.seconds)}" if decision.effect is Effect.PERMIT else ""
    return f"{decision.effect}{lasts}"
