"""The plan: every difference between main and Vault, and what closes it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daypass.lifecycle.plan import Action, Step, make_plan, vanished
from daypass.lifecycle.ports import Slot, SlotState
from daypass.lifecycle.world import RequestFile, Tampering, World
from daypass.model.event import EventKind, Reason
from daypass.model.grant import Approval, Grant, GrantState, Lane, Wrapping
from daypass.model.instant import Duration, Instant
from daypass.model.intent import Intent, IntentKind
from daypass.model.names import grant_path, request_path
from daypass.model.resource import IssueMode

NOW = Instant.parse("2026-11-23T09:00:00Z")
BLOB, OTHER_BLOB = "a" * 40, "b" * 40
ACCESSOR = "sha256:" + "c" * 64


def a_grant(name: str = "alice-orders", minutes: int = 60) -> Grant:
    return Grant(
        id=name,
        lane=Lane.ROUTINE,
        subject="alice",
        requester="alice",
        requester_id=1,
        resource="orders-db",
        access="read",
        engine="database",
        mount="database",
        role="orders-ro-1h",
        token_role="daypass-orders-db-read-1h",
        tier=Duration(3600),
        issue=IssueMode.ON_MERGE,
        request_blob=BLOB,
        request_commit="d" * 40,
        pull_request=7,
        not_before=NOW.plus(-60),
        not_after=NOW.plus(60 * minutes),
        accessor=ACCESSOR,
        wrapping=Wrapping("database/creds/orders-ro-1h", "2026-11-23T08:59:00Z", 3600, ACCESSOR),
        recipients=("SHA256:x",),
        approvals=(Approval(2, "bob", 3, "e" * 40, NOW.plus(-120)),),
        decision_input={"now": str(NOW)},
        decision_digest="sha256:" + "f" * 64,
        policy_digest="sha256:" + "0" * 64,
    )


def a_file(blob: str = BLOB, name: str = "alice-orders") -> RequestFile:
    return RequestFile(name, request_path(name), blob)


def a_world(**changes: object) -> World:
    empty = World(
        now=NOW,
        head="1" * 40,
        catalogue=None,
        ruling=None,
        tip=None,
        requests={},
        grants={},
        slots={},
        intents={},
        live=frozenset({ACCESSOR}),
    )
    return replace(empty, **changes)


def a_slot(state: SlotState, **data: object) -> Slot:
    return Slot("alice-orders", 1, state, data)


def only(world: World) -> object:
    (action,) = make_plan(world).actions
    return action


def test_a_live_grant_is_left_alone() -> None:
    world = a_world(requests={"alice-orders": a_file()}, grants={"alice-orders": a_grant()})
    assert make_plan(world).actions == ()


@pytest.mark.parametrize(
    ("world", "kind", "reason"),
    [
        (a_world(grants={"alice-orders": a_grant()}), EventKind.REVOKED, Reason.REQUEST_DELETED),
        (
            a_world(
                requests={"alice-orders": a_file(OTHER_BLOB)}, grants={"alice-orders": a_grant()}
            ),
            EventKind.REVOKED,
            Reason.REQUEST_CHANGED,
        ),
        (
            a_world(
                requests={"alice-orders": a_file()},
                grants={"alice-orders": a_grant()},
                put_back=frozenset({"alice-orders"}),
            ),
            EventKind.REVOKED,
            Reason.REQUEST_PUT_BACK,
        ),
        (
            a_world(
                requests={"alice-orders": a_file()}, grants={"alice-orders": a_grant(minutes=-1)}
            ),
            EventKind.EXPIRED,
            Reason.TIME,
        ),
        (
            a_world(
                requests={"alice-orders": a_file()},
                grants={"alice-orders": a_grant()},
                tampering=Tampering(deleted=(grant_path("alice-orders"),)),
            ),
            EventKind.REVOKED,
            Reason.RECORD_DELETED,
        ),
        (
            a_world(
                requests={"alice-orders": a_file()},
                grants={"alice-orders": a_grant()},
                live=frozenset(),
            ),
            EventKind.REVOKED,
            Reason.VANISHED,
        ),
        (  # no person ended it, and the wait to find that out took until its own end
            a_world(
                requests={"alice-orders": a_file()},
                grants={"alice-orders": a_grant()},
                live=frozenset(),
                now=a_grant().not_after,
                missing=frozenset({"alice-orders"}),
            ),
            EventKind.REVOKED,
            Reason.VANISHED,
        ),
        (
            a_world(
                requests={"alice-orders": a_file()},
                grants={
                    "alice-orders": replace(
                        a_grant(), state=GrantState.REVOKE_FAILED, state_reason="request-changed"
                    )
                },
            ),
            EventKind.REVOKED,
            Reason.REQUEST_CHANGED,
        ),
    ],
    ids=[
        "deleted",
        "edited",
        "away",
        "expired",
        "record deleted",
        "vanished",
        "missing",
        "failed before",
    ],
)
def test_a_grant_ends(world: World, kind: EventKind, reason: Reason) -> None:
    action = only(world)
    assert (action.step, action.kind, action.reason) == (Step.END, kind, reason)


def test_a_token_that_ended_within_vaults_last_second_expired_and_did_not_vanish() -> None:
    grant = replace(a_grant(), not_after=NOW.plus(0.7))
    world = a_world(
        requests={"alice-orders": a_file()}, grants={"alice-orders": grant}, live=frozenset()
    )
    assert only(world).kind is EventKind.EXPIRED


@pytest.mark.parametrize(
    ("slot", "step"),
    [
        (None, Step.JUDGE),
        (a_slot(SlotState.RESERVED), Step.JUDGE),
        (a_slot(SlotState.MINTED, record=a_grant().to_document()), Step.RESUME),
        (a_slot(SlotState.REFUSED, blob=BLOB), Step.REFUSE),
        (a_slot(SlotState.REFUSED, blob=OTHER_BLOB), Step.REFUSE),
        (a_slot(SlotState.DELIVERED), Step.REFUSE),
        (a_slot(SlotState.CLOSED), Step.REFUSE),
    ],
    ids=["new", "reserved", "minted", "refused", "refused other", "delivered", "closed"],
)
def test_a_request_without_a_record(slot: Slot | None, step: Step) -> None:
    slots = {"alice-orders": slot} if slot else {}
    assert only(a_world(requests={"alice-orders": a_file()}, slots=slots)).step is step


@pytest.mark.parametrize("state", [SlotState.DELIVERED, SlotState.CLOSED])
def test_an_id_is_used_once(state: SlotState) -> None:
    slots = {"alice-orders": a_slot(state)}
    action = only(a_world(requests={"alice-orders": a_file()}, slots=slots))
    assert (action.kind, action.reason) == (EventKind.DENIED, Reason.ID_REUSED)


def test_what_was_minted_and_died_unseen_is_judged_anew() -> None:
    slots = {"alice-orders": a_slot(SlotState.MINTED, record=a_grant().to_document())}
    world = a_world(requests={"alice-orders": a_file()}, slots=slots, live=frozenset())
    assert only(world).step is Step.JUDGE


def test_a_request_edited_under_a_mint_takes_the_mint_with_it() -> None:
    slots = {"alice-orders": a_slot(SlotState.MINTED, record=a_grant().to_document())}
    world = a_world(requests={"alice-orders": a_file(OTHER_BLOB)}, slots=slots)
    assert only(world).step is Step.ABANDON


def test_a_request_that_is_no_plain_file_any_more_was_changed_and_not_deleted() -> None:
    """git shows a `chmod` to reviewers; what it does not show (`100664`) is read as it shows it."""
    grant = a_grant()
    odd = replace(a_file(), mode="100755")
    there = {grant.id: odd}
    ended = only(a_world(requests=there, grants={grant.id: grant}))
    assert (ended.step, ended.reason) == (Step.END, Reason.REQUEST_CHANGED)
    assert not make_plan(a_world(requests=there)).actions
    slots = {grant.id: a_slot(SlotState.MINTED, record=grant.to_document())}
    abandoned = only(a_world(requests=there, slots=slots))
    assert (abandoned.step, abandoned.reason) == (Step.ABANDON, Reason.REQUEST_CHANGED)


def test_a_request_that_was_away_under_a_mint_takes_the_mint_with_it() -> None:
    slots = {"alice-orders": a_slot(SlotState.MINTED, record=a_grant().to_document())}
    back = frozenset({"alice-orders"})
    action = only(a_world(requests={"alice-orders": a_file()}, slots=slots, put_back=back))
    assert (action.step, action.reason) == (Step.ABANDON, Reason.REQUEST_PUT_BACK)


@pytest.mark.parametrize(
    ("slot", "step"),
    [
        (a_slot(SlotState.RESERVED), Step.ABANDON),
        (a_slot(SlotState.MINTED, record=a_grant().to_document()), Step.ABANDON),
        (a_slot(SlotState.REFUSED), Step.NOTIFY),
        (a_slot(SlotState.DELIVERED), Step.SETTLE),
        (a_slot(SlotState.CLOSED), Step.SETTLE),
    ],
    ids=["reserved", "minted", "refused", "delivered", "closed"],
)
def test_work_under_way_for_an_id_that_main_no_longer_knows(slot: Slot, step: Step) -> None:
    assert only(a_world(slots={"alice-orders": slot})).step is step


def test_evidence_on_main_and_no_delivery_yet() -> None:
    world = a_world(
        requests={"alice-orders": a_file()},
        grants={"alice-orders": a_grant()},
        slots={"alice-orders": a_slot(SlotState.MINTED, record=a_grant().to_document())},
    )
    assert only(world).step is Step.DELIVER


def test_endings_come_first() -> None:
    world = a_world(
        requests={"a-new-one": a_file(name="a-new-one")}, grants={"alice-orders": a_grant()}
    )
    assert [action.step for action in make_plan(world).actions] == [Step.END, Step.JUDGE]


@pytest.mark.parametrize(
    ("reason", "counted"),
    [
        (Reason.REEVALUATED, True),
        (Reason.UNKNOWN_CONTEXT, True),
        (Reason.RECORD_DELETED, True),
        (Reason.REQUEST_CHANGED, True),
        (Reason.OFFBOARDED, False),
        (Reason.HALT, False),
        (Reason.DONE, False),
        (Reason.REQUEST_DELETED, False),
        (Reason.REQUEST_PUT_BACK, False),
        (Reason.TIME, False),
    ],
)
def test_what_counts_as_a_mass_revocation(reason: Reason, *, counted: bool) -> None:
    action = Action(Step.END, "alice-orders", grant=a_grant(), reason=reason)
    assert action.is_unbidden is counted
    # An end that was begun is carried on, however many there are.
    begun = replace(action, grant=a_grant().failed(str(reason), NOW))
    assert not begun.is_unbidden


def test_what_people_or_time_have_ended_is_never_counted_as_a_mass_revocation() -> None:
    deleted = a_world(grants={"alice-orders": a_grant()})
    expired = a_world(
        requests={"alice-orders": a_file()}, grants={"alice-orders": a_grant(minutes=-1)}
    )
    edited = a_world(
        requests={"alice-orders": a_file(OTHER_BLOB)}, grants={"alice-orders": a_grant()}
    )
    assert not only(deleted).is_unbidden
    assert not only(expired).is_unbidden
    assert only(edited).is_unbidden


WORLDS = st.builds(
    lambda file, grant, live, slot, deleted: a_world(
        requests={"alice-orders": a_file(file)} if file else {},
        grants={"alice-orders": a_grant(minutes=grant)} if grant is not None else {},
        live=frozenset({ACCESSOR}) if live else frozenset(),
        slots={"alice-orders": slot} if slot else {},
        tampering=Tampering(deleted=(grant_path("alice-orders"),) if deleted else ()),
    ),
    file=st.sampled_from([None, BLOB, OTHER_BLOB]),
    grant=st.sampled_from([None, -10, 0, 1, 600]),
    live=st.booleans(),
    slot=st.sampled_from(
        [
            None,
            a_slot(SlotState.RESERVED),
            a_slot(SlotState.MINTED, record=a_grant().to_document()),
            a_slot(SlotState.REFUSED, blob=BLOB),
            a_slot(SlotState.DELIVERED),
            a_slot(SlotState.CLOSED),
        ]
    ),
    deleted=st.booleans(),
)
GIVING = {Step.JUDGE, Step.RESUME, Step.DELIVER}


@given(WORLDS, st.integers(min_value=0, max_value=10**9))
def test_time_only_ever_takes_access_away(world: World, seconds: int) -> None:
    before = {action.step for action in make_plan(world).actions}
    later = {
        action.step for action in make_plan(replace(world, now=world.now.plus(seconds))).actions
    }
    if Step.END in before:
        assert Step.END in later
    if not GIVING & before and Step.END not in before:
        assert not (GIVING - {Step.JUDGE}) & later


@given(WORLDS)
def test_no_id_is_given_and_ended_in_one_plan(world: World) -> None:
    steps = {action.step for action in make_plan(world).actions}
    assert not (Step.END in steps and GIVING & steps)


@given(WORLDS)
def test_nothing_is_given_without_its_request_on_main(world: World) -> None:
    steps = {action.step for action in make_plan(replace(world, requests={})).actions}
    assert not GIVING & steps


@pytest.mark.parametrize("kind", [IntentKind.HALT, IntentKind.REVOKE, IntentKind.DONE])
@pytest.mark.parametrize("state", [None, SlotState.RESERVED])
def test_what_was_ended_before_it_was_issued_is_refused(
    kind: IntentKind, state: SlotState | None
) -> None:
    world = a_world(
        requests={"alice-orders": a_file()},
        slots={"alice-orders": a_slot(state, blob=BLOB)} if state else {},
        intents={"alice-orders": Intent("alice-orders", kind, 7, NOW)},
    )
    action = only(world)
    assert isinstance(action, Action)
    assert (action.step, action.kind) == (Step.REFUSE, EventKind.DENIED)
    assert action.reason is Intent("alice-orders", kind, 7, NOW).reason


@pytest.mark.parametrize(("live", "step"), [(True, Step.ABANDON), (False, Step.REFUSE)])
def test_what_was_ended_while_it_was_minted_is_taken_back_before_it_is_refused(
    live: bool, step: Step
) -> None:
    slot = a_slot(SlotState.MINTED, record=a_grant().to_document(), accessor="x")
    world = a_world(
        requests={"alice-orders": a_file()},
        slots={"alice-orders": slot},
        intents={"alice-orders": Intent("alice-orders", IntentKind.HALT, 7, NOW)},
        live=frozenset({ACCESSOR} if live else ()),
    )
    action = only(world)
    assert isinstance(action, Action)
    assert (action.step, action.reason) == (step, Reason.HALT)


def test_a_word_that_ends_nothing_bars_nobody() -> None:
    world = a_world(
        requests={"alice-orders": a_file()},
        intents={"alice-orders": Intent("alice-orders", IntentKind.REDELIVER, 7, NOW)},
    )
    action = only(world)
    assert isinstance(action, Action)
    assert action.step is Step.JUDGE


def test_a_token_that_is_gone_is_waited_for_while_nobody_can_say_who_ended_it() -> None:
    world = a_world(
        requests={"alice-orders": a_file()},
        grants={"alice-orders": a_grant()},
        live=frozenset(),
        awaited=frozenset({"alice-orders"}),
    )
    assert make_plan(world).actions == ()
    assert vanished(replace(world, awaited=frozenset())) == (a_grant(),)
