"""Vault's memory of main: the newest event, the newest head, and the epoch. The note `tip`.

The note never goes down: each change is a compare-and-set that keeps the higher number. Only
`daypass vault accept-loss` sets it to a main that holds less.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Self

from daypass.lifecycle.notes import NoteKind, commit_in, number_in, text_in
from daypass.model.epoch import Epoch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from daypass.lifecycle.notes import NoteBook
    from daypass.model.event import RecordedEvent

TIP_NOTE: Final = "tip"
_ID_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class AcceptedLoss:
    """A loss that an operator accepted, until an event on main says so."""

    what: str  # main | vault | both
    commit: str  # main: the newest commit that is lost; vault: the newest event that it forgot
    sequence: int  # the number of the newest event up to there

    @classmethod
    def from_note(cls, text: str) -> Self | None:
        """Read what `to_note` wrote; None for an empty text."""
        if not text:
            return None
        what, commit, sequence = json.loads(text)
        said = {"what": what, "commit": commit, "sequence": sequence}
        return cls(text_in(said, "what"), commit_in(said), number_in(said, "sequence"))

    def to_note(self) -> str:
        """As the note keeps it: one string."""
        return json.dumps([self.what, self.commit, self.sequence])


@dataclass(frozen=True, slots=True)
class Anchored:
    """What an anchor told of a main that lacked it: it is known, whatever becomes of the tag."""

    commit: str
    number: int  # of the newest event up to there
    epoch: Epoch | None  # None: not told
    tag: str  # the name of the anchor

    @classmethod
    def from_note(cls, text: str) -> Self | None:
        """Read what `to_note` wrote; None for an empty text."""
        if not text:
            return None
        commit, number, epoch, tag = json.loads(text)
        said = {"commit": commit, "number": number, "epoch": epoch, "tag": tag}
        return cls(
            commit_in(said),
            number_in(said, "number"),
            Epoch.parse(text_in(said, "epoch")),
            text_in(said, "tag"),
        )

    def to_note(self) -> str:
        """As the note keeps it: one string."""
        return json.dumps([self.commit, self.number, str(self.epoch or ""), self.tag])


@dataclass(frozen=True, slots=True)
class VaultMemory:
    """What Vault remembers of main."""

    sequence: int = 0  # of the newest event
    commit: str = ""  # of that event; empty before the first
    head: str = ""  # the newest head of main that a run saw; it holds `commit`
    epoch: Epoch | None = None  # None: no run has written since epochs are counted
    floor: int = 0  # numbers up to this one were used, on a main that is lost
    restored: str = ""  # Vault was found older than main: the newest event of then
    accepted: AcceptedLoss | None = None  # not yet in the evidence
    was_restored: bool = False  # a restore was accepted once: git may know more of the past
    anchored: Anchored | None = None  # an anchor knew more than main and Vault

    @classmethod
    def from_note(cls, note: Mapping[str, Any]) -> Self:
        """Read the note. Older releases wrote `sequence` and `commit` only.

        Raises KeyError, TypeError, ValueError, RecursionError: it is odd.
        """
        commit = _commit(note, "commit", "")
        epoch = text_in(note, "epoch", "")
        if epoch and Epoch.parse(epoch) is None:
            raise ValueError("not an epoch")
        was_restored = note.get("wasRestored", False)
        if not isinstance(was_restored, bool):
            raise TypeError("not a truth value")
        return cls(
            number_in(note, "sequence"),
            commit,
            _commit(note, "head", commit),
            Epoch.parse(epoch),
            number_in(note, "floor"),
            _commit(note, "restored", ""),
            AcceptedLoss.from_note(text_in(note, "accepted", "")),
            was_restored,
            Anchored.from_note(text_in(note, "anchored", "")),
        )

    def to_note(self) -> dict[str, Any]:
        """As the note holds it; what is empty is left out."""
        rest = {
            "epoch": str(self.epoch or ""),
            "floor": self.floor,
            "restored": self.restored,
            "accepted": self.accepted.to_note() if self.accepted else "",
            "wasRestored": self.was_restored,
            "anchored": self.anchored.to_note() if self.anchored else "",
        }
        said = {"sequence": self.sequence, "commit": self.commit, "head": self.head}
        return said | {name: value for name, value in rest.items() if value}

    def saw(self, tip: RecordedEvent | None, head: str) -> VaultMemory:
        """The same, after a run saw this head, with this newest event."""
        if tip is None or tip.sequence < self.sequence:
            return self
        return replace(self, sequence=tip.sequence, commit=tip.commit, head=head)

    def counted(self) -> VaultMemory:
        """The same, after a run began to write."""
        return replace(self, epoch=self.epoch.next() if self.epoch else fresh_epoch(1))

    def wrote(self, sequence: int, commit: str) -> VaultMemory:
        """The same, after a run pushed the event of that number."""
        if sequence < self.sequence:
            return self
        return replace(self, sequence=sequence, commit=commit, head=commit, accepted=None)

    def accept(self, loss: AcceptedLoss, tip: RecordedEvent | None, head: str) -> VaultMemory:
        """What it is to remember from now on: this main, under an epoch of its own."""
        theirs = Epoch.parse(tip.event.first("Daypass-Epoch")) if tip else None
        count = max((item.count for item in (theirs, self.epoch) if item), default=0)
        return VaultMemory(
            tip.sequence if tip else 0,
            tip.commit if tip else "",
            head,
            fresh_epoch(count + 1),
            max(self.floor, self.sequence, loss.sequence),
            accepted=loss,
            was_restored=self.was_restored or loss.what != "main",
        )

    def told_by(self, anchored: Anchored) -> VaultMemory:
        """The same, after an anchor told of what main lacks. Stays until accepted."""
        if self.anchored is not None and self.anchored.number >= anchored.number:
            return self
        return replace(self, anchored=anchored)

    def found_older(self, tip: RecordedEvent, head: str) -> VaultMemory:
        """The same, after this Vault was found to be older than main. Stays until accepted."""
        theirs = Epoch.parse(tip.event.first("Daypass-Epoch"))
        ours = self.epoch or fresh_epoch(1)
        count = max(theirs.count if theirs else 0, ours.count)
        raised = replace(self, epoch=Epoch(ours.id, count), restored=tip.commit)
        return raised.saw(tip, head)


TIP: Final = NoteKind(
    TIP_NOTE,
    VaultMemory.from_note,
    "What Vault remembered of main is lost, as if Vault had been restored from a backup",
)


def _commit(note: Mapping[str, Any], name: str, default: str) -> str:
    """A commit's id, or nothing. Raises TypeError, ValueError."""
    found = text_in(note, name, default)
    return commit_in({name: found}, name) if found else ""


