"""What continues a grant, and what only says so."""

from __future__ import annotations

import pytest
from policy_world import NOW, catalogue, facts, failing, outcome, policy, request, rules_of

from daypass.model.decision import Effect
from daypass.model.grant import Lane
from daypass.policy.asked import PastGrant, Renewed
from daypass.policy.decide import decide

RENEWING = request(renews="alice-orders-0")
OWN = Renewed("alice", "orders-db", "read")


@pytest.mark.parametrize("ended", [None, "time", "done", "never-claimed"])
def test_ones_own_grant_is_renewed_while_it_lives_and_after_it_ended_by_itself(ended):
    renewed = Renewed("alice", "orders-db", "read", ended)
    assert outcome(catalogue(), "bob", asked=RENEWING, renewed=renewed).permitted


@pytest.mark.parametrize(
    "renewed",
    [
        Renewed(),
        Renewed("carol", "orders-db", "read"),
        Renewed("alice", "payments-db", "read"),
        Renewed("alice", "orders-db", "admin"),
        *(
            Renewed("alice", "orders-db", "read", ended)
            for ended in (
                "revoked-by-hand",
                "halt",
                "re-evaluated",
                "offboarded",
                "vanished",
                "request-deleted",
                "unknown-context",
                "unconfirmed",
            )
        ),
    ],
)
def test_what_is_somebody_elses_or_was_taken_away_is_not_continued(renewed):
    decision = outcome(catalogue(), "bob", asked=RENEWING, renewed=renewed)
    assert decision.effect is Effect.DENY
    assert failing(decision) == {"built-in/renewal"}


def test_what_is_not_known_is_not_renewed():
    decision = outcome(catalogue(), "bob", asked=RENEWING)
    assert decision.effect is Effect.INDETERMINATE
    assert failing(decision) == {"built-in/renewal"}


def test_what_is_renewed_is_read_back_from_the_record():
    given = facts(catalogue(), "bob", asked=RENEWING, renewed=OWN)
    again = type(given).from_json(given.to_json())
    assert again == given
    rules = rules_of(catalogue())
    assert decide(again, rules) == decide(given, rules)


def test_both_count_in_a_rolling_window_while_they_overlap():
    world = catalogue(policy(limits={"window": {"hours": 3, "per": "1d"}}))
    live = PastGrant(
        "alice-orders-0",
        Lane.ROUTINE,
        "orders-db",
        "read",
        NOW.plus(-3600),
        NOW.plus(3600),  # two hours, one of them still to come
        live=True,
    )
    decision = outcome(world, "bob", history=(live,), asked=RENEWING, renewed=OWN)
    assert decision.seconds == 3600
