"""What nobody came for is over when it can be opened no more: its newest delivery, that is."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from test_lifecycle_plan import ACCESSOR, NOW, a_file, a_grant, a_world

from daypass.lifecycle.granting import wrap_seconds
from daypass.lifecycle.observe import Observation
from daypass.lifecycle.plan import Action, Plan, Step
from daypass.lifecycle.ports import Slot, SlotState, TokenState
from daypass.lifecycle.unclaimed import find_unclaimed, name_unclaimed
from daypass.model.event import EventKind, Reason
from daypass.model.grant import WATCH_SECONDS
from daypass.model.resource import IssueMode

GRANT = replace(a_grant(), issue=IssueMode.ON_CLAIM)
DELIVERED = Slot(GRANT.id, 3, SlotState.DELIVERED, {"again": False, "wrapping": "w"})
AGAIN = replace(DELIVERED, data={"again": True, "wrapping": "w"})


def ports(slot: Slot | None, tokens: dict[str, int | None]) -> Any:
    """A Vault with that slot, and tokens that have so many uses left."""

    def lookup(accessor: str) -> TokenState | None:
        if accessor not in tokens:
            return None
        return TokenState(accessor, GRANT.not_after, {}, tokens[accessor])

    return SimpleNamespace(
        issuer=SimpleNamespace(lookup=lookup), registry=SimpleNamespace(read=lambda _: slot)
    )


@pytest.mark.parametrize(
    ("delivered", "uses", "slot", "lapses"),
    [
        (-61, 2, DELIVERED, True),
        (-59, 2, DELIVERED, False),
        (-61, 1, DELIVERED, False),  # claimed
        (-61, None, DELIVERED, False),
        (-61, 2, AGAIN, False),  # its first delivery may have been claimed
        (-61, 2, None, False),
    ],
)
def test_a_delivery_that_can_be_opened_no_more(
    delivered: float, uses: int | None, slot: Slot | None, *, lapses: bool
) -> None:
    wrapping = replace(GRANT.wrapping, time=str(NOW.plus(delivered)), ttl=60)
    grant = replace(GRANT, not_before=NOW.plus(-3000), wrapping=wrapping)
    world = a_world(requests={grant.id: a_file()}, grants={grant.id: grant})
    seen = Observation(world, {ACCESSOR: "x"}, {}, {})
    found = find_unclaimed(ports(slot, {"x": uses}), seen, ())
    kinds = [(item.kind, item.reason) for item in found]
    assert kinds == ([(EventKind.LAPSED, Reason.NEVER_CLAIMED)] if lapses else [])


@pytest.mark.parametrize(
    ("slot", "tokens", "kind"),
    [
        (DELIVERED, {"w": 1}, EventKind.LAPSED),
        (DELIVERED, {}, EventKind.EXPIRED),  # somebody opened it
        (AGAIN, {"w": 1}, EventKind.EXPIRED),
        (replace(DELIVERED, data={}), {"w": 1}, EventKind.EXPIRED),
        (None, {"w": 1}, EventKind.EXPIRED),
    ],
)
def test_what_expired_with_its_delivery_unopened_was_never_claimed(
    slot: Slot | None, tokens: dict[str, int | None], kind: EventKind
) -> None:
    expired = Action(Step.END, GRANT.id, grant=GRANT, kind=EventKind.EXPIRED, reason=Reason.TIME)
    (action,) = name_unclaimed(ports(slot, tokens), Plan((expired,))).actions
    assert action.kind is kind
    assert action.slot == (slot if kind is EventKind.LAPSED else None)
    on_merge = replace(expired, grant=a_grant())
    assert name_unclaimed(ports(slot, tokens), Plan((on_merge,))).actions == (on_merge,)


def test_a_delivery_outlives_its_grant_only_where_that_tells_something() -> None:
    assert wrap_seconds(IssueMode.ON_CLAIM, 3600, 60) == 60 + WATCH_SECONDS
    assert wrap_seconds(IssueMode.ON_CLAIM, 3600, 7200) == 3600
    assert wrap_seconds(IssueMode.ON_MERGE, 3600, 60) == 60
