"""Ending early: note what a person wants, then end the grant's token, at once.

The intent is written before anything is revoked, so that a token which ends early without one shows
as what it may be: a theft. "Revoked" is never said here: only a run of apply can see leases, and
only it confirms that nothing lives. All of it may be done twice.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Final

from daypass.errors import DaypassError
from daypass.lifecycle.answers import Answer, Result
from daypass.lifecycle.marks import GRANT_MARK
from daypass.lifecycle.ports import SlotState

if TYPE_CHECKING:
    from daypass.lifecycle.ports import Slot
    from daypass.lifecycle.standing import Desk
    from daypass.model.grant import Grant
    from daypass.model.intent import Intent

_PATIENCE_SECONDS: Final = 2.0  # Vault ends a token in milliseconds; then the next run looks
_PAUSE_SECONDS: Final = 0.05


def carry_out(desk: Desk, grant: Grant, intent: Intent) -> Answer:
    """Note the intent, and end the grant's token if that is what it says.

    Raises VaultUnavailableError, VaultRefusedError if it cannot be noted: nothing was done then.
    """
    desk.registry.write_intent(intent)
    answer = partial(Answer, grant.id, intent.kind)
    if not intent.ends:
        return answer(Result.NOTED)
    try:
        slot = desk.registry.read(grant.id)
        why = "Vault remembers nothing of it" if slot is None else _end(desk, slot)
    except DaypassError as error:
        why = error.message
    return answer(Result.UNCONFIRMED, why) if why else answer(Result.ENDING)


def _end(desk: Desk, slot: Slot) -> str:
    """Revoke the token that a slot names, and look; returns why it is not sure that it is gone."""
    if slot.state is SlotState.CLOSED:
        return ""
    accessor = slot.data.get("accessor")
    if not isinstance(accessor, str):
        return "a run of access-apply is at work on it"
    token = desk.issuer.lookup(accessor)
    if token is None:
        return ""
    if token.meta.get(GRANT_MARK) != slot.grant_id:
        return "what Vault remembers of it names the token of something else"
    desk.issuer.revoke(accessor)
    return "" if _is_gone(desk, accessor) else "its token still lives"


def _is_gone(desk: Desk, accessor: str) -> bool:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while desk.issuer.lookup(accessor) is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE_SECONDS)
    return True
