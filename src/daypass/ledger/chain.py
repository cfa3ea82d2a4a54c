"""The chain: events follow each other without a gap, and each grant lives a life that can be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from daypass.ledger.compose import reverted_commit
from daypass.ledger.fault import Fault, FaultCode
from daypass.ledger.history import is_reuse
from daypass.model.event import OF_PULL_REQUEST, EventKind, may_follow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daypass.model.event import RecordedEvent

# Ends of something that was issued: each is a revert of the commit that issued it.
ENDED: Final = frozenset({EventKind.EXPIRED, EventKind.REVOKED})


@dataclass(slots=True)
class _Life:
    """What is known of one grant so far."""

    last: EventKind | None = None
    issued: str | None = None
    failed: str | None = None  # the newest revoke-failed


@dataclass(slots=True)
class Chain:
    """The events so far, read from the first one on."""

    last: RecordedEvent | None = None
    _numbers: dict[int, str] = field(default_factory=dict)
    _lives: dict[str, _Life] = field(default_factory=dict)

    @property
    def length(self) -> int:
        """How many events there were."""
        return len(self._numbers)

    def add(self, recorded: RecordedEvent, message: bytes) -> Iterator[Fault]:
        """Take the next event; gives what is wrong with its place."""
        yield from self._place(recorded)
        grant = recorded.event.grant
        if grant is not None and recorded.event.kind not in OF_PULL_REQUEST:
            yield from self._renews(recorded)
            life = self._lives.setdefault(grant, _Life())
            yield from self._step(recorded, message, life)
        self.last = recorded
        self._numbers.setdefault(recorded.sequence, recorded.commit)

    def _place(self, recorded: RecordedEvent) -> Iterator[Fault]:
        before = self.last
        expected = before.sequence + 1 if before else 1
        number = recorded.sequence
        code = message = None
        if number in self._numbers:
            code = FaultCode.SEQUENCE_TWICE
            message = f"number {number} was used by {self._numbers[number]} before"
        elif number < expected:
            code = FaultCode.OUT_OF_ORDER
            message = f"number {number} comes after number {expected - 1}"
        elif number > expected:
            code = FaultCode.SEQUENCE_GAP
            missing = (
                f"event {expected} is"
                if number == expected + 1
                else (f"events {expected} to {number - 1} are")
            )
            message = f"{missing} missing before number {number}"
        elif recorded.previous != (before.commit if before else None):
            code = FaultCode.PREVIOUS
            message = (
                f"it names {recorded.previous or 'none'} as the event before it, which is "
                f"{before.commit if before else 'none'}"
            )
        if code is not None and message is not None:
            yield Fault(code, recorded.commit, message)

    def _renews(self, recorded: RecordedEvent) -> Iterator[Fault]:
        renewed = recorded.event.first("Daypass-Renews")
        life = self._lives.get(renewed) if renewed is not None else None
        if renewed is not None and (life is None or life.issued is None):
            message = f"it continues {renewed}, of which there is no grant before it"
            yield Fault(FaultCode.LINK, recorded.commit, message)

    @staticmethod
    def _step(recorded: RecordedEvent, message: bytes, life: _Life) -> Iterator[Fault]:
        kind, grant = recorded.event.kind, recorded.event.grant
        if is_reuse(recorded) and life.last is not None:
            # a second request under a spent id was refused: nothing happened to the first one
            return
        if not may_follow(kind, life.last):
            before = f"after {life.last}" if life.last else "as its first event"
            yield Fault(
                FaultCode.TRANSITION, recorded.commit, f"grant {grant} cannot be {kind} {before}"
            )
        life.last = kind
        if kind is EventKind.ISSUED:
            life.issued = recorded.commit
        elif kind is EventKind.REVOKE_FAILED:
            life.failed = recorded.commit
        elif kind in ENDED:
            confirms = recorded.event.first("Daypass-Confirms")
            if confirms != life.failed:
                yield Fault(
                    FaultCode.LINK,
                    recorded.commit,
                    f"it confirms {confirms or 'no failed revocation'}; that of {grant} is "
                    f"{life.failed or 'none'}",
                )
            named = reverted_commit(message)
            if named is None or named != life.issued:
                yield Fault(
                    FaultCode.REVERT,
                    recorded.commit,
                    f"it reverts {named or 'no commit'}; grant {grant} was issued by "
                    f"{life.issued or 'no commit'}",
                )
