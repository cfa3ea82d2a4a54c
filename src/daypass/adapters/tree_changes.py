"""What two commits hold differently, read from their tree objects.

A diff shows canonical modes alone: how a mode is spelled, only the tree object itself tells.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from daypass.adapters.git.tree import Item, parse_tree
from daypass.model.tree import DEEPEST, MOST_ENTRIES, TreeEntry, name_fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    ReadTrees = Callable[[Sequence[str]], Mapping[str, bytes]]

_EMPTY: Final[dict[bytes, Item]] = {}


@dataclass(slots=True)
class TreeChanges:
    """Entries that differ, by path, and modes that are new and not spelled as git spells them."""

    before: dict[str, TreeEntry] = field(default_factory=dict)
    now: dict[str, TreeEntry] = field(default_factory=dict)
    odd: dict[str, str] = field(default_factory=dict)  # path, of folders too → the spelling
    faults: dict[str, str] = field(default_factory=dict)  # path → what git refuses there, if new


class _Pair(NamedTuple):
    """A folder in both trees: its path with a slash, and the ids of the tree objects."""

    above: str
    before: str | None
    now: str | None


def tree_changes(read: ReadTrees, before: str, now: str) -> TreeChanges:
    """Compare two trees, level by level.

    Folders with `DEEPEST` folders above them, or after `MOST_ENTRIES`, are entries themselves.

    Args:
        read: gives tree objects by their names.
        before: a name of the one tree.
        now: a name of the other.

    Raises:
        GitError: an object cannot be read, or is no tree.
    """
    found = TreeChanges()
    level = [_Pair("", before, now)]
    seen = 0
    for depth in range(DEEPEST + 1):
        names = {name for pair in level for name in (pair.before, pair.now) if name is not None}
        contents = read(sorted(names))
        deeper: list[_Pair] = []
        for pair in level:
            found.faults |= _new_faults(pair, contents)
            for path, old, new in _differing(pair, contents):
                seen += 1
                descends = depth < DEEPEST and seen <= MOST_ENTRIES
                below = _take(found, path, old, new, descends=descends)
                if below is not None:
                    deeper.append(below)
        level = deeper
        if not level:
            break
    return found


def _differing(
    pair: _Pair, contents: Mapping[str, bytes]
) -> Iterator[tuple[str, Item | None, Item | None]]:
    old, new = (
        {item.name: item for item in parse_tree(contents[name]) if name_fault(item.name) is None}
        if name is not None
        else _EMPTY
        for name in (pair.before, pair.now)
    )
    for name in old.keys() | new.keys():
        if old.get(name) != new.get(name):
            path = pair.above + name.decode("utf-8", "surrogateescape")
            yield path, old.get(name), new.get(name)


def _new_faults(pair: _Pair, contents: Mapping[str, bytes]) -> dict[str, str]:
    """What git refuses in the newer tree, and was not in the older one."""
    found = _faults(contents[pair.now]) if pair.now is not None else {}
    if not found:  # nearly always: the older tree need not be read
        return {}
    known = _faults(contents[pair.before]) if pair.before is not None else {}
    return {
        (pair.above + name.decode("utf-8", "surrogateescape")).rstrip("/"): fault
        for name, fault in found.items()
        if known.get(name) != fault
    }


def _faults(content: bytes) -> dict[bytes, str]:
    """Entries that git refuses, by their names; `""` is the folder itself."""
    found: dict[bytes, str] = {}
    names: set[bytes] = set()
    last = b""
    for item in parse_tree(content):
        fault = name_fault(item.name)
        if item.name in names:
            fault = "there are several entries of this name in its folder"
        elif item.key < last:
            found[b""] = "the entries of this folder are not in git's order"
        if fault is not None:
            found[item.name] = fault
        names.add(item.name)
        last = item.key
    return found


def _take(
    found: TreeChanges, path: str, old: Item | None, new: Item | None, *, descends: bool
) -> _Pair | None:
    """Note what differs at a path; the folders that are to be compared, if there are any."""
    if new is not None and new.is_odd and (old is None or old.spelling != new.spelling):
        found.odd[path] = new.spelling.decode("ascii", "replace")
    before, now = (
        item.id if item is not None and item.is_folder and descends else None for item in (old, new)
    )
    entry_before = old.at(path) if old is not None and before is None else None
    entry_now = new.at(path) if new is not None and now is None else None
    if entry_before != entry_now:
        if entry_before is not None:
            found.before[path] = entry_before
        if entry_now is not None:
            found.now[path] = entry_now
    return _Pair(f"{path}/", before, now) if before != now else None
