"""Trees: what git says is where, with which mode. The one reading of modes and paths."""

from __future__ import annotations

import stat
from typing import Final, NamedTuple

REGULAR_FILE: Final = "100644"
EXECUTABLE_FILE: Final = "100755"
SYMBOLIC_LINK: Final = "120000"
SUBMODULE: Final = "160000"
FOLDER: Final = "040000"
DOUBLED: Final = "000000"  # several entries of one path, which git itself does not read alike

# Folders below the one that is listed, and entries of one listing: a tree of a few kilobytes can
# name itself a thousand times on each of a thousand levels. What is beyond is listed as a folder.
DEEPEST: Final = 32
MOST_ENTRIES: Final = 200_000

_LONGEST_NAME: Final = 255  # bytes: of Linux, macOS and Windows
_LONGEST_PATH: Final = 1024  # bytes: the shortest limit among them is macOS's


class TreeEntry(NamedTuple):
    """One entry of a git tree, recursively listed. `path` is relative to the repository's root."""

    mode: str  # six octal digits, canonical, as `git ls-tree` prints them
    blob: str  # object id (40 hex digits)
    path: str
    others: tuple[str, ...] = ()  # of a doubled path: the ids of its further entries

    @property
    def content(self) -> str:
        """What is there, to compare: the id, or of a doubled path all ids."""
        return " ".join((self.blob, *self.others))

    @property
    def is_file(self) -> bool:
        """Whether it has bytes of its own: a submodule has none, and a link points elsewhere."""
        return self.mode in (REGULAR_FILE, EXECUTABLE_FILE)


def canonical_mode(mode: int) -> str:
    """Reduce a mode of a tree object to the one that git takes it for.

    git reads any spelling (`100664`, `040000` beside `40000`) and shows one of five: what it shows
    is what a reviewer sees, and what daypass compares. This is `canon_mode` of git's cache.h.
    """
    if stat.S_ISREG(mode):
        return EXECUTABLE_FILE if mode & stat.S_IXUSR else REGULAR_FILE
    if stat.S_ISLNK(mode):
        return SYMBOLIC_LINK
    return FOLDER if stat.S_ISDIR(mode) else SUBMODULE


def name_fault(name: bytes) -> str | None:
    """Say why git refuses an entry of that name; None if it does not."""
    if b"/" in name:
        return "an entry of a folder has a slash in its name"
    if name in (b"", b".", b"..") or name.lower() == b".git":
        return "an entry has a name that git refuses"
    return None


def path_fault(path: str) -> str | None:
    """Say why people could not check out a path; None if they could.

    `path` holds bytes that are no UTF-8 as `os.fsdecode` gives them.
    """
    parts = path.encode("utf-8", "surrogateescape").split(b"/")
    longest = max(map(len, parts))
    if longest > _LONGEST_NAME:
        return f"a name in it has {longest} bytes, and file systems take {_LONGEST_NAME}"
    if len(parts) > DEEPEST + 1:
        return f"it is {len(parts) - 1} folders deep, and daypass reads {DEEPEST}"
    length = sum(map(len, parts)) + len(parts) - 1
    if length > _LONGEST_PATH:
        return f"it has {length} bytes, and some file systems take {_LONGEST_PATH}"
    if not path.isascii() and any("\udc80" <= letter <= "\udcff" for letter in path):
        return "it holds bytes that are no UTF-8, which some file systems refuse"
    return None
