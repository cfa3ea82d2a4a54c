"""One claim of a grant at a time on this machine: the second one waits, and then sees the first."""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from daypass.adapters.holder_token import state_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

_FILE: Final = "claims.lock"  # one for all grants: a byte in it is a grant's
_OPEN: Final = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
_PATIENCE: Final = 30.0  # seconds; the first may wait for GitHub
_PAUSE: Final = 0.1


@contextmanager
def turn(grant_id: str) -> Iterator[None]:
    """Waits until no other process of this person claims that grant; for half a minute at most.

    A home that cannot be written to keeps nothing from being claimed: then none waits. The lock
    goes with the process, and when a command takes its place.
    """
    descriptor = _open()
    try:
        if descriptor is not None:
            _lock(descriptor, grant_id)
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _open() -> int | None:
    try:
        folder = state_folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(folder / _FILE, _OPEN, 0o600)
    except OSError:
        return None


def _lock(descriptor: int, grant_id: str) -> None:
    place = int.from_bytes(hashlib.sha256(grant_id.encode()).digest()[:4], "big")
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
        except (BlockingIOError, PermissionError):  # another holds it
            time.sleep(_PAUSE)
        except OSError:  # this file system has no locks
            return
        else:
            return
