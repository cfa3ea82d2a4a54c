"""Policy diff: what changed documents would have decided otherwise, and may widen.

Recorded inputs are decided twice, by the documents of two commits (`diff_sides`); and whatever a
changed document may widen is told, whether or not a recorded case shows it (`diff_fields`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from daypass.documents.document import read_document
from daypass.documents.repository import catalogue_of, load_catalogue
from daypass.errors import DaypassError
from daypass.ledger.commitobject import parse_commit
from daypass.ledger.counting_signers import counting_signers
from daypass.ledger.history import read_event
from daypass.lifecycle.base import PATHS
from daypass.lifecycle.diff_fields import widenings
from daypass.lifecycle.diff_records import Recorded
from daypass.lifecycle.diff_sides import Gaps, Side
from daypass.lifecycle.preview import live_grants
from daypass.model.decision import Effect
from daypass.model.event import EventKind
from daypass.model.names import grant_path
from daypass.model.resource import IssueMode, Recording
from daypass.policy.facts import HistoryFacts, Stage, Status
from daypass.policy.input import DecisionInput
from daypass.policy.verdict import words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from daypass.lifecycle.ports import CommitObject, Repository
    from daypass.model.catalogue import Catalogue
    from daypass.model.decision import Decision
    from daypass.model.grant import Grant
    from daypass.model.instant import Instant
    from daypass.model.tree import TreeEntry

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
    not_known: tuple[str, ...] = ()  # what it rests on and no record tells: it counts as looser

    @property
    def is_same(self) -> bool:
        """Whether it comes out as before."""
        old, new = self.before, self.after
        return (
            old.effect is new.effect
            and old.seconds == new.seconds
            and (not new.permitted or old.obligations == new.obligations)
        )

    @property
    def left_open(self) -> tuple[str, ...]:
        """What keeps the new answer from being given, where it is not known."""
        return tuple(
            f"{item.policy}/{item.rule}: {item.message}"
            for item in self.after.reasons
            if item.effect is Effect.INDETERMINATE
        )

    @property
    def loosens(self) -> bool:
        """Whether more is given than before, or may be: what is denied is at least left open."""
        old, new = self.before, self.after
        if new.effect is Effect.INDETERMINATE:
            return old.effect is Effect.DENY
        if not new.permitted:
            return False
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
    widens: tuple[str, ...] = ()  # what other documents may widen, each in a line for people


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
    sides = [Side.of(catalogue_of(repository, commit)) for commit in (base, head)]
    times = _Times(repository)
    live = list(_live(live_grants(repository, head).values(), now, times))
    past = list(_past(repository, base, head, last, times))
    recorded = [*live, *past]
    shifts = (shift_of(item, *sides) for item in recorded if item.facts is not None)
    return PolicyDiff(
        changed,
        len(live),
        len(past),
        sum(1 for item in recorded if item.facts is None),
        tuple(shift for shift in shifts if shift is not None),
        tuple(_changed_exceptions(sides[0].catalogue, sides[1].catalogue)),
        tuple(
            line
            for path in changed
            for line in widenings(path, *(_document(repository, at, path) for at in (base, head)))
        ),
    )


def _document(repository: Repository, commit: str, path: str) -> Mapping[str, Any] | None:
    entry = next((item for item in repository.entries(commit, path) if item.path == path), None)
    if entry is None:
        return None
    return read_document(path, repository.blobs([entry.blob])[entry.blob]).value


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


@dataclass(slots=True)
class _Times:
    """The documents of past commits, read once for each tree of them."""

    repository: Repository
    known: dict[tuple[TreeEntry, ...], Catalogue | None] = field(default_factory=dict)

    def at(self, commit: str | None) -> Catalogue | None:
        """The documents of that commit; None where they were wrong, or the clone has them not."""
        if commit is None:
            return None
        try:
            entries = tuple(
                entry for path in PATHS for entry in self.repository.entries(commit, path)
            )
        except DaypassError:
            return None
        if entries not in self.known:
            try:
                self.known[entries] = load_catalogue(entries, self.repository.blobs)
            except DaypassError:
                self.known[entries] = None
        return self.known[entries]


def shift_of(recorded: Recorded, base: Side, head: Side) -> Shift | None:
    """How a recorded question comes out otherwise; None: as before, however it may have been.

    Where a record does not tell what the documents ask, any way in which more is given counts.
    """
    facts = recorded.facts
    if facts is None:
        return None
    gaps = Gaps.of(recorded, (base, head))
    made = []
    for assumed in gaps.assumptions():
        before, after = (side.decide(recorded, assumed) for side in (base, head))
        about = (recorded.grant_id, recorded.kind, recorded.commit)
        made.append((assumed, Shift(*about, facts, before, after)))
    looser = [(assumed, shift) for assumed, shift in made if not shift.is_same and shift.loosens]
    if not looser:
        plain = made[0][1]
        return None if plain.is_same else plain
    assumed, shift = looser[0]
    alike = [found for other, found in made if other.all_approved == assumed.all_approved]
    of_teams = not all(found.loosens for found in alike)
    said = gaps.words(assumed, head.catalogue, of_teams=of_teams)
    return replace(shift, not_known=(*said, *shift.left_open))


def _live(grants: Iterable[Grant], now: Instant, times: _Times) -> Iterator[Recorded]:
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
        yield Recorded(grant.id, "live", None, facts, times.at(grant.request_commit))


def _past(
    repository: Repository, base: str, head: str, last: int, times: _Times
) -> Iterator[Recorded]:
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
        yield Recorded(event.grant, str(event.kind), commit.sha, given, times.at(commit.sha))
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
