"""Ended alarms: what a person must look at once a run has ended grants, or tried to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daypass.model.event import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daypass.ledger.usable import StillUsable
    from daypass.lifecycle.ending import Ending
    from daypass.lifecycle.outcome import Outcome
    from daypass.model.instant import Instant


def alarm_end(
    outcome: Outcome,
    ending: Ending,
    *,
    has_events: bool,
    usable: Mapping[str, StillUsable],
    now: Instant,
) -> None:
    """Notes what there is to look at about one ending.

    Args:
        outcome: where it is noted.
        ending: of one grant.
        has_events: whether the evidence tells of its issue.
        usable: by grant, what Vault forgot and may still be used.
        now: Vault's time.
    """
    name, reason = ending.grant.id, ending.action.reason
    if reason is Reason.REPORTED_STOLEN:
        alarm_stolen(outcome, name)
    if not ending.confirmed:
        outcome.alarm(f"revoke-failed.{name}", f"{name} could not be ended: {ending.why}")
    elif not has_events:
        text = f"{name} is ended, but the evidence of its issue is gone"
        outcome.alarm(f"evidence-gone.{name}", text)
    elif name in usable:
        outcome.note_usable(usable[name], now)
    elif reason is Reason.VANISHED:
        text = (
            f"the token of {name} was gone before its time, and nobody said that they were done: "
            "it may have been used by somebody else"
        )
        if ending.grant.is_offline:
            text += ", or the log-in that it was taken with has ended"
        outcome.alarm(f"vanished.{name}", text, standing=False)


def alarm_stolen(outcome: Outcome, name: str) -> None:
    """Notes that the holder of that grant says that another opened its delivery."""
    text = (
        f"the holder of {name} says that it was not them who opened its delivery: look in "
        "Vault's audit log for who did, and replace the key that it was sealed to"
    )
    outcome.alarm(f"stolen.{name}", text, standing=False)
