"""The bare git repository behind a repository of the box's GitHub, through git itself."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from daypass.errors import SandboxError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NOTHING: Final = "0" * 40
_STATUS: Final = {"A": "added", "M": "modified", "D": "removed", "R": "renamed", "T": "changed"}
# GitHub's own rules, at the one place that sees each ref of a push before it moves. The server
# says through the environment whether this actor may pass by the rules of the default branch.
_UPDATE_HOOK: Final = """#!/bin/sh
case "$1" in
  # As GitHub since March 2023: no new name may look like a ref's full name.
  refs/heads/refs/*|refs/tags/refs/*)
    echo "error: branch and tag names that begin with refs/ are not allowed." >&2
    exit 1 ;;
esac
[ "$1" = "refs/heads/$BOX_PROTECTED" ] || exit 0
zero=0000000000000000000000000000000000000000
if [ "$BOX_BYPASS" != 1 ]; then
  echo "error: GH013: Repository rule violations found for $1." >&2
  echo "- Changes must be made through a pull request." >&2
  exit 1
fi
if [ "$3" = "$zero" ]; then
  echo "error: GH013: Cannot delete this protected ref." >&2
  exit 1
fi
[ "$2" = "$zero" ] || git merge-base --is-ancestor "$2" "$3" || {
  echo "error: GH013: Cannot force-push to this protected ref." >&2
  exit 1
}
"""
_POST_RECEIVE_HOOK: Final = """#!/bin/sh
cat >"$BOX_RECEIPT"
"""


@dataclass(frozen=True, slots=True)
class Signature:
    """Who wrote or committed, when (seconds since the epoch) and in which zone (`+0100`)."""

    name: str
    email: str
    seconds: int
    zone: str


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit as git has it."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    author: Signature
    committer: Signature
    message: str
    signature: str | None


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file that differs between two commits."""

    path: str
    previous_path: str | None
    status: str
    blob: str
    additions: int
    deletions: int


class GitStore:
    """One bare repository. Objects never change, so what was read of them is kept."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._commits: dict[str, Commit] = {}
        self._changes: dict[tuple[str, str], tuple[FileChange, ...]] = {}
        self._ranges: dict[tuple[str, str], tuple[str, ...]] = {}
        self._bases: dict[tuple[str, str], str] = {}
        self._merges: dict[tuple[str, str], str | None] = {}

    @classmethod
    def create(cls, path: Path, default_branch: str) -> GitStore:
        """Make an empty bare repository with GitHub's settings and rules."""
        path.mkdir(parents=True)
        store = cls(path)
        store.git("init", "-q", "--bare", f"--initial-branch={default_branch}", ".")
        for key, value in (
            ("http.receivepack", "true"),
            ("uploadpack.allowFilter", "true"),
            ("uploadpack.allowAnySHA1InWant", "true"),
            ("core.logAllRefUpdates", "false"),
            ("gc.auto", "0"),
            ("receive.autogc", "false"),
            # As GitHub: nobody pushes what stands for pull requests.
            ("receive.hideRefs", "refs/pull"),
        ):
            store.git("config", key, value)
        for name, text in (("update", _UPDATE_HOOK), ("post-receive", _POST_RECEIVE_HOOK)):
            hook = path / "hooks" / name
            hook.parent.mkdir(exist_ok=True)
            hook.write_text(text)
            hook.chmod(0o755)
        return store

    def git(self, *words: str, data: bytes = b"", extra: Mapping[str, str] | None = None) -> str:
        """Run git in the repository; its standard output.

        Raises:
            SandboxError: git failed.
        """
        result = self.attempt(*words, data=data, extra=extra)
        if result.returncode != 0:
            raise SandboxError(
                f"git {words[0]} failed in {self.path.name}: "
                f"{result.stderr.decode(errors='replace').strip()}",
                remedy="The box's repository is not as the box made it: start a new box.",
            )
        return result.stdout.decode(errors="surrogateescape")

    def attempt(
        self, *words: str, data: bytes = b"", extra: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run git in the repository, whatever it says."""
        return subprocess.run(  # noqa: S603  -- git, with words of our own and checked names
            ["git", *words],  # noqa: S607  -- the person's own git, as everywhere
            check=False,
            cwd=self.path,
            input=data,
            capture_output=True,
            env=git_environment(self.path) | dict(extra or {}),
        )

    def resolve(self, revision: str) -> str | None:
        """The commit that a revision names; None if there is none."""
        if revision in self._commits:
            return revision
        result = self.attempt(
            "rev-parse", "--verify", "-q", "--end-of-options", f"{revision}^{{commit}}"
        )
        return result.stdout.decode().strip() if result.returncode == 0 else None

    def branch(self, name: str) -> str | None:
        """The head of a branch; None if there is none."""
        if ".." not in name:
            # Refs lie loose here, since nothing packs them; a process would cost 1.5 ms.
            with contextlib.suppress(OSError):
                return (self.path / "refs" / "heads" / name).read_text().strip()
        return self.resolve(f"refs/heads/{name}")

    def commit(self, sha: str) -> Commit:
        """A commit by its full id."""
        with self._lock:
            known = self._commits.get(sha)
        if known is None:
            known = _parse_commit(sha, self.git("cat-file", "commit", sha))
            with self._lock:
                self._commits[sha] = known
        return known

    def commits_between(self, base: str, head: str) -> tuple[str, ...]:
        """Ids of the commits that `head` has and `base` has not, oldest first."""
        key = (base, head)
        if key not in self._ranges:
            listed = self.git("rev-list", "--reverse", "--topo-order", head, f"^{base}")
            self._ranges[key] = tuple(listed.split())
        return self._ranges[key]

    def merge_base(self, one: str, other: str) -> str:
        """The best common ancestor, or the first commit's id itself if there is none."""
        key = (one, other)
        if key not in self._bases:
            result = self.attempt("merge-base", one, other)
            self._bases[key] = result.stdout.decode().strip() or one
        return self._bases[key]

    def merged_tree(self, base: str, head: str) -> str | None:
        """The tree that merging `head` into `base` gives; None if they conflict."""
        key = (base, head)
        if key not in self._merges:
            result = self.attempt("merge-tree", "--write-tree", base, head)
            tree = result.stdout.decode().split("\n")[0]
            self._merges[key] = tree if result.returncode == 0 else None
        return self._merges[key]

    def changes(self, base: str, head: str) -> tuple[FileChange, ...]:
        """The files that differ between two commits; renames are found as GitHub finds them."""
        key = (base, head)
        if key not in self._changes:
            listed = self.git(
                "diff-tree", "-r", "-M", "-z", "--raw", "--numstat", "--no-abbrev", base, head
            )
            self._changes[key] = _parse_changes(listed)
        return self._changes[key]

    def blob(self, commit: str, path: str) -> tuple[str, bytes] | None:
        """Id and content of a file in a commit; None if there is no such file."""
        found = self.attempt("rev-parse", "--verify", "-q", "--end-of-options", f"{commit}:{path}")
        if found.returncode != 0:
            return None
        sha = found.stdout.decode().strip()
        content = self.attempt("cat-file", "blob", sha)
        return (sha, content.stdout) if content.returncode == 0 else None

    def move(self, ref: str, new: str, old: str) -> bool:
        """Move a ref from `old` to `new`; False if it was elsewhere. `NOTHING` is no ref."""
        if new == NOTHING:
            return self.attempt("update-ref", "-d", ref, old).returncode == 0
        return self.attempt("update-ref", ref, new, old).returncode == 0


def git_environment(home: Path) -> dict[str, str]:
    """An environment in which git takes no configuration from the person or the machine."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
    }


def _parse_commit(sha: str, raw: str) -> Commit:
    head, _, message = raw.partition("\n\n")
    fields: dict[str, list[str]] = {}
    name = ""
    for line in head.split("\n"):
        if line.startswith(" "):
            fields[name][-1] += "\n" + line[1:]
        else:
            name, _, value = line.partition(" ")
            fields.setdefault(name, []).append(value)
    return Commit(
        sha=sha,
        tree=fields["tree"][0],
        parents=tuple(fields.get("parent", ())),
        author=_parse_signature(fields["author"][0]),
        committer=_parse_signature(fields["committer"][0]),
        message=message.removesuffix("\n"),
        signature=fields["gpgsig"][0] if "gpgsig" in fields else None,
    )


def _parse_signature(text: str) -> Signature:
    who, _, when = text.rpartition("> ")
    name, _, email = who.rpartition("<")
    seconds, _, zone = when.partition(" ")
    return Signature(name.strip(), email, int(seconds), zone)


def _parse_changes(listed: str) -> tuple[FileChange, ...]:
    words = iter(listed.split("\0"))
    raw: list[tuple[str, str, str, str | None]] = []  # status, blob, path, previous path
    counts: dict[str, tuple[int, int]] = {}
    for word in words:
        if word.startswith(":"):
            _, _, old, new, status = word.split(" ")
            path, previous = next(words), None
            if status[0] in "RC":
                path, previous = next(words), path
            raw.append(
                (_STATUS.get(status[0], "changed"), old if status == "D" else new, path, previous)
            )
        elif word:
            added, removed, path = word.split("\t", 2)
            if not path:  # a rename: both names follow
                next(words)
                path = next(words)
            counts[path] = (_count(added), _count(removed))
    return tuple(
        FileChange(path, previous, status, blob, *counts.get(path, (0, 0)))
        for status, blob, path, previous in raw
    )


def _count(text: str) -> int:
    return 0 if text == "-" else int(text)
