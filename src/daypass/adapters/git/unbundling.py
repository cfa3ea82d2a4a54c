"""A git bundle, opened as a repository of its own that lasts as long as it is read."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from daypass.adapters.git.bundle_header import REMEDY, main_of, read_refs
from daypass.adapters.git.complaints import complaint
from daypass.adapters.git.process import Git
from daypass.errors import GitError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def unbundled(file: Path) -> Iterator[Path]:
    """A repository with all that the bundle holds; its HEAD is the bundle's main.

    It holds the refs of the bundle's header and no others, and all but tags name one commit: so
    what is judged in it is what `git clone FILE` shows.

    Raises:
        GitError: it is no bundle, is damaged, holds only a part of a history, or its names differ.
    """
    if not file.is_file():
        raise GitError(f"there is no file {str(file)!a}", remedy=REMEDY)
    refs = read_refs(file)
    with tempfile.TemporaryDirectory(prefix="daypass-bundle-") as name:
        folder = Path(name)
        # In `.git`, where it is found whatever is around the folder of temporary files.
        inside = folder / ".git"
        inside.mkdir()
        git = Git.new_bare(inside, "main")
        # A fetch takes nothing in whose bytes are not what their ids say.
        words = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--update-head-ok")
        wanted = [f"+{ref}:{ref}" for ref in refs if ref != "HEAD"]
        done = git.try_run(
            *words,
            "--stdin",
            str(file.resolve()),
            data="".join(f"{line}\n" for line in wanted).encode(),
            settings=(("transfer.fsckObjects", "false"),),
        )
        if done.returncode:
            said = complaint(done.stderr.decode("utf-8", "replace"))
            raise GitError(f"{str(file)!a} cannot be opened: {said}", remedy=REMEDY)
        _demand_the_same(file, git, refs)
        git.run("symbolic-ref", "HEAD", main_of(refs))
        git.run("config", "core.bare", "false")
        yield folder


def _demand_the_same(file: Path, git: Git, refs: dict[str, str]) -> None:
    """Compare what was taken in with what the header says: git passes over some names."""
    rows = git.run("for-each-ref", "--format=%(objecttype) %(objectname) %(refname)").decode()
    found = {}
    for row in rows.splitlines():
        kind, one, ref = row.split(" ", 2)
        found[ref] = one
        if kind != "commit" and not ref.startswith("refs/tags/"):
            raise GitError(f"{str(file)!a} cannot be opened: {ref!a} is no commit", remedy=REMEDY)
    wanted = {name: one for name, one in refs.items() if name != "HEAD"}
    if found != wanted:
        raise GitError(
            f"{str(file)!a} cannot be opened: git takes other refs from it than its header names",
            remedy=REMEDY,
        )
