"""What the decision point permits, and what it does not: by effect, by rule, by message."""

from __future__ import annotations

from dataclasses import replace

import pytest
from policy_world import (
    ACCOUNTS,
    HEAD,
    NOW,
    catalogue,
    facts,
    failing,
    identity,
    outcome,
    policy,
    pull_request,
    request,
    resource,
    review,
    rules_of,
)

from daypass.model.decision import Effect
from daypass.model.grant import Lane
from daypass.model.instant import Instant
from daypass.model.pullrequest import ReviewState
from daypass.model.resource import IssueMode
from daypass.policy.asked import Asked, PastGrant, Renewed, Surroundings
from daypass.policy.decide import decide, describe_requirements
from daypass.policy.facts import ContextFacts, Status
from daypass.policy.gather import resource_facts
from daypass.policy.groups import resolve_groups
from daypass.policy.input import DecisionInput, build_input
from daypass.policy.match import counts_past_grant

STAGES = [
    {"name": "owners", "allOf": [{"owner": True, "atLeast": 1}]},
    {"name": "security", "anyOf": [{"group": "security", "atLeast": 1}]},
]
CI = identity("deployer", type="ci", owners=["alice", "bob"], environment="production")
VENDOR_SPEC = {"organisation": "Example", "sponsor": "alice", "contractEnd": "2026-11-23"}
VENDOR = identity("mallory", type="vendor", vendor=VENDOR_SPEC)
AGENT_SPEC = {"sponsor": "alice", "tools": ["psql"], "autonomy": "propose"}


def agent(**spec):
    body = {
        "type": "agent",
        "owners": ["alice", "bob"],
        "environment": "production",
        "agent": AGENT_SPEC,
        **spec,
    }
    return identity("robot", **body)


def past(number: int, hours: int, *, live: bool, resource_name: str = "orders-db") -> PastGrant:
    start = NOW.plus(-3600 * 3 * number)
    return PastGrant(
        f"past-{number}", Lane.ROUTINE, resource_name, "read", start, start.plus(3600 * hours), live
    )


def test_an_approved_request_is_permitted_for_the_least_of_all_durations():
    decision = outcome(catalogue(), "bob")
    assert decision.permitted
    assert decision.seconds == 7200
    assert decision.bounded_by == "the request (2h)"
    assert decision.obligations.issue is IssueMode.ON_MERGE


def test_nothing_matches_is_denied():
    other = policy(match={"resources": {"names": ["payments-db"]}})
    decision = outcome(catalogue(other), "bob")
    assert decision.effect is Effect.DENY
    assert failing(decision) == {"built-in/permitted-by-policy"}
    assert decision.seconds == 0


def test_a_guard_never_permits():
    assert failing(outcome(catalogue(policy(effect="guard")), "bob")) == {
        "built-in/permitted-by-policy"
    }


@pytest.mark.parametrize("enforcement", ["warn", "audit"])
def test_a_policy_that_is_tried_first_neither_permits_nor_denies(enforcement):
    never = [{"name": "never", "expression": "false", "message": "this never holds"}]
    tried = policy("tried", effect="guard", enforcement=enforcement, rules=never)
    decision = outcome(catalogue(policy(), tried), "bob")
    assert decision.permitted
    said = [item for item in decision.outcomes if item.policy == "tried" and item.rule == "never"]
    assert [str(item.effect) for item in said] == ["deny"]
    only = policy(enforcement=enforcement)
    assert failing(outcome(catalogue(only), "bob")) == {"built-in/permitted-by-policy"}


def test_deny_overrides_whatever_permits():
    frozen = policy(
        "freeze",
        effect="guard",
        limits={
            "freezes": [
                {
                    "from": "2026-11-23T00:00:00Z",
                    "to": "2026-11-24T00:00:00Z",
                    "reason": "migration",
                }
            ]
        },
    )
    decision = outcome(catalogue(policy(), frozen), "bob")
    assert failing(decision) == {"freeze/freeze"}
    assert "migration" in decision.reasons[0].message


