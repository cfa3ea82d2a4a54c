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
from daypass.adapters.git.remote import main_of
from daypass.adapters.known_repositories import pins
from daypass.cli import output, remote_url, this_command
from daypass.cli.at_root import refuse_elsewhere
from daypass.cli.pins import (
    Governed,
    Standing,
    agrees,
    believed,
    changed_pin,
    compare_and_pin,
    differences,
    hosts_of,
    known_at,
)
from daypass.cli.remotes import ORIGIN, ChosenRemote, chosen_of, lend, remotes_of
from daypass.cli.settings_in_force import settings_at, versions
from daypass.errors import DaypassError, DocumentError, GitError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from daypass.adapters.known_repositories import Pin
    from daypass.cli.remote_url import Place
    from daypass.model.settings import Settings

_IF_DENIED: Final = "Fetch it by hand, with what your git sends: `git fetch`."
_USUAL: Final = "main"
_UPSTREAM: Final = "upstream"  # what `gh repo fork` calls the repository that `origin` is a fork of
_AT_HAND_SECONDS: Final = 2.0
_HEAD: Final = "HEAD"
_REMOTES_HEAD: Final = "refs/remotes/{}/HEAD"


@dataclass(frozen=True, slots=True)
class Fetched:
    """Main as the server has it, compared with nothing yet."""

    settings: Settings
    commit: str
    remote: ChosenRemote
    clone: PersonsClone
    places: tuple[Place, ...]  # what the remotes name that it was read from, its own last


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
        places = _places(remotes_of(git))
        with PersonsClone(
            directory, remote=ORIGIN, branch=_USUAL, author=("", ""), token=None
        ) as clone:
            for revision in _revisions(tuple(places)):
                with suppress(DaypassError):
                    commit = clone.resolve(revision)
                    settings = settings_at(clone, commit, directory)
                    chosen = chosen_of(places, settings.github)
                    known = tuple(believed(settings.github, _named(places, chosen.name)).values())
                    if not known or not all(agrees(pin, settings) for pin in known):
                        continue
                    settings = _on_branch(settings, known[0].branch)
                    standing = Standing(is_first=False, pins=known)
                    return Governed(settings, commit, chosen, standing, is_sure=True)
    return None


def settings_here(directory: Path) -> Iterator[tuple[Settings, tuple[Pin, ...]]]:
    """Read the settings that this clone holds of main, newest first, and what is pinned of each.

    The main that agreed last comes first. No server is asked. Raises what `pins` raises, and what
    HEAD's settings raise where none load.
    """
    places = _places(remotes_of(Git(directory)))
    with PersonsClone(
        directory, remote=ORIGIN, branch=_USUAL, author=("", ""), token=None
    ) as clone:
        for revision in _revisions(tuple(places)):
            try:
                for settings in versions(clone, directory, revision):
                    chosen = chosen_of(places, settings.github)
                    known = believed(settings.github, _named(places, chosen.name))
                    yield settings, tuple(known.values())
            except (DocumentError, GitError):
                if revision == _HEAD:
                    raise


def _revisions(names: Sequence[str]) -> Iterator[str]:
    """The commits that may be main, the likeliest first."""
    yield from map(main_of, names)
    for form in (_REMOTES_HEAD, f"refs/remotes/{{}}/{_USUAL}"):
        yield from map(form.format, names)
    yield _HEAD


def _ask(directory: Path, fingerprints: Sequence[str], *, or_newest: bool) -> Governed:
    with main_of_server(directory, or_newest=or_newest) as found:
        doubt = doubt_of(directory, found)
        if doubt and not found.remote.warning:
            output.note(f"warning: {doubt}: nothing is pinned")
        standing = compare_and_pin(
            found.settings,
            found.commit,
            found.clone,
            fingerprints,
            places=found.places,
            may_pin=not doubt,
        )
        found.clone.keep_main(found.commit)
    return Governed(found.settings, found.commit, found.remote, standing, is_sure=not doubt)


def doubt_of(directory: Path, found: Fetched) -> str:
    """Say why main may be another server's; empty where its key is pinned, or the way is sure."""
    known = believed(found.settings.github, found.places)
    if any(pin.fingerprint for pin in known.values()):
        return ""
    return why_unsure(directory, found.remote, found.settings)


@contextmanager
def main_of_server(
    directory: Path, *, or_newest: bool = False, to_accept: bool = False
) -> Iterator[Fetched]:
    """Fetch main. Nothing is compared yet, but for a main that no remote's address names.

    Raises what `governed` raises; ChangedPinError not where its change is to be accepted.
    """
    git = Git(directory)
    places = _places(remotes_of(git))
    name = _first(places)
    with ExitStack() as stack:
        clone = stack.enter_context(_clone(directory, git, name, places.get(name)))
        try:
            settings, commit = _fetched(clone, name, or_newest=or_newest)
        except GitError:
            # `origin` may be a fork that is gone, or that holds no settings.
            fork = places.get(name)
            if name != ORIGIN or _UPSTREAM not in places or (fork and known_at(fork)):
                raise
            name = _UPSTREAM
            clone = stack.enter_context(_clone(directory, git, name, places.get(name)))
            settings, commit = _fetched(clone, name, or_newest=or_newest)
        chosen = chosen_of(places, settings.github)
        if chosen.fault is not None:
            if not to_accept:
                _demand_same(settings, _named(places, name))
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
        yield Fetched(settings, commit, chosen, clone, _named(places, name, chosen.name))


def _demand_same(settings: Settings, places: Sequence[Place]) -> None:
    """Compare settings with what is pinned of the remotes that they came from, and of them."""
    for pin in believed(settings.github, places).values():
        changed = tuple(differences(pin, settings))
        if changed:
            raise changed_pin(settings.github, changed)


def why_unsure(directory: Path, chosen: ChosenRemote, settings: Settings) -> str:
    """Say why a clone's own files may lead to another server than GitHub's; empty where not.

    That does not matter where its key is pinned: what differs is refused, and so is what it did not
    sign.
    """
    git = Git(directory)
    place = _places(remotes_of(git)).get(chosen.name)
    if place is None:
        return f"the address of `{chosen.name}` names no repository of a GitHub server"
    host = remote_url.Place(settings.github.server_url, place.name).host
    if place.is_ssh:
        is_there = place.host == host or host in hosts_of(place)
        return "" if is_there else f"`{chosen.name}` is at {place.host}, and not at {host}"
    keys = diverting_keys(git)
    return (
        f"this clone's own configuration sets {keys[0]}, which may lead elsewhere" if keys else ""
    )


def _places(remotes: Mapping[str, str]) -> dict[str, Place | None]:
    return {name: remote_url.read(url) for name, url in remotes.items()}


def _named(places: Mapping[str, Place | None], *names: str) -> tuple[Place, ...]:
    """What these remotes name, as far as their addresses tell."""
    return tuple(place for name in names if (place := places.get(name)) is not None)


def _first(places: Mapping[str, Place | None]) -> str:
    """The remote to ask first: one that is known, then `origin`, then the only one."""
    for name in sorted(places, key=lambda item: item != ORIGIN):
        place = places[name]
        if place is not None and known_at(place):
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
    named = text.removeprefix(head.removesuffix("HEAD"))
    return _USUAL if not named or named.startswith("-") else named
