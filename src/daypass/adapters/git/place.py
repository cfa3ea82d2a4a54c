"""The repository that a directory belongs to: found here, so that no folder's content decides it.

A folder of a pull request can hold HEAD, config, objects and refs. To git that is a repository,
which comes before the one around it, and its configuration names programs that git runs.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path

from daypass.errors import GitError


@dataclass(frozen=True, slots=True)
class Place:
    """Where git runs: the top of a work tree, or a bare repository."""

    top: Path
    is_bare: bool = False

    @classmethod
    def of(cls, directory: Path) -> Place:
        """Find the clone that a directory is in: the nearest folder above that has a `.git`.

        Raises:
            GitError: there is none, it is in what git keeps of a clone, or a folder on the way
                looks like a repository itself.
        """
        start = Path(os.path.realpath(directory))
        if not start.is_dir():
            raise no_repository(directory)
        inside: Path | None = None
        for folder in (start, *start.parents):
            if folder.name == ".git" and _looks_bare(folder):
                raise _inside(folder)
            if os.path.lexists(folder / ".git"):
                if inside is not None:
                    raise _two_repositories(inside, folder)
                if (folder / ".git").is_dir() and not os.path.lexists(folder / ".git/HEAD"):
                    raise _in_the_way(folder / ".git")
                return cls(folder)
            if inside is None and _looks_bare(folder):
                inside = folder
        if inside != start:
            raise no_repository(directory)
        return cls(start, is_bare=True)

    def variables(self) -> dict[str, str]:
        """What of the environment keeps git to this place.

        git finds the repository itself, and so refuses another user's; it looks nowhere else for
        it, and `core.worktree` and `core.bare` of its configuration do not count.
        """
        found = {} if os.pathsep in str(self.top) else {_CEILING: str(self.top.parent)}
        return found if self.is_bare else found | {"GIT_WORK_TREE": str(self.top)}


_CEILING = "GIT_CEILING_DIRECTORIES"


def _looks_bare(folder: Path) -> bool:
    """Whether git may take it for a repository without a work tree."""
    if not os.path.lexists(folder / "HEAD"):
        return False
    has_objects = os.path.lexists(folder / "objects") and os.path.lexists(folder / "refs")
    return has_objects or os.path.lexists(folder / "commondir")


def no_repository(directory: Path) -> GitError:
    """Make the error of a directory that is in no clone."""
    return GitError(
        f"{directory} is not a git repository",
        remedy="Go to the clone of the governed repository, or name it with -C DIR.",
    )


def _inside(folder: Path) -> GitError:
    return GitError(
        f"{folder} is the folder in which git keeps the clone, not a work tree",
        remedy=f"Run the command at the top of the clone: `daypass -C {folder.parent} …`.",
    )


def _in_the_way(folder: Path) -> GitError:
    return GitError(
        f"{folder} is not a git repository: it has no HEAD",
        remedy=f"If it is empty, take it out of the way: `rmdir {shlex.quote(str(folder))}`. If it "
        "was a clone, make a fresh one: `git clone URL`.",
    )


def _two_repositories(inside: Path, outside: Path) -> GitError:
    return GitError(
        f"{inside} looks like a git repository of its own, inside of the clone {outside}: which of "
        "the two is meant is not known",
        remedy=f"To use the clone, run the command at its top: `daypass -C {outside} …`. A pull "
        "request can bring such a folder, to have its own programs run: look at who added it, "
        f"`git -C {outside} log -- {inside.relative_to(outside)}`.",
    )
