"""`daypass done`: the holder needs it no more. Ends it with what the holder has, and says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daypass.adapters import holder_token
from daypass.cli import asking, offline, output, wiring
from daypass.errors import ClaimError, DaypassError, ExitCode, UnknownGrantError
from daypass.lifecycle.claim import Claimable
from daypass.model.intent import IntentKind
from daypass.model.names import is_name

if TYPE_CHECKING:
    import argparse

    from daypass.model.settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags and positionals."""
    asking.add_arguments(parser)


def run(arguments: argparse.Namespace) -> ExitCode:
    """End it with the grant's own token where the holder has that, and say so on GitHub."""
    known = _known_here(arguments)
    ended = known is not None and _end_own(arguments, known.grant.id, known.settings)
    try:
        claimable = asking.find_to_end(arguments).claimable
    except UnknownGrantError:
        # Taken offline, and not written down yet.
        if ended or _end_unknown(arguments):
            return ExitCode.DONE
        raise
    except ClaimError:
        holder_token.forget(arguments.grant)  # it has ended: the token is of no use any more
        if ended:  # a run of access-apply was faster than the comment
            output.note(f"{arguments.grant}: its end is in the evidence already")
            return ExitCode.DONE
        raise
    if known is None and isinstance(claimable, Claimable):  # its token goes to a proven Vault only
        _end_own(arguments, claimable.grant.id, claimable.settings)
    return asking.ask(arguments, IntentKind.DONE, claimable)


def _known_here(arguments: argparse.Namespace) -> Claimable | None:
    """The grant, if its token lies here, by the signed evidence that its claim has fetched.

    It ends at once then, before GitHub is asked anything: that may be slow, or away.
    """
    try:
        if not is_name(arguments.grant) or holder_token.kept(arguments.grant) is None:
            return None
        return asking.find(arguments, fetch=False)
    except (DaypassError, OSError):
        return None


def _end_unknown(arguments: argparse.Namespace) -> bool:
    """End what this machine keeps a token of, and main knows nothing of; whether it did.

    The word comes first: a run in between finds it, or finds that it lives.
    """
    if not is_name(arguments.grant) or holder_token.kept(arguments.grant) is None:
        return False
    directory = wiring.directory_of(arguments.directory)
    settings = wiring.read_settings(directory)
    offline.leave_done(directory, settings, arguments.grant)
    return _end_own(arguments, arguments.grant, settings)


def _end_own(arguments: argparse.Namespace, grant_id: str, settings: Settings) -> bool:
    """Revoke the grant's own token, if its holder has it; whether that ended it.

    The token says in Vault, with its last use, that its holder is done: so no run takes its end for
    a theft. What fails here is told, and the comment that follows ends the grant all the same.
    """
    from daypass.adapters.vault.claim import end_own
    from daypass.adapters.vault.client import Client

    try:
        token, accessor = holder_token.kept(grant_id), holder_token.kept_accessor(grant_id)
        if token is None:
            return False
        directory = wiring.directory_of(arguments.directory)
        folder = wiring.authorities(directory, settings)
        with Client(settings.vault, directory=folder) as client:
            ended = end_own(client, token, accessor, settings.vault.kv_mount)
        if ended.gone:
            holder_token.forget(grant_id)
            output.note(f"{grant_id}: its own token is revoked, and gone")
            if not ended.said:
                output.note(
                    "Vault took no note of that: until daypass has answered on GitHub, a run of "
                    f"access-apply may take it for a theft. If GitHub fails now, say `/done "
                    f"{grant_id}` there as soon as it answers"
                )
    except (DaypassError, OSError) as error:
        output.note(f"{grant_id} could not be ended with its own token: {error}")
        return False
    return ended.gone
