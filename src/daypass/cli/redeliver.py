"""`daypass redeliver`: a claim was interrupted, or came too late: have it delivered once more."""

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


def run(arguments: argparse.Namespace) -> ExitCode:
    """Ask for it, and tell what daypass answers."""
    return asking.ask(arguments, IntentKind.REDELIVER, asking.find(arguments))
