"""The work tree as git sees it: modes, blobs and bytes of what lies in `access/` and `schemas/`.

It only reads, and it reads what git calls a file: a link is never followed. What has not changed
since it was added is known by the index, so that 10,000 files cost one listing, not 10,000 reads.
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from daypass.adapters.git.process import Git
from daypass.adapters.git.references import find_commit
from daypass.documents.blob import blob_id
from daypass.errors import GitError
from daypass.model.names import SETTINGS_PATH
from daypass.model.tree import (
    EXECUTABLE_FILE,
    REGULAR_FILE,
    SUBMODULE,
    SYMBOLIC_LINK,
    TreeEntry,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from daypass.adapters.tree_changes import TreeChanges

_GOVERNED: Final = ("access", "schemas")
_JUDGED: Final = ("access/", "schemas/", ".github/")
_TYPES: Final = {SUBMODULE: "commit"}  # as `git ls-tree` calls what is no blob
# The largest document is a record of 256 KiB; of anything larger, enough is read to refuse it.
_READ_AT_MOST: Final = 512 * 1024
# Asking for all of that costs twice the reading: so much is laid out in memory, and given back.
_READ_AT_FIRST: Final = 20 * 1024
_IF_DENIED: Final = (
    "This clone is partial, and git may not fetch what it lacks. Let git log in as `gh` does (`gh "
    "auth login`, `gh auth setup-git`), or fetch all of it once: `git fetch --refetch --no-filter`."
)
_OPEN: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK


@dataclass(frozen=True, slots=True)
class WorkTree:
    """A work tree and its repository."""

    git: Git
    root: Path
    git_folder: Path  # for daypass's own files: `.git/daypass`
    prefix: str  # where in the tree the command was called, `` or `path/`
    shallow: bool
    has_index: bool = True  # not after `git clone --no-checkout`: then HEAD's tree is what is there

    @classmethod
    def open(cls, directory: str) -> WorkTree:
        """The work tree that a directory lies in.

        Raises:
            GitError: there is none, or git refuses to read it.
        """
        here = Path(directory)
        if not here.is_dir():
            raise GitError(f"{directory} is no directory", remedy="Name a governed repository.")
        git = Git(here, lambda: _IF_DENIED, helpers=True)
        top = git.place.top
        if git.place.is_bare:
            raise GitError(
                f"{top} is a repository without a work tree",
                remedy=f"Clone it, `git clone {top}`, and run this in the clone.",
            )
        words = ("--git-path", "daypass", "--git-path", "index", "--is-shallow-repository")
        told = git.run("rev-parse", "--path-format=absolute", *words)
        folder, index, shallow = os.fsdecode(told).split("\n")[:3]
        below = os.path.relpath(os.path.realpath(here), top)
        prefix = "" if below == os.curdir else f"{below}/"
        return cls(git, Path(top), Path(folder), prefix, shallow == "true", Path(index).exists())

    def entries(self) -> tuple[TreeEntry, ...]:
        """What lies in `access/` and `schemas/`, as it would be committed now.

        What is not checked out (a sparse checkout, a clone without one) counts as it was committed.
        """
        indexed = self._indexed()
        hash_like = next(iter(indexed.values())).blob if indexed else ""
        differing = self._records(
            "ls-files", "-z", "-t", "-m", "-o", "-d", "--exclude-standard", "--", *_GOVERNED
        )
        gone = set()
        for record in differing:
            tag, _, path = record.partition(" ")
            if tag == "R":  # deleted, or behind a link that took its folder's place
                gone.add(path)
            elif (entry := self._entry(path.rstrip("/"), hash_like)) is not None:
                indexed[entry.path] = entry
        return tuple(indexed[path] for path in sorted(indexed.keys() - gone))

    def _indexed(self) -> dict[str, TreeEntry]:
        """What was added to the index; without an index, what HEAD holds."""
        commit = None if self.has_index else self.head()
        if commit is not None:
            return {entry.path: entry for entry in self.entries_of(commit, *_GOVERNED)}
        indexed: dict[str, TreeEntry] = {}
        for record in self._records("ls-files", "-s", "-z", "--", *_GOVERNED):
            head, _, path = record.partition("\t")
            mode, blob, stage = head.split(" ")
            if stage != "0":
                raise _in_a_merge(path)
            indexed[path] = TreeEntry(mode, blob, path)
        return indexed

    def reader(self, entries: Sequence[TreeEntry]) -> Callable[[str], bytes]:
        """What gives the bytes of each entry by its path: git's, whatever a filter made of them."""
        blob_of = {entry.path: entry.blob for entry in entries}

        def read(path: str) -> bytes:
            blob = blob_of[path]
            try:
                data = self._read(path)
            except (FileNotFoundError, NotADirectoryError):  # not checked out
                return self.blobs([blob])[blob]
            # Attributes can make a checkout differ from what is committed (`eol`, encodings).
            return data if blob_id(data, like=blob) == blob else self.blobs([blob])[blob]

        return read

    def contents(self, entries: Sequence[TreeEntry]) -> Callable[[Sequence[str]], dict[str, bytes]]:
        """What gives the bytes of these entries by their blobs, as `reader` gives them."""
        read = self.reader(entries)
        path_of = {entry.blob: entry.path for entry in entries}
        return lambda blobs: {blob: read(path_of[blob]) for blob in blobs}

    def _read(self, path: str) -> bytes:
        """The first 512 KiB of a file. Links are not followed."""
        descriptor = os.open(f"{self.root}/{path}", _OPEN)
        try:
            data = os.read(descriptor, _READ_AT_FIRST)
            if len(data) == _READ_AT_FIRST:  # more than a document may have: a record, or refused
                data += os.read(descriptor, _READ_AT_MOST - _READ_AT_FIRST)
            return data
        finally:
            os.close(descriptor)

    def settings_elsewhere(self) -> str | None:
        """Find settings of daypass that are not at the root, where alone they are read."""
        commit = None if self.has_index else self.head()
        listing = ("ls-files", "-z", "-c", "-o", "--exclude-standard", "--full-name")
        if commit is not None:
            listing = ("ls-tree", "-r", "-z", "--full-tree", "--name-only", commit)
        found = self._records(*listing)
        return next((path for path in found if path.endswith(f"/{SETTINGS_PATH}")), None)

    def merge_base(self, revision: str) -> str:
        """The commit at which this branch left `revision`.

        Raises:
            GitError: the revision is unknown, the clone is shallow, or histories never met.
        """
        if self.shallow:
            raise GitError(
                "this clone is shallow: where the branch began cannot be known",
                remedy="Fetch the history: `git fetch --unshallow`, or `fetch-depth: 0` for "
                "actions/checkout.",
            )
        commit = self.commit(revision)
        if commit is None:
            raise GitError(
                f"{revision} is no commit of this repository",
                remedy="Fetch it first (`git fetch origin`), or name another, such as origin/main.",
            )
        base = self.ask("merge-base", commit, "HEAD")
        if base is None:
            raise GitError(
                f"{revision} and HEAD have no commit in common",
                remedy="Name the branch that the pull request is to be merged into.",
            )
        return base.decode().strip()

    def commit(self, revision: str) -> str | None:
        """The commit that a revision names; None if there is none.

        Raises:
            GitError: it names two.
        """
        return find_commit(self.git, revision, self._commit_at)

    def _commit_at(self, name: str) -> str | None:
        words = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        told = self.ask(*words)
        return None if told is None else told.decode().strip()

    def changed_since(self, commit: str) -> TreeChanges:
        """What differs between a commit and the work tree: HEAD's tree, and what lies on top.

        Raises:
            GitError: there is no such commit here, or the index is in the middle of a merge.
        """
        from daypass.adapters.tree_changes import tree_changes  # noqa: PLC0415  -- not for all

        found = tree_changes(self.blobs, f"{commit}^{{tree}}", "HEAD^{tree}")
        for path, committed, entry in self._uncommitted():
            if committed is not None and path not in found.now:
                found.before.setdefault(path, committed)
            found.now.pop(path, None)
            if entry is not None:
                found.now[path] = entry
        return found

    def _uncommitted(self) -> Iterator[tuple[str, TreeEntry | None, TreeEntry | None]]:
        """What differs between HEAD and the work tree: path, HEAD's entry, and what is there."""
        commit = self.head() or ""
        words = ("--raw", "-z", "--no-renames", "--no-abbrev", "--ignore-submodules=dirty", commit)
        raw = iter(self._records("diff-index", *words, "--") if self.has_index else ())
        rows = [(head.removeprefix(":").split(" "), next(raw)) for head in raw]
        unread = [path for (_, _, _, blob, status), path in rows if _is_unread(path, blob, status)]
        filtered = self._filtered(unread) if unread else frozenset()
        for (old_mode, mode, old_blob, blob, status), path in rows:
            if status == "U":
                raise _in_a_merge(path)
            if path in filtered:
                continue
            committed = TreeEntry(old_mode, old_blob, path) if status != "A" else None
            entry = None
            if status != "D":
                known = TreeEntry(mode, blob, path) if blob.strip("0") else None
                entry = known or self._entry(path, commit)
            yield path, committed, entry
        for path in self._records("ls-files", "-z", "-o", "--exclude-standard"):
            if (entry := self._entry(path.rstrip("/"), commit)) is not None:
                yield entry.path, None, entry

    def _filtered(self, paths: Sequence[str]) -> frozenset[str]:
        """Those of the paths that a filter stores otherwise than they lie here, as git-lfs does.

        No filter is run, so what would be stored now is not known: they count as not changed.
        """
        asked = b"".join(os.fsencode(path) + b"\0" for path in paths)
        told = self.git.run("check-attr", "-z", "--stdin", "filter", data=asked).split(b"\0")
        rows = zip(told[::3], told[2::3], strict=False)
        return frozenset(
            os.fsdecode(path) for path, value in rows if value not in (b"unspecified", b"unset")
        )

    def head(self) -> str | None:
        """The commit that is checked out; None before the first."""
        return self._commit_at("HEAD")

    def differing(self, commit: str) -> tuple[set[str], dict[str, TreeEntry | None]]:
        """What of `access/` and `schemas/` differs between a commit and the work tree.

        Returns:
            the paths that the commit has, and those that are there now, with what the index knows
            of them (None: not as it is now; ask `entries_at`).

        Raises:
            GitError: there is no such commit here, or the index is in the middle of a merge.
        """
        words = ("diff-index", "--raw", "-z", "--no-renames", "--no-abbrev")
        raw = iter(self._records(*words, "--ignore-submodules=dirty", commit, "--", *_GOVERNED))
        before: set[str] = set()
        places: dict[str, TreeEntry | None] = {}
        for head in raw:
            _, mode, _, blob, status = head.split(" ")
            path = next(raw)
            if status == "U":
                raise _in_a_merge(path)
            if status != "A":
                before.add(path)
            if status != "D":
                places[path] = TreeEntry(mode, blob, path) if blob.strip("0") else None
        others = ("ls-files", "-z", "-o", "--exclude-standard", "--", *_GOVERNED)
        places |= dict.fromkeys(path.rstrip("/") for path in self._records(*others))
        return before, places

    def entries_at(self, places: Mapping[str, TreeEntry | None], like: str) -> list[TreeEntry]:
        """What lies at these paths; where no entry is known the file is read.

        `like` is any id of this repository: it tells the hash.
        """
        entries = (entry or self._entry(path, like) for path, entry in places.items())
        return [entry for entry in entries if entry is not None]

    def apart_from(self, commit: str, entries: Iterable[TreeEntry]) -> tuple[set[str], set[str]]:
        """Where entries differ from a commit's: paths that it has, and paths of `entries`."""
        words = ("ls-tree", "-r", "-z", "--full-tree", commit, "--", *_GOVERNED)
        committed = set(self._records(*words))
        told = {
            f"{entry.mode} {_TYPES.get(entry.mode, 'blob')} {entry.blob}\t{entry.path}"
            for entry in entries
        }
        before, now = committed - told, told - committed
        return {line.partition("\t")[2] for line in before}, {
            line.partition("\t")[2] for line in now
        }

    def entries_of(self, commit: str, *folders: str) -> tuple[TreeEntry, ...]:
        """What lies in `access/`, or in these folders, in a commit's tree."""
        words = ("ls-tree", "-r", "-z", "--full-tree", commit, "--")
        records = self._records(*words, *(folders or ("access/",)))
        entries = []
        for record in records:
            head, _, path = record.partition("\t")
            mode, _, blob = head.split(" ")
            entries.append(TreeEntry(mode, blob, path))
        return tuple(entries)

    def blobs(self, ids: Sequence[str]) -> Mapping[str, bytes]:
        """The contents of objects, by the names that were asked for: ids, or `HEAD^{tree}`."""
        wanted = list(dict.fromkeys(ids))
        if not wanted:
            return {}
        data = "".join(f"{blob}\n" for blob in wanted).encode()
        answer = self.git.run("cat-file", "--batch", data=data)
        contents: dict[str, bytes] = {}
        at = 0
        for blob in wanted:
            end = answer.index(b"\n", at)
            words = answer[at:end].split(b" ")
            if words[-1] == b"missing":
                raise GitError(
                    f"the object {blob} is missing", remedy="Fetch it: `git fetch origin`."
                )
            size = int(words[2])
            contents[blob] = answer[end + 1 : end + 1 + size]
            at = end + 1 + size + 1
        return contents

    def _entry(self, path: str, hash_like: str) -> TreeEntry | None:
        place = self.root / path
        try:
            mode = place.lstat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:  # in git, and in no file system
                return None
            raise
        if stat.S_ISLNK(mode):
            target = os.fsencode(place.readlink())
            return TreeEntry(SYMBOLIC_LINK, blob_id(target, like=hash_like), path)
        if stat.S_ISDIR(mode):  # git lists folders only when they are repositories of their own
            return TreeEntry(SUBMODULE, "0" * len(hash_like), path)
        if not stat.S_ISREG(mode):
            return None
        executable = mode & stat.S_IXUSR and self._modes_are_kept()
        return TreeEntry(
            EXECUTABLE_FILE if executable else REGULAR_FILE,
            blob_id(self._read(path), like=hash_like),
            path,
        )

    def _modes_are_kept(self) -> bool:
        told = self.git.run("config", "--type=bool", "--default=true", "core.fileMode")
        return told.strip() == b"true"

    def ask(self, *words: str) -> bytes | None:
        """What a git command prints here; None when it fails, as for a name that is not there."""
        done = self.git.try_run(*words)
        return None if done.returncode else done.stdout

    def _records(self, *words: str) -> Iterator[str]:
        """What git prints with -z, record by record."""
        for record in self.git.run(*words).split(b"\0")[:-1]:
            yield os.fsdecode(record)


def _is_unread(path: str, blob: str, status: str) -> bool:
    """Whether a file that daypass does not judge may differ from what was added."""
    return status == "M" and not blob.strip("0") and not path.startswith(_JUDGED)


def _in_a_merge(path: str) -> GitError:
    return GitError(f"{path} is in the middle of a merge", remedy="Resolve the conflict first.")
