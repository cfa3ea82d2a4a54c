"""Grants: minted in both modes, ended by time, by hand, and confirmed at the database."""

from __future__ import annotations

import dataclasses
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import psycopg
import pytest
from vault_house import House, order

from daypass.adapters.clock import machine_now
from daypass.adapters.vault.claim import open_delivery, unwrap, wrapping_lookup
from daypass.adapters.vault.client import Client
from daypass.adapters.vault.issuer import VaultIssuer
from daypass.adapters.vault.session import Session, login_jwt
from daypass.errors import ClaimError, VaultRefusedError, VaultUnavailableError
from daypass.model.grant import Grant, Lane, Wrapping
from daypass.model.instant import Duration
from daypass.model.resource import IssueMode
from daypass.model.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from daypass.lifecycle.ports import Minted, MintOrder
    from daypass.sandbox.postgres import Postgres

pytestmark = pytest.mark.integration


def grant_of(wanted: MintOrder, minted: Minted) -> Grant:
    wrapping = Wrapping(
        minted.wrapping_path, minted.wrapping_time, minted.wrapping_ttl, "sha256:" + "0" * 64
    )
    return Grant(
        id=wanted.grant_id,
        lane=Lane.ROUTINE,
        subject="alice",
        requester="alice",
        requester_id=1,
        resource="orders-db",
        access="read",
        engine=wanted.engine,
        mount=wanted.mount,
        role=wanted.role,
        token_role=wanted.token_role,
        tier=Duration.parse("1h"),
        issue=wanted.issue,
        request_blob="0" * 40,
        request_commit="0" * 40,
        pull_request=1,
        not_before=minted.not_before,
        not_after=minted.not_after,
        accessor="sha256:" + "0" * 64,
        wrapping=wrapping,
        recipients=(),
        approvals=(),
        decision_input={},
        decision_digest="sha256:" + "0" * 64,
        policy_digest="sha256:" + "0" * 64,
    )


@pytest.fixture
def holder(house: House) -> Iterator[Client]:
    with Client(house.settings.vault) as client:
        yield client


def logs_in(postgres: Postgres, credential: dict[str, Secret]) -> bool:
    try:
        with postgres.connect(credential["username"].reveal(), credential["password"]) as link:
            return bool(link.execute("SELECT count(*) FROM orders").fetchone()[0] == 3)
    except psycopg.Error:  # refused, thrown out, or its rights went first: the roads of one end
        return False


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


@pytest.mark.parametrize("access", ["read", "admin"])
def test_a_grant_opens_the_door_until_it_is_revoked(
    access: str, issuer: VaultIssuer, holder: Client, postgres: Postgres
) -> None:
    wanted = order(f"lives-{access}", access)
    before = postgres.roles()
    minted = issuer.mint(wanted)
    made_at_once = postgres.roles() - before
    assert len(made_at_once) == (1 if access == "read" else 0)

    state = issuer.lookup(minted.accessor)
    assert state is not None
    assert state.meta == {"grant": wanted.grant_id}
    assert state.token_role == wanted.token_role
    wrapping = issuer.lookup(minted.wrapping_accessor)
    assert wrapping is not None
    assert wrapping.token_role is None, "whoever takes it for a grant's token ends the delivery"
    assert state.not_after == minted.not_after
    assert minted.not_after.since(minted.not_before) == pytest.approx(600, abs=0.01)
    assert minted.accessor in issuer.live_accessors()

    credential = open_delivery(holder, minted.token, grant_of(wanted, minted)).credential
    assert logs_in(postgres, credential)
    assert credential["username"].reveal().startswith(f"g-{wanted.grant_id}-")

    issuer.revoke(minted.accessor)
    assert issuer.overdue_leases(wanted.mount, wanted.role) == ()
    assert issuer.lookup(minted.accessor) is None
    assert minted.accessor not in issuer.live_accessors()
    assert not logs_in(postgres, credential)
    assert postgres.roles() == before
    issuer.revoke(minted.accessor)  # idempotent


