"""Looked: how far the changes after an unproven one were looked through, kept from run to run.

GitHub is asked about some of them in each run: a person who pushes thousands must not keep a run
from ending what must end, nor hide an approved change among them for ever.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

from daypass.lifecycle.notes import NoteKind, commit_in, rows_in, text_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

LOOKED_NOTE: Final = "looked"
_OLDEST: Final = 50
_NEWEST: Final = 50


@dataclass(slots=True)
class Search:
    """One row of commits, of which each run asks about the oldest left and the newest."""

    until: str = ""  # up to there all were asked about
    approved: list[str] = field(default_factory=list)  # found so far: these are asked about again
    left: int = 0  # not asked about yet, after this run
    _next: str = ""

    def choose(self, commits: Sequence[str]) -> list[str]:
        """The commits to ask about now, of all of them, oldest first."""
        start = commits.index(self.until) + 1 if self.until in commits else 0
        waiting = commits[start:]
        self._next = waiting[:_OLDEST][-1] if waiting else self.until
        now = {*self.approved, *waiting[:_OLDEST], *waiting[-_NEWEST:]}
        self.left = sum(commit not in now for commit in waiting)
        return [commit for commit in commits if commit in now]

    def done(self, approved: Iterable[str]) -> None:
        """Note that GitHub answered about all that was chosen, and what its owners approved."""
        self.until = self._next
        self.approved = list(dict.fromkeys((*self.approved, *approved)))


@dataclass(slots=True)
class Looked:
    """How far each row was looked through, since one trusted commit."""

    changes: Search = field(default_factory=Search)  # of documents
    others: Search = field(default_factory=Search)  # commits that left no mark on a document

    @classmethod
    def from_note(cls, note: Mapping[str, Any] | None, trusted: str) -> Self:
        """Read what `to_note` wrote; nothing of it counts once another commit is trusted.

        Raises TypeError, ValueError, AttributeError: it is odd.
        """
        if note is None or note.get("trusted") != trusted:
            return cls()
        rows = (note.get(name, {}) for name in ("changes", "others"))
        return cls(*map(_search, rows))

    def to_note(self, trusted: str) -> dict[str, Any]:
        """As the note keeps it."""
        rows = {"changes": self.changes, "others": self.others}
        found = {name: {"until": row.until, "approved": row.approved} for name, row in rows.items()}
        return {"trusted": trusted, **found}

    @property
    def left(self) -> int:
        """How many commits were not asked about yet."""
        return self.changes.left + self.others.left


def _search(row: Mapping[str, Any]) -> Search:
    """A row, whose commits are only compared with those of main."""
    approved = [text_in({"commit": item}, "commit") for item in rows_in(row.get("approved", []))]
    return Search(text_in(row, "until", ""), approved)


def _whole(note: Mapping[str, Any]) -> Mapping[str, Any]:
    """The note itself, if all of it can be read."""
    Looked.from_note(note, commit_in(note, "trusted"))
    return note


LOOKED: Final = NoteKind(LOOKED_NOTE, _whole, "Main's unproven changes are looked through anew")
