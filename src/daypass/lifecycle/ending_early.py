"""Ending early: note what a person wants, then end the grant's token, at once.

The intent is written before anything is revoked, so that a token which ends early without one shows
as what it may be: a theft. "Revoked" is never said here: only a run of apply can see leases, and
only it confirms that nothing lives. All of it may be done twice.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from daypass.errors import DaypassError, OddSlotError
from daypass.lifecycle.answers import Answer, Result
from daypass.lifecycle.context import WORKERS
from daypass.lifecycle.marks import GRANT_MARK
from daypass.lifecycle.ports import SlotState
from daypass.lifecycle.world import accessor_digest

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    if not intent.ends:
        return Answer(grant.id, intent.kind, Result.NOTED)
    return _answer(intent, _look(desk, _revoke(desk, grant)))


def end_many(desk: Desk, grants: Sequence[Grant], intents: Sequence[Intent]) -> list[Answer]:
    """The same for many that end by one word: all are asked to end before the first is looked at.

    Raises VaultUnavailableError, VaultRefusedError if it cannot be noted: nothing was done then.
    """
    desk.registry.write_intents(intents)
    with ThreadPoolExecutor(WORKERS) as pool:
        asked = list(pool.map(partial(_revoke, desk), grants))
        whys = list(pool.map(partial(_look, desk), asked))
    return [_answer(intent, why) for intent, why in zip(intents, whys, strict=True)]


def _answer(intent: Intent, why: str) -> Answer:
    if why:
        return Answer(intent.grant_id, intent.kind, Result.UNCONFIRMED, why)
    return Answer(intent.grant_id, intent.kind, Result.ENDING)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A token that Vault was asked to end; none if there is none, or `why` that is not sure."""

    accessor: str | None = None
    why: str = ""


def _revoke(desk: Desk, grant: Grant) -> _Asked:
    """Ask for the end of the token that the grant's slot names."""
    try:
        found = _find(desk, grant)
        if found.accessor is not None:
            desk.issuer.revoke(found.accessor)
    except DaypassError as error:
        return _Asked(why=error.message)
    return found


def _find(desk: Desk, grant: Grant) -> _Asked:
    try:
        slot = desk.registry.read(grant.id)
    except OddSlotError as error:
        if accessor_digest(error.accessor) != grant.accessor:
            raise
        return _Asked(error.accessor)
    if slot is None:
        return _Asked(why="Vault remembers nothing of it")
    accessor = slot.data.get("accessor")
    if slot.state is SlotState.CLOSED:
        return _Asked()
    if not isinstance(accessor, str):
        return _Asked(why="a run of access-apply is at work on it")
    # The signed record knows its token; that of a second delivery shows itself by its marks.
    known = accessor_digest(accessor) == grant.accessor
    return _Asked(accessor) if known else _marked(desk, grant, accessor)


def _marked(desk: Desk, grant: Grant, accessor: str) -> _Asked:
    token = desk.issuer.lookup(accessor)
    if token is None:
        return _Asked()
    if token.meta.get(GRANT_MARK) != grant.id:
        return _Asked(why="what Vault remembers of it names the token of something else")
    return _Asked(accessor)


def _look(desk: Desk, asked: _Asked) -> str:
    """Why it is not sure that the token is gone; empty when it is."""
    if asked.accessor is None:
        return asked.why
    try:
        return "" if _is_gone(desk, asked.accessor) else "its token still lives"
    except DaypassError as error:
        return error.message


def _is_gone(desk: Desk, accessor: str) -> bool:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while desk.issuer.lookup(accessor) is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE_SECONDS)
    return True
