"""Files of HEAD, for a clone that does not have them checked out.

A job checks nothing out, and a sparse checkout may lack `access/`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from daypass.adapters.git.process import Git
from daypass.model.tree import REGULAR_FILE

if TYPE_CHECKING:
    from collections.abc import Callable

    from daypass.adapters.git.repository import GitRepository


def head_file(repository: GitRepository, path: str, revision: str = "HEAD") -> bytes | None:
    """Read a regular file of HEAD's (or another) tree; None where there is none at that path.

    Raises:
        GitError: the clone has no HEAD, or the file's bytes cannot be fetched.
    """
    found = repository.entries(repository.resolve(revision), path)
    if [(entry.path, entry.mode) for entry in found] != [(path, REGULAR_FILE)]:
        return None
    return repository.blobs([found[0].blob])[found[0].blob]


def authorities_folder(
    directory: Path,
    name: str | None,
    clone: Callable[[], GitRepository],
    commit: str | None = None,
) -> Path:
    """Find the folder in which the settings' `caFile` can be read.

    Args:
        directory: the work tree.
        name: a path in the repository; None where the system's authorities serve.
        clone: opens the clone of that work tree.
        commit: whose file serves, whatever the work tree has; None: the work tree's, else HEAD's.

    Returns:
        the work tree itself where it has the file, or HEAD has none either; else a folder below
        `.git/daypass` that holds a copy of HEAD's.

    Raises:
        GitError: the clone has no HEAD, or the file's bytes cannot be fetched.
    """
    if name is None or (commit is None and (directory / name).is_file()):
        return directory
    with clone() as repository:
        content = head_file(repository, name, commit or "HEAD")
    if content is None:
        return directory
    kept = Git(directory).run("rev-parse", "--path-format=absolute", "--git-path", "daypass")
    folder = Path(kept.decode("utf-8", "surrogateescape").removesuffix("\n")) / "head"
    place = folder / name
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=place.parent, delete=False) as written:
        written.write(content)
    Path(written.name).replace(place)
    return folder
