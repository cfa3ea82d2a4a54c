"""Trees in memory: a commit rewrites the trees on the paths that it changes, and no others."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from daypass.adapters.git.pack import Splice
from daypass.errors import GitError
from daypass.model.tree import (
    DOUBLED,
    FOLDER,
    REGULAR_FILE,
    TreeEntry,
    canonical_mode,
    name_fault,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from daypass.adapters.git.pack import Pack

DIRECTORY: Final = b"40000"
_MODES: Final = {
    spelling: canonical_mode(int(spelling, 8))
    for spelling in (b"100644", b"100755", b"120000", b"160000", DIRECTORY)
}
_UNSIGNED: Final = 0xFFFF_FFFF  # git keeps a mode in 32 bits
_ID_LENGTH: Final = 20
# Below this a difference saves nothing.
_SPLICE_FROM: Final = 256


class Item(NamedTuple):
    """One entry of a tree object."""

    spelling: bytes  # of the mode, as it is stored: git takes others than its own
    name: bytes
    id: str

    @property
    def mode(self) -> str:
        """The canonical mode."""
        return _MODES.get(self.spelling) or _odd_mode(self.spelling)

    @property
    def is_folder(self) -> bool:
        """Whether it is a tree."""
        return self.mode == FOLDER

    @property
    def is_odd(self) -> bool:
        """Whether git itself would spell the mode otherwise."""
        return self.spelling not in _MODES

    @property
    def key(self) -> bytes:
        """What git sorts by: a directory sorts as if its name ended in a slash."""
        return self.name + b"/" if self.is_folder else self.name

    def at(self, path: str, others: Sequence[Item] = ()) -> TreeEntry:
        """The entry, with its path from the root; `others` are of the same path."""
        if not others:  # nearly always, of every entry of a tree
            return TreeEntry(self.mode, self.id, path)
        found = tuple(dict.fromkeys(other.id for other in others if other.id != self.id))
        same = not found and all(other.mode == self.mode for other in others)
        return TreeEntry(self.mode if same else DOUBLED, self.id, path, found)


def parse_tree(content: bytes) -> Iterator[Item]:
    """The entries of a tree object, in its order. Raises GitError where it is none."""
    at = 0
    while at < len(content):
        space = content.find(b" ", at)
        end = content.find(b"\0", space)
        last = end + 1 + _ID_LENGTH
        if min(space, end) < 0 or last > len(content):
            raise _broken()
        yield Item(content[at:space], content[space + 1 : end], content[end + 1 : last].hex())
        at = last


class _Folder:
    """One tree that may be edited; children are loaded when a path leads through them.

    Of a tree that is not in git's order, or holds what git refuses, all entries are kept; when
    something else in it changes, they are written in order.
    """

    def __init__(self, content: bytes) -> None:
        items = list(parse_tree(content))
        self.keys = [_editing_key(item) for item in items]
        is_sound = all(first < second for first, second in pairwise(self.keys))
        if not is_sound:
            items.sort(key=_editing_key)
            self.keys.sort()
        self.lines = [_line(item.spelling, item.name, item.id) for item in items]
        self.children: dict[bytes, _Folder] = {}
        self.id: str | None = None
        self.size = len(content)
        # Entries at the head and at the tail that are as they were.
        self.low = self.high = len(items) if is_sound else 0
        self.changed = False

    def find(self, key: bytes) -> int | None:
        at = bisect_left(self.keys, key)
        return at if at < len(self.keys) and self.keys[at] == key else None

    def put(self, spelling: bytes, name: bytes, object_id: str) -> None:
        item = Item(spelling, name, object_id)
        at = bisect_left(self.keys, item.key)
        if at < len(self.keys) and self.keys[at] == item.key:
            self.remove(at)
        self.keys.insert(at, item.key)
        self.lines.insert(at, _line(*item))
        self._touched(at, at + 1)

    def ids(self, key: bytes) -> list[str]:
        first, after = bisect_left(self.keys, key), bisect_right(self.keys, key)
        return [line[-_ID_LENGTH:].hex() for line in self.lines[first:after]]

    def remove(self, at: int) -> None:
        """Take away what is there, and whatever else has its key."""
        after = bisect_right(self.keys, self.keys[at])
        del self.keys[at:after]
        del self.lines[at:after]
        self._touched(at, at)

    def _touched(self, first: int, after: int) -> None:
        self.changed = True
        self.low = min(self.low, first)
        self.high = min(self.high, len(self.lines) - after)

    def write(self, pack: Pack) -> str:
        if self.id is not None and not self.changed:
            return self.id
        last = max(self.low, len(self.lines) - self.high)  # nothing changed: all of it is head
        head, tail = b"".join(self.lines[: self.low]), b"".join(self.lines[last:])
        middle = b"".join(self.lines[self.low : last])
        content = head + middle + tail
        splice = None
        if self.id is not None and len(content) >= _SPLICE_FROM:
            splice = Splice(self.id, self.size, len(head), middle, len(tail))
        self.id = pack.add("tree", content, splice)
        self.size = len(content)
        self.low = self.high = len(self.lines)
        self.changed = False
        return self.id


class TreeEditor:
    """The tree of a commit, changed file by file; `write` gives the id of what it has become."""

    def __init__(self, root: str, read: Callable[[str], bytes], pack: Pack) -> None:
        self._read = read
        self._pack = pack
        self._root = _Folder(read(root))

    def apply(self, changes: Mapping[str, bytes | None]) -> str:
        """Write (bytes) and remove (None) files; returns the id of the root tree.

        Only a path with a slash at its end removes a folder, with all that is in it. What is
        removed makes room first: a file may take the place of a folder that becomes empty.

        Raises:
            GitError: a path to remove that is not there, a path through a file or onto a folder,
                or one that could not be checked out.
        """
        touched: dict[tuple[bytes, ...], None] = {}
        for path, content in sorted(changes.items(), key=lambda change: change[1] is not None):
            parts = _parts(path.removesuffix("/"))
            self._change(path, parts, content)
            for depth in range(len(parts) - 1, 0, -1):
                if content is None:
                    self._drop_if_empty(parts[:depth])
                touched[parts[:depth]] = None
        for folder in sorted(touched, key=len, reverse=True):
            self._write_folder(folder)
        return self._root.write(self._pack)

    def _change(self, path: str, parts: tuple[bytes, ...], content: bytes | None) -> None:
        folder = self._folder(path, parts[:-1], create=content is not None)
        if content is None:
            is_folder = path.endswith("/")
            at = folder.find(parts[-1] + b"/" if is_folder else parts[-1])
            if at is None:
                raise _wrong(path, "it is to be removed and is not there")
            folder.remove(at)
            if is_folder:
                folder.children.pop(parts[-1], None)
            return
        if folder.find(parts[-1] + b"/") is not None:
            raise _wrong(path, "there is a folder of that name")
        blob = self._pack.add("blob", content)
        folder.put(REGULAR_FILE.encode(), parts[-1], blob)

    def _folder(self, path: str, parts: tuple[bytes, ...], *, create: bool) -> _Folder:
        folder = self._root
        for name in parts:
            child = folder.children.get(name)
            if child is None:
                known = folder.ids(name + b"/")
                if known:
                    child = _Folder(b"".join(map(self._read, known)))
                elif create and folder.find(name) is None:
                    child = _Folder(b"")
                elif create:
                    raise _wrong(path, "a folder on its way is a file")
                else:
                    raise _wrong(path, "it is to be removed and is not there")
                folder.children[name] = child
            folder = child
        return folder

    def _write_folder(self, parts: tuple[bytes, ...]) -> None:
        """Write a folder that was touched, unless it went away since."""
        parent, folder = self._loaded(parts)
        if parent is not None and folder is not None:
            parent.put(DIRECTORY, parts[-1], folder.write(self._pack))

    def _drop_if_empty(self, parts: tuple[bytes, ...]) -> None:
        """Take a folder away with its last file: git knows no empty ones."""
        parent, folder = self._loaded(parts)
        if parent is None or folder is None or folder.lines:
            return
        del parent.children[parts[-1]]
        at = parent.find(parts[-1] + b"/")
        if at is not None:
            parent.remove(at)

    def _loaded(self, parts: tuple[bytes, ...]) -> tuple[_Folder | None, _Folder | None]:
        """A folder that a path has led through, after the one that it is in."""
        parent: _Folder | None = None
        folder: _Folder | None = self._root
        for name in parts:
            parent, folder = folder, folder.children.get(name) if folder is not None else None
        return parent, folder


def _odd_mode(spelling: bytes) -> str:
    """The canonical mode of a spelling that is not git's own."""
    if not spelling or spelling.strip(b"01234567"):
        raise _broken()
    return canonical_mode(int(spelling, 8) & _UNSIGNED)


def _broken() -> GitError:
    return GitError(
        "git gave a tree object that is none",
        remedy="Check the clone with `git fsck`; a fresh clone (fetch-depth: 0) is safe.",
    )


def _editing_key(item: Item) -> bytes:
    """The key to find an entry by; of what git refuses, one that no path has."""
    return item.key if name_fault(item.name) is None else b"/" + item.key


def _line(spelling: bytes, name: bytes, object_id: str) -> bytes:
    return spelling + b" " + name + b"\0" + bytes.fromhex(object_id)


def _parts(path: str) -> tuple[bytes, ...]:
    parts = tuple(path.encode("utf-8", "surrogateescape").split(b"/"))
    if any(map(name_fault, parts)) or "\0" in path:
        raise _wrong(path, "it is no path inside the repository")
    return parts


def _wrong(path: str, why: str) -> GitError:
    return GitError(
        f"{path!r} cannot be changed: {why}",
        remedy="The tree is not what this run planned for; run the command again on a fresh head.",
    )
