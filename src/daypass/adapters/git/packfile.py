"""Putting a pack into a clone: the pack, then its index, each whole or not at all.

`git index-pack` would inflate and hash every object again to find the ids that are known here, a
third of the time that a batch takes beside a thousand live grants. Whoever receives the push
computes them all anew, and refuses what does not hold together.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from daypass.errors import GitError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_PACK: Final = b"PACK" + (2).to_bytes(4)
_INDEX: Final = b"\xfftOc" + (2).to_bytes(4)
_LARGEST: Final = 2**31  # bytes: beyond it an index needs offsets of another kind


class Packed(NamedTuple):
    """A pack, and the index that lists what it holds; both of version 2 (gitformat-pack)."""

    name: str
    pack: bytes
    listing: bytes


def packed(entries: Mapping[str, bytes]) -> Packed:
    """The pack of these entries, as they are stored, by the ids of their objects."""
    head = _PACK + len(entries).to_bytes(4)
    body = b"".join(entries.values())
    checksum = _sha1(head + body)
    at, places = len(head), {}
    for name, entry in entries.items():
        places[name] = (zlib.crc32(entry), at)
        at += len(entry)
    if at >= _LARGEST:
        raise GitError(
            "this run has more to write than fits one pack",
            remedy="Run `daypass apply --only ID` for some of the ids first.",
        )
    ids = sorted(places)
    counts = [0] * 256
    for name in ids:
        counts[int(name[:2], 16)] += 1
    total, fan_out = 0, bytearray()
    for count in counts:
        total += count
        fan_out += total.to_bytes(4)
    index = b"".join(
        (
            _INDEX,
            bytes(fan_out),
            bytes.fromhex("".join(ids)),
            b"".join(places[name][0].to_bytes(4) for name in ids),
            b"".join(places[name][1].to_bytes(4) for name in ids),
            checksum,
        )
    )
    return Packed(checksum.hex(), head + body + checksum, index + _sha1(index))


def store(folder: Path, made: Packed) -> None:
    """Put them there; git sees the pack when its index is in place.

    Args:
        folder: `objects/pack` of the repository.
        made: what is to be stored.

    Raises:
        GitError: the disk is full, or nothing may be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for ending, data in (("pack", made.pack), ("idx", made.listing)):
            _write(folder, f"pack-{made.name}.{ending}", data)
    except OSError as error:
        raise GitError(
            f"the clone's objects cannot be written: {error.strerror or type(error).__name__}",
            remedy="Free space, or mend what is said there; then run the command again: nothing "
            "was left half done.",
        ) from error


def _write(folder: Path, name: str, data: bytes) -> None:
    temporary = folder / f"tmp_{name[:4]}_{secrets.token_hex(8)}"  # a name that `git gc` clears
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    try:
        with os.fdopen(os.open(temporary, flags, 0o444), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(folder / name)
    except OSError:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def _sha1(data: bytes) -> bytes:
    # git's checksum of its own files; what vouches for a commit is the signature, over SHA-512
    return hashlib.sha1(data, usedforsecurity=False).digest()
