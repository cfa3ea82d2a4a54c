"""`daypass halt`: end many grants at once, in an emergency. For the owners of the foundation.

Where a person looks on, it shows what main says that it ends, and asks. A job, and anybody while
main cannot be read within seconds, is not kept waiting: the run that obeys reads main for itself,
and what it ends is shown afterwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from daypass.adapters.clock import machine_now
from daypass.cli import confirmation, output, wiring
from daypass.cli.asking import COMMANDS_WORKFLOW
from daypass.cli.github_down import naming_the_operator
from daypass.cli.main_at_hand import (
    DRY_SECONDS,
    grants_at_hand,
    is_known_at_hand,
    look_at_main,
    settings_to_end_by,
)
from daypass.errors import ExitCode, IndeterminateError
from daypass.lifecycle.commands import Aim, halt_of
from daypass.model.identity import IdentityType

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from pathlib import Path

    from daypass.cli.main_at_hand import MainAtHand
    from daypass.lifecycle.commands import Halt
    from daypass.model.settings import Settings

_SHOWN = 20  # grants, beside what is asked for; --dry-run shows all
_OPEN = "Emergencies that it is aimed at, and that are open, are refused too."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags: exactly one aim."""
    output.add_format(parser)
    confirmation.add_arguments(parser)
    aim = parser.add_mutually_exclusive_group(required=True)
    aim.add_argument(
        "--type", choices=[str(item) for item in IdentityType], help="whose subjects are of a type"
    )
    aim.add_argument("--subject", metavar="NAME", help="of one identity")
    aim.add_argument("--resource", metavar="NAME", help="of one resource")


def run(arguments: argparse.Namespace) -> ExitCode:
    """Dispatch access-commands with the word; its run checks who may say it.

    Raises:
        UsageError: neither main nor its history knows that subject or resource.
        PermanentError: the person at the terminal did not say yes.
        IndeterminateError: what a dry run would show cannot be seen.
    """
    aim = next(item for item in Aim if getattr(arguments, item) is not None)
    halt = halt_of(aim, getattr(arguments, aim))
    directory = wiring.directory_of(arguments.directory)
    settings = settings_to_end_by(directory)
    if arguments.dry_run:
        return _dry_run(arguments, halt, look_at_main(directory, settings, halt, DRY_SECONDS))
    asks = confirmation.asks(arguments)
    with wiring.person_asking(settings) as asker:
        main = None
        if asks or not is_known_at_hand(directory, settings, halt):
            main = look_at_main(directory, settings, halt)
            if main.unknown is not None and main.governed:
                raise main.unknown
        if asks and main is not None:
            _show(halt, main, output.note, _SHOWN)
            if not main.faults:
                confirmation.confirm(arguments, f"Go on with {halt}?")
        with naming_the_operator(lambda: grants_at_hand(directory, settings, halt)):
            asker.dispatch(COMMANDS_WORKFLOW, {"command": str(halt)})
    _tell(arguments, settings, halt)
    if not asks:
        _show_afterwards(directory, settings, halt, main)
    return ExitCode.DONE


def _tell(arguments: argparse.Namespace, settings: Settings, halt: Halt) -> None:
    """Say that it was asked for."""
    github = settings.github
    where = f"{github.server_url}/{github.full_name}/actions/workflows/{COMMANDS_WORKFLOW}"
    if arguments.format == "json":
        output.tell_json({"asked": str(halt), "run": where})
    else:
        output.tell(f"asked: {halt}")
        output.note(f"its run says what it ended: {where}; so does `daypass status`")


def _show_afterwards(
    directory: Path, settings: Settings, halt: Halt, main: MainAtHand | None
) -> None:
    """Show what it ends, as far as that can be seen: it was asked for, and that stands."""
    try:
        _show(halt, main or look_at_main(directory, settings, halt), output.note, _SHOWN)
    except KeyboardInterrupt:
        output.note("interrupted: what it ends is not shown. It was asked for all the same")


def _show(halt: Halt, main: MainAtHand, say: Callable[[str], None], most: int | None) -> None:
    """What it ends, by main; and why that may not be all."""
    now = machine_now()
    grants, waiting = main.aimed_at(halt)
    if grants:
        say(f"{halt} ends {_counted(len(grants), 'live grant')}:")
        for line in confirmation.ends_lines(grants[:most], now):
            say(line)
    if waiting:
        say(f"{halt} refuses {_counted(len(waiting), 'request')} that main holds, not issued yet:")
        for line in confirmation.refused_lines(waiting[:most]):
            say(line)
    over = max((len(items[most:]) for items in (grants, waiting) if most is not None), default=0)
    if over:
        say("  …and more: `--dry-run` shows all of them")
    if not grants and not waiting and not main.is_visible:
        say(f"{halt}: main could not be read, so what that ends is not known here")
    elif not grants and not waiting:
        say(f"{halt}: main has no live grant and no request of that {halt.aim}")
    say(_OPEN)
    for fault in main.faults:
        output.note(output.printable(f"warning: {fault}"))
    if main.faults:
        output.note("so this may not be all. The run of access-commands reads main for itself")


def _dry_run(arguments: argparse.Namespace, halt: Halt, main: MainAtHand) -> ExitCode:
    if main.unknown is not None:
        raise main.unknown
    if arguments.format != "json":
        _show(halt, main, output.say, None)
        output.say("dry run: nothing was asked for")
    else:
        grants, waiting = main.aimed_at(halt)
        output.say_json(
            {
                "command": str(halt),
                "dryRun": True,
                "ends": confirmation.ends_json(grants),
                "refuses": [asked.id for asked in waiting],
                "unknown": main.faults,
            }
        )
    if not main.is_visible:
        raise IndeterminateError(
            f"what {halt} would end cannot be seen: main was not fetched, and this clone does not "
            "hold all of it",
            remedy="Run `git fetch --unshallow` when the remote answers. Without `--dry-run` the "
            "halt acts all the same.",
        )
    return ExitCode.DONE


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
