"""`daypass revoke`: end somebody's grant now, for those who answer for it or for its resource."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daypass.adapters.clock import machine_now
from daypass.cli import asking, confirmation, output, wiring
from daypass.cli.github_down import naming_the_operator
from daypass.cli.main_at_hand import settings_to_end_by
from daypass.errors import DocumentError, EvidenceError, ExitCode, GitError, UnfetchedGrantError
from daypass.model.intent import IntentKind

if TYPE_CHECKING:
    import argparse

    from daypass.errors import DaypassError
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
    """Show it, ask for the end, and tell what daypass answers.

    Raises:
        PermanentError: the person at the terminal did not say yes.
        What `asking.find_to_end` and `asking.ask` raise.
    """
    try:
        found = asking.find_to_end(arguments, with_documents=True)
    except (EvidenceError, DocumentError, GitError, UnfetchedGrantError) as error:
        return _unseen(arguments, error)
    _show(arguments, found.claimable.grant)
    if arguments.dry_run:
        return ExitCode.DONE
    if found.is_sure:
        confirmation.confirm(arguments, f"End {found.claimable.grant.id} now?")
    with naming_the_operator([found.claimable.grant]):
        return asking.ask(arguments, IntentKind.REVOKE, found.claimable, arguments.reason)


def _unseen(arguments: argparse.Namespace, error: DaypassError) -> ExitCode:
    """Main does not tell here what that grant is: the run that obeys finds it, or says why not."""
    if arguments.dry_run:
        raise error
    settings = settings_to_end_by(wiring.directory_of(arguments.directory), warn=False)
    output.note(f"warning: {error.message}. {error.remedy}")
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
