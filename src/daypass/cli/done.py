"""`daypass done`: the holder needs it no more. Ends it with what the holder has, and says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daypass.adapters import holder_token
from daypass.cli import asking, output, wiring
from daypass.errors import ClaimError, DaypassError
from daypass.model.intent import IntentKind

if TYPE_CHECKING:
    import argparse

    from daypass.errors import ExitCode
    from daypass.lifecycle.claim import Claimable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags and positionals."""
    asking.add_arguments(parser)


def run(arguments: argparse.Namespace) -> ExitCode:
    """End it with the grant's own token where the holder has that, and say so on GitHub."""
    try:
        claimable = asking.find(arguments)
    except ClaimError:
        holder_token.forget(arguments.grant)  # it has ended: the token is of no use any more
        raise
    _end_own(arguments, claimable)
    return asking.ask(arguments, IntentKind.DONE, claimable)


def _end_own(arguments: argparse.Namespace, claimable: Claimable) -> None:
    """Revoke the grant token that an on-claim delivery held. Vault's address is the evidence's.

    What fails here is told, and the comment that follows ends the grant all the same.
    """
    from daypass.adapters.vault.claim import end_own
    from daypass.adapters.vault.client import Client

    grant, vault = claimable.grant, claimable.settings.vault
    try:
        token = holder_token.kept(grant.id)
        if token is None:
            return
        with Client(vault, directory=wiring.directory_of(arguments.directory)) as client:
            if end_own(client, token):
                holder_token.forget(grant.id)
                output.note(f"{grant.id}: its own token is revoked, and gone")
    except (DaypassError, OSError) as error:
        output.note(f"{grant.id} could not be ended with its own token: {error}")
