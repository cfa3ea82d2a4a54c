"""The clone that a run works in: objects and refs, never the work tree."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from daypass.adapters.git.ancestry import RecentLine
from daypass.adapters.git.listing import Listings
from daypass.adapters.git.objects import ObjectReader
from daypass.adapters.git.pack import Pack
from daypass.adapters.git.packfile import store
from daypass.adapters.git.process import Git
from daypass.adapters.git.references import find_commit
from daypass.adapters.git.remote import Remote
from daypass.adapters.git.tagging import anchors, name_tag, store_tag, tags
from daypass.adapters.git.tree import TreeEditor
from daypass.adapters.git.walking import (
    beside,
    changed_by,
    changes,
    commits,
    introductions,
    leads,
    line,
    touching,
    walk,
)
from daypass.errors import GitError
from daypass.ledger import sshsig
from daypass.ledger.commitobject import CommitDraft, with_signature

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

    from daypass.adapters.git.lending import Loan
    from daypass.adapters.git.walking import Change
    from daypass.lifecycle.ports import CommitObject, NewCommit, Signer
    from daypass.model.instant import Instant
    from daypass.model.secret import Secret
    from daypass.model.tree import TreeEntry

_ID: Final = re.compile(r"[0-9a-f]{40}")


class GitRepository:
    """The `Repository` port over stock git. A context manager: it ends the git that it talks to.

    `remote` is the name of a configured remote, `branch` the default branch; `author` is the name
    and e-mail address that evidence commits carry; `token` gives what the remote wants for each
    fetch and push (None: nothing; of a person, a loan); `if_denied` gives the remedy when the
    remote refuses (None: the App's); `not_main` is why that remote's main is not the one that is
    meant (None: it is).
    """

    def __init__(
        self,
        directory: Path,
        *,
        remote: str,
        branch: str,
        author: tuple[str, str],
        token: Callable[[], Secret] | Loan | None,
        if_denied: Callable[[], str] | None = None,
        not_main: GitError | None = None,
    ) -> None:
        self._git = Git(directory, if_denied) if if_denied else Git(directory)
        answer = self._git.run(
            "rev-parse",
            "--is-shallow-repository",
            "--show-object-format",
            "--path-format=absolute",
            "--git-path",
            "objects/pack",
        )
        shallow, object_format, folder = os.fsdecode(answer).split("\n", 2)
        self._pack_folder = Path(folder.removesuffix("\n"))
        if object_format != "sha1":
            raise GitError(
                f"{directory} keeps its objects by {object_format}",
                remedy="daypass works with SHA-1 repositories, which is what GitHub offers.",
            )
        self._shallow = shallow == "true"
        self._remote = Remote(self._git, remote, branch, token)
        self._remote.lend_token()
        self._author = author
        self._not_main = not_main
        self._reader = ObjectReader(self._git)
        self._recent = RecentLine(self._reader)
        self._pack = Pack()
        self._listings = Listings(self._tree)
        self._parents: dict[str, str] = {}  # of the commits that were written here

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every process that was started."""
        self._reader.close()

    def fetch(self) -> str:
        """Fetch the default branch and return its head.

        Raises GitError when the remote cannot be reached, or is another repository;
        ForgeRefusedError when it refuses.
        """
        if self._not_main is not None:
            raise self._not_main
        self._remote.fetch()
        return self.head()

    def head(self) -> str:
        """The head of the default branch, as last fetched. Raises GitError if there is none."""
        return self.resolve(self._remote.tracking_ref)

    def resolve(self, revision: str) -> str:
        """The commit that a revision names (`HEAD`, a branch, an abbreviated id).

        Raises:
            GitError: there is no such commit in this clone, or the name is ambiguous.
        """
        found = find_commit(self._git, revision, self._commit_at)
        if found is None:
            raise GitError(
                f"there is no commit {revision!r} in {self._git.directory}",
                remedy="Fetch it first: `git fetch origin` in a clone of full depth.",
            )
        return found

    def _commit_at(self, name: str) -> str | None:
        found = self._reader.one(name + "^{commit}")
        return None if found is None or found.kind != "commit" else found.id

    def merge_base(self, one: str, other: str) -> str:
        """The commit where two lines of history parted.

        Raises:
            GitError: they have none in common, or the clone is shallow.
        """
        self.assert_complete()
        done = self._git.try_run("merge-base", _checked(one), _checked(other))
        if done.returncode:
            raise GitError(
                f"{one[:12]} and {other[:12]} have no history in common",
                remedy="Compare with the branch that the change is to be merged into.",
            )
        return done.stdout.decode().strip()

    def fetch_pull_request(self, number: int, head: str) -> None:
        """Fetch the commits of a pull request. Raises GitError if its head is not `head`."""
        self._remote.fetch_pull_request(number)
        if self.resolve(f"refs/daypass/pull/{int(number)}") != head:
            raise GitError(
                f"pull request #{number} was pushed to while it was read",
                remedy="Run it again.",
            )

    @property
    def directory(self) -> Path:
        """Where the clone is."""
        return self._git.directory

    @property
    def is_partial(self) -> bool:
        """Whether the clone lacks blobs, and asks its remote for them."""
        return self._remote.is_partial()

    def assert_complete(self) -> None:
        """Raise GitError if the clone is shallow: provenance would end in nothing."""
        if self._shallow:
            raise GitError(
                f"{self._git.directory} is a shallow clone: where its history ends, nothing is "
                "known",
                remedy="Check out with `fetch-depth: 0` (and `filter: blob:none`), or run "
                "`git fetch --unshallow --filter=blob:none`.",
            )

    def entries(self, commit: str, folder: str) -> tuple[TreeEntry, ...]:
        """All entries below a folder of that commit's tree, recursively; empty if there is none.

        A path that is a file is its own only entry; `""` is the whole tree.
        """
        self._flush()
        return self._listings.entries(self._demand(commit), folder)

    def children(self, commit: str, folder: str) -> tuple[TreeEntry, ...]:
        """What is directly in a folder of that commit's tree, folders too; `""` is the root."""
        self._flush()
        return self._listings.children(self._demand(commit), folder)

    def blobs(self, ids: Sequence[str]) -> dict[str, bytes]:
        """The contents of blobs (fetched from the remote, all at once, if the clone is partial).

        Raises:
            GitError: one of them is not to be had.
        """
        self._flush()
        wanted = sorted({_checked(name) for name in ids})
        self._remote.prefetch(wanted)
        contents: dict[str, bytes] = {}
        for name, found in zip(wanted, self._reader.read(wanted), strict=True):
            if found is None or found.kind != "blob":
                raise _missing("blob", name)
            contents[name] = found.content
        return contents

    def introductions(self, commit: str, paths: Sequence[str]) -> dict[str, str]:
        """For each path, the newest first-parent commit up to `commit` that changed it.

        The walk ends when each is found; a path that no commit changed is left out. Raises GitError
        in a shallow clone, where the oldest commit would be blamed for everything.
        """
        self.assert_complete()
        self._flush()
        return introductions(self._git, _checked(commit), paths)

    def changed_by(
        self, since: str | None, until: str, paths: Sequence[str]
    ) -> dict[str, dict[str, str | None]]:
        """For each path, all commits of (since, until] that changed it, and what to."""
        self.assert_complete()
        self._flush()
        return changed_by(self._git, since and _checked(since), _checked(until), paths)

    def touching(self, since: str | None, until: str, paths: Sequence[str]) -> tuple[str, ...]:
        """First-parent commits in (since, until] that change one of `paths`, oldest first."""
        self.assert_complete()
        self._flush()
        return touching(self._git, since and _checked(since), _checked(until), paths)

    def changes(
        self, until: str, paths: Sequence[str], since: str | None = None
    ) -> Iterator[tuple[str, tuple[Change, ...]]]:
        """First-parent commits of (since, until] that change `paths`, oldest first, with what."""
        self.assert_complete()
        self._flush()
        return changes(self._git, _checked(until), paths, since and _checked(since))

    def line(self, since: str | None, until: str) -> list[str]:
        """First-parent commits of (since, until], oldest first. `commits` reads and proves them."""
        self.assert_complete()
        self._flush()
        return line(self._git, since and _checked(since), _checked(until))

    def commits(self, since: str | None, ids: Sequence[str]) -> Iterator[CommitObject]:
        """The commits of a `line`, read as they are asked for.

        Raises GitError where one does not stand on the one before it.
        """
        return commits(self._git, since, ids)

    def leads(self, older: str, newer: str) -> bool:
        """Whether `older` is on the first-parent line of `newer`; False if there is no such."""
        self._flush()
        return leads(self._git, _checked(older), _checked(newer))

    def walk(self, commit: str) -> Iterator[CommitObject]:
        """First-parent commits from `commit` back, newest first, read as they are asked for.

        Raises GitError where a shallow clone ends: the beginning of history is not that.
        """
        self._flush()
        return walk(self._git, self._reader, _checked(commit))

    def beside(self, commit: str, since: str | None = None) -> Iterator[CommitObject]:
        """Commits that `commit` reaches (and `since` does not) by second and later parents only."""
        self._flush()
        return beside(self._git, self._reader, _checked(commit), since and _checked(since))

    def is_ancestor(self, older: str, newer: str) -> bool:
        """Whether `older` is `newer`, or before it. GitError: no `newer`, or a shallow clone."""
        self._flush()
        if older == newer:
            self._demand(older)
            return True
        if not self._shallow and self._recent.has(_checked(older), _checked(newer)):
            return True
        done = self._git.try_run("merge-base", "--is-ancestor", _checked(older), _checked(newer))
        if done.returncode <= 1:
            return done.returncode == 0
        self._demand(newer)
        if (found := self._reader.one(older)) is None:
            self.assert_complete()
        elif found.kind in ("commit", "tag"):
            raise self._git.explain("merge-base", done.stderr)
        return False  # whatever else it is

    def write_commits(
        self, parent: str, commits: Iterator[NewCommit], signer: Signer, when: Instant
    ) -> Iterator[str]:
        """Write signed commits one on top of the other, dated `when` or later.

        Yields each id before it asks for the next commit, whose message may name it. The objects
        reach the disk together, when the last commit is written or somebody reads or pushes.

        Raises:
            GitError: `parent` is no commit, or a path cannot be changed as asked.
        """
        self._flush()
        root = self._demand(parent)
        editor = TreeEditor(root, self._tree, self._pack)
        name, email = self._author
        for new in commits:
            when = max(when, new.not_before or when)
            draft = CommitDraft(
                tree=editor.apply(new.changes),
                parent=parent,
                name=name,
                email=email,
                seconds=when.seconds,
                message=new.message,
            )
            payload = draft.payload()
            signature = signer.sign(sshsig.bytes_to_sign(payload))
            armoured = sshsig.armoured_signature(signer.public_key(), signature)
            commit = self._pack.add("commit", with_signature(payload, armoured))
            self._parents[commit] = parent
            parent = commit
            yield commit
        self._flush()

    def push(self, commit: str, expected: str) -> None:
        """Move the default branch of the remote from `expected` to `commit`.

        Raises PushRaceError when it was elsewhere, ForgeRefusedError when a rule forbids it,
        GitError when `commit` does not build on `expected` or the remote cannot be reached.
        """
        self._flush()
        base = commit
        while base != expected and base in self._parents:
            base = self._parents[base]
        if not self.is_ancestor(expected, base):
            raise GitError(
                f"{commit} does not build on {expected}: pushing it would rewrite main",
                remedy="This is a fault in daypass; nothing was pushed. Please report it.",
            )
        self._remote.push(commit, expected)

    def write_tag(self, name: str, content: bytes) -> str:
        """Write a tag object and its ref in this clone; the object's id.

        Raises GitError when there is another tag of that name.
        """
        self._flush()
        return name_tag(self._git, name, store_tag(self._git, content))

    def push_tag(self, name: str, content: bytes) -> bool:
        """Write and publish a tag object; no, if another has the name. Raises as `push` does."""
        return self._remote.push_tag(name, store_tag(self._git, content))

    def tags(self, prefix: str) -> tuple[tuple[str, bytes], ...]:
        """The tags whose names begin so: name and content. A light tag has no content."""
        return tags(self._git, self._reader, prefix)

    def anchors(self, above: int) -> Iterator[tuple[str, bytes]]:
        """The remote's anchors above that number, as last fetched: name and content."""
        return anchors(self._git, self._reader, above)

    def _flush(self) -> None:
        if len(self._pack):
            store(self._pack_folder, self._pack.packed())
            self._pack.clear()

    def _tree(self, name: str) -> bytes:
        found = self._reader.one(name)
        if found is None or found.kind != "tree":
            raise _missing("tree", name)
        return found.content

    def _demand(self, commit: str) -> str:
        """The id of that commit's tree. Raises GitError if it is no commit of this clone."""
        found = self._reader.one(_checked(commit))
        if found is None or found.kind != "commit":
            raise _missing("commit", commit)
        return found.content.split(b"\n", 1)[0].removeprefix(b"tree ").decode()


def _checked(name: str) -> str:
    if _ID.fullmatch(name) is None:
        raise _missing("object", name)
    return name


def _missing(kind: str, name: str) -> GitError:
    return GitError(
        f"there is no {kind} {name!r} in this clone",
        remedy="Fetch main in full depth (`fetch-depth: 0`), then run the command again.",
    )
