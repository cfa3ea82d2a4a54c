"""A holder's word on who opened a delivery: said on the pull request, asked for at a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.cli import answers, output, wiring
from daypass.errors import DaypassError
from daypass.lifecycle.commands import write_claimed

if TYPE_CHECKING:
    from collections.abc import Callable

    from daypass.errors import DeliverySpentError
    from daypass.lifecycle.claim import Claimable

_ANSWERS: Final = {"y": True, "yes": True, "n": False, "no": False}


def say_claimed(claimable: Claimable, write: Callable[[str], str] = write_claimed) -> bool:
    """Says on the pull request that the holder opened the delivery; returns whether that worked.

    `write`: the line that says so, of the grant's id.

    What fails is told, and keeps nothing from its holder: a run asks for the word then.
    """
    grant = claimable.grant
    if grant.pull_request is None:
        return True
    try:
        with wiring.person_asking(claimable.settings) as asker:
            asker.comment(grant.pull_request, write(grant.id))
    except (DaypassError, KeyboardInterrupt) as error:
        why = error.message if isinstance(error, DaypassError) else "interrupted"
        output.note(
            f"warning: pull request #{grant.pull_request} could not be told that you opened the "
            f"delivery ({why})"
        )
        output.note(f"  Comment `/claimed {grant.id}` there, or daypass asks, and then alarms")
        return False
    return True


def was_it_the_holder(error: DeliverySpentError) -> bool | None:
    """Asks at the terminal who opened the delivery; None without a terminal, or an answer."""
    if not answers.can_ask():
        return None
    output.note(error.message)
    answer = answers.ask(
        "Was it you who opened it? No ends the grant, and raises an alarm [yes/no] "
    )
    return _ANSWERS.get(answer.strip().lower())
