"""Ends that are in the evidence already, as the answer to a word that came after them.

A run of access-apply can carry out a holder's word before the job of access-commands hears of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.ledger import history
from daypass.lifecycle.answers import Answer, Result
from daypass.model.event import CLOSES

if TYPE_CHECKING:
    from daypass.lifecycle.commands import Command
    from daypass.lifecycle.standing import Desk, Main
    from daypass.model.event import RecordedEvent

_PULL_REQUEST: Final = "Daypass-Pull-Request"


def ended_already(desk: Desk, main: Main, command: Command, number: int | None) -> Answer | None:
    """The answer to a word about a grant that has ended; None if main records no such end.

    Args:
        desk: main is read through it.
        main: what main holds now; no live grant is meant.
        command: without an id it means the last grant of its pull request.
        number: the pull request where it was said; None: it was dispatched.

    Raises what the repository raises.
    """
    if not command.kind.ends or (command.grant_id is None and number is None):
        return None
    walk = desk.repository.walk(main.head)
    if command.grant_id is None:
        line = f"{_PULL_REQUEST}: {number}\n".encode()
        events = history.read_events((one for one in walk if line in one.raw), desk.signers)
        over = next((item for item in events if item.event.kind in CLOSES), None)
    else:
        named = history.find_events(walk, desk.signers, [command.grant_id])[command.grant_id]
        over = next((item for item in named if item.event.kind in CLOSES), None)
    if over is None or number not in (None, _pull_request(over)):
        return None
    event = over.event
    when, why = event.first("Daypass-Ended-At"), event.first("Daypass-Reason")
    said = f"main has no live grant of it: it ended at {when} ({event.kind}: {why})"
    return Answer(event.grant, command.kind, Result.ENDED, said)


def _pull_request(recorded: RecordedEvent) -> int | None:
    text = recorded.event.first(_PULL_REQUEST) or ""
    return int(text) if text.isdecimal() else None
