"""Names of commits, as people give them: one meaning each, or a refusal.

git looks for `main` in six places, and the first are a file `.git/main`, `refs/main` and a tag;
what it finds first, it takes, with a warning. Here `main` is a branch, a remote's branch or a tag,
and where it could be two of them that differ it is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from daypass.errors import GitError

if TYPE_CHECKING:
    from daypass.adapters.git.process import Git

_FULL_ID: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_PART_OF_ID: Final = re.compile(r"[0-9a-fA-F]{4,64}")
# What git calls a name of a ref, and what may follow one: `^`, `^2`, `~3`, `^{commit}`, `^0`.
_REVISION: Final = re.compile(
    r"(?P<name>(?!-)(?!.*(?:\.\.|@\{|//))[^\x00-\x20\x7f~^:?*\[\\]+)"
    r"(?P<steps>(?:\^\{(?:commit)?\}|[\^~][0-9]{0,6})*)"
)
# Files beside HEAD that git itself writes.
_PSEUDO: Final = frozenset({"HEAD", "ORIG_HEAD", "FETCH_HEAD", "MERGE_HEAD", "CHERRY_PICK_HEAD"})
_FOLDERS: Final = ("refs/heads/{}", "refs/remotes/{}", "refs/remotes/{}/HEAD", "refs/tags/{}")
# The commit that an id or a name in full leads to; None if there is none.
CommitAt = Callable[[str], "str | None"]


def is_full_id(revision: str) -> bool:
    """Whether it names an object by all of its id, which no ref can change."""
    return _FULL_ID.fullmatch(revision) is not None


def find_commit(git: Git, revision: str, commit_at: CommitAt) -> str | None:
    """The id of the commit that a revision names in this clone; None if there is none.

    Args:
        git: in the clone.
        revision: an id or the beginning of one, HEAD, a full ref, or the name of a branch, a
            remote's branch (`origin/main`) or a tag; with `^` and `~` behind it, if need be.
        commit_at: looks up ids and HEAD, with `^` and `~` behind them.

    Raises:
        GitError: it names two commits.
    """
    parts = _REVISION.fullmatch("HEAD" if revision == "@" else revision)
    if parts is None:
        return None
    name, steps = parts["name"], parts["steps"]
    if name in _PSEUDO or is_full_id(name):
        return commit_at(name + steps)
    found = _of_refs(git, name, commit_at) | _of_part(git, name, commit_at)
    if len(set(found.values())) > 1:
        first, second, *_ = found
        raise GitError(
            f"{name!a} is ambiguous in this clone: it could be {first!a} or {second!a}, which "
            "differ",
            remedy=f"Name one of them in full, such as {first!a}.",
        )
    commit = next(iter(found.values()), None)
    return commit_at(commit + steps) if commit is not None and steps else commit


def _of_refs(git: Git, name: str, commit_at: CommitAt) -> dict[str, str]:
    """The refs of that name, and their commits."""
    full = [name] if name.startswith("refs/") else [folder.format(name) for folder in _FOLDERS]
    found: dict[str, str] = {}
    form = "--format=%(objecttype) %(objectname) %(refname)"
    for row in git.run("for-each-ref", form, *full).decode("utf-8", "surrogateescape").splitlines():
        kind, one, ref = row.split(" ", 2)
        if ref in full:  # a pattern also finds what is below it, as in a folder
            commit = one if kind == "commit" else commit_at(one)
            found |= {} if commit is None else {ref: commit}
    return found


def _of_part(git: Git, name: str, commit_at: CommitAt) -> dict[str, str]:
    """The commits whose ids begin so. No ref has a say."""
    if _PART_OF_ID.fullmatch(name) is None:
        return {}
    ids = git.run("rev-parse", f"--disambiguate={name.lower()}").decode().split()
    return {one: one for one in ids if commit_at(one) == one}
