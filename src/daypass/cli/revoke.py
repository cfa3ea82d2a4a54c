"""`daypass revoke`: end somebody's grant now, for those who answer for it or for its resource."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daypass.cli import asking
from daypass.model.intent import IntentKind

if TYPE_CHECKING:
    import argparse

    from daypass.errors import ExitCode


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags and positionals."""
    asking.add_arguments(parser)
    parser.add_argument(
        "--reason",
        metavar="TEXT",
        default="",
        help="why, for people: it stands in the comment, and in no evidence",
    )


def run(arguments: argparse.Namespace) -> ExitCode:
    """Ask for the end, and tell what daypass answers."""
    claimable = asking.find_to_end(arguments)
    return asking.ask(arguments, IntentKind.REVOKE, claimable, arguments.reason)