@pytest.mark.parametrize("access", ["read", "admin"])
def test_a_grant_ends_by_itself_on_time(
    access: str, issuer: VaultIssuer, holder: Client, postgres: Postgres
) -> None:
    wanted = order(f"ends-{access}", access, ttl=5)
    minted = issuer.mint(wanted)
    credential = open_delivery(holder, minted.token, grant_of(wanted, minted)).credential
    assert logs_in(postgres, credential)
    left = minted.not_after.nanoseconds / 1e9 - machine_now().nanoseconds / 1e9
    assert left <= 5
    if left > 1.5:  # a slow machine comes too late to look on, and sees the end
        time.sleep(left - 1.5)
        assert logs_in(postgres, credential)
    assert within(20.0, lambda: not logs_in(postgres, credential))
    assert within(20.0, lambda: issuer.lookup(minted.accessor) is None)


def test_a_grant_outlives_the_login_that_minted_it(house: House, postgres: Postgres) -> None:
    wanted = order("outlives")
    with login_jwt(house.settings.vault, house.jwt) as session:
        minted = VaultIssuer(session).mint(wanted)
    # The session has revoked its own token by now.
    with Client(house.settings.vault) as holder:
        credential = open_delivery(holder, minted.token, grant_of(wanted, minted)).credential
    assert logs_in(postgres, credential)
    VaultIssuer(house.root).revoke(minted.accessor)


def test_an_unclaimed_on_claim_grant_makes_no_user_and_can_be_revoked(
    issuer: VaultIssuer, holder: Client, postgres: Postgres
) -> None:
    before = postgres.roles()
    wanted = order("unclaimed", "admin")
    minted = issuer.mint(wanted)
    issuer.revoke(minted.accessor)
    assert issuer.lookup(minted.accessor) is None
    with pytest.raises(ClaimError, match="nothing any more"):
        open_delivery(holder, minted.token, grant_of(wanted, minted))
    assert postgres.roles() == before


def test_an_on_merge_level_can_be_minted_to_be_claimed(
    issuer: VaultIssuer, holder: Client, postgres: Postgres
) -> None:
    """Policy may demand on-claim of a level that says on-merge."""
    wanted = dataclasses.replace(order("stricter"), issue=IssueMode.ON_CLAIM)
    before = postgres.roles()
    minted = issuer.mint(wanted)
    assert postgres.roles() == before
    opened = open_delivery(holder, minted.token, grant_of(wanted, minted))
    assert logs_in(postgres, opened.credential)
    issuer.revoke(minted.accessor)


def test_a_second_claim_is_refused_and_told_apart_from_a_late_one(
    issuer: VaultIssuer, holder: Client
) -> None:
    wanted = order("twice")
    minted = issuer.mint(wanted)
    grant = grant_of(wanted, minted)
    open_delivery(holder, minted.token, grant)
    with pytest.raises(ClaimError, match="opened already"):
        open_delivery(holder, minted.token, grant)
    issuer.revoke(minted.accessor)

    late = dataclasses.replace(order("late"), wrap_ttl=1)
    minted = issuer.mint(late)
    time.sleep(2.1)
    with pytest.raises(ClaimError, match="not claimed in time"):
        open_delivery(holder, minted.token, grant_of(late, minted))
    issuer.revoke(minted.accessor)


def test_a_forged_or_rewrapped_delivery_is_refused_unopened(
    issuer: VaultIssuer, holder: Client, house: House
) -> None:
    wanted = order("forged")
    minted = issuer.mint(wanted)
    grant = grant_of(wanted, minted)
    forged = house.root.call("POST", "sys/wrapping/wrap", {"password": "x"}, wrap_ttl=120)
    token = Secret(str(forged.wrap_info["token"]))
    with pytest.raises(ClaimError, match="another path"):
        open_delivery(holder, token, grant)
    assert wrapping_lookup(holder, token) is not None  # kept for whoever examines it

    again = house.root.call("POST", "sys/wrapping/rewrap", {"token": minted.token.reveal()})
    token = Secret(str(again.wrap_info["token"]))
    with pytest.raises(ClaimError, match="another time"):
        open_delivery(holder, token, grant)
    assert unwrap(holder, token) is not None
    issuer.revoke(minted.accessor)


