"""`daypass status`: who holds what until when, who waits, and what is owed for emergencies."""

from __future__ import annotations

from contextlib import suppress
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from daypass.adapters.clock import machine_now
from daypass.cli import known_names, output, wiring
from daypass.documents.records import load_grant, load_obligation
from daypass.documents.repository import load_asked
from daypass.errors import DaypassError, DocumentError, ExitCode
from daypass.ledger.allowed_signers import Signers
from daypass.ledger.counting_signers import counting_signers
from daypass.ledger.usable import StillUsable, still_usable
from daypass.model.grant import LANES
from daypass.model.names import FOLDERS, Kind
from daypass.report.openmetrics import openmetrics
from daypass.report.status import (
    awaited,
    doubt_clock,
    holdings,
    owed_json,
    render_owed,
    render_table,
)

if TYPE_CHECKING:
    import argparse
    from collections.abc import Container, Iterable, Iterator

    from daypass.adapters.git import GitRepository
    from daypass.lifecycle.ports import Repository
    from daypass.model.grant import Grant, Lane
    from daypass.model.instant import Instant
    from daypass.model.obligation import Obligation
    from daypass.model.request import AccessRequest


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags."""
    parser.add_argument("--format", choices=("text", "json", "openmetrics"), default="text")
    parser.add_argument("--subject", metavar="NAME", help="only what this identity holds")
    parser.add_argument("--resource", metavar="NAME", help="only who holds this resource")
    parser.add_argument(
        "--local", action="store_true", help="of HEAD of this clone; nothing is fetched"
    )


def run(arguments: argparse.Namespace) -> ExitCode:
    """Read the grant records of main, and show them.

    Raises:
        UsageError: a subject or a resource that neither main nor its history knows.
    """
    directory = wiring.directory_of(arguments.directory)
    read = wiring.head_settings if arguments.local else wiring.read_settings
    settings = read(directory)
    with wiring.person_repository(directory, settings) as repository:
        commit = repository.resolve("HEAD") if arguments.local else repository.fetch()
        grants = tuple(_grants(repository, commit))
        owed = tuple(_owed(repository, commit))
        requests = tuple(_requests(repository, commit, {grant.id for grant in grants}))
        now = machine_now()
        forgotten, unknown = _forgotten(repository, commit, now)
        _demand_known(repository, commit, arguments, (*grants, *owed, *forgotten))

    def is_meant(item: Grant | Obligation | AccessRequest | StillUsable) -> bool:
        return arguments.subject in (None, item.subject) and arguments.resource in (
            None,
            item.resource,
        )

    grants = tuple(filter(is_meant, grants))
    owed = tuple(filter(is_meant, owed))
    waiting = awaited((item for item in requests if is_meant(item[0])), now)
    if arguments.format == "openmetrics":
        output.say_text(openmetrics(grants, waiting, owed, now).rstrip("\n"))
        return ExitCode.DONE
    rows = holdings(grants, now)
    forgotten = tuple(filter(is_meant, forgotten))
    if arguments.format == "json":
        output.say_json(
            [
                *(row.to_json() for row in rows),
                *(item.to_json() for item in waiting),
                *(owed_json(item, now) for item in owed),
                *(item.to_json() | {"state": "forgotten"} for item in forgotten),
            ]
        )
    else:
        output.say_text(render_table(rows, _alarm))
        if (doubt := doubt_clock(rows, now)) is not None:
            output.note(doubt)
        for line in (*(item.line for item in waiting), *render_owed(owed, now, _alarm)):
            output.say(line)
        for item in forgotten:
            output.say(_alarm(item.text))
        if unknown is not None:
            output.say(f"not known: what a restored Vault forgot. {unknown.message}")
    return ExitCode.DONE


def _demand_known(
    repository: GitRepository,
    commit: str,
    arguments: argparse.Namespace,
    held: Iterable[Grant | Obligation | StillUsable],
) -> None:
    for flag in known_names.FOLDERS:
        name = getattr(arguments, flag)
        if name is not None:
            also = {getattr(item, flag) for item in held}
            known_names.demand_known(repository, commit, flag, name, also=also)


def _forgotten(
    repository: Repository, commit: str, now: Instant
) -> tuple[tuple[StillUsable, ...], DaypassError | None]:
    """What a restored Vault forgot and may still be used; or why that is not known."""
    try:
        repository.assert_complete()
        signers = counting_signers(repository, commit) or Signers(())
        return tuple(still_usable(repository.walk(commit), signers, now)), None
    except DaypassError as error:  # a shallow clone, or a broken list of signers
        return (), error


def _alarm(line: str) -> str:
    return output.styled(line, "bold", "red")


def _grants(repository: Repository, commit: str) -> Iterator[Grant]:
    records = _records(repository, commit, Kind.GRANT)
    return (load_grant(path, content) for path, content in records)


def _owed(repository: Repository, commit: str) -> Iterator[Obligation]:
    records = _records(repository, commit, Kind.OBLIGATION)
    return (load_obligation(path, content) for path, content in records)


def _requests(
    repository: Repository, commit: str, granted: Iterable[str]
) -> Iterator[tuple[AccessRequest, Lane]]:
    """The requests without a record. One that is wrong is for validate, and the next run, to say.

    An id is used once: of two files of one id the routine one counts, as in a run.
    """
    seen = set(granted)
    for folder, lane in LANES.items():
        for path, content in _records(repository, commit, FOLDERS[folder], ".yaml", seen):
            seen.add(PurePosixPath(path).stem)
            with suppress(DocumentError):
                yield load_asked(path, content, lane), lane


def _records(
    repository: Repository,
    commit: str,
    kind: Kind,
    suffix: str = ".json",
    without: Container[str] = (),
) -> list[tuple[str, bytes]]:
    """The files of a kind, but for those of these ids: path and content."""
    folder = next(folder for folder, of in FOLDERS.items() if of is kind)
    entries = [
        entry
        for entry in repository.entries(commit, folder)
        if entry.path.endswith(suffix) and PurePosixPath(entry.path).stem not in without
    ]
    blobs = repository.blobs([entry.blob for entry in entries]) if entries else {}
    return [(entry.path, blobs[entry.blob]) for entry in entries]
