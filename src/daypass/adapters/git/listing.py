"""Listings: what the trees of commits hold, as entries with their paths from the root."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.adapters.git.tree import DIRECTORY, Item, parse_tree
from daypass.model.tree import DEEPEST, MOST_ENTRIES, TreeEntry, name_fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_KEPT: Final = 16


class Listings:
    """What is in folders. A run asks for the same few of several commits: the last are kept."""

    def __init__(self, read: Callable[[str], bytes]) -> None:
        """`read` gives a tree object by its id."""
        self._read = read
        self._known: dict[tuple[tuple[str, ...], str], tuple[TreeEntry, ...]] = {}  # newest last

    def entries(self, root: str, path: str) -> tuple[TreeEntry, ...]:
        """All entries below a folder, recursively; of a file, itself."""
        found = _find_items(root, path, self._read)
        files = [item for item in found if not item.is_folder]
        itself = (files[0].at(path, files[1:]),) if files else ()
        trees = tuple(item.id for item in found if item.is_folder)
        return itself + (self._below(trees, path) if trees else ())

    def children(self, root: str, folder: str) -> tuple[TreeEntry, ...]:
        """What is directly in a folder: folders are entries, too, and are not looked into."""
        found = _find_items(root, folder, self._read)
        content = b"".join(self._read(item.id) for item in found if item.is_folder)
        return tuple(_list_folder(content, folder))

    def _below(self, trees: tuple[str, ...], folder: str) -> tuple[TreeEntry, ...]:
        known = self._known.pop((trees, folder), None)
        if known is None:
            content = b"".join(map(self._read, trees))
            known = tuple(list_tree(content, folder, self._read))
            if len(self._known) >= _KEPT:
                del self._known[next(iter(self._known))]
        self._known[trees, folder] = known
        return known


def sound_items(content: bytes) -> Iterable[list[Item]]:
    """The entries of a tree object, those of one path together. What git refuses is left out.

    Raises GitError where it is none.
    """
    found: dict[bytes, list[Item]] = {}
    for item in parse_tree(content):
        if name_fault(item.name) is None:
            found.setdefault(item.key, []).append(item)
    return found.values()


def _find_items(root: str, path: str, read: Callable[[str], bytes]) -> list[Item]:
    """All entries of that path, of which a sound tree has one at the most; `""` is the root."""
    found = [Item(DIRECTORY, b"", root)]
    for name in path.encode("utf-8", "surrogateescape").split(b"/") if path else ():
        inside = (parse_tree(read(item.id)) for item in found if item.is_folder)
        found = [item for items in inside for item in items if item.name == name]
    return found


def _list_folder(content: bytes, folder: str) -> Iterator[TreeEntry]:
    """List what is directly in a tree, with its paths from the root. Folders are listed, too."""
    above = f"{folder}/" if folder else ""
    for item, *others in sound_items(content):
        path = above + item.name.decode("utf-8", "surrogateescape")
        yield item.at(path, () if item.is_folder else others)


def list_tree(content: bytes, folder: str, read: Callable[[str], bytes]) -> Iterator[TreeEntry]:
    """List all entries below a tree that are no folders, with their paths from the root.

    Folders with `DEEPEST` folders above them, or after `MOST_ENTRIES`, are listed themselves: what
    is in them is not known. The files directly in the tree are always listed, whatever is beside
    them. Two folders of one name are listed as one.
    """
    above = f"{folder}/" if folder else ""
    inside = [(above, iter(sound_items(content)))]
    room = DEEPEST - above.count("/")
    seen = 0
    while inside:
        above, items = inside[-1]
        found = next(items, None)
        if found is None:
            inside.pop()
            continue
        seen += 1
        item, *others = found
        path = above + item.name.decode("utf-8", "surrogateescape")
        if item.is_folder and len(inside) <= room and seen <= MOST_ENTRIES:
            below = b"".join(read(one.id) for one in found)
            inside.append((f"{path}/", iter(sound_items(below))))
        else:
            yield item.at(path, () if item.is_folder else others)
