"""The header of a git bundle: which refs it has, read strictly, before any of them is believed.

A bundle can name one commit as main and another as HEAD, or main twice. What is judged must be what
stock `git clone FILE` shows to the next reader, so such a bundle is refused.
"""

from __future__ import annotations

import re
from typing import IO, TYPE_CHECKING, Final

from daypass.errors import GitError

if TYPE_CHECKING:
    from pathlib import Path

REMEDY: Final = (
    "Give a bundle of a whole history and of main alone, such as `daypass audit bundle FILE` or "
    "`git bundle create FILE HEAD main` writes."
)
_SIGNATURES: Final = (b"# v2 git bundle\n", b"# v3 git bundle\n")
_CAPABILITY: Final = b"@object-format=sha1\n"  # the one that changes nothing
_REF: Final = re.compile(r"(?P<id>[0-9a-f]{40}) (?P<name>HEAD|refs/[^\x00-\x20\x7f~^:?*\[\\]+)\n")
_LONGEST: Final = 4096  # bytes of a line
_MOST: Final = 100_000  # refs
_HEADS: Final = "refs/heads/"
_TAGS: Final = "refs/tags/"
_TAKEN: Final = (_HEADS, _TAGS, "refs/remotes/")
# What people and other tools call the main branch, whatever it is called in the bundle.
_MAINS: Final = ("main", "master")
_SHORTEST_ID: Final = 4
# As git names the remote of a clone.
_ORIGIN: Final = "origin"


def read_refs(file: Path) -> dict[str, str]:
    """Read the refs of a bundle, and the ids that they name.

    Raises:
        GitError: it is no bundle, has only a part of a history, names a ref twice, has no branch,
            or a name in it leads elsewhere than its main, or is none of a branch or a tag.
    """
    try:
        with file.open("rb") as stream:
            refs = _read_header(file, stream)
    except OSError as error:
        raise GitError(
            f"{_shown(file)} cannot be opened: {error.strerror}", remedy=REMEDY
        ) from error
    _demand_one_main(file, refs)
    return refs


def main_of(refs: dict[str, str]) -> str:
    """The branch that is main: it is called so, or they are all one."""
    heads = [name for name in refs if name.startswith(_HEADS)]
    return f"{_HEADS}main" if f"{_HEADS}main" in heads else heads[0]


def _read_header(file: Path, stream: IO[bytes]) -> dict[str, str]:
    if stream.readline(_LONGEST) not in _SIGNATURES:
        raise GitError(f"{_shown(file)} cannot be opened: it is no git bundle", remedy=REMEDY)
    refs: dict[str, str] = {}
    while (line := stream.readline(_LONGEST)) != b"\n":
        if line == _CAPABILITY and not refs:
            continue
        if line.startswith(b"-"):
            raise GitError(
                f"{_shown(file)} cannot be opened: it holds only a part of a history",
                remedy=REMEDY,
            )
        try:
            found = _REF.fullmatch(line.decode())
        except UnicodeDecodeError:
            raise _refused(
                file, f"its header names {_name_in(line)}, which is not encoded in UTF-8"
            ) from None
        if found is None or len(refs) == _MOST:
            raise _refused(file, "its header is not one that git writes for a whole history")
        if found["name"] in refs:
            raise _refused(file, f"it names {found['name']!a} twice")
        refs[found["name"]] = found["id"]
    return refs


def _demand_one_main(file: Path, refs: dict[str, str]) -> None:
    branches = [name.removeprefix(_HEADS) for name in refs if name.startswith(_HEADS)]
    if not branches:
        raise _refused(file, "it holds no branch")
    main = main_of(refs)
    for name, found in refs.items():
        if name.startswith(_TAGS):
            # a tag of a branch's name comes before it, wherever git is given that name
            tag = name.removeprefix(_TAGS)
            if tag in _names_of([*branches, *_MAINS]):
                raise _refused(file, f"its tag {name!a} has the name of a branch")
            if len(tag) >= _SHORTEST_ID and refs[main].startswith(tag.lower()):
                raise _refused(file, f"its tag {name!a} is the beginning of main's id")
        elif found != refs[main]:
            raise _refused(
                file, f"{name!a} in it is at {found[:12]}, and {main!a} at {refs[main][:12]}"
            )
        elif name != "HEAD" and not name.startswith(_TAKEN):
            raise _refused(file, f"{name!a} in it is neither a branch nor a tag")


def _names_of(branches: list[str]) -> set[str]:
    """What git may be told, in a clone of it, to mean one of these branches."""
    names = {"HEAD", _ORIGIN, f"{_ORIGIN}/HEAD"}
    for branch in branches:
        for name in (branch, f"{_ORIGIN}/{branch}"):
            names.add(name)
    shorter = {f"{folder}/{name}" for name in names for folder in ("heads", "remotes")}
    return names | shorter | {f"refs/{name}" for name in shorter}


def _refused(file: Path, why: str) -> GitError:
    return GitError(
        f"{_shown(file)} is not judged: {why}, so a clone of it may show something else than what "
        "would be judged",
        remedy=REMEDY,
    )


def _name_in(line: bytes) -> str:
    return ascii(line.partition(b" ")[2].rstrip(b"\n").decode("latin-1"))


def _shown(file: Path) -> str:
    return ascii(str(file))
