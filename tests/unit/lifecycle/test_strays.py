"""Strays: tokens that killed runs minted are ended, and no token that is being made is touched."""

from __future__ import annotations

from contextlib import nullcontext
from threading import Event
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from daypass.lifecycle import granting, happening, issuing
from daypass.lifecycle.granting import Granted, Order, end_strays
from daypass.lifecycle.issuing import Issuing
from daypass.lifecycle.marks import GRANT_MARK, REPOSITORY_MARK
from daypass.lifecycle.outcome import Outcome
from daypass.lifecycle.plan import Action, Plan, Step
from daypass.lifecycle.ports import Slot, SlotState
from daypass.lifecycle.undecided_note import UndecidedRequests
from daypass.model.instant import Duration
from daypass.model.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pytest

REPOSITORY = 456


class Vault:
    """Tokens by accessor, and what was looked up while the slow mint was under way."""

    def __init__(self, tokens: Mapping[str, tuple[str, int]]) -> None:
        self.tokens = dict(tokens)
        self.may_finish = Event()
        self.is_minting_slowly = False
        self.disturbed: list[str] = []

    def now(self) -> None: ...

    def mint(self, grant_id: str) -> Any:
        if grant_id == "slow":
            self.is_minting_slowly = True
            assert self.may_finish.wait(60)
            self.is_minting_slowly = False
        self.tokens[f"new-{grant_id}"] = (grant_id, REPOSITORY)
        return SimpleNamespace(
            accessor=f"new-{grant_id}", token=Secret("s.new"), wrapping_accessor=""
        )

    def live_accessors(self) -> frozenset[str]:
        return frozenset(self.tokens)

    def states(self, accessors: Iterable[str]) -> dict[str, Any]:
        return {accessor: self._state(accessor) for accessor in accessors}

    def _state(self, accessor: str) -> Any:
        if self.is_minting_slowly:
            self.disturbed.append(accessor)
        grant_id, repository = self.tokens[accessor]
        marks = {GRANT_MARK: grant_id, REPOSITORY_MARK: str(repository)}
        return SimpleNamespace(accessor=accessor, meta=marks)

    def revoke(self, accessor: str) -> None:
        del self.tokens[accessor]


class Slots:
    def write(self, grant_id: str, state: SlotState, data: Any, version: int) -> Slot:
        return Slot(grant_id, version + 1, state, data)

    def add_pending(self, _grant_id: str) -> None: ...

    def expect_pending(self, _grant_id: str) -> None: ...

    def read_note(self, _name: str) -> None: ...


def order(action: Action) -> Order:
    """An order of which only what `grant` itself reads is filled in."""
    made = object.__new__(Order)
    for name, value in {
        "request": SimpleNamespace(id=action.grant_id),
        "file": SimpleNamespace(blob="b" * 40),
        "slot": action.slot,
        "recipients": (),
        "decision": SimpleNamespace(seconds=60),
        "decision_input": {},
        "resource": SimpleNamespace(connection={"host": "db"}),
        "subject": SimpleNamespace(contract_end=None),
        "lane": None,
    }.items():
        object.__setattr__(made, name, value)
    return made


def test_strays_are_looked_for_once_nothing_is_being_minted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Vault revokes a token that is looked up between its creation and that of its lease."""
    vault = Vault({"stray": ("quick", REPOSITORY), "other": ("elsewhere", REPOSITORY)})
    ports = SimpleNamespace(
        issuer=vault,
        registry=Slots(),
        sealer=SimpleNamespace(seal=lambda _token, _to: SimpleNamespace(armored="")),
        repository=None,
        signer=SimpleNamespace(public_key=lambda: b"k" * 32),
        signers=(),
        run=SimpleNamespace(id="7/1"),
    )
    settings = SimpleNamespace(
        claim_window=SimpleNamespace(seconds=60),
        github=SimpleNamespace(repository_id=REPOSITORY),
        vault=SimpleNamespace(address="https://vault.example.com", namespace=None),
    )
    judge = SimpleNamespace(judge=order, commit_of=lambda _action: None)

    def issued(grant: Any, _run: Any) -> Any:
        if grant.id == "quick":
            vault.may_finish.set()
        return grant.id

    monkeypatch.setattr(issuing.Judge, "prepare", lambda *_words: judge)
    monkeypatch.setattr(happening, "issued", issued)
    monkeypatch.setattr(granting, "_mint_order", lambda order, *_words: order.request.id)
    monkeypatch.setattr(
        granting,
        "_record",
        lambda order, *_words: SimpleNamespace(id=order.request.id, to_document=dict),
    )
    begun = {"slow", "quick"}
    plan = Plan(
        tuple(
            Action(Step.JUDGE, name, slot=Slot(name, 1, SlotState.RESERVED, {})) for name in begun
        )
    )
    outcome, registry = Outcome(), cast("Any", ports.registry)
    undecided = UndecidedRequests(registry, cast("Any", None), outcome, Duration(900))
    house = Issuing(cast("Any", ports), cast("Any", settings), outcome, undecided)
    answers = SimpleNamespace(asking=lambda _commits: nullcontext())
    seen = SimpleNamespace(world=SimpleNamespace(requests={}, grants={}, now=None, tip=None))
    monkeypatch.setattr(issuing, "note_before_again", lambda *_words: None)
    done = list(house.run(cast("Any", seen), plan, cast("Any", answers)))
    assert set(done) == begun
    assert all(isinstance(item, Granted) for item in house.minted.values())
    assert vault.disturbed == []
    assert set(vault.tokens) == {"new-slow", "new-quick", "other"}


def test_another_repositorys_grant_of_the_same_id_is_no_stray() -> None:
    vault = Vault({"ours": ("a1", REPOSITORY), "stray": ("a1", REPOSITORY), "theirs": ("a1", 457)})
    end_strays(cast("Any", vault), {"a1": "ours"}, REPOSITORY)
    assert set(vault.tokens) == {"ours", "theirs"}


def test_without_a_grant_that_was_begun_vault_is_not_asked() -> None:
    end_strays(cast("Any", None), {}, REPOSITORY)