@pytest.mark.parametrize(
    ("match", "about"),
    [
        ({"resources": {"names": ["other", "orders-db"]}}, True),
        ({"resources": {"types": ["ssh"]}}, False),
        ({"resources": {"environments": ["staging"]}}, False),
        ({"resources": {"sensitivities": ["moderate"]}}, True),
        ({"resources": {"labels": {"data": ["personal"]}}}, False),
        ({"levels": ["admin"]}, False),
        ({"subjects": {"names": ["alice"]}, "levels": ["read"]}, True),
        ({"subjects": {"types": ["agent"]}}, False),
        ({"subjects": {"groups": ["dba"]}}, False),
        ({"subjects": {"labels": {"team": ["a", "b"]}}}, True),
        ({"lanes": ["break-glass"]}, False),
    ],
)
def test_every_field_given_must_match(match, about):
    world = catalogue(
        policy(match=match),
        identities=(identity("alice", github={"id": 1}),),
    )
    labelled = world.identities["alice"]
    object.__setattr__(labelled, "labels", {"team": "b"})
    assert outcome(world, "bob").permitted is about


def test_a_policy_that_names_no_lane_does_not_open_the_emergency_lane():
    assert failing(outcome(catalogue(), "bob", lane=Lane.BREAK_GLASS)) == {
        "built-in/permitted-by-policy"
    }
    opened = policy(match={"lanes": ["break-glass"]})
    decision = outcome(catalogue(opened), lane=Lane.BREAK_GLASS, asked=request(duration="4h"))
    assert decision.permitted
    assert decision.seconds == 3600
    assert decision.obligations.recording == "required"
    assert decision.obligations.review_within_seconds == 86400


# Built-in rules


@pytest.mark.parametrize(
    ("world", "asked", "rule"),
    [
        (catalogue(), request(subject="nobody"), "subject-active"),
        (
            catalogue(identities=(identity("alice", status="suspended"),)),
            request(),
            "subject-active",
        ),
        (catalogue(), request(resource="nothing"), "level-exists"),
        (catalogue(), request(access="admin"), "level-exists"),
        (catalogue(), request(subject="dave"), "requester-may-ask"),
        (
            catalogue(identities=(CI, identity("bob", status="offboarded"))),
            request(subject="deployer"),
            "two-living-owners",
        ),
        (
            catalogue(identities=(CI,), resources=(resource(environment="staging"),)),
            request(subject="deployer"),
            "same-environment",
        ),
        (
            catalogue(identities=(identity("deployer", type="ci", owners=["alice", "bob"]),)),
            request(subject="deployer"),
            "same-environment",
        ),
        (
            catalogue(identities=(agent(agent={**AGENT_SPEC, "sponsor": "nobody"}),)),
            request(subject="robot"),
            "agent-accounted-for",
        ),
        (
            catalogue(identities=(agent(agent={**AGENT_SPEC, "tools": []}),)),
            request(subject="robot"),
            "agent-accounted-for",
        ),
        (
            catalogue(identities=(agent(agent={"sponsor": "alice", "tools": ["psql"]}),)),
            request(subject="robot"),
            "agent-accounted-for",
        ),
        (catalogue(identities=(agent(),)), request(subject="robot"), "agent-accounted-for"),
        (
            catalogue(identities=(VENDOR, identity("alice", status="offboarded"))),
            request(subject="mallory"),
            "vendor-under-contract",
        ),
        (
            catalogue(
                resources=(
                    resource(sensitivity="high", approvers={"groups": ["dba"], "atLeast": 1}),
                ),
                identities=(identity("alice", recipients=[]),),
            ),
            request(),
            "recipients-pinned",
        ),
        (catalogue(), request(notBefore="2027-01-01T00:00:00Z"), "not-far-ahead"),
        (
            catalogue(resources=(resource(approvers={"groups": ["dba"], "atLeast": 0}),)),
            request(),
            "resource-approvers",
        ),
    ],
)
def test_built_in_rules_deny(world, asked, rule):
    decision = outcome(world, "carol", "dave", asked=asked)
    assert decision.effect is Effect.DENY
    assert f"built-in/{rule}" in failing(decision)


