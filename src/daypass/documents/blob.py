"""Git's name for a file's content."""

from __future__ import annotations

import hashlib
from typing import Final

_SHA256_HEX: Final = 64


def blob_id(data: bytes, like: str = "") -> str:
    """The object id that git gives a blob, in the hash of the id `like` (SHA-1 by default)."""
    content = b"blob %d\0%b" % (len(data), data)
    if len(like) == _SHA256_HEX:
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()
