"""Drift goes by the token role that Vault keeps; what a run has under way is none."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from daypass.adapters.vault.minting import role_of
from daypass.lifecycle.drift import find_strangers
from daypass.lifecycle.offline import OfflineNotes
from daypass.lifecycle.ports import Slot, SlotState, TokenState
from daypass.lifecycle.world import accessor_digest
from daypass.model.instant import Instant
from daypass.model.resource import Resource

if TYPE_CHECKING:
    from collections.abc import Iterable

    from daypass.lifecycle.drift import Orphan

NOW = Instant.parse("2026-11-23T09:10:00Z")
OURS = 7
ROLE = "daypass-orders-db-read-1h"
BREAK_GLASS, OFFLINE = "daypass-bg-orders-db-read-1h", "daypass-offline-orders-db-read-1h"
MARKS = {"daypass_grant": "a-1", "daypass_repository": str(OURS)}
ORDERS = Resource.from_document(
    {
        "metadata": {"name": "orders-db"},
        "spec": {
            "type": "database",
            "environment": "production",
            "sensitivity": "moderate",
            "owners": {"business": "orders-team", "lifecycle": "dba"},
            "levels": {
                "read": {"engine": "database", "mount": "database", "tiers": {"1h": "orders-ro-1h"}}
            },
            "maxDuration": "1h",
            "recording": "none",
            "approvers": {"groups": ["dba"], "atLeast": 1},
        },
    }
)


@dataclass
class Vault:
    """Issuer and registry in one: one token, and what is remembered of the grant that it names."""

    token: TokenState
    slot: Slot | None = None
    read_ids: list[str] = field(default_factory=list)

    def lookup(self, _accessor: str) -> TokenState:
        return self.token

    def states(self, accessors: Iterable[str]) -> dict[str, TokenState]:
        return dict.fromkeys(accessors, self.token)

    def read(self, grant_id: str) -> Slot | None:
        self.read_ids.append(grant_id)
        return self.slot

    def offline_notes(self) -> OfflineNotes:
        return OfflineNotes(())


def token(role: str | None = ROLE, entity: str = "", **meta: str) -> TokenState:
    return TokenState("acc", NOW.plus(600), meta, token_role=role, entity_id=entity)


def slot(state: SlotState, accessor: str | None = "acc") -> Slot:
    return Slot("a-1", 1, state, {"accessor": accessor} if accessor else {})


def found(vault: Vault) -> tuple[Orphan, ...]:
    main = SimpleNamespace(fetch=lambda: "head", entries=lambda *_: ())
    ports = SimpleNamespace(issuer=vault, registry=vault, repository=main)
    ruling = SimpleNamespace(resources={"orders-db": ORDERS})
    world = SimpleNamespace(grants={}, ruling=ruling, rulings=(ruling,), is_rolled_back=False)
    seen = SimpleNamespace(world=world, accessors={accessor_digest("acc"): "acc"})
    return find_strangers(cast("Any", ports), cast("Any", seen), OURS).orphans


@pytest.mark.parametrize("role", [ROLE, BREAK_GLASS, OFFLINE])
@pytest.mark.parametrize(
    "meta",
    [{}, MARKS, {"daypass_repository": "8", "daypass_grant": "b-1"}, {"daypass_grant": "../x"}],
)
def test_what_came_through_a_role_of_ours_is_ours(role: str, meta: dict[str, str]) -> None:
    (orphan,) = found(Vault(token(role, **meta)))
    assert orphan.token_role == role
    assert not orphan.is_unbidden, "what Vault's memory does not know, no limit protects"
    assert role in orphan.what


@pytest.mark.parametrize("role", [None, "payments", "daypassport", "daypass"])
def test_what_came_another_way_is_not_ours_whatever_marks_it_carries(role: str | None) -> None:
    assert found(Vault(token(role, **MARKS))) == ()


def test_of_a_level_that_main_has_no_more_only_what_carries_our_marks_is_ours() -> None:
    gone = "daypass-gone-db-read-1h"
    assert found(Vault(token(gone))) == ()
    assert found(Vault(token(gone, **(MARKS | {"daypass_repository": "8"})))) == ()
    assert len(found(Vault(token(gone, **MARKS)))) == 1


@pytest.mark.parametrize(
    ("kept", "ours"),
    [
        (slot(SlotState.RESERVED, None), False),
        (slot(SlotState.MINTED), False),
        (slot(SlotState.MINTED, "other"), True),
        (slot(SlotState.DELIVERED), True),  # and main has nothing of it
        (slot(SlotState.CLOSED), True),
        (None, True),
    ],
)
def test_what_a_run_has_under_way_is_read_first(kept: Slot | None, *, ours: bool) -> None:
    assert bool(found(Vault(token(**MARKS), kept))) is ours


def test_only_what_was_once_a_grant_counts_in_the_limit_of_revocations() -> None:
    (granted,) = found(Vault(token(**MARKS), slot(SlotState.DELIVERED)))
    assert granted.is_unbidden
    (another,) = found(Vault(token(**MARKS), slot(SlotState.DELIVERED, "other")))
    assert not another.is_unbidden


def test_what_an_invoker_took_offline_is_written_down_and_not_ended() -> None:
    taken = token(OFFLINE, "11111111-2222-2222-2222-333333333333", **MARKS)
    assert found(Vault(replace(taken, not_before=NOW))) == ()
    assert len(found(Vault(replace(taken, meta={})))) == 1, "it says nothing that could be written"


def test_the_wrapping_token_of_a_delivery_is_no_token_of_the_role() -> None:
    """It has the path of what it wraps: ending it would take the delivery away."""
    path = f"auth/token/create/{ROLE}"
    assert role_of({"path": path, "policies": ["response-wrapping"]}) is None
    assert role_of({"path": path, "policies": [ROLE]}) == ROLE
    assert role_of({"path": f"auth/token/create-orphan/{ROLE}", "policies": [ROLE]}) is None
    assert role_of({"path": "database/creds/x", "policies": ["response-wrapping"]}) is None