def test_two_holders_at_once_give_one_credential(issuer: VaultIssuer, house: House) -> None:
    wanted = order("race")
    minted = issuer.mint(wanted)
    grant = grant_of(wanted, minted)

    def attempt(_: int) -> bool:
        with Client(house.settings.vault) as client:
            try:
                return bool(open_delivery(client, minted.token, grant))
            except (ClaimError, VaultUnavailableError):  # OpenBao answers some losers with a 500
                return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(8))) == 1
    issuer.revoke(minted.accessor)


def test_two_grants_of_one_role_end_apart(
    issuer: VaultIssuer, holder: Client, postgres: Postgres
) -> None:
    orders = [order("apart-1"), order("apart-2")]
    minted = [issuer.mint(item) for item in orders]
    credentials = [
        open_delivery(holder, item.token, grant_of(wanted, item)).credential
        for wanted, item in zip(orders, minted, strict=True)
    ]
    issuer.revoke(minted[0].accessor)
    assert issuer.overdue_leases("database", orders[0].role) == ()
    assert not logs_in(postgres, credentials[0])
    assert logs_in(postgres, credentials[1])
    issuer.revoke(minted[1].accessor)


def test_what_cannot_be_dropped_is_overdue_until_it_is_really_gone(
    bot: Session, holder: Client, postgres: Postgres
) -> None:
    issuer = VaultIssuer(bot, patience=1.0)
    wanted = order("stuck")
    minted = issuer.mint(wanted)
    credential = open_delivery(holder, minted.token, grant_of(wanted, minted)).credential
    postgres.stop()
    try:
        issuer.revoke(minted.accessor)  # 204, and confirms nothing
        assert issuer.lookup(minted.accessor) is None
        overdue = issuer.overdue_leases(wanted.mount, wanted.role)
        assert len(overdue) == 1
        with pytest.raises(VaultRefusedError, match="lives on") as error:
            issuer.revoke_lease(overdue[0].lease_id)
        assert postgres.vault_password.reveal() not in str(error.value)
    finally:
        postgres.start_again()
    assert logs_in(postgres, credential)  # that is why a 204 is no confirmation
    issuer.revoke_lease(overdue[0].lease_id)
    assert not logs_in(postgres, credential)
    assert issuer.overdue_leases(wanted.mount, wanted.role) == ()
    issuer.revoke_lease(overdue[0].lease_id)  # idempotent


def test_a_failed_mint_leaves_no_token(issuer: VaultIssuer, postgres: Postgres) -> None:
    before = issuer.live_accessors()
    postgres.stop()
    try:
        with pytest.raises(Exception, match="database/creds/orders-read-1h"):
            issuer.mint(order("half-made"))
    finally:
        postgres.start_again()
    assert issuer.live_accessors() <= before


def test_a_grant_longer_than_its_tier_is_an_error_and_not_a_shorter_grant(
    issuer: VaultIssuer,
) -> None:
    before = issuer.live_accessors()
    for access in ("read", "admin"):
        with pytest.raises(VaultRefusedError):
            issuer.mint(order("too-long", access, ttl=7200))
    assert issuer.live_accessors() <= before


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"ttl": 0}, "no time"), ({"wrap_ttl": 0}, "no time"), ({"engine": "ssh"}, "cannot mint")],
)
def test_an_order_that_vault_would_misread_is_refused(
    changes: dict[str, object], message: str, issuer: VaultIssuer
) -> None:
    with pytest.raises(VaultRefusedError, match=message):
        issuer.mint(dataclasses.replace(order("odd"), **changes))


def test_vaults_clock_is_told(issuer: VaultIssuer) -> None:
    before, told, after = machine_now(), issuer.now(), machine_now()
    assert before.plus(-2) <= told <= after.plus(2)