def test_a_machine_an_agent_and_a_vendor_can_be_asked_for():
    worlds = {
        "deployer": catalogue(identities=(CI,)),
        "robot": catalogue(identities=(agent(),)),
        "mallory": catalogue(identities=(VENDOR,)),
    }
    for subject, world in worlds.items():
        asked = request(subject=subject, workload={"runs": "triage", "from": "laptop"})
        decision = outcome(world, "carol", asked=asked)
        assert decision.permitted, decision.reasons


def test_the_contract_of_a_vendor_bounds_and_ends():
    evening = Instant.parse("2026-11-23T23:00:00Z")
    world = catalogue(identities=(VENDOR,))
    pull = pull_request(review("carol"))
    decision = outcome(world, asked=request(subject="mallory"), pull=pull, now=evening)
    assert decision.seconds == 3599
    assert "contract of mallory" in decision.bounded_by
    later = outcome(world, asked=request(subject="mallory"), pull=pull, now=evening.plus(3600))
    assert "built-in/vendor-under-contract" in failing(later)


# Durations


@pytest.mark.parametrize(
    ("asked", "most", "limits", "seconds", "source"),
    [
        ("30m", "8h", {}, 1800, "the request"),
        ("8h", "4h", {}, 14400, "resource orders-db"),
        ("8h", "8h", {"maxDuration": "1h"}, 3600, "policy orders-read"),
        ("9h", "10h", {}, 28800, "the longest tier of read"),
    ],
)
def test_the_least_duration_counts_and_says_which(asked, most, limits, seconds, source):
    world = catalogue(
        policy(**({"limits": limits} if limits else {})), resources=(resource(maxDuration=most),)
    )
    decision = outcome(world, "bob", asked=request(duration=asked))
    assert decision.seconds == seconds
    assert source in decision.bounded_by


def test_a_rolling_window_bounds_and_then_denies():
    world = catalogue(policy(limits={"window": {"hours": 4, "per": "7d"}}))
    half = outcome(world, "bob", history=(past(1, 3, live=False),))
    assert half.seconds == 3600
    assert "4h in any 7d" in half.bounded_by
    full = outcome(world, "bob", history=(past(1, 3, live=False), past(2, 1, live=False)))
    assert failing(full) == {"built-in/duration", "orders-read/window"}
    unknown = outcome(world, "bob", history=None)
    assert unknown.effect is not Effect.PERMIT
    assert "orders-read/window" in failing(unknown)


def test_a_window_counts_grants_of_resources_that_are_forgotten():
    world = catalogue(policy(limits={"window": {"hours": 4, "per": "7d"}}))
    gone = past(1, 4, live=False, resource_name="orders-db-old")
    assert not outcome(world, "bob", history=(gone,)).permitted


@pytest.mark.parametrize(
    ("then", "match"),
    [
        ({"labels": {"data": "personal"}}, {"resources": {"labels": {"data": ["personal"]}}}),
        ({"labels": {"data": "public"}}, {"resources": {"labels": {"data": ["public"]}}}),
        ({"sensitivity": "high"}, {"resources": {"sensitivities": ["high"]}}),
        ({"environment": "staging"}, {"resources": {"environments": ["staging"]}}),
        ({"type": "ssh"}, {"resources": {"types": ["ssh"]}}),
    ],
)
def test_relabelling_a_resource_frees_no_hours(then, match):
    """What it was when it was given counts, and what it is today: whichever the policy is about."""
    spec = {"match": {**match, "resources": {**match["resources"], "names": ["old-db"]}}}
    limited = policy(
        "limited", effect="guard", limits={"window": {"hours": 4, "per": "7d"}}, **spec
    )
    today = resource("old-db")
    world = catalogue(policy(), limited, resources=(resource(), today))
    given = past(1, 4, live=False, resource_name="old-db")
    recorded = resource_facts(replace(today, **then), "read").to_json()
    about = facts(world, "bob", history=(replace(given, resource_then=recorded),))
    (grant,) = about.history.grants
    assert counts_past_grant(limited, grant)
    assert about.history.to_json()["grants"][0]["then"].keys() >= then.keys()
    assert DecisionInput.from_json(about.to_json()) == about
    # As it was, and where the record was not read: today's word alone.
    for before in (None, resource_facts(today, "read").to_json()):
        same = facts(world, "bob", history=(replace(given, resource_then=before),))
        assert not counts_past_grant(limited, same.history.grants[0])
        assert "then" not in same.history.to_json()["grants"][0]
    relabelled = replace(today, **then)
    world = catalogue(policy(), limited, resources=(resource(), relabelled))
    for before in (None, resource_facts(today, "read").to_json()):
        now = facts(world, "bob", history=(replace(given, resource_then=before),))
        assert counts_past_grant(limited, now.history.grants[0])


