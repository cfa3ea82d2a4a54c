"""`daypass halt`: end many grants at once, in an emergency. For the owners of the foundation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daypass.cli import output, wiring
from daypass.cli.asking import COMMANDS_WORKFLOW
from daypass.errors import ExitCode
from daypass.lifecycle.commands import Aim, halt_of
from daypass.model.identity import IdentityType

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags: exactly one aim."""
    output.add_format(parser)
    aim = parser.add_mutually_exclusive_group(required=True)
    aim.add_argument(
        "--type", choices=[str(item) for item in IdentityType], help="whose subjects are of a type"
    )
    aim.add_argument("--subject", metavar="NAME", help="of one identity")
    aim.add_argument("--resource", metavar="NAME", help="of one resource")


def run(arguments: argparse.Namespace) -> ExitCode:
    """Dispatch access-commands with the word; its run checks whose word it is."""
    aim = next(item for item in Aim if getattr(arguments, item) is not None)
    halt = halt_of(aim, getattr(arguments, aim))
    settings = wiring.read_settings(wiring.directory_of(arguments.directory))
    with wiring.person_asking(settings) as asker:
        asker.dispatch(COMMANDS_WORKFLOW, {"command": str(halt)})
    github = settings.github
    where = f"{github.server_url}/{github.full_name}/actions/workflows/{COMMANDS_WORKFLOW}"
    if arguments.format == "json":
        output.say_json({"asked": str(halt), "run": where})
    else:
        output.say(f"asked: {halt}")
        output.note(f"its run says what it ended: {where}; so does `daypass status`")
    return ExitCode.DONE
