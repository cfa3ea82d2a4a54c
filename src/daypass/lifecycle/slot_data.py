"""Slot data: whether what Vault's KV holds for a grant id is what daypass writes there. Pure.

What is read here is never questioned again: a slot that holds another id's record, or none where
its state needs one, would end or deliver the wrong thing, or stop a whole run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from daypass.lifecycle.happening import Refusal
from daypass.lifecycle.ports import SlotState
from daypass.model.grant import Grant

if TYPE_CHECKING:
    from collections.abc import Mapping

_TEXTS: Final = ("accessor", "ciphertext", "offline", "blob")
_NEEDED: Final[Mapping[SlotState, tuple[str, ...]]] = {
    SlotState.MINTED: ("record", "accessor"),
    SlotState.REFUSED: ("refusal",),
    SlotState.DELIVERED: ("accessor",),
}


def checked_state(grant_id: str, state: object, data: Mapping[str, Any]) -> SlotState:
    """The state of a slot, of which the data is checked.

    Raises KeyError, TypeError, ValueError, AttributeError, RecursionError: daypass wrote no such
    slot for that id.
    """
    if not isinstance(state, str):
        raise TypeError("not a state")
    found = SlotState(state)
    for name in _NEEDED.get(found, ()):
        _ = data[name]
    for name in _TEXTS:
        if name in data and not isinstance(data[name], str):
            raise TypeError("not a text")
    if not isinstance(data.get("wrapping"), str | None):
        raise TypeError("not a text")
    if "record" in data and Grant.from_document(data["record"]).id != grant_id:
        raise ValueError("a record of another grant")
    if "refusal" in data and Refusal.from_json(data["refusal"]).grant_id != grant_id:
        raise ValueError("a refusal of another request")
    return found
