"""Main, for verbs that end access: what of it can be read, and what cannot, in words.

An end must not wait until main is mended, so nothing here keeps a verb from asking for it; nor
until git answers, so all that git does here has a limit of seconds.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from daypass.adapters.clock import machine_now
from daypass.adapters.git import GitRepository, time_limit
from daypass.cli import known_names, output, wiring
from daypass.cli.governed import at_hand, settings_here
from daypass.cli.pins import BEYOND_GITHUB, differences
from daypass.cli.remotes import governed_remote
from daypass.documents.readable import ReadableDocuments
from daypass.documents.records import load_grant
from daypass.documents.repository import catalogue_of
from daypass.errors import (
    ChangedPinError,
    DaypassError,
    DocumentError,
    ForgeUnavailableError,
    GitError,
    IndeterminateError,
    OddPinsError,
    UsageError,
)
from daypass.ledger.counting_signers import counting_signers
from daypass.ledger.history import read_tip
from daypass.lifecycle.commands import Aim
from daypass.lifecycle.standing import waiting_requests
from daypass.model.identity import Identity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from daypass.lifecycle.commands import Halt
    from daypass.model.grant import Grant
    from daypass.model.request import AccessRequest
    from daypass.model.settings import Settings

_SETTINGS_SECONDS: Final = 10.0  # a partial clone may have to fetch them
LOOK_SECONDS: Final = 10.0  # of a fetch and all that is read, before an end is asked for regardless
DRY_SECONDS: Final = 60.0  # the same of a dry run, where nothing waits
FETCH_SHARE: Final = 0.7  # of either; the rest is for what this clone holds
_ON_GITHUB: Final = (
    "Ask on GitHub: under Actions, access-commands, `Run workflow`, with `halt …` or `revoke ID` "
    "as the command."
)
AT_HAND_SECONDS: Final = 2.0  # of what this clone holds, without its remote


@dataclass(slots=True)
class MainAtHand:
    """Main as this clone has it. Where `faults` says why, it may not be all, or not the newest."""

    head: str | None = None
    governed: bool | None = None  # whether it is the governed repository's; None: not known
    is_visible: bool = False  # fetched, or with all of its history: an empty list means something
    unknown: UsageError | None = None  # of the name that was asked for
    grants: Mapping[str, Grant] = field(default_factory=dict)  # by the bot's last signed commit
    waiting: Mapping[str, AccessRequest] = field(default_factory=dict)  # merged, and not issued
    identities: Mapping[str, Identity] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def aimed_at(self, halt: Halt) -> tuple[list[Grant], list[AccessRequest]]:
        """The live grants that a halt ends, the next to end first; and the requests it refuses."""
        now = machine_now()
        grants = [
            grant
            for grant in self.grants.values()
            if grant.not_after > now and halt.is_aimed_at(grant, self.identities)
        ]
        waiting = [
            asked for asked in self.waiting.values() if halt.is_aimed_at(asked, self.identities)
        ]
        return (
            sorted(grants, key=lambda grant: (grant.not_after, grant.id)),
            sorted(waiting, key=lambda asked: asked.id),
        )


def settings_to_end_by(directory: Path, *, warn: bool = True) -> Settings:
    """Find the settings by which an end is asked for; a broken main keeps nobody's access alive.

    A person goes by main as this clone last fetched it, where that agrees with what is pinned: no
    server is waited for. Else by main as the server has it or, where that does not load or is not
    to be had, or contradicts a pin, by the newest settings of this clone that contradict no pin.
    Where all do, those serve that lead to the same GitHub: an end is asked for there.

    Raises ChangedPinError where none do, what `wiring.read_settings` raises where none
    load, and ForgeUnavailableError where a remote keeps them.
    """
    known = None if wiring.is_job() else at_hand(directory)
    if known is not None:
        return known.settings
    with time_limit.within(_SETTINGS_SECONDS):
        try:
            with time_limit.sharing(FETCH_SHARE):
                return wiring.read_settings(directory, or_newest=not wiring.is_job())
        except (ChangedPinError, OddPinsError) as error:
            return _newest(directory, error, warn=warn)
        except IndeterminateError:  # contradicted by the environment
            raise
        except DaypassError as error:
            return _newest(directory, error, warn=warn)


def _newest(directory: Path, error: DaypassError, *, warn: bool) -> Settings:
    """The newest settings of this clone that load and contradict no pin; else raises `error`."""
    contradicted, same_github = False, None
    try:
        for settings, names in _contradicted_here(directory):
            if not names:
                _warn(error, "going by the newest settings here", warn=warn)
                return settings
            contradicted = True
            if same_github is None and names <= BEYOND_GITHUB:
                same_github = settings
    except ForgeUnavailableError as missing:
        raise ForgeUnavailableError(
            f"this clone lacks its settings, and its remote does not give them: {missing.message}",
            remedy=f"{_ON_GITHUB} Or run it in a clone that has a work tree.",
        ) from None
    except DaypassError:
        raise error from None
    if same_github is not None:
        _warn(error, "asking GitHub alone, which is as pinned", warn=warn)
        return same_github
    if contradicted:
        raise ChangedPinError(
            "the settings of this clone are not what your commands believe, and main is not to be "
            f"had: {error.message}",
            remedy=_ON_GITHUB,
        )
    raise error


def _contradicted_here(directory: Path) -> Iterator[tuple[Settings, frozenset[str]]]:
    """Settings of this clone, newest first, and what of each contradicts a pin.

    An odd file of pins contradicts nothing: it stops no end. Where GitHub's token may go is then
    what `GH_HOST` says, and github.com.
    """
    if wiring.is_job():
        for settings in wiring.newest_settings(directory):
            yield settings, frozenset()
        return
    try:
        for settings, known in settings_here(directory):
            rows = (row for pin in known for row in differences(pin, settings))
            yield settings, frozenset(name for name, *_ in rows)
    except OddPinsError:
        for settings in wiring.newest_settings(directory):
            yield settings, frozenset()


def _warn(error: DaypassError, then: str, *, warn: bool) -> None:
    if warn:
        output.note(output.printable(f"warning: {error.message}: {then}"))


def is_governed(directory: Path, settings: Settings) -> bool | None:
    """Whether the remote that a clone is read by is the governed repository.

    None where its address names no repository of a GitHub server: a mirror, or anything.
    """
    chosen = governed_remote(directory, settings.github)
    if chosen.is_governed:
        return True
    return None if chosen.fault is None else False


def clone_at_hand(directory: Path, settings: Settings) -> GitRepository:
    """The clone as it is, without the token of whoever could fetch."""
    remote = governed_remote(directory, settings.github).name
    branch = settings.github.default_branch
    return GitRepository(directory, remote=remote, branch=branch, author=("", ""), token=None)


def is_known_at_hand(directory: Path, settings: Settings, halt: Halt) -> bool:
    """Whether this clone knows the name that a halt is aimed at. It says nothing of another."""
    if halt.aim is Aim.TYPE:
        return True
    try:
        with (
            time_limit.within(AT_HAND_SECONDS, local=True),
            clone_at_hand(directory, settings) as repository,
        ):
            return known_names.is_known(repository, repository.head(), str(halt.aim), halt.name)
    except Exception:  # noqa: BLE001  -- a bug must not stop an emergency stop
        return False


def fault_of_documents(repository: GitRepository, head: str) -> str | None:
    """Why the documents of that commit do not load; None when they do."""
    try:
        catalogue_of(repository, head)
    except DocumentError as error:
        return f"the documents of main do not load: {error.message}"
    return None


def look_at_main(
    directory: Path, settings: Settings, halt: Halt, seconds: float = LOOK_SECONDS
) -> MainAtHand:
    """Fetch main and read what can be read of it, in so many seconds. Raises nothing."""
    main = MainAtHand()
    try:
        with time_limit.within(seconds):
            main.governed = is_governed(directory, settings)
            if main.governed is False:
                name = settings.github.full_name
                main.faults.append(f"the remote of this clone is another repository than {name}")
            with wiring.person_repository(directory, settings) as repository:
                _read(main, repository)
                _look_for(main, repository, halt)
    except DaypassError as error:
        main.faults.append(error.message)
    except Exception as error:  # noqa: BLE001  -- a bug must not stop an emergency stop
        main.faults.append(f"main could not be read: {type(error).__name__}")
    return main


def grants_at_hand(directory: Path, settings: Settings, halt: Halt) -> list[Grant]:
    """What a halt is aimed at, as this clone has it, without asking its remote. Raises nothing."""
    main = MainAtHand()
    try:
        with (
            time_limit.within(AT_HAND_SECONDS, local=True),
            clone_at_hand(directory, settings) as repository,
        ):
            main.head = head = repository.head()
            _read_grants(main, repository, head)
            _read_identities(main, repository, head)
    except Exception:  # noqa: BLE001  -- what GitHub's absence says comes first
        return main.aimed_at(halt)[0]
    return main.aimed_at(halt)[0]


def _read(main: MainAtHand, repository: GitRepository) -> None:
    try:
        with time_limit.sharing(FETCH_SHARE):
            repository.fetch()
        main.is_visible = True
    except DaypassError as error:
        main.faults.append(f"main was not fetched: {error.message}")
    main.head = head = repository.head()
    with suppress(GitError):
        repository.assert_complete()
        main.is_visible = True
    _read_grants(main, repository, head)
    main.waiting = waiting_requests(repository, head, main.grants)
    _read_identities(main, repository, head)


def _look_for(main: MainAtHand, repository: GitRepository, halt: Halt) -> None:
    """Note that a name is unknown, where all of main could be read."""
    if halt.aim is Aim.TYPE or main.head is None or main.faults:
        return
    aim = str(halt.aim)
    held = {getattr(item, aim) for item in (*main.grants.values(), *main.waiting.values())}
    try:
        known_names.demand_known(repository, main.head, aim, halt.name, also=held)
    except UsageError as error:
        main.unknown = error


def _read_grants(main: MainAtHand, repository: GitRepository, head: str) -> None:
    """By the bot's last signed commit, as the run that ends them reads it; else by main's head."""
    commit: str | None = head
    try:
        repository.assert_complete()
        signers = counting_signers(repository, head)
        tip = read_tip(repository.walk(head), signers) if signers is not None else None
        commit = tip.commit if tip is not None else None
    except DaypassError as error:
        main.faults.append(error.message)
    if commit is None:  # nothing was ever granted
        return
    entries = [
        entry
        for entry in repository.entries(commit, "access/grants")
        if entry.path.endswith(".json") and entry.is_file
    ]
    contents = repository.blobs(sorted({entry.blob for entry in entries}))
    found = {}
    for entry in entries:
        try:
            grant = load_grant(entry.path, contents[entry.blob])
        except DocumentError as error:
            main.faults.append(error.message)
        else:
            found[grant.id] = grant
    main.grants = found


def _read_identities(main: MainAtHand, repository: GitRepository, head: str) -> None:
    documents = ReadableDocuments.of(repository, head).documents.values()
    models = (document.model for document in documents)
    main.identities = {model.name: model for model in models if isinstance(model, Identity)}
    fault = fault_of_documents(repository, head)
    if fault is not None:
        main.faults.append(fault)
