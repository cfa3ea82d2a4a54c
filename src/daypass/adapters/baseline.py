"""Baseline: a commit whose tree was found sound, so that a later run looks at what differs from it.

Git tells in milliseconds what ten thousand files differ by. Requests are all that is judged this
way, one by one, as ever: anything else that differs, and anything that is not plainly sound, sends
validation the long way, which alone has findings to tell.
"""

from __future__ import annotations

import re
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from daypass.adapters.sealed_file import read_sealed, write_sealed
from daypass.documents.document import read_document
from daypass.documents.finding import Finding, Report
from daypass.documents.tree import check_layout, kind_of
from daypass.errors import DocumentError, GitError
from daypass.model.names import Kind
from daypass.model.request import asked_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from daypass.adapters.worktree import WorkTree
    from daypass.model.tree import TreeEntry

_FILE: Final = "baseline.json"
_ID = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
# Above it the long way, which remembers each document by itself, takes no longer.
_MOST_CHANGES: Final = 500


@dataclass(frozen=True, slots=True)
class Baseline:
    """All documents of that commit's tree are sound, other than those at the paths in `apart`."""

    commit: str
    documents: int  # how many the commit's tree holds
    apart: frozenset[str]  # paths of the commit at which something else was judged, or nothing
    asked: frozenset[tuple[str, ...]]  # what a request may ask for: looked up in the catalogue
    notices: tuple[Finding, ...] = ()  # on the catalogue, which no request changes

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """What an earlier run left, if it can be believed."""
        match read_sealed(folder / _FILE):
            case [str(commit), int(documents), list(apart), list(asked), list(notices)] if (
                _ID.fullmatch(commit)
            ):
                there = frozenset(map(tuple, asked))
                said = tuple(Finding(*item) for item in notices)
                return cls(commit, documents, frozenset(apart), there, said)
        return None

    @classmethod
    def of(cls, tree: WorkTree, entries: Iterable[TreeEntry], report: Report) -> Self | None:
        """What can be left for the next run; None before the first commit.

        Args:
            tree: the work tree.
            entries: all that was judged, as git names it.
            report: what was found: nothing.
        """
        commit = tree.head()
        if commit is None:
            return None
        before, now = tree.apart_from(commit, entries)
        documents = report.documents - _documents(now) + _documents(before)
        return cls(commit, documents, frozenset(before), report.asked, report.notices)

    def write(self, folder: Path) -> None:
        """Leave it for the next run."""
        notices = [astuple(item) for item in self.notices]
        value: Any = (self.commit, self.documents, sorted(self.apart), sorted(self.asked), notices)
        write_sealed(folder / _FILE, value)

    def judge(self, tree: WorkTree) -> Report | None:
        """The report on the work tree if all that differs is sound; None: go the long way."""
        try:
            before, places = tree.differing(self.commit)
        except GitError:
            return None
        changed = before | places.keys()
        if len(changed) > _MOST_CHANGES or not self.apart <= before:
            return None
        if any(kind_of(path) is not Kind.ACCESS_REQUEST for path in changed):
            return None
        entries = tree.entries_at(places, self.commit)
        if not self._are_sound(tree, entries):
            return None
        documents = self.documents - len(before) + len(entries)
        return Report(documents, (), self.asked, self.notices)

    def _are_sound(self, tree: WorkTree, entries: Sequence[TreeEntry]) -> bool:
        if check_layout(entries):
            return False
        read = tree.reader(entries)
        try:
            return all(
                asked_of(read_document(entry.path, read(entry.path)).value) in self.asked
                for entry in entries
            )
        except DocumentError:
            return False


def _documents(paths: Iterable[str]) -> int:
    return sum(kind_of(path) is not None for path in paths)
