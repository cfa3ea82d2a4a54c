"""Which remote of a clone is the governed repository, and what mends a refusal by it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from daypass.adapters.git.lending import Loan
from daypass.adapters.git.process import Git
from daypass.cli import remote_url
from daypass.errors import GitError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from daypass.cli.remote_url import Place
    from daypass.model.secret import Secret
    from daypass.model.settings import GitHubSettings

ORIGIN: Final = "origin"
# `git remote -v`; a remote that a clone is partial of has its filter in brackets behind.
_FETCHED: Final = re.compile(r"([^\t]+)\t(.*) \(fetch\)(?: \[[^]]*\])?")


@dataclass(frozen=True, slots=True)
class ChosenRemote:
    """The remote that main is read from, and whether its address says that it is the right one."""

    name: str
    is_governed: bool = True
    # Why main is not to be had: that remote is another repository, or there is none.
    fault: GitError | None = None
    warning: str = ""  # where its address does not tell: a folder, say


def remotes_of(git: Git) -> dict[str, str]:
    """The remotes of a clone: their names, and where they fetch from. Raises GitError."""
    lines = git.run("remote", "--verbose").decode("utf-8", "replace").splitlines()
    return {found[1]: found[2] for found in map(_FETCHED.fullmatch, lines) if found is not None}


def is_partial(git: Git) -> bool:
    """Whether a remote promised to send later what the clone lacks."""
    key = r"^(remote\..*\.promisor|extensions\.partialclone)$"
    return bool(git.try_run("config", "--get-regexp", "--name-only", key).stdout)


def governed_remote(directory: Path, settings: GitHubSettings) -> ChosenRemote:
    """The remote that is the governed repository, as a person's clone has it.

    In a clone of a fork `origin` is the fork, whose main is not what was granted. So the one whose
    address names the repository comes first; over SSH the name alone does, for hosts have aliases
    there. Else `origin`, or the only one there is, as in a clone of a mirror: it is said of it that
    nothing tells what it is, and a fault where its address names another repository.
    """
    remotes = remotes_of(Git(directory))
    return chosen_of({name: remote_url.read(url) for name, url in remotes.items()}, settings)


def chosen_of(places: Mapping[str, Place | None], settings: GitHubSettings) -> ChosenRemote:
    """Choose as `governed_remote` does, by what the remotes' addresses name."""
    server, full_name = settings.server_url, settings.full_name

    def fitting(names: Callable[[Place], bool]) -> list[str]:
        return [name for name, place in places.items() if place is not None and names(place)]

    for found in (
        fitting(lambda place: place.is_at(server, full_name)),
        fitting(lambda place: place.is_ssh and place.name.lower() == full_name.lower()),
    ):
        if found:
            return ChosenRemote(ORIGIN if ORIGIN in found else found[0])
    return _unnamed(places, settings)


def _unnamed(places: Mapping[str, Place | None], settings: GitHubSettings) -> ChosenRemote:
    """What serves where no remote's address names the governed repository."""
    if not places:  # git says so itself, when it is asked
        return ChosenRemote(ORIGIN, is_governed=False)
    name = next(iter(places)) if len(places) == 1 else ORIGIN
    place = places.get(name)
    why = f"no remote of this clone is {settings.full_name}, the governed repository"
    add = f"`git remote add upstream {settings.server_url}/{settings.full_name}`"
    if place is None and name in places:
        return ChosenRemote(
            name,
            is_governed=False,
            warning=f"{why}, by its address: going by `{name}`. If that is another repository: "
            f"{add}",
        )
    what = f": `{name}` is {place.shown}" if place is not None else ""
    fault = GitError(f"{why}{what}", remedy=f"Name it, and run the command again: {add}.")
    return ChosenRemote(name, is_governed=False, fault=fault)


def loan_of(settings: GitHubSettings) -> tuple[Loan, Callable[[], str]]:
    """The person's token, for the governed repository; and what they do about a refusal by it."""
    return lend(settings.server_url, settings.full_name)


def lend(server_url: str, full_name: str) -> tuple[Loan, Callable[[], str]]:
    """Lend the person's token to one repository; and say what they do about a refusal by it.

    The token is looked up when it is needed first, and then once.
    """
    from daypass.adapters.github.person import person_token

    @cache
    def token() -> Secret | None:
        return person_token(server_url)

    loan = Loan(server_url, full_name, token)
    return loan, lambda: loan.withheld or if_denied(token(), server_url)


def if_denied(token: Secret | None, server_url: str) -> str:
    """What a person does when a remote refuses them, their token being that one."""
    from daypass.adapters.github.refused import how_to_log_in, no_token, token_source

    if token is None:
        return no_token(server_url)
    return (
        f"Your token, from {token_source(server_url)}, is wrong, expired or revoked, or may not do "
        f"that in this repository. {how_to_log_in(server_url)}"
    )