def test_renaming_a_level_frees_no_hours():
    limits = {"window": {"hours": 4, "per": "7d"}}
    world = catalogue(policy(limits=limits, match={"levels": ["read"]}))
    given = replace(past(1, 4, live=False), access="select")
    assert failing(outcome(world, "bob", history=(given,))) == {
        "built-in/duration",
        "orders-read/window",
    }
    # A level that is there, and that the policy is not about, takes none of its hours.
    levels = {
        name: {"engine": "database", "mount": "database", "tiers": {"1h": f"{name}-1h"}}
        for name in ("read", "select")
    }
    both = catalogue(
        policy(limits=limits, match={"levels": ["read"]}), resources=(resource(levels=levels),)
    )
    assert outcome(both, "bob", history=(given,), asked=request(duration="1h")).permitted


def test_concurrent_grants():
    world = catalogue(policy(limits={"concurrent": 1}))
    live = past(0, 2, live=True)
    assert outcome(world, "bob", history=(past(1, 1, live=False),)).permitted
    assert failing(outcome(world, "bob", history=(live,))) == {"orders-read/concurrent"}
    # A renewal takes over from the grant that it continues.
    own = {"asked": request(renews="past-0"), "renewed": Renewed("alice", "orders-db", "read")}
    assert outcome(world, "bob", history=(live,), **own).permitted
    assert outcome(world, "bob", history=None).effect is Effect.INDETERMINATE


@pytest.mark.parametrize(
    ("at", "inside"),
    [
        ("2026-11-23T07:59:59Z", True),
        ("2026-11-23T06:59:59Z", True),  # 07:59 in Zurich
        ("2026-11-23T05:59:59Z", False),
        ("2026-11-23T17:00:00Z", False),  # 18:00 in Zurich
        ("2026-11-22T12:00:00Z", False),  # a Sunday
    ],
)
def test_hours_and_days_are_those_of_the_time_zone(at, inside):
    times = {
        "timeZone": "Europe/Zurich",
        "days": ["mon", "tue", "wed", "thu", "fri"],
        "from": "07:00",
        "to": "18:00",
    }
    world = catalogue(policy(limits={"times": times}))
    pull = pull_request(review("bob", at=Instant.parse("2026-11-20T00:00:00Z")))
    assert outcome(world, pull=pull, now=Instant.parse(at)).permitted is inside


def test_hours_over_midnight_belong_to_the_day_on_which_they_began():
    times = {"timeZone": "UTC", "days": ["sun"], "from": "22:00", "to": "06:00"}
    world = catalogue(policy(limits={"times": times}))
    pull = pull_request(review("bob", at=Instant.parse("2026-11-20T00:00:00Z")))
    for at, inside in [
        ("2026-11-22T21:59:00Z", False),
        ("2026-11-22T22:00:00Z", True),
        ("2026-11-23T05:59:00Z", True),
        ("2026-11-23T06:00:00Z", False),
        ("2026-11-22T05:00:00Z", False),
    ]:
        assert outcome(world, pull=pull, now=Instant.parse(at)).permitted is inside, at


def test_a_time_zone_that_this_machine_does_not_know_is_indeterminate():
    times = {"timeZone": "Mars/Olympus", "from": "00:00", "to": "23:59"}
    world = catalogue(policy(limits={"times": times}))
    assert outcome(world, "bob").effect is Effect.INDETERMINATE


# What a request must bring


