"""Names of commits, as people give them: one meaning each, or a refusal.

git looks for `main` in six places, and the first are a file `.git/main`, `refs/main` and a tag;
what it finds first, it takes, with a warning. Here `main` is a branch, a remote's branch or a tag,
and where it could be two of them that differ it is refused.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from daypass.errors import GitError

if TYPE_CHECKING:
    from daypass.adapters.git.process import Git

_FULL_ID: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_PART_OF_ID: Final = re.compile(r"[0-9a-fA-F]{4,64}")
# What git calls a name of a ref, and what may follow one: `^`, `^2`, `~3`, `^{commit}`, `^0`.
_REVISION: Final = re.compile(
    r"(?P<name>(?!-)(?!.*(?:\.\.|@\{|//))[^\x00-\x20\x7f~^:?*\[\\]+)"
    r"(?P<steps>(?:\^\{(?:commit)?\}|[\^~][0-9]{0,6})*)"
)
# What `git describe` says of a commit: the nearest tag, how far it is, and the beginning of its id.
_DESCRIBED: Final = re.compile(r".+-[0-9]+-g(?P<id>[0-9a-f]{4,64})")
# Files beside HEAD that git itself writes.
_IS_HEAD: Final = re.compile(r"@(?=[\^~]|\Z)")
_PSEUDO: Final = frozenset({"HEAD", "ORIG_HEAD", "FETCH_HEAD", "MERGE_HEAD", "CHERRY_PICK_HEAD"})
_FOLDERS: Final = ("refs/heads/{}", "refs/remotes/{}", "refs/remotes/{}/HEAD", "refs/tags/{}")
_SHORTENED: Final = ("heads/", "remotes/", "tags/")  # full names without their `refs/`
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
            remote's branch (`origin/main`) or a tag; with `^` and `~` behind it, if need be; or
            what `git describe` says.
        commit_at: looks up ids and HEAD, with `^` and `~` behind them.

    Raises:
        GitError: it names two commits, or has another form.
    """
    parts = _REVISION.fullmatch(f"HEAD{revision[1:]}" if _IS_HEAD.match(revision) else revision)
    if parts is None:
        raise _another_form(revision)
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


def _another_form(revision: str) -> GitError:
    """Make the error of what git may take for a commit, and daypass does not."""
    if "@{" in revision and not _CONTROL.search(revision):
        return GitError(
            f"{revision!a} is no commit: names with `@{{…}}` are not taken, for what they mean "
            "depends on the settings and the reflog of this clone",
            remedy="Name the branch itself, such as `origin/main`, or the commit's id: "
            f"`git rev-parse --verify {shlex.quote(revision)}`.",
        )
    return GitError(
        f"{revision!a} is no commit: names of that form are not taken",
        remedy="Give a commit's id, HEAD, a branch, a remote's branch such as `origin/main`, or a "
        "tag; `^` and `~2` may follow.",
    )


def _of_refs(git: Git, name: str, commit_at: CommitAt) -> dict[str, str]:
    """The refs of that name, and their commits."""
    full = [name] if name.startswith("refs/") else [folder.format(name) for folder in _FOLDERS]
    full += [f"refs/{name}"] if name.startswith(_SHORTENED) else []
    found: dict[str, str] = {}
    form = "--format=%(objecttype) %(objectname) %(refname)"
    for row in git.run("for-each-ref", form, *full).decode("utf-8", "surrogateescape").splitlines():
        kind, one, ref = row.split(" ", 2)
        if ref in full:  # a pattern also finds what is below it, as in a folder
            commit = one if kind == "commit" else commit_at(one)
            found |= {} if commit is None else {ref: commit}
    return found


def _of_part(git: Git, name: str, commit_at: CommitAt) -> dict[str, str]:
    """The commits whose ids begin so, or are described so. No ref has a say."""
    described = _DESCRIBED.fullmatch(name)
    part = described["id"] if described is not None else name
    if _PART_OF_ID.fullmatch(part) is None:
        return {}
    ids = git.run("rev-parse", f"--disambiguate={part.lower()}").decode().split()
    return {one: one for one in ids if commit_at(one) == one}
