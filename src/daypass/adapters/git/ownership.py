"""Repositories of another user, which git reads only for those who have told it to trust them."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Final

from daypass.errors import GitError

if TYPE_CHECKING:
    from pathlib import Path

_OWNERSHIP: Final = "dubious ownership"
_NOT_OURS: Final = re.compile(r"dubious ownership in repository at '([ -&(-~]+)'")


def is_about_ownership(text: str) -> bool:
    """Whether git complains that the repository is another user's."""
    return _OWNERSHIP in text


def not_ours(directory: Path, text: str) -> GitError:
    """The error of a repository of another user, of which git's complaint tells the path."""
    named = _NOT_OURS.search(text)
    return of_another_user(named[1] if named is not None else str(directory))


def of_another_user(path: str) -> GitError:
    """The error of a repository of another user, by its path."""
    return GitError(
        f"{path} belongs to another user, and git refuses to work in it",
        remedy="Run as the owner of the clone, or, if you trust what is in it, say so to git: "
        f"`git config --global --add safe.directory {shlex.quote(path)}`.",
    )
