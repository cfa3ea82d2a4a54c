"""Live grants are decided again: with today's policies and context, and the approvals of then."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from policy_world import (
    IDS,
    MERGED,
    NOW,
    catalogue,
    exception,
    facts,
    failing,
    identity,
    policy,
    request,
    resource,
    rules_of,
)

from daypass.lifecycle.inquiry import Inquiry
from daypass.lifecycle.reevaluate import reevaluate
from daypass.lifecycle.world import World
from daypass.model.decision import Effect
from daypass.model.event import Reason
from daypass.model.grant import Grant, Lane, Wrapping
from daypass.model.instant import Duration
from daypass.model.resource import IssueMode
from daypass.policy.decide import decide
from daypass.policy.facts import ContextFacts
from daypass.policy.groups import resolve_groups
from daypass.policy.input import DecisionInput
from daypass.policy.live import LiveInputs

SHA = "sha256:" + "0" * 64


def grant(world, *approvers: str, **options) -> Grant:
    """The record of what was issued, written out and read back."""
    given = facts(world, *approvers, **options)
    record = Grant(
        id="alice-orders-1",
        lane=Lane.ROUTINE,
        subject="alice",
        requester="alice",
        requester_id=1,
        resource="orders-db",
        access="read",
        engine="database",
        mount="database",
        role="orders-ro-8h",
        token_role="daypass-orders-db-read-8h",
        tier=Duration.parse("8h"),
        issue=IssueMode.ON_MERGE,
        request_blob="b" * 40,
        request_commit="c" * 40,
        pull_request=7,
        not_before=NOW,
        not_after=NOW.plus(7200),
        accessor=SHA,
        wrapping=Wrapping("database/creds/x", "t", 60, SHA),
        recipients=("SHA256:x",),
        approvals=(),
        decision_input=given.to_json(),
        decision_digest=given.digest,
        policy_digest=SHA,
    )
    return Grant.from_document(json.loads(record.to_bytes()))


def again(world, record: Grant, *, later: float = 600, teams=None, context=None):
    groups = resolve_groups(world, {"contractors": frozenset()} if teams is None else teams)
    inputs = LiveInputs(NOW.plus(later), world, groups)
    return decide(inputs.of(record, context or {}), rules_of(world))


def test_a_live_grant_lives_on_for_what_is_left_of_it():
    world = catalogue()
    decision = again(world, grant(world, "bob"))
    assert decision.permitted
    assert decision.seconds == 6600


def test_the_record_says_again_what_was_decided():
    world = catalogue()
    record = grant(world, "bob")
    read = DecisionInput.from_json(record.decision_input)
    assert read.digest == record.decision_digest
    assert decide(read, rules_of(world)) == decide(facts(world, "bob"), rules_of(world))


def test_an_exception_that_is_brought_later_and_dated_back_saves_no_live_grant():
    never = {"name": "never", "expression": "false", "message": "not now", "mayBeExcepted": True}
    guard = policy("guard", effect="guard", rules=[never])
    excepted = exception("late", "guard/never", subject="alice")
    record = grant(catalogue(), "bob", "dave")
    later = catalogue(policy(), guard, exceptions=(excepted,))
    assert failing(again(later, record)) == {"guard/never"}
    named = replace(record, exceptions=("late",))
    assert again(later, named).permitted
    assert again(later, named).seconds == 3000


@pytest.mark.parametrize(
    "limits",
    [
        {"times": {"timeZone": "UTC", "from": "01:00", "to": "02:00"}},
        {
            "freezes": [
                {"from": "2026-11-23T10:05:00Z", "to": "2026-11-24T00:00:00Z", "reason": "freeze"}
            ]
        },
        {"concurrent": 1},
        {"window": {"hours": 1, "per": "1d"}},
    ],
)
def test_what_makes_sense_at_issue_does_not_end_a_live_grant(limits):
    decision = again(catalogue(policy(limits=limits)), grant(catalogue(), "bob"))
    assert decision.permitted
    assert decision.seconds == 6600


def test_a_rule_of_the_hour_can_say_that_it_is_asked_at_issue_only():
    rule = {"name": "morning", "expression": "now < timestamp('2026-11-23T10:05:00Z')"}
    issued = catalogue()
    for when, permitted in (("issue", True), ("always", False)):
        today = catalogue(policy(rules=[{**rule, "message": "mornings", "appliesAt": when}]))
        assert again(today, grant(issued, "bob")).permitted is permitted


@pytest.mark.parametrize(
    ("today", "rule"),
    [
        (catalogue(identities=(identity("alice", status="offboarded"),)), "subject-active"),
        (catalogue(resources=(resource("other"),)), "level-exists"),
        (catalogue(policy(match={"levels": ["admin"]})), "permitted-by-policy"),
        (catalogue(policy(limits={"maxDuration": "5m"})), "duration"),
        (
            catalogue(resources=(resource(approvers={"groups": ["dba"], "atLeast": 2}),)),
            "resource-approvers",
        ),
        (catalogue(resources=(resource(sensitivity="high"),)), "two-approvers"),
    ],
)
def test_what_today_denies_ends_it(today, rule):
    decision = again(today, grant(catalogue(), "bob"))
    assert decision.effect is Effect.DENY
    assert f"built-in/{rule}" in failing(decision)


def test_a_shorter_limit_counts_from_the_issue():
    decision = again(catalogue(policy(limits={"maxDuration": "1h"})), grant(catalogue(), "bob"))
    assert decision.seconds == 3000


def test_an_approver_who_leaves_later_does_not_end_it():
    groups = {"dba": ["team:dba"], "orders-team": ["dave"], "security": ["frank"]}
    world = catalogue(groups=groups)
    record = grant(world, "bob", teams={"dba": frozenset({IDS["bob"]})})
    assert again(world, record, teams={"dba": frozenset()}).permitted


def test_an_outage_of_github_is_indeterminate_and_no_denial():
    """Threat 37: what only an outage hides must not throw everybody out."""
    teams = {"contractors": frozenset({IDS["alice"]})}
    world = catalogue(policy(match={"subjects": {"groups": ["contractors"]}}))
    record = grant(world, "bob", teams=teams)
    assert again(world, record, teams=teams).permitted
    assert again(world, record, teams={"contractors": None}).effect is Effect.INDETERMINATE
    assert again(world, record, teams={"contractors": frozenset()}).effect is Effect.DENY


def test_an_answer_that_turns_bad_denies_and_one_that_is_lost_is_indeterminate():
    rule = {
        "name": "posture",
        "expression": "context.posture.value == 'healthy'",
        "message": "a healthy device",
    }
    world = catalogue(policy(rules=[rule]))
    healthy = {"posture": ContextFacts("known", "healthy", "mdm", 1)}
    record = grant(world, "bob", context=healthy)
    assert again(world, record, context=healthy).permitted
    broken = {"posture": ContextFacts("known", "broken", "mdm", 1)}
    assert again(world, record, context=broken).effect is Effect.DENY
    assert again(world, record).effect is Effect.INDETERMINATE


def test_a_demand_for_a_ticket_that_comes_later_ends_what_has_none():
    today = catalogue(policy(require={"ticket": "OPS-[0-9]+"}))
    assert failing(again(today, grant(catalogue(), "bob"))) == {"orders-read/ticket"}
    with_ticket = grant(catalogue(), "bob", asked=request(ticket="OPS-1"))
    assert again(today, with_ticket).permitted


@pytest.mark.parametrize("broken", [{}, {"version": 2}, {"version": 1, "stage": "issue"}])
def test_a_record_that_cannot_be_read_is_no_decision(broken):
    with pytest.raises(ValueError, match=r"version|no decision input"):
        DecisionInput.from_json(broken)


def test_the_stage_and_the_time_are_all_that_differ_for_an_unchanged_world():
    world = catalogue()
    record = grant(world, "bob")
    groups = resolve_groups(world, {"contractors": frozenset()})
    live = LiveInputs(MERGED, world, groups).of(record, {}).to_json()
    issued = dict(record.decision_input)
    assert {key for key in live if live[key] != issued[key]} == {"stage", "now", "request"}


@pytest.mark.parametrize(("left", "ended"), [(3, True), (2, False), (1, False)])
def test_what_ends_in_a_moment_is_left_to_expire(left: float, ended: bool):
    record = grant(catalogue(), "bob")
    world = catalogue(identities=(identity("alice", status="suspended"),))
    observed = World(
        now=record.not_after.plus(-left),
        head="1" * 40,
        catalogue=world,
        ruling=world,
        tip=None,
        requests={},
        grants={record.id: record},
        slots={},
        intents={},
        live=frozenset({record.accessor}),
    )
    groups = resolve_groups(world, {"contractors": frozenset()})
    found = reevaluate(observed, [(world, groups)], (), {}, Inquiry())
    assert bool(found.ends) is ended


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize(
    ("status", "reason"), [("offboarded", Reason.OFFBOARDED), ("suspended", Reason.REEVALUATED)]
)
def test_a_grant_must_hold_under_every_catalogue_that_rules(
    order: tuple[int, int], status: str, reason: Reason
):
    """While main is frozen there may be two: that one permits saves nothing."""
    record = grant(catalogue(), "bob")
    worlds = (catalogue(), catalogue(identities=(identity("alice", status=status),)))
    rulings = [
        (worlds[number], resolve_groups(worlds[number], {"contractors": frozenset()}))
        for number in order
    ]
    observed = World(
        now=MERGED,
        head="1" * 40,
        catalogue=None,
        ruling=worlds[order[0]],
        also_ruling=(worlds[order[1]],),
        tip=None,
        requests={},
        grants={record.id: record},
        slots={},
        intents={},
        live=frozenset({record.accessor}),
        frozen=("a push by hand",),
    )
    assert observed.rulings == tuple(worlds[number] for number in order)
    found = reevaluate(observed, rulings, (), {}, Inquiry())
    assert [action.reason for action in found.ends] == [reason]
