"""Ends are believed only where Vault shows them, and what holds one up holds up no other."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from test_lifecycle_plan import a_grant, a_slot

from daypass.errors import VaultRefusedError, VaultUnavailableError
from daypass.lifecycle.ending import end_all
from daypass.lifecycle.marks import GRANT_MARK
from daypass.lifecycle.plan import Action, Step
from daypass.lifecycle.ports import SlotState, TokenState
from daypass.lifecycle.world import accessor_digest
from daypass.model.event import EventKind, Reason

if TYPE_CHECKING:
    from daypass.lifecycle.ports import Slot
    from daypass.model.grant import Grant


@dataclass
class FakeVault:
    """Tokens with their marks, and leases that may not want to go."""

    tokens: dict[str, str]  # accessor → grant id
    stuck: set[str] = field(default_factory=set)  # leases
    leases: tuple[str, ...] = ()
    fails: set[str] = field(default_factory=set)  # accessors
    tried: list[str] = field(default_factory=list)

    def revoke(self, accessor: str) -> None:
        self.tokens.pop(accessor, None)

    def lookup(self, accessor: str) -> TokenState | None:
        if accessor in self.fails:
            raise VaultUnavailableError("Vault is away", remedy="Wait.")
        if accessor not in self.tokens:
            return None
        meta = {GRANT_MARK: self.tokens[accessor]}
        return TokenState(accessor, a_grant().not_after, meta)

    def overdue_leases(self, mount: str, role: str) -> tuple[str, ...]:
        assert (mount, role) == (a_grant().mount, a_grant().role)
        return self.leases

    def revoke_lease(self, lease: str) -> None:
        self.tried.append(lease)
        if lease in self.stuck:
            raise VaultRefusedError("it lives on", remedy="Mend it.")


def end(vault: FakeVault, *grants: Grant, slot: Slot | None = None) -> list[str | None]:
    actions = [
        Action(Step.END, item.id, None, item, slot, EventKind.REVOKED, Reason.DONE)
        for item in grants
    ]
    accessors = {accessor_digest(accessor): accessor for accessor in vault.tokens}
    return [item.why for item in end_all(cast("Any", vault), actions, accessors)]


def test_each_overdue_lease_is_tried_and_one_that_stays_speaks_for_all_of_its_role() -> None:
    one, other = a_grant(), replace(a_grant(), id="alice-other")
    vault = FakeVault({}, stuck={"a"}, leases=("a", "b", "c"))
    whys = end(vault, one, other)
    assert vault.tried == ["a", "b", "c"]
    assert all(why and why.startswith("1 lease(s)") for why in whys)
    vault.stuck.clear()
    assert end(vault, one, other) == [None, None]


def under_way() -> Slot:
    return a_slot(SlotState.RESERVED, again=True)


def test_a_second_token_that_only_its_marks_name_ends_too_and_nobody_elses() -> None:
    grant = replace(a_grant(), accessor=accessor_digest("first"))
    vault = FakeVault({"first": grant.id, "second": grant.id, "another": "bob-orders"})
    assert end(vault, grant, slot=under_way()) == [None]
    assert vault.tokens == {"another": "bob-orders"}


def test_without_a_second_delivery_under_way_nothing_else_is_looked_at() -> None:
    grant = replace(a_grant(), accessor=accessor_digest("first"))
    vault = FakeVault({"first": grant.id, "another": "bob-orders"}, fails={"another"})
    assert end(vault, grant) == [None]


def test_what_cannot_be_looked_for_is_not_called_gone() -> None:
    grant = replace(a_grant(), accessor=accessor_digest("first"))
    vault = FakeVault({"first": grant.id, "second": "unknown"}, fails={"second"})
    assert end(vault, grant, slot=under_way()) == ["Vault is away"]
    assert "first" not in vault.tokens
