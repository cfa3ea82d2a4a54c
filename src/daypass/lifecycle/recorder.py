"""Recorder: writes happenings as signed commits, and pushes them a lot at a time.

The push is the compare-and-swap. When it loses a race, each happening is held against the new
head: what still holds is written again, what another run has recorded meanwhile is dropped. A note
requires nothing of the tree, so it is held against what others have told since; so is an end, whose
record may have been gone before.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from itertools import chain as joined
from typing import TYPE_CHECKING, Final, Protocol, Self, TypeAlias

from daypass.errors import GitError, PushRaceError
from daypass.lifecycle.happening import Happening
from daypass.lifecycle.observe import bot_files, removed_since
from daypass.lifecycle.ports import NewCommit
from daypass.lifecycle.recorded_tree import RecordedTree
from daypass.model.event import CLOSES, OF_RUN, EventKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from daypass.lifecycle.key_handover import SignerInForce
    from daypass.lifecycle.outcome import Outcome
    from daypass.lifecycle.ports import Repository, Signer
    from daypass.model.event import Event, RecordedEvent
    from daypass.model.instant import Instant

Told: TypeAlias = tuple[EventKind, str | None, tuple[tuple[str, str], ...]]
_ENDS: Final = CLOSES | {EventKind.REVOKE_FAILED}  # that it ended, or could not
# Each try loses only to somebody who got through: far more than a busy branch needs.
_TRIES: Final = 12
LOT: Final = 250  # commits of one push: seconds of work, which a killed run loses at the most


class Chain(Protocol):
    """What the recorder needs of the ledger: the newest events, and the message of the next."""

    @property
    def floor(self) -> int:
        """Numbers up to this one were used: the next event has a higher one, whatever main says."""

    def tip(self, repository: Repository, head: str) -> RecordedEvent | None:
        """The newest event on the way back from `head`."""

    def since(self, repository: Repository, head: str, base: str) -> Iterator[RecordedEvent]:
        """The events on the way back from `head` to `base`."""

    def message(
        self, title: str, body: str, event: Event, *, sequence: int, previous: str | None
    ) -> str:
        """The commit message, trailers included."""

    def signing(
        self, repository: Repository, signer: Signer, tip: RecordedEvent | None
    ) -> SignerInForce:
        """Signs what follows `tip`, by the key that is in force there."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A happening that is on main now."""

    happening: Happening
    commit: str
    sequence: int


@dataclass(frozen=True, slots=True)
class Recording:
    """What became of a run's happenings."""

    head: str
    base: str  # the head that was written on: another than was asked for, when a race was lost
    recorded: tuple[Recorded, ...]
    dropped: tuple[Happening, ...]  # no longer held on the head that was written on
    is_stopped: bool = False  # main was changed by hand meanwhile: the rest was not asked for
    # Among the dropped: what main did not admit, though it was as this run had read it.
    unfit: tuple[Happening, ...] = ()


@dataclass(frozen=True, slots=True)
class _Others:
    """What other runs have told since this one looked."""

    said: frozenset[Told] = frozenset()
    closed: frozenset[str | None] = frozenset()  # grants that they ended

    @classmethod
    def of(cls, events: Iterable[Event]) -> Self:
        found = tuple(events)
        ends = (event for event in found if event.kind in CLOSES)
        return cls(
            frozenset(told(event) for event in found), frozenset(event.grant for event in ends)
        )

    def leave_room_for(self, happening: Happening) -> bool:
        event = happening.event
        if event.grant in self.closed and event.kind in _ENDS:
            return False
        return not (happening.is_note and told(event) in self.said)


def told(event: Event) -> Told:
    """What an event tells, whichever run wrote it: two that tell the same are one too many."""
    said = tuple(item for item in event.trailers if item[0] not in OF_RUN)
    return (event.kind, event.grant, said)


class PushNow(Enum):
    """Among happenings: what came before it is pushed before the next one is asked for."""

    PUSH_NOW = "push-now"


Coming: TypeAlias = Happening | PushNow


def record(
    repository: Repository,
    signer: Signer,
    chain: Chain,
    happenings: Iterable[Coming],
    when: Instant,
    *,
    head: str,
    before_push: Callable[[], None] = lambda: None,
) -> Recording:
    """Write and push, a lot at a time: what a killed run has pushed stays.

    Args:
        repository: where the commits are written, and from where they are pushed.
        signer: signs each commit, by the key that is in force on that head.
        chain: knows the newest event on a head, and the message of the next one.
        happenings: taken one by one as they come about, each when the one before it is signed.
            After a `PUSH_NOW`, the next one is asked for once those before it are on main.
        when: the time of the first commit; none is dated before what it tells of.
        head: the commit of main to write on.
        before_push: called before each push.

    Raises PushRaceError when every try for a lot lost: the lots before it are on main then.
    """
    recorder = _Recorder(repository, signer, chain, when, before_push, head, head, head)
    coming = iter(happenings)
    while True:
        lot = _Lot(coming)
        stopped = not recorder.push(lot)
        if stopped or lot.is_last:
            break
    return Recording(
        recorder.head,
        recorder.base,
        tuple(recorder.recorded),
        tuple(recorder.dropped),
        is_stopped=stopped,
        unfit=tuple(recorder.unfit),
    )


