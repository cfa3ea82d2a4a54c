"""What a restored Vault forgot: which ends those are, and until when what they opened works."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest
from test_lifecycle_plan import ACCESSOR, NOW, a_file, a_grant, a_world

from daypass.lifecycle.forgotten import mark_forgotten, usable_until
from daypass.lifecycle.plan import Action, Step, make_plan
from daypass.lifecycle.ports import Slot, SlotState
from daypass.lifecycle.restored import Restored
from daypass.lifecycle.world import accessor_digest
from daypass.model.event import EventKind, Reason
from daypass.model.instant import Instant
from daypass.model.intent import Intent, IntentKind
from daypass.model.resource import IssueMode

if TYPE_CHECKING:
    from daypass.lifecycle.context import Ports
    from daypass.model.grant import Grant


class Shelf:
    """Ports of which the slots are asked for, and nothing else."""

    def __init__(self, slot: Slot | None) -> None:
        self.slot, self.asked = slot, 0

    @property
    def registry(self) -> Shelf:
        return self

    def read(self, _grant_id: str) -> Slot | None:
        self.asked += 1
        return self.slot


def slot(state: SlotState, **data: Any) -> Slot:
    return Slot("alice-orders", 3, state, data)


def ends(
    found: Slot | None, reason: Reason = Reason.VANISHED, *, restored: bool = False
) -> tuple[Reason | None, int, Shelf]:
    """The reason that the end has then, how many are forgotten, and what was asked."""
    shelf = Shelf(found)
    action = Action(Step.END, "alice-orders", grant=MINE, kind=EventKind.REVOKED, reason=reason)
    (marked,), usable = mark_forgotten(cast("Ports", shelf), [action], set(), restored=restored)
    return marked.reason, len(usable), shelf


MINE: Grant = replace(a_grant(), accessor=accessor_digest("mine"))


@pytest.mark.parametrize(
    "found",
    [
        None,
        slot(SlotState.RESERVED),
        slot(SlotState.CLOSED, forgotten=True),
        slot(SlotState.DELIVERED, accessor="of before"),
        slot(SlotState.MINTED, accessor="of a mint before"),
    ],
)
def test_what_vault_does_not_know_it_forgot(found: Slot | None) -> None:
    assert ends(found)[:2] == (Reason.VAULT_RESTORED, 1)


@pytest.mark.parametrize(
    "found",
    [
        slot(SlotState.DELIVERED, accessor="mine"),
        slot(SlotState.MINTED, accessor="mine"),
        slot(SlotState.CLOSED),
        slot(SlotState.RESERVED, again=True),
        slot(SlotState.MINTED, accessor="the second", again=True),
    ],
)
def test_what_vault_knows_has_vanished(found: Slot) -> None:
    assert ends(found)[:2] == (Reason.VANISHED, 0)


def test_other_ends_are_asked_about_only_where_vault_was_restored() -> None:
    reason, forgotten, shelf = ends(None, Reason.TIME)
    assert (reason, forgotten, shelf.asked) == (Reason.TIME, 0, 0)
    assert ends(None, Reason.DONE, restored=True)[:2] == (Reason.DONE, 1)


def test_a_token_that_lives_is_not_forgotten() -> None:
    shelf = Shelf(None)
    action = Action(Step.END, "alice-orders", grant=MINE, reason=Reason.DONE)
    _, usable = mark_forgotten(cast("Ports", shelf), [action], {MINE.accessor}, restored=True)
    assert (usable, shelf.asked) == ({}, 0)


def test_until_when_it_works() -> None:
    """On-merge it was read at the issue; on-claim at the token's last moment at the latest."""
    tier, grain = 3600, 10
    merged = usable_until(MINE)
    assert merged == Instant.parse("2026-11-23T08:59:00Z").plus(tier + grain)
    claimed = usable_until(replace(MINE, issue=IssueMode.ON_CLAIM))
    assert claimed == MINE.not_after.plus(tier + grain)
    assert usable_until(replace(MINE, wrapping=None)) == claimed


ROLLED_BACK = Restored("f" * 40, 9, "e" * 40, 3, None, vault_is_older=False)


def test_of_a_main_that_was_put_back_only_what_people_end_is_ended() -> None:
    """Whatever is missing there, edited, over or unknown: what main lacks may explain it."""
    asked, grants = {"alice-orders": a_file()}, {"alice-orders": a_grant()}
    over = {"alice-orders": replace(a_grant(), not_after=NOW.plus(-9))}
    worlds = (
        a_world(grants=grants, requests=asked, live=frozenset()),
        a_world(grants=grants, requests={"alice-orders": a_file("f" * 40)}),
        a_world(grants=over, requests=asked),
        a_world(grants={}, requests={"alice-orders": a_file()}),
        a_world(grants={}, slots={"x": Slot("x", 1, SlotState.RESERVED, {})}, requests={}),
    )
    for world in worlds:
        assert make_plan(replace(world, restored=ROLLED_BACK)).actions == ()


@pytest.mark.parametrize("how", ["word", "deletion"])
def test_of_a_main_that_was_put_back_what_people_end_is_ended(how: str) -> None:
    word = Intent("alice-orders", IntentKind.DONE, 1, NOW)
    world = a_world(
        grants={"alice-orders": a_grant()},
        live=frozenset({ACCESSOR}),
        requests={} if how == "deletion" else {"alice-orders": a_file()},
        intents={"alice-orders": word} if how == "word" else {},
        restored=ROLLED_BACK,
    )
    (action,) = make_plan(world).actions
    reason = Reason.DONE if how == "word" else Reason.REQUEST_DELETED
    assert (action.step, action.reason) == (Step.END, reason)
