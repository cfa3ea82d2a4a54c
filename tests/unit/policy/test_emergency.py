"""The emergency lane at the decision point: who may take it, how long, and what a debt costs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from policy_world import (
    ACCOUNTS,
    NOW,
    catalogue,
    failing,
    identity,
    outcome,
    policy,
    pull_request,
    request,
    resource,
    settings,
)

from daypass.model.decision import Effect
from daypass.model.grant import Lane
from daypass.model.obligation import Obligation
from daypass.policy.facts import ContextFacts

LANE = policy("emergency", match={"lanes": ["break-glass"]})
ON_CALL = replace(
    catalogue(LANE),
    settings=settings(
        breakGlass={
            "invokers": ["alice", "team:on-call"],
            "reviewers": ["security"],
            "incident": "INC-[0-9]+",
        }
    ),
)
INVOKER = "built-in/break-glass-invoker"
OWED = "built-in/reviews-not-overdue"


def emergency(who="alice", world=None, **options):
    return outcome(
        world or catalogue(LANE),
        lane=Lane.BREAK_GLASS,
        asked=request(subject=options.pop("subject", who), duration=options.pop("lasts", "1h")),
        pull=pull_request(author=ACCOUNTS[who]),
        **options,
    )


def debt(name="alice", account=1):
    return Obligation(
        f"bg-{name}-1", name, account, "orders-db", "read", "INC-1", False, 7, NOW, NOW
    )


def test_an_invoker_is_permitted_without_an_approval():
    decision = emergency()
    assert decision.permitted
    assert decision.obligations.review_within_seconds == 86400
    assert decision.obligations.recording == "required"


@pytest.mark.parametrize("lasts", ["1h", "4h", "9999d"])
def test_it_is_never_longer_than_an_hour(lasts):
    wide = resource(maxDuration="9999d")
    assert emergency(world=catalogue(LANE, resources=(wide,)), lasts=lasts).seconds == 3600


def test_a_member_of_an_invoking_team_may():
    teams = {"on-call": frozenset({2}), "contractors": frozenset()}
    assert emergency("bob", ON_CALL, teams=teams).permitted


@pytest.mark.parametrize(
    ("who", "options"),
    [
        ("bob", {}),
        ("mallory", {"subject": "alice"}),
        ("alice", {"subject": "bob"}),
        ("alice", {"world": catalogue(LANE, identities=(identity("alice", status="suspended"),))}),
    ],
)
def test_nobody_else_may(who, options):
    assert INVOKER in failing(emergency(who, **options))


def test_while_a_team_is_not_known_nobody_unnamed_may():
    unknown = {"on-call": None, "contractors": frozenset()}
    assert emergency("alice", ON_CALL, teams=unknown).permitted  # she is named herself
    decision = emergency("bob", ON_CALL, teams=unknown)
    assert decision.effect is Effect.INDETERMINATE
    assert INVOKER in failing(decision)


def test_whoever_is_on_call_may_by_the_word_of_a_source_and_nobody_else():
    rule = {
        "name": "on-call",
        "expression": "subject.name in context.onCall.value",
        "message": "only whoever is on call takes the emergency lane",
        "appliesAt": "issue",
    }
    lane = policy("emergency", match={"lanes": ["break-glass"]}, rules=[rule])
    named = settings(
        breakGlass={
            "invokers": ["dba", "alice"],
            "reviewers": ["security"],
            "incident": "INC-[0-9]+",
        }
    )
    world = replace(catalogue(lane), settings=named)

    def asked(who, status="known"):
        value = ["bob"] if status == "known" else None
        return emergency(who, world, context={"onCall": ContextFacts(status, value, "pager", 1)})

    assert asked("bob").permitted
    assert failing(asked("alice")) == {"emergency/on-call"}
    assert asked("bob", "stale").effect is Effect.INDETERMINATE
    assert INVOKER in failing(asked("dave"))


def test_without_a_policy_that_names_the_lane_nothing_is_given():
    assert failing(emergency(world=catalogue())) == {"built-in/permitted-by-policy"}


def test_an_overdue_review_blocks_both_lanes():
    assert failing(emergency(overdue=(debt(),))) == {OWED}
    decision = outcome(catalogue(), "bob", overdue=(debt(),))
    assert failing(decision) == {OWED}
    assert "bg-alice-1" in decision.reasons[0].message


@pytest.mark.parametrize(
    "owed", [debt(account=999), debt(name="alice-of-old")], ids=["by name", "by account"]
)
def test_another_name_or_another_account_does_not_shake_it_off(owed):
    assert failing(outcome(catalogue(), "bob", overdue=(owed,))) == {OWED}


def test_somebody_elses_debt_blocks_nobody():
    assert outcome(catalogue(), "bob", overdue=(debt("bob", 2),)).permitted


def test_whoever_owes_cannot_ask_for_a_machine():
    deployer = identity("deployer", type="ci", environment="production", owners=["alice", "bob"])
    world = catalogue(identities=(deployer,))
    asked = request(subject="deployer")
    assert outcome(world, "carol", asked=asked).permitted
    assert failing(outcome(world, "carol", asked=asked, overdue=(debt(),))) == {OWED}
