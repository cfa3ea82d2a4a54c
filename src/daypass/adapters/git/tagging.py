"""Tags of a clone: written as they are, and read back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.adapters.git.remote import ANCHORS
from daypass.errors import GitError
from daypass.ledger.anchor import PREFIX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daypass.adapters.git.objects import ObjectReader
    from daypass.adapters.git.process import Git

_ABSENT: Final = "0" * 40
_MOST: Final = 200  # anchors that are read at once


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
    """The tags whose names begin so: name and content. A light tag has its commit's content."""
    return _read(reader, _listed(git, f"refs/tags/{prefix}*", 2))


def anchors(git: Git, reader: ObjectReader, above: int) -> tuple[tuple[str, bytes], ...]:
    """The fetched anchors whose number is above that one, the newest first, up to a limit.

    Anybody who may push tags can make one of any number, and as many as they like.
    """
    rows = [
        (tag, PREFIX + number)
        for tag, number in _listed(git, f"{ANCHORS}*", ANCHORS.count("/"))
        if number.isdecimal() and number.isascii() and int(number[:18]) > above
    ]
    return _read(reader, rows[: -_MOST - 1 : -1])


def _listed(git: Git, pattern: str, strip: int) -> list[tuple[str, str]]:
    """The refs of a pattern, in the order of their names: object and shortened name."""
    form = f"--format=%(objectname) %(refname:lstrip={strip})"
    lines = git.run("for-each-ref", form, pattern).decode("utf-8", "replace").splitlines()
    return [(line[:40], line[41:]) for line in lines]


def _read(reader: ObjectReader, rows: Sequence[tuple[str, str]]) -> tuple[tuple[str, bytes], ...]:
    found = reader.read([tag for tag, _name in rows])
    return tuple(
        (name, item.content if item is not None and item.kind == "tag" else b"")
        for (_tag, name), item in zip(rows, found, strict=True)
    )
