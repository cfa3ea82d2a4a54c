"""What one run leaves for the next in the git folder, and what makes it believed.

A file that is corrupt, of another owner, release, installation or set of schemas is not believed:
then everything is read again, which is slower and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from typing import TYPE_CHECKING, Any, Final

from daypass import __version__
from daypass.adapters.installation import installation
from daypass.documents.resources import schemas_digest

if TYPE_CHECKING:
    from pathlib import Path

_LARGEST: Final = 256 * 1024 * 1024
_JUDGES: Final = ("documents", "model", "policy")


def read_sealed(path: Path) -> Any:
    """The JSON value that a run of this very installation left there; None if there is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if not _is_mine(os.fstat(file.fileno())):
                return None
            head, _, payload = file.read(_LARGEST).partition(b"\n")
        if json.loads(head) != _header(payload):
            return None
        return json.loads(payload)
    except (OSError, ValueError, RecursionError):
        return None


def write_sealed(path: Path, value: Any) -> None:
    """Write it at once or not at all. A full disk only costs time later."""
    payload = json.dumps(value, separators=(",", ":")).encode("ascii")
    head = json.dumps(_header(payload)).encode("ascii")
    temporary = f"{path}.{os.getpid()}.{os.urandom(8).hex()}"
    made = False
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with os.fdopen(os.open(temporary, flags, 0o600), "wb") as file:
            made = True
            file.write(head + b"\n" + payload)
        os.replace(temporary, path)  # noqa: PTH105  -- pathlib names it no other way
    except OSError:
        if made:
            os.unlink(temporary)  # noqa: PTH108  -- as above


def _header(payload: bytes) -> dict[str, str]:
    return {
        "daypass": __version__,
        "installation": installation(*_JUDGES),
        "schemas": schemas_digest(),
        "sha256": hashlib.sha256(payload).hexdigest(),
    }


def _is_mine(told: os.stat_result) -> bool:
    others_write = stat.S_IWGRP | stat.S_IWOTH
    return (
        stat.S_ISREG(told.st_mode)
        and told.st_uid == os.geteuid()
        and not told.st_mode & others_write
    )