def fresh_epoch(count: int) -> Epoch:
    """An epoch with a random id."""
    return Epoch(secrets.token_hex(_ID_BYTES), count)


def read_memory(registry: NoteBook) -> VaultMemory:
    """What Vault remembers. Raises what the registry raises."""
    return TIP.recall(registry) or VaultMemory()


def count_writing_run(registry: NoteBook) -> VaultMemory:
    """Count this run, before it pushes an event. Raises what the registry raises."""
    return _update(registry, VaultMemory.counted)


def note_written(registry: NoteBook, sequence: int, commit: str) -> None:
    """Remember the newest event that this run pushed. Raises what the registry raises."""
    _update(registry, lambda memory: memory.wrote(sequence, commit))


def note_seen(
    registry: NoteBook, memory: VaultMemory, tip: RecordedEvent | None, head: str
) -> None:
    """Remember main's newest head, if it is news. Raises what the registry raises."""
    if memory.saw(tip, head) != memory:
        _update(registry, lambda found: found.saw(tip, head))


def accept_loss(
    registry: NoteBook, loss: AcceptedLoss, tip: RecordedEvent | None, head: str
) -> None:
    """Remember this main instead of the one that is lost. Raises what the registry raises."""
    _update(registry, lambda memory: memory.accept(loss, tip, head))


def note_older(registry: NoteBook, tip: RecordedEvent, head: str) -> None:
    """Remember that this Vault was found older than main. Raises what the registry raises."""
    _update(registry, lambda memory: memory.found_older(tip, head))


def note_anchored(registry: NoteBook, anchored: Anchored) -> None:
    """Remember what an anchor told of a main that lacks it. Raises what the registry raises."""
    _update(registry, lambda memory: memory.told_by(anchored))


def _update(registry: NoteBook, change: Callable[[VaultMemory], VaultMemory]) -> VaultMemory:
    def rewrite(note: Mapping[str, Any] | None) -> Mapping[str, Any]:
        return change(TIP.reread(note, registry) or VaultMemory()).to_note()

    return VaultMemory.from_note(registry.update_note(TIP_NOTE, rewrite))