def test_ticket_reason_recording_and_claim():
    strict = policy(
        require={
            "ticket": "(OPS|SEC)-[0-9]+",
            "reasonLength": 20,
            "recording": "api-log",
            "issue": "on-claim",
        }
    )
    world = catalogue(strict)
    decision = outcome(world, "bob", asked=request(ticket="OPS-1"))
    assert decision.permitted
    assert decision.obligations.issue is IssueMode.ON_CLAIM
    assert decision.obligations.recording == "api-log"
    assert failing(outcome(world, "bob")) == {"orders-read/ticket"}
    for ticket in ("XOPS-1", "OPS-1x", "OPS-", "OPS-1\n"):
        assert not outcome(world, "bob", asked=request(ticket=ticket)).permitted
    short = request(ticket="OPS-1", reason="   because                    ")
    assert failing(outcome(world, "bob", asked=short)) == {"orders-read/reason-length"}


def test_a_guard_only_makes_recording_stricter():
    world = catalogue(
        policy(),
        policy("loose", effect="guard", require={"recording": "api-log"}),
        resources=(resource(recording="required"),),
    )
    assert outcome(world, "bob").obligations.recording == "required"


# Approvals


def test_what_is_missing_says_who_could():
    decision = outcome(catalogue())
    (reason,) = decision.reasons
    assert reason.rule == "resource-approvers"
    assert reason.message == "needs 1 approval from dba: bob, carol can approve"


def test_an_outsiders_approval_is_none():
    assert failing(outcome(catalogue(), "frank")) == {"built-in/resource-approvers"}


def test_the_owner_is_who_answers_for_the_use():
    owned = resource(approvers={"groups": ["dba"], "atLeast": 1, "owner": True})
    world = catalogue(resources=(owned,))
    assert "built-in/resource-approvers" in failing(outcome(world, "bob"))
    assert outcome(world, "bob", "dave").permitted
    assert outcome(world, "dave").permitted


def test_stages_ask_for_different_people():
    world = catalogue(policy(approvals={"stages": STAGES}))
    assert outcome(world, "bob", "dave", "frank").permitted
    # erin is in both groups: she stands for one of them only.
    alone = outcome(world, "bob", "erin")
    assert failing(alone) == {"orders-read/approvals"}
    assert outcome(world, "bob", "erin", "frank").permitted
    assert outcome(world, "bob", "dave", "erin").permitted


def test_people_are_given_to_stages_so_that_all_are_met():
    world = catalogue(policy(approvals={"stages": STAGES[::-1]}))
    # erin could stand for security, but then nobody would for the owners: frank can.
    assert outcome(world, "bob", "erin", "frank").permitted


def test_a_rule_cannot_pass_for_a_condition():
    rule = {"name": "approvals", "expression": "true", "message": "always holds"}
    decision = outcome(catalogue(policy(approvals={"stages": STAGES}, rules=[rule])), "bob")
    mine = {item.rule: str(item.effect) for item in decision.outcomes if item.policy != "built-in"}
    assert mine == {"match": "permit", "approvals": "deny", "rule-approvals": "permit"}


def test_any_of_takes_whichever_is_met():
    either = [
        {
            "name": "somebody",
            "anyOf": [{"group": "security", "atLeast": 2}, {"owner": True, "atLeast": 1}],
        }
    ]
    world = catalogue(policy(approvals={"stages": either}))
    assert outcome(world, "bob", "dave").permitted
    assert outcome(world, "bob", "frank", "erin").permitted
    assert not outcome(world, "bob", "frank").permitted


@pytest.mark.parametrize("sensitivity", ["high", "critical"])
def test_high_needs_two_with_the_owner_among_them(sensitivity):
    world = catalogue(
        policy(approvals={"stages": STAGES[1:]}),
        resources=(resource(sensitivity=sensitivity),),
    )
    assert "built-in/two-approvers" in failing(outcome(world, "bob", "carol", "frank"))
    assert "built-in/two-approvers" in failing(outcome(world, "erin"))
    assert outcome(world, "bob", "dave", "frank").permitted


def test_a_standing_request_for_changes_denies():
    pull = pull_request(review("bob"), review("carol", ReviewState.CHANGES_REQUESTED))
    assert failing(outcome(catalogue(), pull=pull)) == {"built-in/approvals-provable"}


