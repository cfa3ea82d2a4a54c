"""The refusal of `access/` anywhere else than at the root of its repository."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daypass.errors import UsageError
from daypass.model.names import SETTINGS_PATH

if TYPE_CHECKING:
    from daypass.adapters.git.repository import GitRepository
    from daypass.adapters.worktree import WorkTree
    from daypass.model.tree import TreeEntry


def entries_at_root(tree: WorkTree) -> tuple[TreeEntry, ...]:
    """List what lies in `access/` and `schemas/`. Raises UsageError where it is not at the root."""
    entries = tree.entries()
    if all(entry.path != SETTINGS_PATH for entry in entries):
        other = tree.settings_elsewhere()
        if other is not None:
            raise not_at_the_root(other)
    return entries


def refuse_elsewhere(repository: GitRepository, commit: str) -> None:
    """Raise UsageError where a commit has settings, and none of them at the root."""
    if repository.entries(commit, SETTINGS_PATH):
        return
    paths = (entry.path for entry in repository.entries(commit, ""))
    other = next((path for path in paths if path.endswith(f"/{SETTINGS_PATH}")), None)
    if other is not None:
        raise not_at_the_root(other)


def not_at_the_root(found: str) -> UsageError:
    """Make the error of settings that are at `found`, below another folder."""
    folder = found.removesuffix(f"/{SETTINGS_PATH}")
    return UsageError(
        f"access/ is in {folder}/, and daypass reads it at the root of its repository alone: "
        "nothing was looked at",
        remedy=f"Give it a repository of its own, or move it: `git mv {folder}/access access`. "
        "GitHub runs workflows, and asks code owners, for the whole of a repository.",
    )
