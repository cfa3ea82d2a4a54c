"""`daypass status`: who holds what, until when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daypass.adapters.clock import machine_now
from daypass.cli import output, wiring
from daypass.documents.records import load_grant
from daypass.errors import ExitCode
from daypass.model.names import FOLDERS, Kind
from daypass.report.openmetrics import openmetrics
from daypass.report.status import holdings, render_table

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from daypass.lifecycle.ports import Repository
    from daypass.model.grant import Grant

_FOLDER = next(folder for folder, kind in FOLDERS.items() if kind is Kind.GRANT)


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
    rows = holdings(
        (
            grant
            for grant in grants
            if arguments.subject in (None, grant.subject)
            and arguments.resource in (None, grant.resource)
        ),
        machine_now(),
    )
    if arguments.format == "openmetrics":
        output.say(openmetrics(grants, machine_now()).rstrip("\n"))
    elif arguments.format == "json":
        output.say_json([row.to_json() for row in rows])
    else:
        output.say(render_table(rows, lambda line: output.styled(line, "bold", "red")))
    return ExitCode.DONE


def _grants(repository: Repository, commit: str) -> Iterator[Grant]:
    entries = [
        entry for entry in repository.entries(commit, _FOLDER) if entry.path.endswith(".json")
    ]
    blobs = repository.blobs([entry.blob for entry in entries])
    return (load_grant(entry.path, blobs[entry.blob]) for entry in entries)
