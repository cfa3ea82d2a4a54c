"""Notes: what Vault's KV keeps for the runs to come, outside of the slots. Part of the ports.

Each note has one kind, which reads it strictly. What an operator, a mistake or an attacker wrote
there in daypass's place is odd: a run alarms, goes on without it, and ends what must end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from daypass.errors import DaypassError, VaultRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from daypass.lifecycle.outcome import Outcome

T = TypeVar("T")
# What reading a value of the wrong type, form, size or depth raises.
ODD: Final = (
    KeyError,
    TypeError,
    ValueError,
    AttributeError,
    OverflowError,
    RecursionError,
)
_COMMIT: Final = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_LONGEST: Final = 1 << 20  # characters: Vault takes no larger entry
_GREATEST: Final = 2**53  # JSON keeps whole numbers up to there


class OddNoteError(VaultRefusedError):
    """A note in Vault's KV does not hold what daypass writes there."""


@dataclass(frozen=True, slots=True)
class NoteKind(Generic[T]):
    """One note: its name, how it is read, and what an odd one means. An empty note is none."""

    name: str
    read: Callable[[Mapping[str, Any]], T]
    lost: str  # what a run goes on without, for people
    remedy: str = ""  # of a note that stays odd until an operator writes it; empty: a run does

    @property
    def error(self) -> OddNoteError:
        """What is said of an odd one."""
        ours = "The run writes the note anew. " if not self.remedy else ""
        remedy = self.remedy or "Find out who wrote it, in Vault's audit log."
        return OddNoteError(
            f"the note {self.name} in Vault is odd: daypass did not write what it holds. "
            f"{self.lost}. {ours}`bao kv metadata get -mount=daypass daypass/notes/{self.name}` "
            "shows when it was written",
            remedy=remedy,
        )

    def read_strictly(self, book: NoteReader) -> T | None:
        """What the note says; None when it was never written. Raises OddNoteError."""
        note = book.read_note(self.name)
        if not note:
            return None
        try:
            return self.read(note)
        except ODD:
            raise self.error from None  # these errors quote the value

    def recall(self, book: NoteReader) -> T | None:
        """What the note says; None when it was never written, or is odd, which is noted."""
        try:
            return self.read_strictly(book)
        except OddNoteError as error:
            book.odd.found.setdefault(self.name, (self, error))
            return None

    def reread(self, note: Mapping[str, Any] | None, book: NoteReader) -> T | None:
        """What the content of that note says, as `recall` says it."""
        try:
            return self.read(note) if note else None
        except ODD:
            book.odd.found.setdefault(self.name, (self, self.error))
            return None


@dataclass(slots=True)
class OddNotes:
    """The odd notes that one run has met, by name."""

    found: dict[str, tuple[NoteKind[Any], OddNoteError]] = field(default_factory=dict)

    def tell(self, outcome: Outcome) -> bool:
        """Raise an alarm for each; whether one is new."""
        known = len(outcome.causes)
        for name, (kind, error) in sorted(self.found.items()):
            text = f"{error.message}. {error.remedy}"
            outcome.alarm(f"note.{name}", text, standing=bool(kind.remedy))
        return len(outcome.causes) > known

    def mend(self, book: NoteBook, outcome: Outcome) -> None:
        """Empty those that the run has not written since, but for what an operator must write."""
        for name, (kind, _) in sorted(self.found.items()):
            try:
                if not kind.remedy:
                    kind.read_strictly(book)
            except OddNoteError:
                _empty(book, name, outcome)
            except DaypassError as error:
                outcome.fail(f"note.{name}", error)


def _empty(book: NoteBook, name: str, outcome: Outcome) -> None:
    try:
        book.write_note(name, {})
    except DaypassError as error:
        outcome.fail(f"note.{name}", error)


class NoteReader(Protocol):
    """Small notes by name: `heartbeat`, `tip`, `trust`, `presence` and their like."""

    @property
    def odd(self) -> OddNotes:
        """The odd notes that were met by this reader."""

    def read_note(self, name: str) -> Mapping[str, Any] | None:
        """What a note says; None when it was never written."""


class NoteBook(NoteReader, Protocol):
    """The notes, for those who also write them."""

    def write_note(self, name: str, data: Mapping[str, Any]) -> None:
        """Replace that note. The last writer wins: notes are hints, and git confirms them."""

    def update_note(
        self, name: str, change: Callable[[Mapping[str, Any] | None], Mapping[str, Any]]
    ) -> Mapping[str, Any]:
        """Change that note by compare-and-set; returns what it says then.

        `change` gets what the note says (None: never written), and is asked again when another run
        was faster. Raises ConflictError when every try lost.
        """


def commit_in(note: Mapping[str, Any], name: str = "commit") -> str:
    """The full commit id in a field. Raises KeyError, ValueError."""
    found = text_in(note, name)
    if _COMMIT.fullmatch(found) is None:
        raise ValueError("not a full commit id")
    return found


def text_in(note: Mapping[str, Any], name: str, default: str | None = None) -> str:
    """The text in a field. Raises KeyError where it has no default, TypeError, ValueError."""
    found = note[name] if default is None else note.get(name, default)
    if not isinstance(found, str):
        raise TypeError("not a text")
    if len(found) > _LONGEST:
        raise ValueError("too long")
    return found


def number_in(note: Mapping[str, Any], name: str, default: int = 0) -> int:
    """The whole number from 0 on in a field. Raises TypeError, ValueError."""
    found = note.get(name, default)
    if type(found) is not int:
        raise TypeError("not a whole number")
    if not 0 <= found <= _GREATEST:
        raise ValueError("out of range")
    return found


def rows_in(value: object) -> list[Any]:
    """The value, if it is a list. Raises TypeError."""
    if not isinstance(value, list):
        raise TypeError("not a list")
    return value


def texts_in(value: object) -> dict[str, str]:
    """The value, if it is an object of texts. Raises TypeError."""
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise TypeError("not an object of texts")
    return value
