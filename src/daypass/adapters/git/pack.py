"""Writing objects: as one pack, which git takes in whole or not at all.

An object's id is the hash of its content, so a chain of commits can be built here and put into the
clone at the end: one pack for a batch of any size, and a killed run leaves nothing but a temporary
file.
"""

from __future__ import annotations

import hashlib
import zlib
from typing import TYPE_CHECKING, Final, NamedTuple

from daypass.adapters.git.packfile import packed

if TYPE_CHECKING:
    from daypass.adapters.git.packfile import Packed

_KINDS: Final = {"commit": 1, "tree": 2, "blob": 3}
_REFERENCE_DELTA: Final = 7
# Compressing costs more than it saves on objects that live for one push.
_LEVEL: Final = 1
# Below this it saves hardly a byte, and setting up zlib costs more than all else about an object.
_COMPRESS_FROM: Final = 256
# git's own default: longer chains make reading slow.
_DELTA_DEPTH: Final = 50
_COPY_LIMIT: Final = 0xFFFFFF
_INSERT_LIMIT: Final = 127


def object_id(kind: str, content: bytes) -> str:
    """The id that git gives to an object of that content."""
    header = f"{kind} {len(content)}\0".encode()
    # git's name for these bytes; what vouches for them is the signature, over SHA-512
    return hashlib.sha1(header + content, usedforsecurity=False).hexdigest()


class Splice(NamedTuple):
    """How a content arises from another one: some of its head, new bytes, some of its tail."""

    base: str  # object id
    base_size: int
    head: int
    middle: bytes
    tail: int


class Pack:
    """Objects that wait to be written."""

    def __init__(self) -> None:
        self._entries: dict[str, bytes] = {}
        self._depth: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, kind: str, content: bytes, splice: Splice | None = None) -> str:
        """Add an object and return its id; with `splice` it is stored as a difference."""
        name = object_id(kind, content)
        if name in self._entries:
            return name
        if splice is not None and self._depth.get(splice.base, _DELTA_DEPTH) < _DELTA_DEPTH:
            delta = _delta(splice, len(content))
            entry = _header(_REFERENCE_DELTA, len(delta)) + bytes.fromhex(splice.base)
            self._entries[name] = entry + _deflated(delta)
            self._depth[name] = self._depth[splice.base] + 1
        else:
            self._entries[name] = _header(_KINDS[kind], len(content)) + _deflated(content)
            self._depth[name] = 0
        return name

    def packed(self) -> Packed:
        """What waits, as git stores it."""
        return packed(self._entries)

    def clear(self) -> None:
        """Forget what was written."""
        self._entries.clear()
        self._depth.clear()


def _deflated(content: bytes) -> bytes:
    """The content as a zlib stream (RFC 1950): compressed, or a small one in a stored block."""
    size = len(content)
    if size >= _COMPRESS_FROM:
        return zlib.compress(content, _LEVEL)
    block = size.to_bytes(2, "little") + (size ^ 0xFFFF).to_bytes(2, "little")
    return b"\x78\x01\x01" + block + content + zlib.adler32(content).to_bytes(4)


def _header(kind: int, size: int) -> bytes:
    first = (kind << 4) | (size & 0x0F)
    size >>= 4
    octets = bytearray()
    while size:
        octets.append(first | 0x80)
        first = size & 0x7F
        size >>= 7
    octets.append(first)
    return bytes(octets)


def _size(value: int) -> bytes:
    octets = bytearray()
    while value > 0x7F:  # noqa: PLR2004  -- seven bits an octet
        octets.append((value & 0x7F) | 0x80)
        value >>= 7
    octets.append(value)
    return bytes(octets)


def _delta(splice: Splice, size: int) -> bytes:
    delta = bytearray(_size(splice.base_size) + _size(size))
    _copy(delta, 0, splice.head)
    for start in range(0, len(splice.middle), _INSERT_LIMIT):
        piece = splice.middle[start : start + _INSERT_LIMIT]
        delta.append(len(piece))
        delta += piece
    _copy(delta, splice.base_size - splice.tail, splice.tail)
    return bytes(delta)


def _copy(delta: bytearray, offset: int, length: int) -> None:
    while length:
        piece = min(length, _COPY_LIMIT)
        delta.append(0x80 | 0x0F | 0x70)
        delta += offset.to_bytes(4, "little") + piece.to_bytes(3, "little")
        offset += piece
        length -= piece