def note_unfit(recording: Recording | None, outcome: Outcome) -> None:
    """Note as failures what main did not admit, though it had not moved."""
    for item in recording.unfit if recording is not None else ():
        paths = ", ".join(sorted(item.requires))
        outcome.fail(
            item.event.grant or "evidence",
            GitError(
                f"`{item.event.kind}` was not recorded: main holds something else at {paths} than "
                "this run had read there",
                remedy="Look at these paths with `git ls-tree -r main access`, and take away what "
                "does not belong there; the next run tries again.",
            ),
        )


class _Lot:
    """The happenings of one push, kept as they come about in case the race for main is lost."""

    def __init__(self, coming: Iterator[Coming]) -> None:
        self._coming = coming
        self.known: list[Happening] = []
        self.is_last = False  # whether nothing comes after it

    def __iter__(self) -> Iterator[Happening]:
        for item in self._coming:
            if isinstance(item, PushNow):
                return
            self.known.append(item)
            yield item
            # A handover of the evidence key is two events, and main never ends between them.
            if len(self.known) >= LOT and item.event.kind is not EventKind.KEY_ENDORSED:
                return
        self.is_last = True


@dataclass(slots=True)
class _Recorder:
    """What one run has written so far, and on which head the next lot is written."""

    repository: Repository
    signer: Signer
    chain: Chain
    when: Instant
    before_push: Callable[[], None]
    begin: str  # the head that the run was asked to write on
    head: str
    base: str
    recorded: list[Recorded] = field(default_factory=list)
    dropped: list[Happening] = field(default_factory=list)
    unfit: list[Happening] = field(default_factory=list)
    others: _Others = field(default_factory=_Others)

    def push(self, lot: _Lot) -> bool:
        """Write and push one lot. No: main was changed by hand, and nothing more is written."""
        coming: Iterable[Happening] = lot
        for _ in range(_TRIES):
            left = (item for item in coming if self.others.leave_room_for(item))
            written, dropped, unfit = _write(
                self.repository, self.signer, self.chain, self.head, left, self.when
            )
            if written and not self._reach_main(written[-1].commit):
                if not self._catch_up():
                    self.dropped += lot.known
                    return False
                coming = tuple(lot.known)
                continue
            self.recorded += written
            self.dropped += dropped
            if self.base == self.begin:  # on another head, another run may have done it
                self.unfit += unfit
            return True
        raise PushRaceError(
            f"main moved {_TRIES} times while this run was writing",
            remedy="What this run did not get to main, the next run writes: it carries on there.",
        )

    def _reach_main(self, commit: str) -> bool:
        self.before_push()
        try:
            self.repository.push(commit, self.head)
        except PushRaceError:
            return False
        self.head = commit
        return True

    def _catch_up(self) -> bool:
        """Take main as others left it; whether the run may go on writing on top of that.

        Signing on top would make what was just done by hand the bot's own word, and a main that
        was just put back to an older state would hold two futures.
        """
        before, self.head = self.head, self.repository.fetch()
        self.base = self.head
        if not self.repository.is_ancestor(before, self.head) or _tampered(
            self.repository, self.chain, self.head
        ):
            return False
        since = self.chain.since(self.repository, self.head, self.begin)
        self.others = _Others.of(item.event for item in since)
        return True


def _tampered(repository: Repository, chain: Chain, head: str) -> bool:
    """Whether the bot's folders differ from those of its last signed commit, or did meanwhile."""
    tip = chain.tip(repository, head)
    signed = bot_files(repository, tip.commit) if tip else {}
    return bot_files(repository, head) != signed or bool(
        removed_since(repository, tip, head, signed)
    )


def _write(
    repository: Repository,
    signer: Signer,
    chain: Chain,
    head: str,
    happenings: Iterable[Happening],
    when: Instant,
) -> tuple[list[Recorded], list[Happening], list[Happening]]:
    """Write what is admitted; what was written, what was dropped, and of that what is unfit."""
    coming = iter(happenings)
    first = next(coming, None)
    if first is None:
        return [], [], []
    tree = RecordedTree(repository, head)
    tip = chain.tip(repository, head)
    signing = chain.signing(repository, signer, tip)
    previous = tip.commit if tip else None
    sequence = max(tip.sequence if tip else 0, chain.floor)
    accepted: list[Happening] = []
    dropped: list[Happening] = []
    unfit: list[Happening] = []
    written: list[Recorded] = []

    def commits() -> Iterator[NewCommit]:
        for happening in joined((first,), coming):
            is_fit = tree.admits(happening)
            changes = tree.apply(happening) if is_fit else {}
            if not (changes or happening.is_note) or not signing.admits(happening.event):
                dropped.append(happening)
                if not is_fit:
                    unfit.append(happening)
                continue
            accepted.append(happening)
            last = written[-1].commit if written else previous
            number = sequence + len(written) + 1
            message = chain.message(
                happening.title, happening.body, happening.event, sequence=number, previous=last
            )
            yield NewCommit(changes, message, happening.since)
            signing.turn(happening.event)  # it is signed now

    for commit in repository.write_commits(head, commits(), signing, when):
        number = sequence + len(written) + 1
        written.append(Recorded(accepted[len(written)], commit, number))
    return written, dropped, unfit
