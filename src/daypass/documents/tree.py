"""The layout: what may lie where in a governed repository, judged by git's own tree."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from daypass.documents.finding import Finding
from daypass.model.names import (
    ALLOWED_SIGNERS_PATH,
    BOT_FOLDERS,
    FOLDERS,
    NAME_PATTERN,
    SETTINGS_PATH,
    Kind,
    is_name,
)
from daypass.model.tree import (
    DEEPEST,
    DOUBLED,
    EXECUTABLE_FILE,
    FOLDER,
    REGULAR_FILE,
    SUBMODULE,
    SYMBOLIC_LINK,
    TreeEntry,
    path_fault,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

GOVERNED_ROOT: Final = "access/"
_MODES: Final = {
    EXECUTABLE_FILE: ("an executable file", "Run `git update-index --chmod=-x` on it."),
    SYMBOLIC_LINK: ("a symbolic link", "Replace it by the file that it points to."),
    SUBMODULE: ("a submodule", "Remove it: `git rm --cached` and the entry in .gitmodules."),
    DOUBLED: ("one of several entries of this path", "Let git write the folder anew: `git rm`."),
    FOLDER: ("a folder that is nested too deep to be read", "Remove it: `git rm -r`."),
}
_ROOTS: Final = ("access", "schemas", ".github")
_PLACEHOLDERS: Final = frozenset(f"{folder}/.gitkeep" for folder in FOLDERS)
_CA_FILE = re.compile(rf"access/{NAME_PATTERN}\.pem")  # of the settings' `caFile`


def kind_of(path: str) -> Kind | None:
    """The kind of document that belongs at a path, by its folder; None where none belongs."""
    if path == SETTINGS_PATH:
        return Kind.SETTINGS
    folder, _, name = path.rpartition("/")
    kind = FOLDERS.get(folder)
    return kind if kind is not None and name.endswith(_ending(folder)) else None


def check_layout(entries: Iterable[TreeEntry]) -> tuple[Finding, ...]:
    """What is wrong with where files lie, what they are called, and what git says they are.

    Only entries below `access/` and `schemas/` are judged; a repository may hold other things.
    """
    mine = [
        entry
        for entry in entries
        if entry.path.startswith((GOVERNED_ROOT, "schemas/"))
        or entry.path in ("access", "schemas")  # a link or a submodule in place of the folder
    ]
    return (*_check_entries(mine), *_check_case(mine))


def _check_entries(entries: Iterable[TreeEntry]) -> Iterator[Finding]:
    for entry in entries:
        if entry.mode != REGULAR_FILE:
            what, remedy = _MODES.get(entry.mode, (f"of mode {entry.mode}", "Remove it."))
            yield Finding.of_file(
                entry.path, "tree-mode", f"this is {what}; only plain files are read", remedy
            )
        elif entry.path in ("access", "schemas"):
            yield Finding.of_file(
                entry.path, "tree-place", "this must be a folder", "Move the file elsewhere."
            )
        elif entry.path.startswith(GOVERNED_ROOT) and not _is_known(entry.path):
            yield check_path(entry) or _misplaced(entry.path)


def check_path(entry: TreeEntry) -> Finding | None:
    """Find a path that people could not check out, wherever it is."""
    fault = path_fault(entry.path)
    if entry.mode == FOLDER:
        fault = f"it is {DEEPEST} folders deep or more, or in a tree of very many files"
    if fault is None:
        return None
    return Finding.of_file(
        entry.path,
        "tree-path",
        f"this path cannot be checked out everywhere: {fault}",
        "Give it another name: `git mv`.",
    )


def check_spellings(odd: Mapping[str, str]) -> tuple[Finding, ...]:
    """Find modes that are not spelled as git spells them, where daypass reads.

    Args:
        odd: path of a file or a folder → the mode, as the tree object holds it.
    """
    return tuple(
        Finding.of_file(
            path,
            "tree-mode",
            f"its mode is stored as {spelling}: git reads that as another, and no diff shows it",
            "Let git write the trees of this branch anew: `git read-tree --empty`, `git add --all` "
            "and `git commit --amend --no-edit`.",
        )
        for path, spelling in odd.items()
        if path in _ROOTS or path.startswith(tuple(f"{root}/" for root in _ROOTS))
    )


def check_faults(faults: Mapping[str, str]) -> tuple[Finding, ...]:
    """Find entries of trees that git itself refuses, or does not read alike in all places.

    Args:
        faults: path of a file or a folder → what is wrong with it.
    """
    return tuple(
        Finding.of_file(
            path,
            "tree-path",
            f"{fault}: what a review shows of it is not what people check out",
            "Let git write the trees of this branch anew: `git read-tree --empty`, `git add --all` "
            "and `git commit --amend --no-edit`.",
        )
        for path, fault in faults.items()
    )


def _is_known(path: str) -> bool:
    folder, _, name = path.rpartition("/")
    if folder in FOLDERS:
        ending = _ending(folder)
        return (name.endswith(ending) and is_name(name.removesuffix(ending))) or (
            name == ".gitkeep" and path in _PLACEHOLDERS
        )
    return path in (SETTINGS_PATH, ALLOWED_SIGNERS_PATH) or _CA_FILE.fullmatch(path) is not None


def _misplaced(path: str) -> Finding:
    folder, _, name = path.rpartition("/")
    if folder not in FOLDERS:
        return Finding.of_file(
            path,
            "tree-place",
            "nothing of this name belongs here",
            f"Move it: documents lie directly in {', '.join(sorted(FOLDERS))}; "
            f"the settings are {SETTINGS_PATH}.",
        )
    ending = _ending(folder)
    if not name.endswith(ending):
        return Finding.of_file(
            path,
            "tree-ending",
            f"a document in {folder} ends in {ending}",
            f"Rename it to end in {ending}, or move it elsewhere.",
        )
    return Finding.of_file(
        path,
        "tree-name",
        f"`{name.removesuffix(ending)}` cannot be a document's name",
        "Use 1 to 63 of a-z, 0-9 and -, neither beginning nor ending in -.",
    )


def _check_case(entries: Iterable[TreeEntry]) -> Iterator[Finding]:
    first: dict[str, str] = {}
    for entry in entries:
        other = first.setdefault(entry.path.casefold(), entry.path)
        if other != entry.path:
            yield Finding.of_file(
                entry.path,
                "tree-case",
                f"it differs from {other} only by case: on some systems they are one file",
                "Rename one of the two.",
            )


def _ending(folder: str) -> str:
    return ".json" if folder in BOT_FOLDERS else ".yaml"
