"""Settling: records held against the commits that brought them, and their decisions made again.

Each claim is settled by itself, and none rests on another: so a part of them can be settled by a
workmate in another process, and every claim that it did not answer for is settled here.
"""

from __future__ import annotations

import marshal
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from daypass.ledger.decisions import of_grant
from daypass.ledger.fault import Fault, FaultCode
from daypass.ledger.records import compare_document, read_document
from daypass.model.event import Event, EventKind, RecordedEvent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from daypass.ledger.decisions import Replay

    _Trailers = tuple[tuple[str, str], ...]
    _Place = tuple[int, str | None, str, int]
    # kind, grant, trailers, place, blob, basis: nothing but what marshal knows
    _Packed = tuple[str, str | None, _Trailers, _Place, str, str | None]

_BLOBS_AT_ONCE: Final = 1000
_TASK: Final = 100  # claims: a few hundredths of a second
_LOOKS: Final = 32  # claims after which it is asked whether it has answered
_BACKLOG: Final = 2000  # claims that may wait


class Shelf(Protocol):
    """Where records lie."""

    def blobs(self, ids: Sequence[str]) -> Mapping[str, bytes]:
        """The contents of blobs."""


class Workmate(Protocol):
    """Another process that settles, by `Settler.answer`."""

    def give(self, task: bytes) -> bool:
        """Hand it a task; False if it is gone."""

    def is_ready(self) -> bool:
        """Whether its answer can be taken without waiting for it."""

    def take(self) -> bytes | None:
        """Wait for its answer; None if it died over the task."""


class Claim(NamedTuple):
    """An event that brought a record."""

    recorded: RecordedEvent
    blob: str
    basis: str | None  # a commit with the policies that it names; None: main held none such


class Settler:
    """Settles claims. `replay`: make the decisions of what was issued again."""

    def __init__(self, shelf: Shelf, replay: Replay | None) -> None:
        self._shelf = shelf
        self._replay = replay

    def settle(self, claims: Sequence[Claim]) -> list[Fault]:
        """What is wrong with them. Raises GitError when a record is not to be had."""
        contents = self._shelf.blobs([claim.blob for claim in claims]) if claims else {}
        found: list[Fault] = []
        for recorded, blob, basis in claims:
            document = read_document(contents[blob])
            found.extend(compare_document(recorded, document))
            if self._replay is not None and recorded.event.kind is EventKind.ISSUED:
                try:
                    again = list(of_grant(self._replay, recorded, document["spec"], basis))
                except (KeyError, TypeError, AttributeError):
                    continue  # no record: `compare_document` has said so
                found.extend(again)
        return found

    def answer(self, task: bytes) -> bytes:
        """The same, of what `_packed` made: for a workmate."""
        faults = self.settle([_unpacked(item) for item in marshal.loads(task)])  # noqa: S302  -- of our own process
        return marshal.dumps([(str(item.code), item.commit, item.message) for item in faults])


class Settling:
    """Claims on their way, and the faults that were found."""

    def __init__(self, settler: Settler, mate: Workmate | None) -> None:
        self.faults: list[Fault] = []
        self._settler = settler
        self._mate = mate
        self._waiting: deque[Claim] = deque()
        self._away: list[Claim] = []  # with the workmate

    def add(self, claim: Claim) -> None:
        """Take a claim, to be settled at some time."""
        self._waiting.append(claim)
        if self._mate is None:
            if len(self._waiting) >= _BLOBS_AT_ONCE:
                self._settle(_BLOBS_AT_ONCE)
        elif len(self._waiting) % _LOOKS == 0:
            self._share(_TASK)
            if len(self._waiting) > _BACKLOG:
                self._settle(_TASK)

    def finish(self) -> None:
        """Settle all of it. Both work until there is nothing left."""
        while self._waiting or self._away:
            self._share(1)
            if self._waiting:
                self._settle(_TASK if self._mate is not None else _BLOBS_AT_ONCE)
            elif self._away:
                self._take_back()

    def _share(self, least: int) -> None:
        """Take an answer that is there, and hand over what waits, if it is that much."""
        if self._away and self._mate is not None and self._mate.is_ready():
            self._take_back()
        if self._mate is None or self._away or len(self._waiting) < least:
            return
        task = list(islice(self._waiting, _TASK))
        if self._mate.give(marshal.dumps([_packed(claim) for claim in task])):
            self._away = self._next(_TASK)
        else:
            self._mate = None

    def _take_back(self) -> None:
        answer = self._mate.take() if self._mate is not None else None
        if answer is None:
            self._mate = None
            self._waiting.extendleft(reversed(self._away))
        else:
            self.faults.extend(_faults(answer))
        self._away = []

    def _settle(self, count: int) -> None:
        self.faults.extend(self._settler.settle(self._next(count)))

    def _next(self, count: int) -> list[Claim]:
        return [self._waiting.popleft() for _ in range(min(count, len(self._waiting)))]


def _packed(claim: Claim) -> _Packed:
    recorded, event = claim.recorded, claim.recorded.event
    place = (recorded.sequence, recorded.previous, recorded.commit, recorded.recorded_at)
    return str(event.kind), event.grant, event.trailers, place, claim.blob, claim.basis


def _unpacked(item: _Packed) -> Claim:
    kind, grant, trailers, place, blob, basis = item
    event = Event.of_checked(EventKind(kind), grant, trailers)
    return Claim(RecordedEvent(event, *place), blob, basis)


def _faults(answer: bytes) -> Iterable[Fault]:
    for code, commit, message in marshal.loads(answer):  # noqa: S302  -- of our own process
        yield Fault(FaultCode(code), commit, message)
