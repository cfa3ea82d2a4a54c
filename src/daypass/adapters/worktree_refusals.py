"""What git's complaints about a work tree mean, and what to do about them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daypass.errors import GitError

if TYPE_CHECKING:
    from pathlib import Path


def refusal(folder: Path, command: str, said: str) -> GitError:
    """Make the error of a git command that failed with that first line."""
    if "not a git repository" in said:
        return GitError(
            f"{folder} is not in a git repository",
            remedy="Run this in a clone of the governed repository, or name one with -C DIR.",
        )
    if "dubious ownership" in said:
        # it brings all of adapters/git, which `validate` else does without
        from daypass.adapters.git.ownership import of_another_user  # noqa: PLC0415  -- as above

        return of_another_user(said.partition("'")[2].rpartition("'")[0] or str(folder))
    if "could not read Username" in said or "Authentication failed" in said:
        return GitError(
            f"this clone is partial, and git may not fetch what it lacks ({said})",
            remedy="Let git log in as `gh` does (`gh auth login`, `gh auth setup-git`), or fetch "
            "all of it once: `git fetch --refetch --no-filter`.",
        )
    return GitError(
        f"git {command} failed: {said}", remedy="Run `git status` here, and mend what it says."
    )
