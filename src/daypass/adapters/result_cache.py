"""Results kept from one validation to the next: which documents are sound, by their very bytes.

Only documents without any finding are kept, under path and blob id; what they name is checked on
every run. A file that is corrupt, of another owner, release, or set of schemas is not believed:
then everything is read again, which is slower and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from daypass import __version__
from daypass.documents.document import Document
from daypass.documents.resources import schemas_digest
from daypass.model.names import Kind

if TYPE_CHECKING:
    from daypass.model.tree import TreeEntry

_FILE: Final = "validated.json"
_LARGEST: Final = 256 * 1024 * 1024
_KINDS: Final = {str(kind): kind for kind in Kind}
# What checks that span documents read of a request. Its free text is not kept a second time.
_ASKED: Final = ("subject", "resource", "access", "duration")


class ResultCache:
    """Implements `daypass.documents.validation.Results` on a file in the git folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _FILE
        self._known = self._load()
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
        payload = json.dumps(self._current, separators=(",", ":"))
        head = json.dumps(_header(payload))
        temporary: str | None = None
        try:
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(dir=self._path.parent, prefix=_FILE)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(f"{head}\n{payload}")
            Path(temporary).replace(self._path)
        except OSError:
            if temporary is not None:
                Path(temporary).unlink(missing_ok=True)

    def _load(self) -> dict[str, list[Any]]:
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(descriptor, "rb") as file:
                if not _is_mine(os.fstat(file.fileno())):
                    return {}
                head, _, payload = file.read(_LARGEST).decode("ascii").partition("\n")
            if json.loads(head) != _header(payload):
                return {}
            known = json.loads(payload)
        except (OSError, ValueError, RecursionError):
            return {}
        return known if isinstance(known, dict) else {}


def _essentials(document: Document) -> Any:
    if document.kind is not Kind.ACCESS_REQUEST:
        return document.value
    spec = document.value["spec"]
    asked = {name: spec[name] for name in _ASKED}
    return {"metadata": document.value["metadata"], "spec": {**asked, "reason": ""}}


def _header(payload: str) -> dict[str, str]:
    return {
        "daypass": __version__,
        "code": _code_stamp(),
        "schemas": schemas_digest(),
        "sha256": hashlib.sha256(payload.encode("ascii")).hexdigest(),
    }


def _code_stamp() -> str:
    """Differs when the code that judges differs: someone may be at work on daypass itself."""
    package = Path(__file__).resolve().parents[1]
    stamp = hashlib.sha256()
    judges = ("documents", "model", "policy")
    for file in sorted(file for part in judges for file in package.glob(f"{part}/*.py")):
        told = file.stat()
        stamp.update(f"{file.name} {told.st_size} {told.st_mtime_ns}\n".encode())
    return stamp.hexdigest()


def _is_mine(told: os.stat_result) -> bool:
    others_write = stat.S_IWGRP | stat.S_IWOTH
    return (
        stat.S_ISREG(told.st_mode)
        and told.st_uid == os.geteuid()
        and not told.st_mode & others_write
    )


class NoCache:
    """Remembers nothing: `--no-cache`."""

    def get(self, entry: TreeEntry) -> Document | None:  # noqa: ARG002  -- the interface's name
        """Nothing is known."""
        return None

    def put(self, entry: TreeEntry, document: Document) -> None:
        """Nothing is kept."""

    def save(self) -> None:
        """Nothing is written."""
