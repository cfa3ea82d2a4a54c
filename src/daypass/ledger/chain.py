"""The chain: events follow each other without a gap, and each grant lives a life that can be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

from daypass.ledger.compose import reverted_commit
from daypass.ledger.fault import Fault, FaultCode
from daypass.ledger.history import is_reuse
from daypass.model.event import OF_PULL_REQUEST, EventKind, may_follow

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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

    length: int = 0  # how many events there were
    _last: tuple[int, str] | None = None  # number and commit of the event before
    _highest: int = 0
    _gaps: list[tuple[int, int]] = field(default_factory=list)  # numbers below it that are unused
    _lives: dict[str, _Life] = field(default_factory=dict)

    def add(self, recorded: RecordedEvent, message: bytes) -> Iterator[Fault]:
        """Take the next event; gives what is wrong with its place."""
        yield from self._place(recorded)
        grant = recorded.event.grant
        if grant is not None and recorded.event.kind not in OF_PULL_REQUEST:
            yield from self._renews(recorded)
            life = self._lives.setdefault(grant, _Life())
            yield from self._step(recorded, message, life)
        self.length += 1
        self._last = (recorded.sequence, recorded.commit)

    def to_json(self) -> dict[str, Any]:
        """All of it, to go on from later."""
        return {
            "length": self.length,
            "last": self._last,
            "highest": self._highest,
            "gaps": self._gaps,
            "lives": {
                grant: [life.last, life.issued, life.failed] for grant, life in self._lives.items()
            },
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`."""
        last = value["last"]
        return cls(
            length=value["length"],
            _last=None if last is None else (last[0], last[1]),
            _highest=value["highest"],
            _gaps=[(first, after) for first, after in value["gaps"]],
            _lives={
                grant: _Life(EventKind(kind) if kind else None, issued, failed)
                for grant, (kind, issued, failed) in value["lives"].items()
            },
        )

    def _place(self, recorded: RecordedEvent) -> Iterator[Fault]:
        number, before = recorded.sequence, self._last
        expected = before[0] + 1 if before else 1
        code = message = None
        if not self._take(number):
            code = FaultCode.SEQUENCE_TWICE
            message = f"number {number} was used before"
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
        elif recorded.previous != (before[1] if before else None):
            code = FaultCode.PREVIOUS
            message = (
                f"it names {recorded.previous or 'none'} as the event before it, which is "
                f"{before[1] if before else 'none'}"
            )
        if code is not None and message is not None:
            yield Fault(code, recorded.commit, message)

    def _take(self, number: int) -> bool:
        """Use a number; whether it was free."""
        if number > self._highest:
            if number > self._highest + 1:
                self._gaps.append((self._highest + 1, number))
            self._highest = number
            return True
        for at, (first, after) in enumerate(self._gaps):
            if first <= number < after:
                left = [(first, number), (number + 1, after)]
                self._gaps[at : at + 1] = [gap for gap in left if gap[0] < gap[1]]
                return True
        return False

    def _renews(self, recorded: RecordedEvent) -> Iterator[Fault]:
        renewed = recorded.event.first("Daypass-Renews")
        life = self._lives.get(renewed) if renewed is not None else None
        if renewed is not None and (life is None or life.issued is None):
            message = f"it continues {renewed}, of which there is no grant before it"
            yield Fault(FaultCode.LINK, recorded.commit, message)

    @staticmethod
    def _step(recorded: RecordedEvent, message: bytes, life: _Life) -> Iterator[Fault]:
        kind, grant = recorded.event.kind, recorded.event.grant
        if life.last is not None and is_reuse(recorded):
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
            yield from _refers(recorded, message, life)


def _refers(recorded: RecordedEvent, message: bytes, life: _Life) -> Iterator[Fault]:
    """An end names the commit that issued, and that of the failed revocation that it resolves."""
    grant = recorded.event.grant
    confirms = recorded.event.first("Daypass-Confirms")
    if confirms != life.failed:
        what = (
            f"it confirms {confirms or 'no failed revocation'}; that of {grant} is "
            f"{life.failed or 'none'}"
        )
        yield Fault(FaultCode.LINK, recorded.commit, what)
    named = reverted_commit(message)
    if named is None or named != life.issued:
        what = (
            f"it reverts {named or 'no commit'}; grant {grant} was issued by "
            f"{life.issued or 'no commit'}"
        )
        yield Fault(FaultCode.REVERT, recorded.commit, what)
