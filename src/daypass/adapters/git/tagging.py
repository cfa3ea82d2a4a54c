"""Tags of a clone: written as they are, and read back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.errors import GitError

if TYPE_CHECKING:
    from daypass.adapters.git.objects import ObjectReader
    from daypass.adapters.git.process import Git

_ABSENT: Final = "0" * 40


def store_tag(git: Git, content: bytes) -> str:
    """Write a tag object; its id."""
    written = git.run("hash-object", "-t", "tag", "-w", "--stdin", data=content)
    return written.decode().strip()


def name_tag(git: Git, name: str, tag: str) -> None:
    """Write the ref of a tag object. Raises GitError when there is another tag of that name."""
    if git.try_run("update-ref", f"refs/tags/{name}", tag, _ABSENT).returncode:
        raise GitError(
            f"there is a tag {name} in this clone already",
            remedy=f"What it says is as good: `git tag -v {name}`.",
        )


def tags(git: Git, reader: ObjectReader, prefix: str) -> tuple[tuple[str, bytes], ...]:
    """The tags whose names begin so: name and content. A light tag has its commit's content."""
    listed = git.run(
        "for-each-ref", "--format=%(objectname) %(refname:lstrip=2)", f"refs/tags/{prefix}*"
    )
    rows = [line.split(" ", 1) for line in listed.decode().splitlines()]
    found = reader.read([tag for tag, _name in rows])
    return tuple(
        (name, item.content if item is not None and item.kind == "tag" else b"")
        for (_tag, name), item in zip(rows, found, strict=True)
    )