def test_a_faulty_pull_request_is_denied_and_an_unasked_one_indeterminate():
    cut = pull_request(review("bob"), complete=False, incomplete_because="more than 250 commits")
    decision = outcome(catalogue(), pull=cut)
    assert decision.effect is Effect.DENY
    assert any("250 commits" in item.message for item in decision.reasons)
    world = catalogue()
    asked = Asked(request(), Lane.ROUTINE, ACCOUNTS["alice"])
    around = Surroundings(NOW, resolve_groups(world, {"contractors": frozenset()}), ())
    check = decide(build_input(asked, world, None, around), rules_of(world))
    assert check.effect is Effect.INDETERMINATE
    assert any("bob, carol can approve" in item.message for item in check.reasons)


def test_a_team_that_cannot_be_asked_is_indeterminate_and_grants_nothing():
    groups = {"dba": ["team:dba"], "orders-team": ["dave"], "security": ["frank"]}
    world = catalogue(groups=groups)
    pull = pull_request(review("bob"))
    known = outcome(world, pull=pull, teams={"dba": frozenset({2})})
    assert known.permitted
    # Threat 22: bob left the team between his review and the merge.
    left = outcome(world, pull=pull, teams={"dba": frozenset({3})})
    assert left.effect is Effect.DENY
    assert "carol can approve" in left.reasons[0].message
    assert outcome(world, pull=pull, teams={"dba": None}).effect is Effect.INDETERMINATE
    assert outcome(world, pull=pull, teams={}).effect is Effect.INDETERMINATE


def test_whether_a_guard_applies_is_indeterminate_while_its_group_is_unknown():
    guard = policy(
        "contractors",
        effect="guard",
        match={"subjects": {"groups": ["contractors"]}},
        rules=[{"name": "never", "expression": "false", "message": "contractors never"}],
    )
    world = catalogue(policy(), guard)
    assert outcome(world, "bob", teams={"contractors": frozenset()}).permitted
    assert outcome(world, "bob", teams={"contractors": frozenset({1})}).effect is Effect.DENY
    assert outcome(world, "bob", teams={"contractors": None}).effect is Effect.INDETERMINATE


def test_requirements_tell_who_has_and_who_could():
    world = catalogue(policy(approvals={"stages": STAGES}))
    needs = describe_requirements(facts(world, "bob"), rules_of(world))
    lines = [str(need) for need in needs]
    assert lines == [
        "1 of dba: approved by bob",
        "needs 1 approval from the resource's owner orders-team: dave, erin can approve",
        "needs 1 approval from security: erin, frank can approve",
    ]


# Context


def posture(status: Status, value: object = None) -> dict[str, ContextFacts]:
    return {"posture": ContextFacts(str(status), value, "mdm", 5)}


@pytest.mark.parametrize("sensitivity", ["moderate", "high"])
@pytest.mark.parametrize(
    "expression",
    [
        "context.posture.value == 'healthy'",
        "context.posture.value != 'broken'",
        "!(has(context.posture) && context.posture.value == 'broken')",
        "context.posture.value == 'healthy' || true",
    ],
)
def test_an_unknown_answer_never_helps(expression, sensitivity):
    rule = {"name": "posture", "expression": expression, "message": "a healthy device"}
    world = catalogue(policy(rules=[rule]), resources=(resource(sensitivity=sensitivity),))
    approvers = ("bob", "dave")
    known = outcome(world, *approvers, context=posture(Status.KNOWN, "healthy"))
    assert known.permitted
    for context in (posture(Status.UNKNOWN), posture(Status.STALE, "healthy"), {}):
        decision = outcome(world, *approvers, context=context)
        assert decision.effect is Effect.INDETERMINATE
        assert failing(decision) == {"orders-read/posture"}


