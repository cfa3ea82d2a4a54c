"""Commits in a stream, as fast as git gives them: no question waits for an answer."""

from __future__ import annotations

import hashlib
from typing import IO, TYPE_CHECKING, Final

from daypass.errors import GitError
from daypass.lifecycle.ports import CommitObject

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from daypass.adapters.git.objects import ObjectReader
    from daypass.adapters.git.process import Git

_BLOCK: Final = 1 << 18


def named(git: Git, names: IO[bytes]) -> Iterator[CommitObject]:
    """The commits of these names, one a line."""
    talk = git.open("cat-file", "--batch", "--buffer", source=names)
    try:
        yield from _parse_commits(talk.stdout)
        talk.finish()
    finally:
        talk.close()


def descended(git: Git, reader: ObjectReader, start: str) -> Iterator[CommitObject]:
    """The commits of `rev-list --first-parent`, newest first.

    git has each of them at hand when it has found the next one. To have another git read them all
    once more would take as long again, and so they are taken as they are shown, made what they
    were, and held against their ids. What differs (a message without a line feed at its end, say)
    is read as it is stored.
    """
    talk = git.open("rev-list", "--first-parent", "--header", "--encoding=none", start)
    try:
        rest = b""
        while block := talk.stdout.read(_BLOCK):
            *shown, rest = (rest + block).split(b"\0")
            yield from _restored(reader, shown)
        talk.finish()
    finally:
        talk.close()


def _restored(reader: ObjectReader, shown: Sequence[bytes]) -> Iterator[CommitObject]:
    sha1 = hashlib.sha1
    found: list[CommitObject | None] = []
    other: list[str] = []
    for text in shown:
        name = text[:40].decode("ascii", "replace")
        at = text.find(b"\n\n") + 1  # after the headers; a message is indented by four spaces
        raw = text[41:at] + text[at:].replace(b"\n    ", b"\n")
        # git's name for these bytes; what vouches for them is the signature, over SHA-512
        digest = sha1(b"commit %d\0%b" % (len(raw), raw), usedforsecurity=False)
        if digest.hexdigest() == name:
            found.append(CommitObject(name, raw))
        else:
            found.append(None)
            other.append(name)
    stored = read(reader, other) if other else iter(())
    return (commit or next(stored) for commit in found)


def read(reader: ObjectReader, ids: Sequence[str]) -> Iterator[CommitObject]:
    """These commits as they are stored. Raises GitError where there is none of that id."""
    for name, item in zip(ids, reader.read(ids), strict=True):
        if item is None or item.kind != "commit":
            raise missing(name)
        yield CommitObject(name, item.content)


def first_parent(raw: bytes) -> str | None:
    """The first parent: the line after `tree`, if it is one."""
    at = raw.find(b"\n") + 1
    if not raw.startswith(b"parent ", at):
        return None
    return raw[at + 7 : raw.find(b"\n", at)].decode("ascii", "replace")


def missing(commit: str) -> GitError:
    """The error of a history that ends where it should not."""
    return GitError(
        f"history ends at commit {commit}, which this clone lacks",
        remedy="Check out with `fetch-depth: 0` (and `filter: blob:none`), or run "
        "`git fetch --unshallow --filter=blob:none`.",
    )


def _parse_commits(stdout: IO[bytes]) -> Iterator[CommitObject]:
    """Read `<id> commit <size>`, a line feed, so many bytes, and another line feed."""
    have, at = b"", 0
    while True:
        line = have.find(b"\n", at)
        stop = -1
        if line >= 0:
            if have[at + 40 : at + 48] != b" commit ":
                raise missing(have[at : at + 40].decode("ascii", "replace"))
            stop = line + 1 + int(have[at + 48 : line])
        if line < 0 or len(have) <= stop:
            more = stdout.read(_BLOCK)
            if not more:
                if at < len(have):
                    raise missing(have[at : at + 40].decode("ascii", "replace"))
                return
            have, at = have[at:] + more, 0
            continue
        yield CommitObject(have[at : at + 40].decode("ascii"), have[line + 1 : stop])
        at = stop + 1
