"""Results kept from one validation to the next: which documents are sound, by their very bytes.

Only documents without any finding are kept, under path and blob id; what they name is checked on
every run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from daypass.adapters.sealed_file import read_sealed, write_sealed
from daypass.documents.document import Document
from daypass.model.names import Kind

if TYPE_CHECKING:
    from pathlib import Path

    from daypass.model.tree import TreeEntry

_FILE: Final = "validated.json"
_KINDS: Final = {str(kind): kind for kind in Kind}
# What checks that span documents read of a request. Its free text is not kept a second time.
_ASKED: Final = ("subject", "resource", "access", "duration")


class ResultCache:
    """Implements `daypass.documents.validation.Results` on a file in the git folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _FILE
        known = read_sealed(self._path)
        self._known: dict[str, list[Any]] = known if isinstance(known, dict) else {}
        self._current: dict[str, list[Any]] = {}
        self._changed = False

    def get(self, entry: TreeEntry) -> Document | None:
        """The document of that path and blob, if it was found sound before."""
        kept = self._known.get(entry.path)
        if kept is None or kept[0] != entry.blob:
            return None
        self._current[entry.path] = kept
        return Document(entry.path, _KINDS[kept[1]], kept[2])

    def put(self, entry: TreeEntry, document: Document) -> None:
        """Remember a sound document."""
        self._changed = True
        self._current[entry.path] = [entry.blob, str(document.kind), _essentials(document)]

    def save(self) -> None:
        """Write what is known now, at once or not at all. A full disk only costs time later."""
        if not self._changed and len(self._current) == len(self._known):
            return
        write_sealed(self._path, self._current)


def _essentials(document: Document) -> Any:
    if document.kind is not Kind.ACCESS_REQUEST:
        return document.value
    spec = document.value["spec"]
    asked = {name: spec[name] for name in _ASKED}
    return {"metadata": document.value["metadata"], "spec": {**asked, "reason": ""}}


class NoCache:
    """Remembers nothing: `--no-cache`."""

    def get(self, entry: TreeEntry) -> Document | None:  # noqa: ARG002  -- the interface's name
        """Nothing is known."""
        return None

    def put(self, entry: TreeEntry, document: Document) -> None:
        """Nothing is kept."""

    def save(self) -> None:
        """Nothing is written."""
