"""What was verified before, kept outside of every repository, so that only what is new is read.

A file is believed only if it is this user's own, nobody else can write it, and it answers the same
question: the same fingerprints and anchor, by the very installation that asks now. Anything else is
read anew, which is slower and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from daypass.adapters.installation import installation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_LARGEST: Final = 512 * 1024 * 1024
_LONGEST: Final = 64 * 1024  # bytes of a header, with all fingerprints that are named
_ID: Final = re.compile(r"[0-9a-f]{40}")
_TRIED: Final = 16  # files: of so many repositories that one user verifies by turns
# The code that judges: evidence that another would judge otherwise is judged anew.
_JUDGES: Final = ("ledger", "policy", "model", "documents", "lifecycle", "adapters/git")


class Verified:
    """Implements `daypass.ledger.verify.Memory` on a file of this user's cache.

    Args:
        fingerprints: keys that were named from outside.
        anchor: a commit that was named from outside.
    """

    def __init__(self, fingerprints: Iterable[str], anchor: str | None) -> None:
        self._question = json.dumps([installation(*_JUDGES), sorted(set(fingerprints)), anchor])
        self._folder = _folder()
        self._name = hashlib.sha256(self._question.encode()).hexdigest()

    def recall(self, leads: Callable[[str], bool]) -> Mapping[str, Any] | None:
        """What was remembered for the same question, of a head that `leads` says yes to.

        There is one file for each history, named by its oldest commit: to look for that commit
        would be a walk through all of history, and to ask whether a head leads to another is none.
        """
        if self._folder is None:
            return None
        try:
            kept = sorted(self._folder.glob(f"{self._name}-*.json"), key=_age, reverse=True)
        except OSError:
            return None
        found = (self._read(path, leads) for path in kept[:_TRIED])
        return next((known for known in found if known is not None), None)

    def _read(self, path: Path, leads: Callable[[str], bool]) -> Mapping[str, Any] | None:
        """What is kept there, if it can be believed and is of a head that leads."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(descriptor, "rb") as file:
                if not (_is_mine(os.fstat(file.fileno())) and _is_mine(path.parent.lstat())):
                    return None
                header = json.loads(file.readline(_LONGEST))
                head = header["head"]
                if header["question"] != self._question or not _ID.fullmatch(head):
                    return None
                if not leads(head):
                    return None
                payload = file.read(_LARGEST)
            known = json.loads(payload)
            if known["head"] != head or header != self._header(payload, head):
                return None
        except (OSError, ValueError, RecursionError, KeyError, TypeError):
            return None
        return known if isinstance(known, dict) else None

    def remember(self, state: Mapping[str, Any]) -> None:
        """Write what is known now, at once or not at all. A full disk only costs time later."""
        if self._folder is None:
            return
        payload = json.dumps(state, separators=(",", ":")).encode()
        temporary: str | None = None
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(dir=self._folder)
            with os.fdopen(descriptor, "wb") as file:
                header = json.dumps(self._header(payload, state["head"]))
                file.write(header.encode() + b"\n" + payload)
            Path(temporary).replace(self._folder / f"{self._name}-{state['root']}.json")
        except OSError:
            if temporary is not None:
                Path(temporary).unlink(missing_ok=True)

    def _header(self, payload: bytes, head: str) -> dict[str, str]:
        digest = hashlib.sha256(payload).hexdigest()
        return {"question": self._question, "head": head, "sha256": digest}


def _folder() -> Path | None:
    """Where it is kept; None for a user without a home, as in many containers."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    try:
        root = Path(base) if base.startswith("/") else Path.home() / ".cache"
    except RuntimeError:
        return None
    return root / "daypass" / "verified"


def _age(path: Path) -> int:
    return path.lstat().st_mtime_ns


def _is_mine(told: os.stat_result) -> bool:
    others_write = stat.S_IWGRP | stat.S_IWOTH
    kind = stat.S_ISREG(told.st_mode) or stat.S_ISDIR(told.st_mode)
    return kind and told.st_uid == os.geteuid() and not told.st_mode & others_write
