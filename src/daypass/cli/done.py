"""`daypass done`: the holder needs it no more. Ends it with what the holder has, and says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daypass.adapters import holder_token
from daypass.cli import asking, offline, output, wiring
from daypass.cli.main_at_hand import settings_to_end_by
from daypass.cli.vault_access import holder_client
from daypass.errors import ClaimError, DaypassError, ExitCode, UnknownGrantError
from daypass.lifecycle.claim import Claimable
from daypass.model.delivery import Origin
from daypass.model.intent import IntentKind
from daypass.model.names import is_name

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from pathlib import Path

    from daypass.adapters.holder_token import KeptToken
    from daypass.model.grant import Grant
    from daypass.model.settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags and positionals."""
    asking.add_arguments(parser)


def run(arguments: argparse.Namespace) -> ExitCode:
    """End it with the grant's own token where the holder has that, and say so on GitHub."""
    known = _known_here(arguments)
    ended = known is not None and _end_own(arguments, known.settings, known.grant)
    try:
        claimable = asking.find_to_end(arguments).claimable
    except UnknownGrantError as error:
        # Taken offline, and not written down yet.
        if ended or _end_unknown(arguments):
            return ExitCode.DONE
        raise _left(arguments.grant) or error from None
    except ClaimError:
        if ended:  # a run of access-apply was faster than the comment
            output.note(f"{arguments.grant}: its end is in the evidence already")
            return ExitCode.DONE
        if known is None:  # a token that is left is asked about, and removed once it is gone
            _end_unproven(arguments)
        raise
    if known is None and isinstance(claimable, Claimable):  # its token goes to a proven Vault only
        _end_own(arguments, claimable.settings, claimable.grant)
    return asking.ask(arguments, IntentKind.DONE, claimable)


def _left(grant_id: str) -> ClaimError | None:
    """How to end what was taken offline, whose token serves no more; None if none was kept here."""
    try:
        if not _is_kept(grant_id):
            return None
        accessor = holder_token.token_path(grant_id).with_suffix(".accessor")
    except OSError:
        return None
    return ClaimError(
        f"{grant_id} is not ended: its own token serves no more, and main does not know it yet",
        remedy=f"End it with `vault token revoke -accessor $(cat {accessor})`, as an operator of "
        f"Vault. Or wait for the next run of access-apply, which writes it down, and run `daypass "
        f"done {grant_id}` again. Otherwise it ends at its time, or with your log-in to Vault.",
    )


def _known_here(arguments: argparse.Namespace) -> Claimable | None:
    """The grant, if its token lies here, by the signed evidence that its claim has fetched.

    It ends at once then, before GitHub is asked anything: that may be slow, or away.
    """
    try:
        if not _is_kept(arguments.grant):
            return None
        return asking.find(arguments, fetch=False)
    except (DaypassError, OSError):
        return None


def _is_kept(grant_id: str) -> bool:
    """Whether a file for its token is here, of whatever content. Raises OSError."""
    here = is_name(grant_id) and holder_token.has_place()
    return here and holder_token.token_path(grant_id).exists()


def _end_unknown(arguments: argparse.Namespace) -> bool:
    """End what this machine keeps a token of, and main knows nothing of; whether it did.

    The word comes first: a run in between finds it, or finds that it lives.
    """
    return _end_unproven(arguments, offline.leave_done)


def _end_unproven(
    arguments: argparse.Namespace, before: Callable[[Path, Settings, str], None] | None = None
) -> bool:
    """End it where no evidence is at hand, at the Vault that the claim has noted with the token.

    `before` is called with directory, settings and id, once the token may be used.
    """
    try:
        if not _is_kept(arguments.grant):
            return False
        directory = wiring.directory_of(arguments.directory)
        settings = settings_to_end_by(directory, warn=False)
        if _usable(arguments.grant, settings, None) is None:
            return False
    except (DaypassError, OSError) as error:
        _tell(arguments.grant, error)
        return False
    if before is not None:
        before(directory, settings, arguments.grant)
    return _end_own(arguments, settings, None)


def _end_own(arguments: argparse.Namespace, settings: Settings, grant: Grant | None) -> bool:
    """Revoke the grant's own token, if its holder has it; whether that ended it.

    The token says in Vault, with its last use, that its holder is done: so no run takes its end for
    a theft. What fails here is told, and the comment that follows ends the grant all the same.
    """
    from daypass.adapters.vault.claim import end_own

    grant_id = arguments.grant
    try:
        own = _usable(grant_id, settings, grant)
        if own is None:
            return False
        directory = wiring.directory_of(arguments.directory)
        folder = wiring.authorities(directory, settings)
        # It goes back to where it came from: that Vault is known.
        with holder_client(directory, settings, folder, is_known=True) as client:
            ended = end_own(client, own.token, own.accessor, settings.vault.kv_mount)
    except (DaypassError, OSError) as error:
        _tell(grant_id, error)
        return False
    if not ended.gone:
        output.note(
            f"{grant_id}: Vault took the token kept in {holder_token.token_path(grant_id)}, and "
            "still knows it: that is no end. The file is kept"
        )
        return False
    output.note(f"{grant_id}: its own token is revoked, and gone")
    _forget(grant_id)
    if not ended.said:
        output.note(
            "Vault took no note of that: until daypass has answered on GitHub, a run of "
            f"access-apply may take it for a theft. If GitHub fails now, say `/done {grant_id}` "
            "there as soon as it answers"
        )
    return True


def _forget(grant_id: str) -> None:
    """Remove what was kept of a token that is gone; where that fails, only the files stay."""
    try:
        holder_token.forget(grant_id)
    except OSError as error:
        output.note(
            f"warning: what was kept of it could not be removed ({_words(error)}): it opens "
            "nothing any more"
        )


def _usable(grant_id: str, settings: Settings, grant: Grant | None) -> KeptToken | None:
    """The kept token, if it is this grant's and goes back to where it came from; None: none is.

    Raises ClaimError, OSError: it is another's, or for another Vault. Nothing is sent.
    """
    own = holder_token.find(grant_id)
    if own is None:
        return None
    here = Origin.of(settings)
    differences = own.origin.differences(here)
    if differences:
        raise holder_token.not_ours(
            grant_id, f"it came from another place than is named here: {'; '.join(differences)}"
        )
    if grant is not None and own.accessor_digest != grant.accessor:
        raise holder_token.not_ours(
            grant_id, "the evidence names another accessor: it is another delivery's or grant's"
        )
    return own


def _tell(grant_id: str, error: DaypassError | OSError) -> None:
    why = _words(error) if isinstance(error, OSError) else error.message
    output.note_wrapped(f"{grant_id} could not be ended with its own token: {why}")
    if isinstance(error, ClaimError):
        output.note_wrapped(f"  {error.remedy}")


def _words(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or type(error).__name__}"
