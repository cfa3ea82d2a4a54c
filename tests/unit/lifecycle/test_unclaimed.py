"""What nobody came for is over when it can be opened no more: its newest delivery, that is."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from test_lifecycle_plan import ACCESSOR, NOW, a_file, a_grant, a_world

from daypass.lifecycle.observe import Observation
from daypass.lifecycle.ports import TokenState
from daypass.lifecycle.unclaimed import find_unclaimed
from daypass.model.event import EventKind, Reason
from daypass.model.resource import IssueMode


@pytest.mark.parametrize(
    ("delivered", "uses", "lapses"),
    [
        (-61, 2, True),
        (-59, 2, False),  # delivered again, long after it was issued
        (-61, 1, False),  # claimed
        (-61, None, False),
    ],
)
def test_a_delivery_that_can_be_opened_no_more(
    delivered: float, uses: int | None, *, lapses: bool
) -> None:
    grant = a_grant()
    wrapping = replace(grant.wrapping, time=str(NOW.plus(delivered)), ttl=60)
    grant = replace(grant, issue=IssueMode.ON_CLAIM, not_before=NOW.plus(-3000), wrapping=wrapping)
    world = a_world(requests={grant.id: a_file()}, grants={grant.id: grant})
    state = TokenState("x", grant.not_after, {}, uses)
    ports = SimpleNamespace(issuer=SimpleNamespace(lookup=lambda _: state))
    seen = Observation(world, {ACCESSOR: "x"}, {}, {})
    found = find_unclaimed(cast("Any", ports), seen, ())
    kinds = [(item.kind, item.reason) for item in found]
    assert kinds == ([(EventKind.LAPSED, Reason.NEVER_CLAIMED)] if lapses else [])
