"""The locale as this process found it: Python changes LC_CTYPE where that is `C` (PEP 538).

What a claim starts gets back what its user set. Only Linux tells what that was.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAME: Final = "LC_CTYPE"
_COERCED: Final = frozenset({"C.UTF-8", "C.utf8", "UTF-8"})
_begun: dict[str, str | None] = {}  # the value at this process's begin, where it was looked at


def remember(begun_with: Path = Path("/proc/self/environ")) -> None:
    """Note what LC_CTYPE was, if Python may have set it. Later, /proc may be closed to us."""
    if os.environ.get(_NAME) not in _COERCED:
        return
    with suppress(OSError):
        told = dict(item.partition(b"=")[::2] for item in begun_with.read_bytes().split(b"\0"))
        value = told.get(_NAME.encode())
        _begun[_NAME] = None if value is None else os.fsdecode(value)


def as_found(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with LC_CTYPE as it was, if Python has set it."""
    found = dict(environment)
    if _NAME in _begun:
        value = _begun[_NAME]
        if value is None:
            found.pop(_NAME, None)
        else:
            found[_NAME] = value
    return found
