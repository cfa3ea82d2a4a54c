"""A git bundle, opened as a repository of its own that lasts as long as it is read."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from daypass.adapters.git.process import Git, complaint
from daypass.errors import GitError

if TYPE_CHECKING:
    from collections.abc import Iterator

_REMEDY: Final = (
    "Give a bundle of a whole history, such as `daypass audit bundle` or `git bundle create FILE "
    "main` writes."
)


@contextmanager
def unbundled(file: Path) -> Iterator[Path]:
    """A bare repository with all that the bundle holds; its HEAD is the bundle's main.

    Raises:
        GitError: it is no bundle, is damaged, or holds only a part of a history.
    """
    if not file.is_file():
        raise GitError(f"there is no file {str(file)!a}", remedy=_REMEDY)
    with tempfile.TemporaryDirectory(prefix="daypass-bundle-") as name:
        folder = Path(name)
        git = Git(folder)
        git.run("init", "--quiet", "--bare", "--initial-branch=main", ".")
        # A fetch takes nothing in whose bytes are not what their ids say.
        words = ("fetch", "--quiet", "--no-write-fetch-head", "--", str(file.resolve()))
        done = git.try_run(*words, "+refs/*:refs/*", settings=(("transfer.fsckObjects", "false"),))
        if done.returncode:
            said = complaint(done.stderr.decode("utf-8", "replace"))
            raise GitError(f"{str(file)!a} cannot be opened: {said}", remedy=_REMEDY)
        heads = git.run("for-each-ref", "--format=%(refname)", "refs/heads").decode().split()
        if heads and "refs/heads/main" not in heads:
            if len(heads) > 1:
                raise GitError(
                    f"{str(file)!a} holds several branches, and none is main",
                    remedy="Name the one to judge with --revision.",
                )
            git.run("symbolic-ref", "HEAD", heads[0])
        yield folder
