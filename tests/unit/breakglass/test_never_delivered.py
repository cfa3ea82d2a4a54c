"""What was taken offline was delivered by nobody, so nobody delivers it again."""

from __future__ import annotations

from dataclasses import replace

from daypass.lifecycle.ports import Slot, SlotState
from daypass.lifecycle.redelivering import why_not
from support.evidence_bot import a_grant


def test_what_was_taken_offline_is_not_delivered_again() -> None:
    grant = a_grant("a1")
    slot = Slot("a1", 1, SlotState.DELIVERED, {"accessor": "acc"})
    now = grant.not_after.plus(-600)
    assert why_not(grant, slot, now) is None
    assert "taken" in (why_not(replace(grant, pull_request=None), slot, now) or "")
