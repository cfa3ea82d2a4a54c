"""`daypass revoke`: end somebody's grant now, for those who answer for it or for its resource."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from daypass.adapters.clock import machine_now
from daypass.adapters.git import time_limit
from daypass.cli import asking, confirmation, known_names, output, wiring
from daypass.cli.github_down import naming_the_operator
from daypass.cli.main_at_hand import DRY_SECONDS, LOOK_SECONDS, settings_to_end_by
from daypass.errors import ClaimError, DaypassError, ExitCode, UnfetchedGrantError, UsageError
from daypass.model.intent import IntentKind

if TYPE_CHECKING:
    import argparse

    from daypass.lifecycle.claim import Claimable, Unproven
    from daypass.model.grant import Grant


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags and positionals."""
    asking.add_arguments(parser)
    confirmation.add_arguments(parser)
    parser.add_argument(
        "--reason",
        metavar="TEXT",
        default="",
        help="why, for people: it stands in the comment, and in no evidence",
    )


def run(arguments: argparse.Namespace) -> ExitCode:
    """Ask for the end, and tell what daypass answers; at a terminal, show it and ask first.

    Where nothing is asked, what this clone holds serves, and no remote is waited for.

    Raises:
        PermanentError: the person at the terminal did not say yes.
        What `asking.find_to_end` and `asking.ask` raise.
    """
    known_names.demand_id(arguments.grant)
    if arguments.dry_run:
        with time_limit.within(DRY_SECONDS):
            found = asking.find_to_end(arguments, with_documents=True)
        _show(arguments, found.claimable.grant)
        return ExitCode.DONE
    asks = confirmation.asks(arguments)
    claimable: Claimable | Unproven | None = None if asks else asking.find_at_hand(arguments)
    if claimable is None:
        try:
            with time_limit.within(LOOK_SECONDS):
                found = asking.find_to_end(arguments, with_documents=True, certain=True)
        except UnfetchedGrantError as error:
            return _unseen(arguments, error)
        except (ClaimError, UsageError):
            raise
        except Exception as error:  # noqa: BLE001  -- a bug must not stop an emergency stop
            return _unseen(arguments, error)
        claimable = found.claimable
        if asks:
            _show(arguments, claimable.grant)
            if found.is_sure:
                confirmation.confirm(arguments, f"End {claimable.grant.id} now?")
    grant = claimable.grant
    then = None if asks else partial(_show, arguments, grant)
    with naming_the_operator(lambda: [grant]):
        return asking.ask(arguments, IntentKind.REVOKE, claimable, arguments.reason, then=then)


def _unseen(arguments: argparse.Namespace, error: Exception) -> ExitCode:
    """Main does not tell here what that grant is: the run that obeys finds it, or says why not."""
    settings = settings_to_end_by(wiring.directory_of(arguments.directory), warn=False)
    if isinstance(error, DaypassError):
        output.note(output.printable(f"warning: {error.message}. {error.remedy}"))
    else:
        output.note(f"warning: main could not be read: {type(error).__name__}")
    output.note(f"  What {arguments.grant} is cannot be shown. Its end is asked for all the same")
    return asking.dispatch_end(arguments, settings, arguments.grant)


def _show(arguments: argparse.Namespace, grant: Grant) -> None:
    if arguments.dry_run and arguments.format == "json":
        output.say_json(
            {
                "command": f"revoke {grant.id}",
                "dryRun": True,
                "ends": confirmation.ends_json([grant]),
            }
        )
        return
    say = output.say if arguments.dry_run else output.note
    say(f"revoke {grant.id} ends:")
    for line in confirmation.ends_lines([grant], machine_now()):
        say(line)
    if arguments.dry_run:
        say("dry run: nothing was asked for")
