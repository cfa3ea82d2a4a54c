"""Decisions, made again: by the input that was recorded, and the policies that main held then.

What decides is given from outside, so that the ledger knows no policy: `Replay`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from daypass.ledger.fault import Fault, FaultCode
from daypass.model.event import EventKind
from daypass.model.grant import is_offline_word
from daypass.model.instant import Instant

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from daypass.model.event import Event, RecordedEvent

_INPUT: Final = b"\n\nThe input that was decided on:\n\n    {"
_BESIDE: Final = b"decided by main before the merge too"
# Vault tells its times in whole seconds: a lease of an hour can show an hour and one of them.
_GRAIN_SECONDS: Final = 2
_PERMIT: Final = "permit"


@dataclass(frozen=True, slots=True)
class Replayed:
    """A decision that was made again."""

    effect: str
    input_digest: str
    seconds: int  # for how long it permits
    asked_for: frozenset[str]  # `<account> <review> <commit> <time>` of approvals that counted
    exceptions: tuple[str, ...] = ()  # the names of those that it rests on, sorted


class Replay(Protocol):
    """The decision point, and the policies of past commits."""

    def policies(self, commit: str) -> str | None:
        """The digest of the policies of that commit; None when they cannot be read."""

    def decide(self, recorded: dict[str, Any], commit: str) -> Replayed:
        """Decide again, by the policies of that commit.

        Raises:
            ValueError: the input cannot be read, or holds exceptions that are not that commit's.
        """


@dataclass(slots=True)
class Decisions:
    """Which policies main held when, and whether what was decided follows from them."""

    replay: Replay
    _held: list[tuple[int, str]] = field(default_factory=list)  # from which place on, which digest
    _found: dict[str, str] = field(default_factory=dict)  # digest → a commit that holds it

    def take_policies(self, place: int, commit: str) -> None:
        """Commit number `place` of main changes policies."""
        digest = self.replay.policies(commit)
        if digest is not None:
            self._held.append((place, digest))
            self._found.setdefault(digest, commit)

    def basis(self, event: Event, place: int | None) -> str | None:
        """A commit with the policies that an event names; None if main held none such since then.

        Since commit number `place` (None: ever). A run decides before it writes.
        """
        policy = event.first("Daypass-Policy") or ""
        return self._found[policy] if policy in self._held_since(place) else None

    def _held_since(self, place: int | None) -> tuple[str, ...]:
        held = self._held
        if place is None:
            return tuple(digest for _place, digest in held)
        begin = max((at for at, (since, _digest) in enumerate(held) if since <= place), default=0)
        return tuple(digest for _place, digest in held[begin:])

    def to_json(self) -> dict[str, Any]:
        """Which policies main held when, and where to find them."""
        return {"held": self._held, "found": self._found}

    def restore(self, value: Mapping[str, Any]) -> None:
        """Take up what `to_json` gave."""
        self._held = [(place, digest) for place, digest in value["held"]]
        self._found = dict(value["found"])

    def of_refusal(
        self, recorded: RecordedEvent, message: bytes, basis: str | None
    ) -> Iterator[Fault]:
        """Hold a denial, or an end by a decision, against the input in its body."""
        if recorded.event.first("Daypass-Decision") is None:
            return
        begin = message.find(_INPUT)
        line = message[begin + len(_INPUT) - 1 :].partition(b"\n")[0]
        try:
            value = json.loads(line) if begin >= 0 else None
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            what = "the input of its decision does not stand in its message"
            yield _fault(recorded, FaultCode.DECISION, what)
            return
        made = _again(self.replay, recorded, value, basis, beside=_BESIDE in message)
        if isinstance(made, Fault):
            yield made


def of_grant(
    replay: Replay, recorded: RecordedEvent, spec: Mapping[str, Any], basis: str | None
) -> Iterator[Fault]:
    """Hold a record, given by its `spec`, against the decision that it was issued on.

    `basis` is a commit with the policies that it names, as `Decisions.basis` tells it.
    """
    decision = spec["decision"]
    made = _again(replay, recorded, decision["input"], basis)
    if isinstance(made, Fault):
        yield made
        return
    if made is None:
        return
    asked, request = decision["input"]["request"], recorded.event
    about = (asked["id"], asked["subject"], asked["resource"], asked["access"], asked["lane"])
    if about != (
        request.grant,
        *(spec[name] for name in ("subject", "resource", "access", "lane")),
    ):
        yield _fault(recorded, FaultCode.DECISION, "it was decided on another request")
    if made.effect != _PERMIT:
        # Only what its holder took of Vault itself can have been access, and never permitted.
        if not is_offline_word(recorded.event.first("Daypass-Lane")):
            what = f"it was issued, and the decision is {made.effect}"
            yield _fault(recorded, FaultCode.DECISION, what)
    elif _lasts(recorded) > made.seconds + _GRAIN_SECONDS:
        what = f"it lasts longer than the {made.seconds} s that were permitted"
        yield _fault(recorded, FaultCode.DECISION, what)
    if recorded.event.values("Daypass-Exception") != made.exceptions:
        what = "the exceptions that it names are not those that the decision rested on"
        yield _fault(recorded, FaultCode.DECISION, what)
    said = frozenset(recorded.event.values("Daypass-Approver"))
    # Where main before the merge had its say too, those whom that asked for count as well.
    if not (said >= made.asked_for if decision.get("base") else said == made.asked_for):
        what = "its approvers are not those whose word the decision rested on"
        yield _fault(recorded, FaultCode.APPROVALS, what)


def _again(
    replay: Replay,
    recorded: RecordedEvent,
    value: dict[str, Any],
    basis: str | None,
    *,
    beside: bool = False,
) -> Replayed | Fault | None:
    """Decide again. `beside`: main before the merge may have denied what this permits."""
    effect, _space, digest = (recorded.event.first("Daypass-Decision") or "").partition(" ")
    if basis is None:
        what = "main held no policies of that digest since the request came to it"
        return _fault(recorded, FaultCode.POLICY, what)
    try:
        made = replay.decide(value, basis)
    except ValueError as error:
        return _fault(recorded, FaultCode.DECISION, f"it cannot be decided again: {error}")
    if made.input_digest != digest:
        what = "the input that is recorded is not the one that was decided on"
        return _fault(recorded, FaultCode.DECISION, what)
    denied = recorded.event.kind is not EventKind.ISSUED and effect != _PERMIT
    if made.effect != effect and not (beside and denied):
        what = f"decided again, it is {made.effect} and not {effect}"
        return _fault(recorded, FaultCode.DECISION, what)
    return made


def _lasts(recorded: RecordedEvent) -> float:
    begin, end = (recorded.event.first(f"Daypass-Not-{word}") for word in ("Before", "After"))
    if begin is None or end is None:
        return float("inf")
    try:
        return Instant.parse(end).since(Instant.parse(begin))
    except ValueError:
        return float("inf")


def _fault(recorded: RecordedEvent, code: FaultCode, what: str) -> Fault:
    return Fault(code, recorded.commit, what)
