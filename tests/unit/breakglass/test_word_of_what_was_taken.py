"""What people leave in Vault while GitHub is down is their word, and no more is made of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from daypass.adapters.vault.offline_notes import offline_notes
from daypass.errors import VaultRefusedError
from daypass.lifecycle.drift import find_strangers
from daypass.lifecycle.offline import OfflineNote, OfflineNotes
from daypass.lifecycle.ports import TokenState
from daypass.lifecycle.world import accessor_digest
from daypass.model.instant import Instant
from support.evidence_bot import a_grant
from support.vault_answers import entry, listed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from daypass.lifecycle.offline import OfflineUse

NOW = Instant.parse("2026-11-23T09:10:00Z")
ALICE, BOB = "1" * 8 + "-2222-2222-2222-" + "3" * 12, "another"
MARKS = {"daypass_grant": "bg-alice", "daypass_repository": "7"}
ROLE = "daypass-offline-orders-db-read-1h"


def token(accessor: str, entity: str = ALICE, grant_id: str = "bg-alice") -> TokenState:
    meta = MARKS | {"daypass_grant": grant_id}
    return TokenState(
        accessor, NOW.plus(600), meta, not_before=NOW, token_role=ROLE, entity_id=entity
    )


def note(accessor: str = "acc") -> OfflineNote:
    return OfflineNote(ALICE, "bg-alice", NOW, accessor, ROLE, 600, MARKS, done=False)


@dataclass
class Vault:
    """Issuer and registry in one."""

    tokens: dict[str, TokenState] = field(default_factory=dict)
    notes: tuple[OfflineNote, ...] = ()
    refuses: bool = False

    def lookup(self, accessor: str) -> TokenState | None:
        if self.refuses:
            raise VaultRefusedError("no", remedy="None.")
        return self.tokens.get(accessor)

    def states(self, accessors: Iterable[str]) -> dict[str, TokenState]:
        found = {accessor: self.lookup(accessor) for accessor in accessors}
        return {accessor: state for accessor, state in found.items() if state is not None}

    def read(self, _grant_id: str) -> None:
        return None

    def offline_notes(self) -> OfflineNotes:
        return OfflineNotes(self.notes)


def uses(vault: Vault, *, listed: tuple[str, ...] = (), **grants: Any) -> tuple[OfflineUse, ...]:
    ports = SimpleNamespace(issuer=vault, registry=vault)
    world = SimpleNamespace(grants=grants, ruling=None, rulings=(), is_rolled_back=False)
    seen = SimpleNamespace(world=world, accessors={accessor_digest(item): item for item in listed})
    return find_strangers(cast("Any", ports), cast("Any", seen), 7).offline


def test_a_note_whose_token_is_gone_is_written_down() -> None:
    (use,) = uses(Vault(notes=(note(),)))
    assert (use.accessor, use.digest) == (None, accessor_digest("acc"))


def test_a_token_that_was_minted_since_the_run_looked_is_the_next_ones_and_not_one_that_ended() -> (
    None
):
    assert uses(Vault({"acc": token("acc")}, (note(),))) == ()


def test_a_note_cannot_name_the_token_of_somebody_else_as_its_own() -> None:
    (use,) = uses(Vault({"acc": token("acc", BOB, "bg-bob")}, (note(),)))
    assert use.digest != accessor_digest("acc")


def test_nor_that_of_a_grant_on_main() -> None:
    grant = replace(a_grant("a1"), accessor=accessor_digest("acc"))
    (use,) = uses(Vault(notes=(note(),)), a1=grant)
    assert use.digest != grant.accessor


@pytest.mark.parametrize("accessor", ["", "a b", "x" * 65, "acc"])
def test_what_vault_takes_for_no_accessor_stops_no_run(accessor: str) -> None:
    (use,) = uses(Vault(notes=(note(accessor),), refuses=True))
    assert use.digest == accessor_digest("")


def test_an_id_of_somebody_elses_live_token_hides_no_note() -> None:
    vault = Vault({"other": token("other", BOB)}, (note(),))
    assert {use.entity_id for use in uses(vault, listed=("other",))} == {ALICE, BOB}


@pytest.mark.parametrize("seconds", ["9" * 5000, "1e3", "", "-1", "\u0663"])
def test_a_note_with_an_absurd_length_stops_no_run(seconds: str) -> None:
    data = {"accessor": "acc", "role": ROLE, "seconds": seconds, **MARKS}

    def call(verb: str, path: str, **_: Any) -> Any:
        if verb == "LIST":
            return listed("bg-alice" if ALICE in path else f"{ALICE}/")
        return entry(data, created_time=str(NOW))

    (found,) = offline_notes(cast("Any", SimpleNamespace(call=call)), "kv").found
    assert found.seconds == 0
