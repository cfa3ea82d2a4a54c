"""The formats that this machine's kernel starts with an interpreter: binfmt_misc of Linux."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Final

_REGISTERED: Final = Path("/proc/sys/fs/binfmt_misc")


def is_registered(path: str, head: bytes, registered: Path = _REGISTERED) -> bool:
    """Return whether the kernel has an interpreter for a file that begins like that."""
    try:
        entries = [entry for entry in registered.iterdir() if entry.name != "register"]
    except OSError:
        return False
    for entry in entries:
        with suppress(OSError, ValueError):
            if _matches(entry.read_text(encoding="ascii", errors="replace"), path, head):
                return True
    return False


def _matches(entry: str, path: str, head: bytes) -> bool:
    """Return whether an entry is about that file. Raises ValueError if it cannot be read."""
    lines = entry.splitlines()
    told = dict(line.split(" ", 1) for line in lines if " " in line)
    if not lines or lines[0] != "enabled":
        return False
    if "extension" in told:
        return path.endswith(told["extension"])
    if "magic" not in told:
        return False
    magic, at = bytes.fromhex(told["magic"]), int(told.get("offset", "0"))
    mask = bytes.fromhex(told["mask"]) if "mask" in told else b"\xff" * len(magic)
    there = head[at : at + len(magic)]
    return len(there) == len(magic) and all(
        byte & bits == wanted & bits for byte, bits, wanted in zip(there, mask, magic, strict=True)
    )
