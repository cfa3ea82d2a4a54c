"""What a merge would take away by what it deletes: requests without a grant, and the bot's records.

A grant whose record is deleted on main is revoked, whoever deleted it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from daypass.documents.changes import changes, check_changes
from daypass.model.names import BOT_FOLDERS

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from daypass.lifecycle.ports import Repository
    from daypass.model.tree import TreeEntry

GRANTS: Final = "access/grants/"


@dataclass(frozen=True, slots=True)
class ChangedRecords:
    """What a branch changes of the bot's records."""

    deleted: tuple[str, ...]  # paths
    faults: tuple[str, ...]  # for people


def changed_records(repository: Repository, ancestor: str, head: str) -> ChangedRecords:
    """The bot's records that a branch adds, edits or deletes since it left main."""
    before, after = (_records(repository, commit) for commit in (ancestor, head))
    changed = changes(before, after) if before != after else None
    if changed is None:
        return ChangedRecords((), ())
    return ChangedRecords(
        tuple(entry.path for entry in changed.deleted),
        tuple(f"{item.path}: {item.message}. {item.remedy}" for item in check_changes(changed)),
    )


def withdrawn(
    repository: Repository, main: str, deleted: Iterable[str], live: Container[str]
) -> tuple[str, ...]:
    """The ids of requests that lie on main without a live grant, among the deleted paths."""
    found = []
    for path in sorted(deleted):
        name = path.rsplit("/", 1)[-1].removesuffix(".yaml")
        if name not in live and any(item.path == path for item in repository.entries(main, path)):
            found.append(name)
    return tuple(found)


def _records(repository: Repository, commit: str) -> list[TreeEntry]:
    return [entry for folder in BOT_FOLDERS for entry in repository.entries(commit, folder)]
