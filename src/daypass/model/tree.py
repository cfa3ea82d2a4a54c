"""Trees: what git says lies where, with which mode."""

from __future__ import annotations

from typing import Final, NamedTuple

REGULAR_FILE: Final = "100644"


class TreeEntry(NamedTuple):
    """One entry of a git tree, recursively listed. `path` is relative to the repository's root."""

    mode: str  # six octal digits, as `git ls-tree` prints them
    blob: str  # object id (40 hex digits)
    path: str
