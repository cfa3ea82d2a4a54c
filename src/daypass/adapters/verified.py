"""What was verified before, kept outside of every repository, so that only what is new is read.

A file is believed only if it is this user's own, nobody else can write it, and it answers the same
question: the same fingerprints and anchor, by the very code that asks now. Anything else is read
anew, which is slower and nothing else.
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

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_LARGEST: Final = 512 * 1024 * 1024
# The code that judges: evidence that another would judge otherwise is judged anew.
_JUDGES: Final = ("ledger", "policy", "model", "documents", "lifecycle", "adapters/git")


class Verified:
    """Implements `daypass.ledger.verify.Memory` on a file of this user's cache.

    Args:
        root: the oldest commit of the history that is judged.
        fingerprints: keys that were named from outside.
        anchor: a commit that was named from outside.
    """

    def __init__(self, root: str, fingerprints: Iterable[str], anchor: str | None) -> None:
        self._question = json.dumps(
            [__version__, _code_stamp(), root, sorted(set(fingerprints)), anchor]
        )
        name = hashlib.sha256(self._question.encode()).hexdigest()
        self._path = _folder() / f"{name}.json"

    def recall(self) -> Mapping[str, Any] | None:
        """What was remembered for the same question, if it can be believed."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(descriptor, "rb") as file:
                if not (_is_mine(os.fstat(file.fileno())) and _is_mine(self._path.parent.lstat())):
                    return None
                head, _, payload = file.read(_LARGEST).partition(b"\n")
            if json.loads(head) != self._header(payload):
                return None
            known = json.loads(payload)
        except (OSError, ValueError, RecursionError):
            return None
        return known if isinstance(known, dict) else None

    def remember(self, state: Mapping[str, Any]) -> None:
        """Write what is known now, at once or not at all. A full disk only costs time later."""
        payload = json.dumps(state, separators=(",", ":")).encode()
        temporary: str | None = None
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(dir=self._path.parent)
            with os.fdopen(descriptor, "wb") as file:
                file.write(json.dumps(self._header(payload)).encode() + b"\n" + payload)
            Path(temporary).replace(self._path)
        except OSError:
            if temporary is not None:
                Path(temporary).unlink(missing_ok=True)

    def _header(self, payload: bytes) -> dict[str, str]:
        return {"question": self._question, "sha256": hashlib.sha256(payload).hexdigest()}


def _folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME", "")
    root = Path(base) if base.startswith("/") else Path.home() / ".cache"
    return root / "daypass" / "verified"


def _code_stamp() -> str:
    package = Path(__file__).resolve().parents[1]
    stamp = hashlib.sha256()
    for file in sorted(file for part in _JUDGES for file in package.glob(f"{part}/**/*.py")):
        told = file.stat()
        stamp.update(f"{file.name} {told.st_size} {told.st_mtime_ns}\n".encode())
    return stamp.hexdigest()


def _is_mine(told: os.stat_result) -> bool:
    others_write = stat.S_IWGRP | stat.S_IWOTH
    kind = stat.S_ISREG(told.st_mode) or stat.S_ISDIR(told.st_mode)
    return kind and told.st_uid == os.geteuid() and not told.st_mode & others_write
