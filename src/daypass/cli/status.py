"""`daypass status`: who holds what, until when, and whose emergencies wait for their review."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daypass.adapters.clock import machine_now
from daypass.cli import output, wiring
from daypass.documents.records import load_grant, load_obligation
from daypass.errors import ExitCode
from daypass.model.names import FOLDERS, Kind
from daypass.report.openmetrics import openmetrics
from daypass.report.status import holdings, owed_json, render_owed, render_table

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from daypass.lifecycle.ports import Repository
    from daypass.model.grant import Grant
    from daypass.model.obligation import Obligation


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags."""
    parser.add_argument("--format", choices=("text", "json", "openmetrics"), default="text")
    parser.add_argument("--subject", metavar="NAME", help="only what this identity holds")
    parser.add_argument("--resource", metavar="NAME", help="only who holds this resource")
    parser.add_argument(
        "--local", action="store_true", help="of HEAD of this clone; nothing is fetched"
    )


def run(arguments: argparse.Namespace) -> ExitCode:
    """Read the grant records of main, and show them."""
    directory = wiring.directory_of(arguments.directory)
    settings = wiring.read_settings(directory)
    with wiring.person_repository(directory, settings) as repository:
        commit = repository.resolve("HEAD") if arguments.local else repository.fetch()
        grants = tuple(_grants(repository, commit))
        owed = [
            item
            for item in _owed(repository, commit)
            if arguments.subject in (None, item.subject)
            and arguments.resource in (None, item.resource)
        ]
    now = machine_now()
    rows = holdings(
        (
            grant
            for grant in grants
            if arguments.subject in (None, grant.subject)
            and arguments.resource in (None, grant.resource)
        ),
        now,
    )
    if arguments.format == "openmetrics":
        output.say(openmetrics(grants, now).rstrip("\n"))
    elif arguments.format == "json":
        output.say_json(
            [*(row.to_json() for row in rows), *(owed_json(item, now) for item in owed)]
        )
    else:
        output.say(render_table(rows, _alarm))
        for line in render_owed(owed, now, _alarm):
            output.say(line)
    return ExitCode.DONE


def _alarm(line: str) -> str:
    return output.styled(line, "bold", "red")


def _grants(repository: Repository, commit: str) -> Iterator[Grant]:
    records = _records(repository, commit, Kind.GRANT)
    return (load_grant(path, content) for path, content in records)


def _owed(repository: Repository, commit: str) -> Iterator[Obligation]:
    records = _records(repository, commit, Kind.OBLIGATION)
    return (load_obligation(path, content) for path, content in records)


def _records(repository: Repository, commit: str, kind: Kind) -> list[tuple[str, bytes]]:
    folder = next(folder for folder, of in FOLDERS.items() if of is kind)
    entries = [
        entry for entry in repository.entries(commit, folder) if entry.path.endswith(".json")
    ]
    blobs = repository.blobs([entry.blob for entry in entries]) if entries else {}
    return [(entry.path, blobs[entry.blob]) for entry in entries]
