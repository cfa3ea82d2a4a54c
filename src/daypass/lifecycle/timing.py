"""Timing: whether a merged request comes in time, too early, or too late. Pure.

Its window begins at its `notBefore`, and else at its merge. What comes late is stale: whoever
approved it meant then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from daypass.errors import TemporaryError
from daypass.model.event import EventKind, Reason
from daypass.model.grant import Lane

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daypass.model.instant import Instant
    from daypass.model.request import AccessRequest

LAPSES_AFTER_SECONDS: Final = 24 * 3600
EMERGENCY_LAPSES_AFTER_SECONDS: Final = 3600
AHEAD_AT_MOST_SECONDS: Final = 30 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Wait:
    """A request whose window has not begun."""

    why: str
    until: Instant


@dataclass(frozen=True, slots=True)
class Late:
    """A request whose time cannot be, or is over: what is recorded, and why in words."""

    kind: EventKind
    reason: Reason
    why: str


def untimely(
    request: AccessRequest, lane: Lane, merged_at: Instant, now: Instant
) -> Wait | Late | None:
    """Why a request is not to be issued now; None when it is.

    Args:
        request: as it lies on main.
        lane: an emergency that waits is none.
        merged_at: when it came to main, by GitHub's word.
        now: by Vault's.
    """
    if lane is Lane.BREAK_GLASS:
        return _late_emergency(merged_at, now)
    begins = request.not_before
    if begins is None:
        begins = merged_at
    elif begins.since(merged_at) > AHEAD_AT_MOST_SECONDS:
        why = f"notBefore {begins} lies more than 30 days after the merge"
        return Late(EventKind.DENIED, Reason.INVALID, why)
    elif request.is_over(merged_at):
        return Late(EventKind.DENIED, Reason.INVALID, over(request, f"merged at {merged_at}"))
    begins = max(begins, merged_at)
    if now < begins:
        return Wait(f"begins at {begins}", begins)
    if now.since(begins) > LAPSES_AFTER_SECONDS:
        why = f"it could not be issued within 24 hours of {begins}"
        return Late(EventKind.LAPSED, Reason.LAPSED, why)
    return None


def over(request: AccessRequest, when: str) -> str:
    """Why a window that has passed is refused, in words."""
    return (
        f"its window, {request.duration} from {request.not_before}, was over when it was {when}: "
        "ask anew, for a time to come"
    )


def left_at(now: Instant, seconds: int, ends: Mapping[str, Instant]) -> int:
    """How many of the seconds that were decided are left when it is minted: decided was earlier.

    Args:
        now: by Vault's clock.
        seconds: as decided.
        ends: instants that the grant must not outlive, by what ends then.

    Raises:
        TemporaryError: one of them has come meanwhile.
    """
    for what, end in ends.items():
        left = int(end.since(now)) - 1  # Vault tells whole seconds, rounded down
        if left < 1:
            raise TemporaryError(
                f"{what} ended while it was issued",
                remedy="Nothing was minted. The next run decides again.",
            )
        seconds = min(seconds, left)
    return seconds


def _late_emergency(merged_at: Instant, now: Instant) -> Late | None:
    """What is granted long after its merge is no emergency any more."""
    if now.since(merged_at) <= EMERGENCY_LAPSES_AFTER_SECONDS:
        return None
    why = f"it could not be issued within an hour of {merged_at}: break the glass anew"
    return Late(EventKind.LAPSED, Reason.LAPSED, why)
