"""Names in a command's words: what main, its history or its evidence knows, or a usage error.

A slip of the keyboard must not read as "nothing": the error names the nearest that is known. What
is gone from the catalogue stays known, by the history of its file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.cli import output
from daypass.documents.nearby import named, nearest
from daypass.errors import UsageError
from daypass.ledger.history import named_grants
from daypass.model.names import (
    break_glass_path,
    grant_path,
    is_name,
    names_of,
    obligation_path,
    request_path,
)

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    from daypass.lifecycle.ports import Repository

FOLDERS: Final = {"resource": "access/resources", "subject": "access/identities"}
_ID_FOLDERS: Final = (
    "access/grants",
    "access/requests",
    "access/break-glass",
    "access/obligations",
)
_SLIP: Final = 0.8  # how much alike a word is to one that was meant
_FEW: Final = 12  # names that a remedy lists


def demand_name(flag: str, name: str) -> None:
    """Raise UsageError if that can be no name of a resource or a subject."""
    if not is_name(name):
        raise UsageError(
            f"--{flag} {output.on_one_line(name)} is no name",
            remedy=f"It is the name of a file in {FOLDERS[flag]}/, without `.yaml`.",
        )


def demand_known(
    repository: Repository, commit: str, flag: str, name: str, *, also: Container[str] = ()
) -> None:
    """Refuse the name of a resource or a subject that main does not have, and never had.

    Args:
        repository: the clone.
        commit: main, as the command goes by it.
        flag: `resource` or `subject`.
        name: what was typed.
        also: names that are known besides, of live grants for example.

    Raises:
        UsageError: it is no name, or unknown.
    """
    demand_name(flag, name)
    path = f"{FOLDERS[flag]}/{name}.yaml"
    if name in also or is_known(repository, commit, flag, name):
        return
    raise unknown(
        repository,
        commit,
        flag,
        name,
        f"there is no {flag} {name}: main has no {path}, and had none",
    )


def is_known(repository: Repository, commit: str, flag: str, name: str) -> bool:
    """Whether that commit has, or had once, that subject or resource. Reads its history."""
    path = f"{FOLDERS[flag]}/{name}.yaml"
    return bool(repository.entries(commit, path) or repository.touching(None, commit, [path]))


def unknown(repository: Repository, commit: str, flag: str, name: str, message: str) -> UsageError:
    """The error for the name of a resource or a subject that is unknown."""
    folder = FOLDERS[flag]
    known = sorted(_stems(repository, commit, folder))
    remedy = f"Name one of {folder}/, or one that `daypass audit log` shows."
    if 0 < len(known) <= _FEW:
        remedy = f"{folder}/ has: {', '.join(known)}."
    return _unknown(name, known, message, remedy)


def demand_id(name: str) -> None:
    """Raise UsageError if that can be no id of a request or a grant."""
    if not is_name(name):
        raise UsageError(
            f"{output.on_one_line(name)} is no grant id",
            remedy="An id is the name of its request file, without `.yaml`.",
        )


def is_asked(repository: Repository, commit: str, grant_id: str) -> bool:
    """Whether main has, or had, a file of that id: a request, a grant, or a review that is owed."""
    paths = (
        request_path(grant_id),
        break_glass_path(grant_id),
        grant_path(grant_id),
        obligation_path(grant_id),
    )
    return bool(repository.touching(None, commit, paths))


def is_told_of(repository: Repository, commit: str, grant_id: str) -> bool:
    """Whether a commit of main names that id as an event does. Reads all of history."""
    return grant_id in named_grants(repository.walk(commit))


def unknown_id(
    repository: Repository,
    commit: str,
    name: str,
    message: str,
    *,
    remedy: str,
    others: Iterable[str] = (),
) -> UsageError:
    """The error for an id that is unknown. Reads all of history.

    Args:
        repository: the clone.
        commit: main, as the command goes by it.
        name: what was typed.
        message: what was not found.
        remedy: where ids can be looked up.
        others: words of another kind that could have been meant: one is named for a slip only.
    """
    known = {stem for folder in _ID_FOLDERS for stem in _stems(repository, commit, folder)}
    known |= named_grants(repository.walk(commit))
    near = nearest(name, others, alike=_SLIP)
    known |= {near} if near is not None else set()
    return _unknown(name, sorted(known), message, remedy)


def _unknown(name: str, known: Sequence[str], message: str, remedy: str) -> UsageError:
    hint, remedy = named(name, known, remedy)
    return UsageError(f"{message}{hint}", remedy=remedy)


def _stems(repository: Repository, commit: str, folder: str) -> set[str]:
    return names_of(entry.path for entry in repository.entries(commit, folder))
