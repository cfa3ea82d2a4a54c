"""Governed: what main of the governed repository says to a person's command.

What is checked out decides nothing: a branch can be anybody's, and so can a clone. The settings are
those of the default branch, as the server tells which that is, and they must name the repository
they come from. The first use is shown and pinned; what differs later is refused before a token or a
secret goes anywhere (see `daypass.adapters.known_repositories`).
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from daypass.adapters.git import time_limit
from daypass.adapters.git.lending import diverting_keys
from daypass.adapters.git.persons_clone import PersonsClone
from daypass.adapters.git.process import Git
from daypass.adapters.git.remote import MAINS
from daypass.adapters.known_repositories import find_pin, pins
from daypass.adapters.ssh_hosts import host_meant_by
from daypass.cli import output, remote_url, this_command
from daypass.cli.at_root import refuse_elsewhere
from daypass.cli.pins import agrees, compare_and_pin
from daypass.cli.remotes import ORIGIN, ChosenRemote, chosen_of, lend, remotes_of
from daypass.cli.settings_in_force import settings_at, versions
from daypass.errors import DaypassError, DocumentError, GitError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from daypass.adapters.git import GitRepository
    from daypass.cli.remote_url import Place
    from daypass.model.settings import Settings

_IF_DENIED: Final = "Fetch it by hand, with what your git sends: `git fetch`."
_USUAL: Final = "main"
_AT_HAND_SECONDS: Final = 2.0
_REMOTES_HEAD: Final = "refs/remotes/{}/HEAD"


@dataclass(frozen=True, slots=True)
class Governed:
    """Main of the governed repository, as its server or this clone has it."""

    settings: Settings  # of `commit`; their default branch is the server's
    commit: str
    remote: ChosenRemote
    is_first: bool  # whether nothing was known of it before this command
    is_sure: bool  # whether it is pinned, or the way to it is its server's own


def governed(
    directory: Path, fingerprints: Sequence[str] = (), *, or_newest: bool = False
) -> Governed:
    """Ask the server for main, once in a command.

    Args:
        directory: the clone.
        fingerprints: of evidence keys, as a person names them: one is taken although it changed.
        or_newest: where the settings of main do not load, take the newest on its line that do.

    Raises:
        GitError, ForgeRefusedError, ForgeUnavailableError: main is not to be had.
        DocumentError: the settings of main are wrong.
        ChangedPinError: main says something else than what is pinned.
        IndeterminateError: the pins cannot be read, or GH_HOST names another server.
    """
    known = this_command.remembered(directory)
    if known is None:
        known = _ask(directory, fingerprints, or_newest=or_newest)
        this_command.remember(directory, known)
    return known


def at_hand(directory: Path) -> Governed | None:
    """Read main as this clone last fetched it, if that agrees with what is pinned; else None.

    No server is asked, so an end waits for none.
    """
    with suppress(DaypassError), time_limit.within(_AT_HAND_SECONDS, local=True):
        if not pins():
            return None
        git = Git(directory)
        names = tuple(_places(remotes_of(git)))
        with PersonsClone(
            directory, remote=ORIGIN, branch=_USUAL, author=("", ""), token=None
        ) as clone:
            for revision in _revisions(names):
                with suppress(DaypassError):
                    commit = clone.resolve(revision)
                    settings = settings_at(clone, commit, directory)
                    pin = find_pin(settings.github)
                    if pin is None or not agrees(pin, settings):
                        continue
                    settings = _on_branch(settings, pin.branch)
                    chosen = chosen_of(_places(remotes_of(git)), settings.github)
                    return Governed(settings, commit, chosen, is_first=False, is_sure=True)
    return None


def _revisions(names: Sequence[str]) -> Iterator[str]:
    """The commits that may be main, the likeliest first."""
    for form in (f"{MAINS}{{}}", _REMOTES_HEAD, f"refs/remotes/{{}}/{_USUAL}"):
        yield from map(form.format, names)
    yield "HEAD"


def _ask(directory: Path, fingerprints: Sequence[str], *, or_newest: bool) -> Governed:
    with main_of_server(directory, or_newest=or_newest) as (settings, commit, chosen, clone):
        doubt = why_unsure(directory, chosen, settings) if find_pin(settings.github) is None else ""
        if doubt and not chosen.warning:
            output.note(f"warning: {doubt}: nothing is pinned")
        is_first = compare_and_pin(settings, commit, clone, fingerprints, may_pin=not doubt)
    return Governed(settings, commit, chosen, is_first, is_sure=not doubt)


@contextmanager
def main_of_server(
    directory: Path, *, or_newest: bool = False
) -> Iterator[tuple[Settings, str, ChosenRemote, GitRepository]]:
    """Fetch main: its settings, its commit, the remote, and the clone. Nothing is compared yet.

    Raises what `governed` raises, but for ChangedPinError.
    """
    git = Git(directory)
    places = _places(remotes_of(git))
    name = _first(places)
    with ExitStack() as stack:
        clone = stack.enter_context(_clone(directory, git, name, places.get(name)))
        settings, commit = _fetched(clone, name, or_newest=or_newest)
        chosen = chosen_of(places, settings.github)
        if chosen.fault is not None:
            raise chosen.fault
        if chosen.name != name:  # `origin` is a fork, whose settings name what it is a fork of
            place = places.get(chosen.name)
            clone = stack.enter_context(_clone(directory, git, chosen.name, place))
            settings, commit = _fetched(clone, chosen.name, or_newest=or_newest)
            if chosen_of(places, settings.github) != chosen:
                raise GitError(
                    f"main of the remote `{chosen.name}` names another repository: "
                    f"{settings.github.full_name}",
                    remedy="See which remote is the governed repository: `git remote -v`.",
                )
        if chosen.warning:
            output.note(f"warning: {chosen.warning}")
        yield settings, commit, chosen, clone


def why_unsure(directory: Path, chosen: ChosenRemote, settings: Settings) -> str:
    """Say why a clone's own files may lead to another server than GitHub's; empty where not.

    That does not matter where something is pinned: an answer that differs is refused.
    """
    git = Git(directory)
    place = _places(remotes_of(git)).get(chosen.name)
    if place is None:
        return f"the address of `{chosen.name}` names no repository of a GitHub server"
    host = remote_url.Place(settings.github.server_url, place.name).host
    if place.is_ssh:
        there = place.host if place.host == host else host_meant_by(place.host)
        known = {host, "ssh.github.com"} if host == "github.com" else {host}
        return "" if there in known else f"`{chosen.name}` is at {place.host}, and not at {host}"
    keys = diverting_keys(git)
    return (
        f"this clone's own configuration sets {keys[0]}, which may lead elsewhere" if keys else ""
    )


def _places(remotes: Mapping[str, str]) -> dict[str, Place | None]:
    return {name: remote_url.read(url) for name, url in remotes.items()}


def _first(places: Mapping[str, Place | None]) -> str:
    """The remote to ask first: one that is known, then `origin`, then the only one."""
    known = pins().keys()
    for name in sorted(places, key=lambda item: item != ORIGIN):
        place = places[name]
        if place is not None and f"{place.server}/{place.name}".lower() in known:
            return name
    return next(iter(places)) if len(places) == 1 else ORIGIN


def _fetched(clone: PersonsClone, name: str, *, or_newest: bool) -> tuple[Settings, str]:
    """The settings of that remote's main, and its commit. Raises what `governed` raises."""
    commit = clone.fetch_main()
    try:
        settings = settings_at(clone, commit, clone.directory, f"main of `{name}`")
    except (DocumentError, GitError) as error:
        if not or_newest:
            if isinstance(error, GitError):
                refuse_elsewhere(clone, commit)
            raise
        settings = _newest_on(clone, commit)
        said = f"warning: {error.message}: going by the newest settings of main that can be read"
        output.note(output.printable(said))
    branch = clone.default_branch(settings.github.default_branch, commit)
    return _on_branch(settings, branch), commit


def _newest_on(clone: PersonsClone, commit: str) -> Settings:
    return next(versions(clone, clone.directory, commit))


def _on_branch(settings: Settings, branch: str) -> Settings:
    return replace(settings, github=replace(settings.github, default_branch=branch))


def _clone(directory: Path, git: Git, name: str, place: Place | None) -> PersonsClone:
    """The clone, before its settings are known: a token goes to the remote's own address alone."""
    is_lent = place is not None and not place.is_ssh
    loan, denied = lend(place.server, place.name) if place is not None and is_lent else (None, None)
    return PersonsClone(
        directory,
        remote=name,
        branch=_guess(git, name),
        author=("", ""),
        token=loan,
        if_denied=denied or (lambda: _IF_DENIED),
    )


def _guess(git: Git, name: str) -> str:
    """What the default branch of a remote was when it was cloned."""
    head = _REMOTES_HEAD.format(name)
    done = git.try_run("symbolic-ref", "--quiet", head)
    text = done.stdout.decode("utf-8", "replace").strip()
    return text.removeprefix(head.removesuffix("HEAD")) or _USUAL