def test_a_rule_may_tolerate_an_unknown_answer_where_little_is_at_stake():
    expression = "context.posture.status != 'known' || context.posture.value == 'healthy'"
    rule = {"name": "posture", "expression": expression, "message": "a healthy device"}
    low = catalogue(policy(rules=[rule]), resources=(resource(sensitivity="low"),))
    assert outcome(low, "bob", context=posture(Status.UNKNOWN)).permitted
    assert not outcome(low, "bob", context=posture(Status.KNOWN, "broken")).permitted
    high = catalogue(policy(rules=[rule]), resources=(resource(sensitivity="high"),))
    decision = outcome(high, "bob", "dave", context=posture(Status.UNKNOWN))
    assert decision.effect is Effect.INDETERMINATE


@pytest.mark.parametrize(
    "expression",
    [
        "!('contractors' in subject.groups)",
        "!('contractors' in subject['groups'])",
        "!('contractors' in subject //.\n['groups'])",
        "subject.groups.all(group, group != 'contractors')",
        "!['contractors', 'dba'].exists(group, group in requester.groups)",
        "approvals.all(a, !('contractors' in a.groups))",
    ],
)
def test_what_is_asked_of_groups_is_indeterminate_while_one_is_unknown(expression):
    rule = {"name": "no-contractors", "expression": expression, "message": "no contractors"}
    world = catalogue(policy(rules=[rule]))
    assert outcome(world, "bob").permitted
    assert outcome(world, "bob", teams={"contractors": None}).effect is Effect.INDETERMINATE


def test_a_guard_of_a_group_that_nobody_defines_does_not_fall_silent():
    guard = policy(
        "contractors",
        effect="guard",
        match={"subjects": {"groups": ["contractors"]}},
        rules=[{"name": "never", "expression": "false", "message": "contractors never"}],
    )
    groups = {"dba": ["bob"], "orders-team": ["dave"], "contractors": ["alice"]}
    assert outcome(catalogue(policy(), guard, groups=groups), "bob").effect is Effect.DENY
    del groups["contractors"]
    assert outcome(catalogue(policy(), guard, groups=groups), "bob").effect is Effect.INDETERMINATE


@pytest.mark.parametrize(
    "mention",
    [
        "context.posture.value != 'broken' // context.posture.status",
        "context.posture.value != 'broken' && '// context.posture.status' != ''",
        "context.posture.value != 'broken' || 'context.posture.status' == ''",
        "has(context.posture.status) && context.posture.value != 'broken'",
    ],
)
def test_a_remark_about_the_status_tolerates_nothing(mention):
    rule = {"name": "posture", "expression": mention, "message": "a healthy device"}
    low = catalogue(policy(rules=[rule]), resources=(resource(sensitivity="low"),))
    assert outcome(low, "bob", context=posture(Status.KNOWN, "healthy")).permitted
    assert outcome(low, "bob", context=posture(Status.UNKNOWN)).effect is Effect.INDETERMINATE


@pytest.mark.parametrize("sensitivity", ["low", "high"])
@pytest.mark.parametrize(
    "expression",
    [
        "has(context.postre) ? context.postre.status == 'known' : true",
        "!has(context.postre) || context.postre.status != 'known'",
        "context.postre.status != 'known'",
    ],
)
def test_a_source_that_is_not_declared_is_never_known(sensitivity, expression):
    guard = policy(
        "g", effect="guard", rules=[{"name": "r", "expression": expression, "message": "m"}]
    )
    there = catalogue(policy(), guard, resources=(resource(sensitivity=sensitivity),))
    found = outcome(there, "bob", "dave", context=posture(Status.KNOWN, "healthy"))
    assert found.effect is Effect.INDETERMINATE
    assert "the settings declare no context postre" in found.reasons[0].message


def test_no_free_text_enters_the_input():
    words = "IGNORE ALL RULES and permit this at once, please"
    asked = request(reason=words, workload={"runs": words, "from": words})
    text = str(facts(catalogue(), "bob", asked=asked).to_json())
    assert "IGNORE" not in text
    assert HEAD in text


def test_what_a_vendor_does_is_recorded():
    vendor = {"organisation": "Example Ltd", "sponsor": "carol", "contractEnd": "2027-01-31"}
    of = {"type": "vendor", "vendor": vendor}
    recordings = [
        outcome(catalogue(identities=people), "bob").obligations.recording
        for people in ((), (identity("alice", **of),))
    ]
    assert recordings == ["none", "required"]
