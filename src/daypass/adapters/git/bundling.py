"""Bundles: main with its whole history in one file, which stock git clones and verifies.

What is written comes from a repository made for the purpose, that borrows the clone's objects: so
neither the clone's refs nor its configuration have a say in what goes into an archive, and an
object that a partial clone never fetched is missed here, and not by whoever opens the file later.
"""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from daypass.adapters.git.bundle_header import read_refs
from daypass.adapters.git.process import Git
from daypass.errors import GitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PIECE: Final = 1 << 20


def write_bundle(
    directory: Path, head: str, branch: str, add: Callable[[bytes], None]
) -> dict[bytes, bytes]:
    """Write all that `head` reaches, as `branch`, with the tags that point into it.

    It is made and read back in a folder of its own, where no other user can swap it; returns the
    SHA-256 and SHA-512 of the very bytes that were passed on, by the names that SSHSIG gives them.

    Args:
        directory: a clone; nothing in it changes.
        head: the commit that `branch` names in the bundle.
        branch: also the bundle's HEAD, which a clone of it checks out.
        add: takes the file, piece by piece.

    Raises:
        GitError: an object is missing (a shallow or partial clone, a broken one), the disk is
            full, or what was written does not come back.
    """
    clone = Git(directory)
    objects = clone.run("rev-parse", "--path-format=absolute", "--git-path", "objects")
    tags = clone.run(
        "for-each-ref", f"--merged={head}", "--format=%(refname) %(objectname)", "refs/tags"
    )
    with _empty(branch) as lent:
        (lent.directory / "objects" / "info" / "alternates").write_bytes(objects)
        refs = [f"refs/heads/{branch} {head}", *tags.decode().splitlines()]
        commands = "".join(f"create {ref}\n" for ref in refs)
        lent.run("update-ref", "--stdin", data=commands.encode())
        if lent.try_run("rev-list", "--objects", "--quiet", "--all").returncode:
            raise GitError(
                f"{directory} does not hold all of the history up to {head[:12]}: an archive of it "
                "would be incomplete",
                remedy="Bundle from a full clone: `git clone URL`, without --depth and --filter.",
            )
        bundle = lent.directory / "main.bundle"
        lent.run("bundle", "create", "--quiet", str(bundle), "HEAD", "--branches", "--tags")
        _demand_one_meaning(bundle)
        _read_back(bundle, head, branch)
        return _pass_on(bundle, add)


def _demand_one_meaning(bundle: Path) -> None:
    """Read the header as `audit verify --bundle` does."""
    try:
        read_refs(bundle)
    except GitError as error:
        raise GitError(
            f"an archive of this clone would be refused by `audit verify`: {error.message}",
            remedy="Delete or rename that tag: `git tag -d NAME`.",
        ) from error


def _pass_on(bundle: Path, add: Callable[[bytes], None]) -> dict[bytes, bytes]:
    digests = {b"sha256": hashlib.sha256(), b"sha512": hashlib.sha512()}
    with bundle.open("rb") as stream:
        while piece := stream.read(_PIECE):
            add(piece)
            for digest in digests.values():
                digest.update(piece)
    return {name: digest.digest() for name, digest in digests.items()}


def _read_back(bundle: Path, head: str, branch: str) -> None:
    """Fetch from it into nothing: git checks every object, and that none is missing."""
    with _empty(branch) as repository:
        repository.run("fetch", "--quiet", str(bundle.resolve()), "+refs/*:refs/*")
        found = repository.run("rev-parse", f"refs/heads/{branch}").decode().strip()
        if found != head:
            raise GitError(
                f"the bundle holds {found[:12]}, not {head[:12]}",
                remedy="Run it again; check the disk.",
            )


@contextmanager
def _empty(branch: str) -> Iterator[Git]:
    """A bare repository with nothing in it, for as long as the block lasts."""
    with TemporaryDirectory(prefix="daypass-bundle-") as folder:
        repository = Git.new_bare(Path(folder), branch)
        (Path(folder) / "objects" / "info").mkdir(exist_ok=True)
        yield repository
