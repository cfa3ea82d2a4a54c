"""Recorded tree: main's tree while happenings are applied to it, each to its own paths alone.

A folder is listed by itself, and only when a path leads there: how much lies elsewhere makes no
difference to what is known of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.documents.blob import blob_id
from daypass.model.names import BOT_FOLDERS, FOLDERS
from daypass.model.tree import FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daypass.lifecycle.happening import Happening
    from daypass.lifecycle.ports import Repository

_OWN: Final = tuple(f"{folder}/" for folder in BOT_FOLDERS)


class RecordedTree:
    """What is at the paths that happenings are about, kept up as they are applied."""

    def __init__(self, repository: Repository, head: str) -> None:
        """Begin with the tree of that commit."""
        self._repository = repository
        self._head = head
        # Folder → what is directly in it: path, with a slash at the end of a folder's → content.
        self._inside: dict[str, dict[str, str]] = {}
        self._gone: set[str] = set()  # folders that were taken away

    def admits(self, happening: Happening) -> bool:
        """Whether all is there that it requires, and nothing where it requires nothing."""
        return all(
            self._beside(path).get(path) == blob for path, blob in happening.requires.items()
        )

    def apply(self, happening: Happening) -> dict[str, bytes | None]:
        """The change that the happening makes here; empty if there is nothing left to change."""
        changes: dict[str, bytes | None] = {}
        for path in happening.removes:
            for other in tuple(self._at(path)):
                self._take_away(other)
                changes[other] = None
        for path, content in happening.writes.items():
            for other in tuple(self._in_the_way_of(path)):
                self._take_away(other)
                changes[other] = None
            blob = blob_id(content)
            if self._beside(path).get(path) != blob:
                self._beside(path)[path] = blob
                changes[path] = content
        return changes

    def _beside(self, path: str) -> dict[str, str]:
        """What is in the folder of a path."""
        folder = path.rpartition("/")[0]
        found = self._inside.get(folder)
        if found is None:
            is_gone = not self._gone.isdisjoint((folder, *_above(folder)))
            entries = () if is_gone else self._repository.children(self._head, folder)
            found = self._inside[folder] = {
                f"{entry.path}/" if entry.mode == FOLDER else entry.path: entry.content
                for entry in entries
            }
        return found

    def _take_away(self, path: str) -> None:
        if not path.endswith("/"):
            del self._beside(path)[path]
            return
        del self._beside(path[:-1])[path]
        self._gone.add(path[:-1])
        for folder in self._inside:
            if f"{folder}/".startswith(path):
                self._inside[folder] = {}

    def _at(self, path: str) -> Iterator[str]:
        """What must go so that nothing is at that path.

        Nothing of the bot's is in a folder within its own: such a one goes with all that is in it.
        """
        if path in self._beside(path):
            yield path
            return
        for own in _OWN:
            if path.startswith(own):
                first = own + path.removeprefix(own).partition("/")[0]
                yield from self._in_the_way_of(first)

    def _in_the_way_of(self, path: str) -> Iterator[str]:
        """A file where a folder of the path must be, or a folder where it must be a file.

        Whoever lays such a thing must not keep all that a run has done from becoming evidence. What
        is one of daypass's folders, or leads to one, is in nothing's way.
        """
        for above in _above(path):
            if above in self._beside(above):
                yield above
        if f"{path}/" in self._beside(path) and not _leads_to_ours(path):
            yield f"{path}/"


def _above(path: str) -> Iterator[str]:
    """The folders that a path leads through."""
    while path := path.rpartition("/")[0]:
        yield path


def _leads_to_ours(path: str) -> bool:
    return any(f"{folder}/".startswith(f"{path}/") for folder in FOLDERS)
