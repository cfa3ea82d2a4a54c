"""Ends are believed only where Vault shows them, and what holds one up holds up no other."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import pytest
from test_lifecycle_plan import a_grant, a_slot

from daypass.errors import VaultRefusedError, VaultUnavailableError
from daypass.lifecycle.ending import end_all
from daypass.lifecycle.leases import OverdueLease
from daypass.lifecycle.marks import GRANT_MARK
from daypass.lifecycle.plan import Action, Step
from daypass.lifecycle.ports import SlotState, TokenState
from daypass.lifecycle.targets import Target, Targets
from daypass.lifecycle.world import accessor_digest
from daypass.model.event import EventKind, Reason
from daypass.model.instant import Instant
from daypass.model.resource import IssueMode
from daypass.model.target import Login, TargetReport

if TYPE_CHECKING:
    from collections.abc import Iterable

    from daypass.lifecycle.ports import Slot
    from daypass.model.grant import Grant


TARGET = Target("database", "orders-look", ("orders-db",))
TARGET_ROLE = (a_grant().mount, a_grant().role)


def a_report(**differs: Any) -> TargetReport:
    found: dict[str, Any] = {
        "server": 180006,
        "database": "orders",
        "sees": True,
        "ends": True,
        "prepared": 0,
        "sessions": (),
        "logins": (),
        "leftovers": (),
        "strange": 0,
        "definers": 0,
        "open": (),
    }
    return TargetReport(**(found | differs))


@dataclass
class FakeVault:
    """Tokens with their marks, and leases that may not want to go."""

    tokens: dict[str, str]  # accessor → grant id
    stuck: set[str] = field(default_factory=set)  # leases
    leases: tuple[str, ...] = ()
    fails: set[str] = field(default_factory=set)  # accessors
    tried: list[str] = field(default_factory=list)
    made_at: Instant | None = None  # the leases
    report: TargetReport | None = None
    blind: bool = False
    others: tuple[Grant, ...] = ()

    def revoke(self, accessor: str) -> None:
        self.tokens.pop(accessor, None)

    def lookup(self, accessor: str) -> TokenState | None:
        if accessor in self.fails:
            raise VaultUnavailableError("Vault is away", remedy="Wait.")
        if accessor not in self.tokens:
            return None
        meta = {GRANT_MARK: self.tokens[accessor]}
        return TokenState(accessor, a_grant().not_after, meta)

    def states(self, accessors: Iterable[str]) -> dict[str, TokenState]:
        found = (self.lookup(accessor) for accessor in accessors)
        return {state.accessor: state for state in found if state is not None}

    def overdue_leases(self, mount: str, role: str) -> tuple[OverdueLease, ...]:
        assert (mount, role) == TARGET_ROLE
        return tuple(OverdueLease(name, self.made_at) for name in self.leases)

    def look(self, mount: str, role: str) -> TargetReport:
        assert (mount, role) == (TARGET.mount, TARGET.look)
        if self.blind or self.report is None:
            raise VaultUnavailableError("the database is away", remedy="Wait.")
        return self.report

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
    seen = end_all(
        cast("Any", vault),
        actions,
        accessors,
        Targets({TARGET_ROLE: TARGET} if vault.report or vault.blind else {}),
        [item.id for item in (*grants, *vault.others)],
    )
    return [item.why for item in seen.ended]


def test_each_overdue_lease_is_tried_and_one_that_stays_speaks_for_those_of_its_time() -> None:
    one = a_grant()
    later = replace(one, id="later", not_before=one.not_before.plus(60), wrapping=None)
    vault = FakeVault({}, stuck={"a"}, leases=("a", "b", "c"), made_at=one.not_before.plus(1))
    whys = end(vault, one, later)
    assert vault.tried == ["a", "b", "c"]
    assert whys[0] is not None
    assert whys[0].startswith("1 lease(s)")
    assert whys[1] is None  # no lease is older than the token that read it
    vault.made_at = None  # not told: it may be of either
    assert all(why is not None for why in end(vault, one, later))
    vault.stuck.clear()
    assert end(vault, one, later) == [None, None]


def test_a_delivery_that_was_read_at_once_has_no_lease_of_later() -> None:
    grant = a_grant()
    wrapped = Instant.parse(grant.delivery.time)
    vault = FakeVault({}, stuck={"a"}, leases=("a",), made_at=wrapped.plus(60))
    assert end(vault, replace(grant, issue=IssueMode.ON_MERGE)) == [None]
    (why,) = end(vault, replace(grant, issue=IssueMode.ON_CLAIM))
    assert why is not None


def test_the_target_knows_better_than_a_lease() -> None:
    grant = a_grant()
    vault = FakeVault({}, stuck={"a"}, leases=("a",), report=a_report())
    assert end(vault, grant) == [None]
    vault.report = a_report(logins=(Login(f"g-{grant.id}-abc123-1700000000"),))
    (why,) = end(vault, grant)
    assert why is not None
    assert why.startswith(f"its log-in g-{grant.id}-abc123-1700000000 still works")
    assert "NOLOGIN" in why


def test_where_ids_cannot_be_told_apart_by_their_log_ins_the_lease_has_to_tell() -> None:
    grant = replace(a_grant(), id="a" * 40)
    other = replace(grant, id="a" * 36 + "bbbb")
    login = Login(f"g-{'a' * 36}-abc123-1700000000")
    vault = FakeVault({}, report=a_report(logins=(login,)), others=(other,))
    assert end(vault, grant) == [None]  # it is the other's
    vault.stuck, vault.leases = {"a"}, ("a",)
    (why,) = end(vault, grant)
    assert why is not None
    assert why.startswith("1 lease(s)")


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (None, "could not be looked at: the database is away"),
        ({"sees": False}, "GRANT pg_read_all_stats"),
        ({"sessions": ("",)}, "1 session(s) of ended log-ins are still open"),
        ({"sessions": ("g-alice-orders-abc123-1700000000",)}, "1 session(s) of ended log-ins"),
    ],
)
def test_what_the_target_does_not_show_is_not_confirmed(
    report: dict[str, Any] | None, words: str
) -> None:
    vault = FakeVault({}, blind=report is None, report=a_report(**(report or {})))
    (why,) = end(vault, a_grant())
    assert why is not None
    assert words in why


def test_a_name_that_the_template_shortens_is_known_all_the_same() -> None:
    """The username template takes every `token-grant-` out of what it is given."""
    odd, plain = replace(a_grant(), id="token-grant-alice-1"), replace(a_grant(), id="alice-1")
    login = Login("g-alice-1-abc123-1700000000")
    vault = FakeVault({}, report=a_report(logins=(login,)))
    (why,) = end(vault, odd)
    assert why is not None
    assert "still works" in why
    vault.others = (plain,)  # then it may be the other's, and the lease has to tell
    assert end(vault, odd) == [None]
    vault.stuck, vault.leases = {"a"}, ("a",)
    assert end(vault, odd) != [None]


def test_where_log_ins_bear_other_names_the_lease_has_to_tell() -> None:
    vault = FakeVault({}, stuck={"a"}, leases=("a",), report=a_report(strange=1))
    (why,) = end(vault, a_grant())
    assert why is not None
    assert why.startswith("1 lease(s)")
    targets = Targets({TARGET_ROLE: TARGET}, {TARGET: a_report(strange=1)})
    assert str(targets.confirms(a_grant())) == "credential"


def test_a_session_of_another_log_in_speaks_for_no_other_grant() -> None:
    vault = FakeVault({}, report=a_report(sessions=("g-bob-orders-abc123-1700000000",)))
    assert end(vault, a_grant()) == [None]


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
