"""The order of things, and what is said when one of them fails."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest

from daypass.errors import VaultUnavailableError
from daypass.ledger.allowed_signers import Signers
from daypass.lifecycle.answers import Result
from daypass.lifecycle.ending_early import carry_out
from daypass.lifecycle.ports import Slot, SlotState, TokenState
from daypass.lifecycle.standing import Desk
from daypass.model.instant import Instant
from daypass.model.intent import Intent, IntentKind
from support.evidence_bot import a_grant

if TYPE_CHECKING:
    from collections.abc import Mapping

NOW = Instant.parse("2026-11-23T09:10:00Z")
DOWN = VaultUnavailableError("Vault cannot be reached", remedy="Later.")


@dataclass
class FakeVault:
    """Issuer and registry in one, which note what they are asked, in order."""

    slot: Slot | None = None
    marks: Mapping[str, str] = field(default_factory=lambda: {"daypass_grant": "a1"})
    alive: bool = True
    dies: bool = True
    fails: str = ""
    asked: list[str] = field(default_factory=list)

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        if what == self.fails:
            raise DOWN

    def write_intent(self, intent: Intent) -> None:
        self._ask(f"intent {intent.kind}")

    def read(self, grant_id: str) -> Slot | None:
        self._ask(f"read {grant_id}")
        return self.slot

    def lookup(self, accessor: str) -> TokenState | None:
        self._ask(f"lookup {accessor}")
        return TokenState(accessor, NOW, self.marks) if self.alive else None

    def revoke(self, accessor: str) -> None:
        self._ask(f"revoke {accessor}")
        self.alive = not self.dies


def slot(state: SlotState = SlotState.DELIVERED, **data: Any) -> Slot:
    return Slot("a1", 3, state, data or {"accessor": "acc"})


def carry(vault: FakeVault, kind: IntentKind = IntentKind.DONE) -> tuple[Result, str]:
    anything = cast("Any", vault)
    desk = Desk(anything, anything, anything, anything, Signers(()))
    answer = carry_out(desk, a_grant("a1"), Intent("a1", kind, 7, NOW))
    assert answer.grant_id == "a1"
    return answer.result, answer.why


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daypass.lifecycle.ending_early._PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr("daypass.lifecycle.ending_early._PAUSE_SECONDS", 0.0)


@pytest.mark.parametrize("kind", [IntentKind.DONE, IntentKind.REVOKE, IntentKind.HALT])
def test_noted_first_then_revoked_then_looked_at(kind: IntentKind) -> None:
    vault = FakeVault(slot())
    assert carry(vault, kind) == (Result.ENDING, "")
    assert vault.asked == [
        f"intent {kind}",
        "read a1",
        "lookup acc",
        "revoke acc",
        "lookup acc",
    ]


def test_a_redelivery_is_only_noted() -> None:
    vault = FakeVault(slot())
    assert carry(vault, IntentKind.REDELIVER) == (Result.NOTED, "")
    assert vault.asked == ["intent redeliver"]


def test_what_cannot_be_noted_is_not_begun() -> None:
    vault = FakeVault(slot(), fails="intent done")
    with pytest.raises(VaultUnavailableError):
        carry(vault)
    assert vault.asked == ["intent done"]


@pytest.mark.parametrize("at", ["read a1", "lookup acc", "revoke acc"])
def test_a_failure_afterwards_leaves_the_intent_and_says_so(at: str) -> None:
    vault = FakeVault(slot(), fails=at)
    assert carry(vault) == (Result.UNCONFIRMED, DOWN.message)
    assert vault.asked[0] == "intent done"


def test_a_token_that_still_lives_is_never_said_to_be_gone() -> None:
    assert carry(FakeVault(slot(), dies=False)) == (Result.UNCONFIRMED, "its token still lives")


def test_a_slot_that_names_the_token_of_something_else_ends_nothing() -> None:
    for marks in ({"daypass_grant": "b2"}, {}):
        vault = FakeVault(slot(), marks=marks)
        result, why = carry(vault)
        assert result is Result.UNCONFIRMED
        assert "something else" in why
        assert "revoke acc" not in vault.asked


def test_what_ended_before_needs_no_revocation() -> None:
    for vault in (FakeVault(slot(), alive=False), FakeVault(slot(SlotState.CLOSED, x=1))):
        assert carry(vault) == (Result.ENDING, "")
        assert "revoke acc" not in vault.asked


@pytest.mark.parametrize("found", [None, slot(SlotState.RESERVED, again=True)])
def test_without_an_accessor_the_next_run_ends_it(found: Slot | None) -> None:
    vault = FakeVault(found)
    assert carry(vault)[0] is Result.UNCONFIRMED
    assert vault.asked == ["intent done", "read a1"]
