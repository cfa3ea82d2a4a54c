"""Delivering: the comment that carries a sealed token, and the one that tells of a refusal.

Both come after the evidence is on main, and both are idempotent by their marker: however often a
run is killed and repeated, one stands.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from daypass.errors import ConflictError
from daypass.lifecycle import messages
from daypass.lifecycle.ports import SlotState
from daypass.model.event import Reason

if TYPE_CHECKING:
    from daypass.lifecycle.happening import Refusal
    from daypass.lifecycle.ports import Forge, Registry, Slot
    from daypass.model.grant import Grant


def deliver(
    grant: Grant, slot: Slot, forge: Forge, registry: Registry, *, first: bool = False
) -> str:
    """Post the delivery, drop the ciphertext from Vault, and return the comment's address.

    `first`: this run minted it for an id that was never used before, and looks for no delivery by
    a run before it.
    """
    comment = forge.post_comment(
        grant.asked_in,
        messages.delivery_marker(grant.id, again=bool(slot.data.get("again"))),
        messages.delivery(grant, str(slot.data["ciphertext"])),
        first=first,
    )
    with suppress(ConflictError):  # another run has just delivered the same: nothing is left to do
        registry.write(
            grant.id,
            SlotState.DELIVERED,
            {
                "accessor": slot.data["accessor"],
                "wrapping": slot.data.get("wrapping"),
                "comment": comment.url,
                "again": bool(slot.data.get("again")),
            },
            slot.version,
        )
    if slot.data.get("again"):
        registry.remove_intent(grant.id)
    registry.remove_pending(grant.id)
    return comment.url


def note_taken(grant: Grant, slot: Slot, registry: Registry) -> None:
    """What was taken offline is in the evidence: nothing is delivered, and its note goes."""
    with suppress(ConflictError):
        registry.write(
            grant.id,
            SlotState.DELIVERED,
            {"accessor": slot.data["accessor"], "offline": slot.data["offline"]},
            slot.version,
        )
    registry.remove_offline_note(str(slot.data["offline"]), grant.id)
    registry.remove_pending(grant.id)


def notify(refusal: Refusal, slot: Slot | None, forge: Forge, registry: Registry) -> None:
    """Tell on the pull request why a merged request was not granted, and close its slot.

    Requests over the limit of one pull request share one comment.
    """
    if refusal.pull_request is not None:
        number, over = refusal.pull_request, refusal.reason is Reason.TOO_MANY
        forge.post_comment(
            number,
            messages.too_many_marker(number) if over else messages.refusal_marker(refusal.grant_id),
            messages.too_many(refusal) if over else messages.refusal(refusal),
        )
        if not refusal.merged:
            forge.close_issue(refusal.pull_request)
    if slot is not None and slot.state is SlotState.REFUSED:
        close(slot, registry)


def close(slot: Slot, registry: Registry) -> None:
    """Nothing is due for this id any more. It stays used for ever."""
    with suppress(ConflictError):
        registry.write(slot.grant_id, SlotState.CLOSED, {}, slot.version)
    registry.remove_pending(slot.grant_id)
