"""Tags of a clone: written as they are, and read back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.adapters.git.remote import ANCHORS
from daypass.errors import GitError
from daypass.ledger.anchor import PREFIX, number_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from daypass.adapters.git.objects import ObjectReader
    from daypass.adapters.git.process import Git

_ABSENT: Final = "0" * 40
_LARGEST: Final = 8192  # bytes of a tag object: an anchor has some 700


def store_tag(git: Git, content: bytes) -> str:
    """Write a tag object; its id."""
    written = git.run("hash-object", "-t", "tag", "-w", "--stdin", data=content)
    return written.decode().strip()


def name_tag(git: Git, name: str, tag: str) -> str:
    """Write the ref of a tag object; its id. Raises GitError when that name is another tag's."""
    if git.try_run("update-ref", f"refs/tags/{name}", tag, _ABSENT).returncode:
        raise GitError(
            f"there is a tag {name} in this clone already",
            remedy=f"What it says is as good: `git tag -v {name}`.",
        )
    return tag


def tags(git: Git, reader: ObjectReader, prefix: str) -> tuple[tuple[str, bytes], ...]:
    """The tags whose names begin so: name and content. Of a light tag, or a huge one, nothing."""
    return tuple(_read(reader, _listed(git, f"refs/tags/{prefix}*", 2)))


def anchors(git: Git, reader: ObjectReader, above: int) -> Iterator[tuple[str, bytes]]:
    """The fetched tag objects of anchors whose number is above that one, the highest first.

    Anybody who may push tags can make one of any number, and as many as they like: they are read as
    they are asked for.
    """
    rows = [
        (number_of(name), tag, name)
        for tag, name in _listed(git, f"{ANCHORS}*", ANCHORS.count("/"), PREFIX)
        if tag and number_of(name) > above
    ]
    return _read(reader, [(tag, name) for _number, tag, name in sorted(rows, reverse=True)])


def _listed(git: Git, pattern: str, strip: int, prefix: str = "") -> list[tuple[str, str]]:
    """The refs of a pattern: the tag object ("": it is no tag object that is an anchor's), name."""
    form = f"--format=%(objectname) %(objecttype) %(objectsize) %(refname:lstrip={strip})"
    lines = git.run("for-each-ref", form, pattern).decode("utf-8", "replace").splitlines()
    found = []
    for line in lines:
        tag, kind, size, name = line.split(" ", 3)
        is_tag = kind == "tag" and int(size) <= _LARGEST
        found.append((tag if is_tag else "", prefix + name))
    return found


def _read(reader: ObjectReader, rows: Sequence[tuple[str, str]]) -> Iterator[tuple[str, bytes]]:
    contents = reader.read([tag for tag, _name in rows if tag])
    for tag, name in rows:
        item = next(contents) if tag else None
        yield name, item.content if item is not None and item.kind == "tag" else b""
