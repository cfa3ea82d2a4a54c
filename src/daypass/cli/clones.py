"""Clones: opened with a job's own token, or with a person's, which goes to one repository alone."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from daypass.adapters.git.persons_clone import PersonsClone
from daypass.adapters.git.process import Git
from daypass.adapters.git.repository import GitRepository
from daypass.cli.remotes import ORIGIN, governed_remote, is_partial, loan_of
from daypass.cli.settings_in_force import settings_of
from daypass.errors import DocumentError
from daypass.model.names import SETTINGS_PATH

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from daypass.errors import GitError
    from daypass.model.secret import Secret
    from daypass.model.settings import Settings

# A job's own token, which only reads: a clone without old contents has the settings of HEAD alone.
_CLONE_VARIABLE: Final = "DAYPASS_CLONE_TOKEN"
_INCOMPLETE: Final = (
    "This clone is partial, and lacks access/daypass.yaml of HEAD: so it is not known which "
    "repository your GitHub token may be sent to. Fetch it by hand: `git show "
    "HEAD:access/daypass.yaml`; or all that is missing: `git fetch --refetch --no-filter`."
)


def any_branch(directory: Path) -> GitRepository:
    """The clone, to read commits by their ids."""
    from daypass.model.secret import Secret

    text = os.environ.get(_CLONE_VARIABLE)
    if not text:
        return any_clone(directory)
    return GitRepository(
        directory, remote=ORIGIN, branch="main", author=("", ""), token=lambda: Secret(text)
    )


def any_clone(directory: Path) -> GitRepository:
    """The clone, to be read and nothing else. Raises GitError when it is none.

    What a partial clone lacks, git fetches from the remote that promised it: with the person's
    token, if that remote is the repository that the clone's own settings name, as they lie in it.
    """
    git = Git(directory)
    is_whole = not is_partial(git)
    settings = None if is_whole else _at_hand(git)
    if settings is not None:
        return as_person(directory, settings, governed_remote(directory, settings.github).name)
    return GitRepository(
        directory,
        remote=ORIGIN,
        branch="main",
        author=("", ""),
        token=None,
        if_denied=None if is_whole else lambda: _INCOMPLETE,
    )


def _at_hand(git: Git) -> Settings | None:
    """The settings of HEAD, if their bytes lie in this clone: nobody is asked for them."""
    done = git.try_run("cat-file", "blob", f"HEAD:{SETTINGS_PATH}", lazy=False)
    try:
        return None if done.returncode else settings_of(done.stdout)
    except DocumentError:
        return None


def open_repository(
    directory: Path, settings: Settings, token: Callable[[], Secret]
) -> GitRepository:
    """The clone of a job, with the branch and the author that the settings name."""
    return GitRepository(
        directory,
        remote=ORIGIN,
        branch=settings.github.default_branch,
        author=(settings.evidence.name, settings.evidence.email),
        token=token,
    )


def as_person(
    directory: Path, settings: Settings, remote: str, not_main: GitError | None = None
) -> PersonsClone:
    """The clone, with that remote, and the person's token if that is what the settings name."""
    loan, if_denied = loan_of(settings.github)
    return PersonsClone(
        directory,
        remote=remote,
        branch=settings.github.default_branch,
        author=(settings.evidence.name, settings.evidence.email),
        token=loan,
        if_denied=if_denied,
        not_main=not_main,
    )
