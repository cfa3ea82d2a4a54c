"""Readable documents: of each the newest version that loads, so that a broken one hides no other.

A catalogue loads whole or not at all: nothing is granted by half of what decides. What takes access
away rests on this reading instead. An offboarding stands, whatever is wrong with another document.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from daypass.documents.document import Document, read_document
from daypass.documents.repository import CATALOGUE_KINDS, CATALOGUE_PATHS, assemble, is_part
from daypass.documents.tree import check_layout, kind_of
from daypass.errors import DocumentError
from daypass.model.names import SETTINGS_PATH
from daypass.model.tree import TreeEntry

if TYPE_CHECKING:
    from daypass.documents.repository import Commits, ReadBlobs
    from daypass.model.catalogue import Catalogue

Changes: TypeAlias = Mapping[str, TreeEntry | None]  # path → what is there now; None: removed


@dataclass(frozen=True, slots=True)
class ReadableDocuments:
    """What a catalogue is made of, each document at its newest version that loads."""

    documents: Mapping[str, Document] = field(default_factory=dict)  # by path
    unreadable: frozenset[str] = frozenset()  # paths: the newest version does not load

    @classmethod
    def of(cls, commits: Commits, commit: str) -> ReadableDocuments:
        """The documents of a commit that load by themselves. Raises what reading git raises."""
        entries = (entry for path in CATALOGUE_PATHS for entry in commits.entries(commit, path))
        return cls().after({entry.path: entry for entry in entries}, commits.blobs)

    def after(self, changes: Changes, read_blobs: ReadBlobs) -> ReadableDocuments:
        """The same after a change: what does not load stays as it was, and so do lost settings."""
        gone = {path for path, entry in changes.items() if entry is None}
        there = {path: entry for path, entry in changes.items() if entry and _is_document(entry)}
        blobs = read_blobs(sorted({entry.blob for entry in there.values()}))
        found = {path: _read(entry, blobs) for path, entry in there.items()}
        sound = {path: document for path, document in found.items() if document is not None}
        kept = {
            path: document
            for path, document in self.documents.items()
            if path not in gone or path == SETTINGS_PATH
        }
        broken = {path for path in found if path not in sound} | (gone & {SETTINGS_PATH})
        unreadable = (self.unreadable - changes.keys()) | broken
        return ReadableDocuments({**kept, **sound}, unreadable)

    def catalogue(self) -> Catalogue | None:
        """The catalogue that they make, ambiguous or not; None when no settings load."""
        return assemble(self.documents.values())[0]

    def is_clear(self) -> bool:
        """Whether they make a catalogue that names one account, entity or role once."""
        return not assemble(self.documents.values())[1]

    def is_whole(self) -> bool:
        """Whether every newest version loads, and they make a catalogue that is clear."""
        return not self.unreadable and self.is_clear()


def _is_document(entry: TreeEntry) -> bool:
    """Whether it is a document of a catalogue, or something out of place among them."""
    if not is_part(entry.path):
        return False
    return kind_of(entry.path) in CATALOGUE_KINDS or bool(check_layout([entry]))


def _read(entry: TreeEntry, blobs: Mapping[str, bytes]) -> Document | None:
    if check_layout([entry]):
        return None
    try:
        return read_document(entry.path, blobs[entry.blob])
    except DocumentError:
        return None
