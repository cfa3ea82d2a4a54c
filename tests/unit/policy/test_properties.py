"""What must hold whatever the documents say: order, sameness, and that less is never more."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from policy_world import (
    HEAD,
    NOW,
    catalogue,
    facts,
    policy,
    request,
    resource,
    rules_of,
)

from daypass.model.canonical import canonical_json
from daypass.model.decision import Effect
from daypass.model.grant import Lane
from daypass.policy.asked import PastGrant
from daypass.policy.compiled import compile_policies
from daypass.policy.decide import decide
from daypass.policy.facts import ContextFacts, Stage
from daypass.policy.input import DecisionInput

GROUPS = ("dba", "orders-team", "security")
PEOPLE = ("bob", "carol", "dave", "erin", "frank")
# Rules that a team might write: of approvals and context only what a denial follows from less of.
EXPRESSIONS = (
    "true",
    "false",
    "request.durationSeconds <= 3600",
    "context.posture.value == 'healthy'",
    "context.posture.value != 'broken'",
    "!has(context.oncall) || context.oncall.value == true",
    "context.oncall.value == true || context.posture.value == 'healthy'",
    "size(approvals) >= 2",
    "approvals.exists(a, 'security' in a.groups)",
)
requirement = st.one_of(
    st.builds(
        lambda group, least: {"group": group, "atLeast": least},
        st.sampled_from(GROUPS),
        st.integers(1, 2),
    ),
    st.builds(lambda least: {"owner": True, "atLeast": least}, st.integers(1, 2)),
)
stage = st.builds(
    lambda how, items: {"name": "stage", how: items},
    st.sampled_from(["allOf", "anyOf"]),
    st.lists(requirement, min_size=1, max_size=2),
)


@st.composite
def policies(draw):
    spec = {
        "effect": draw(st.sampled_from(["permit", "permit", "guard"])),
        "enforcement": draw(st.sampled_from(["enforce", "enforce", "warn", "audit"])),
        "match": draw(
            st.sampled_from(
                [
                    {},
                    {"resources": {"sensitivities": ["high", "critical"]}},
                    {"subjects": {"groups": ["contractors"]}},
                    {"levels": ["read"]},
                ]
            )
        ),
    }
    if draw(st.booleans()):
        spec["approvals"] = {"stages": draw(st.lists(stage, min_size=1, max_size=2))}
    if draw(st.booleans()):
        spec["limits"] = draw(
            st.sampled_from(
                [
                    {"maxDuration": "1h"},
                    {"window": {"hours": 6, "per": "1d"}},
                    {"concurrent": 2},
                ]
            )
        )
    expressions = draw(st.lists(st.sampled_from(EXPRESSIONS), max_size=2))
    if expressions:
        spec["rules"] = [
            {"name": f"r{number}", "expression": text, "message": "must hold"}
            for number, text in enumerate(expressions)
        ]
    return spec


def history(size: int) -> tuple[PastGrant, ...]:
    return tuple(
        PastGrant(
            f"past-{number}",
            Lane.ROUTINE,
            "orders-db",
            "read",
            NOW.plus(-7200 * (number + 1)),
            NOW.plus(-7200 * number),
            live=number == 0,
        )
        for number in range(size)
    )


CONTEXT = {
    "posture": ContextFacts("known", "healthy", "mdm", 5),
    "oncall": ContextFacts("known", True, "roster", 5),
}


@st.composite
def worlds(draw):
    written = draw(st.lists(policies(), min_size=1, max_size=4))
    named = tuple(policy(f"p{number}", **spec) for number, spec in enumerate(written))
    place = resource(
        sensitivity=draw(st.sampled_from(["low", "moderate", "high", "critical"])),
        approvers={
            "groups": draw(st.lists(st.sampled_from(GROUPS), min_size=1, unique=True)),
            "atLeast": draw(st.integers(1, 2)),
            "owner": draw(st.booleans()),
        },
    )
    return catalogue(*named, resources=(place,))


def everything(world) -> DecisionInput:
    return facts(world, *PEOPLE, context=CONTEXT, history=())


@settings(max_examples=200, deadline=None)
@given(worlds(), st.randoms(use_true_random=False))
def test_order_never_matters_and_the_bytes_are_the_same(world, random):
    whole = everything(world)
    reference = decide(whole, rules_of(world))
    shuffled = list(world.policies.values())
    random.shuffle(shuffled)
    turned = DecisionInput.from_json(_turned(whole.to_json()))
    again = decide(turned, shuffled)
    assert canonical_json(turned.to_json()) == canonical_json(whole.to_json())
    assert canonical_json(again.to_json()) == canonical_json(reference.to_json())


def _turned(value):
    """The same JSON with every map's keys the other way round."""
    if isinstance(value, dict):
        return {key: _turned(value[key]) for key in reversed(list(value))}
    return [_turned(item) for item in value] if isinstance(value, list) else value


@settings(max_examples=300, deadline=None)
@given(worlds(), st.sets(st.sampled_from(PEOPLE)))
def test_removing_approvals_never_permits(world, kept):
    whole = everything(world)
    compiled = rules_of(world)
    fewer = tuple(item for item in whole.approvals.counted if item.identity in kept)
    less = replace(whole, approvals=replace(whole.approvals, counted=fewer))
    if decide(less, compiled).permitted:
        assert decide(whole, compiled).permitted


@settings(max_examples=300, deadline=None)
@given(
    worlds(),
    st.sampled_from(["unknown", "stale", None]),
    st.sets(st.sampled_from(["posture", "oncall"])),
)
def test_removing_an_answer_never_permits(world, status, which):
    whole = everything(world)
    compiled = rules_of(world)
    poorer = dict(whole.context)
    for name in which:
        if status is None:
            del poorer[name]
        else:
            poorer[name] = ContextFacts(status, None, "mdm", None)
    if decide(replace(whole, context=poorer), compiled).permitted:
        assert decide(whole, compiled).permitted


@settings(max_examples=200, deadline=None)
@given(worlds())
def test_not_knowing_teams_or_history_never_permits(world):
    compiled = rules_of(world)
    known = everything(world)
    for less in (
        facts(world, *PEOPLE, context=CONTEXT, history=(), teams={}),
        facts(world, *PEOPLE, context=CONTEXT, history=None),
    ):
        if decide(less, compiled).permitted:
            assert decide(known, compiled).permitted


@settings(max_examples=200, deadline=None)
@given(worlds(), st.integers(1, 4000), st.integers(0, 5000))
def test_asking_for_more_time_never_gives_less_denied(world, minutes, more):
    """A longer request is never permitted where a shorter one was not; nor for less time."""
    compiled = rules_of(world)
    short = decide(
        facts(world, *PEOPLE, context=CONTEXT, asked=request(duration=f"{minutes}m")), compiled
    )
    long = decide(
        facts(
            world, *PEOPLE, context=CONTEXT, asked=request(duration=f"{min(9999, minutes + more)}m")
        ),
        compiled,
    )
    if long.permitted:
        assert short.permitted
        assert short.seconds <= long.seconds


@settings(max_examples=200, deadline=None)
@given(worlds(), st.integers(0, 10_000), st.integers(0, 10_000))
def test_time_only_takes_live_access_away(world, first, later):
    compiled = rules_of(world)
    whole = everything(world)
    begun = replace(whole.request, issued_at=str(NOW))
    live = replace(whole, stage=Stage.LIVE, request=begun)
    early = decide(replace(live, now=str(NOW.plus(first))), compiled)
    late = decide(replace(live, now=str(NOW.plus(first + later))), compiled)
    if late.permitted:
        assert early.permitted
    assert early.seconds - late.seconds >= min(later, early.seconds)


@settings(max_examples=200, deadline=None)
@given(worlds(), st.integers(0, 4), st.integers(0, 4))
def test_a_longer_history_never_permits(world, some, more):
    compiled = rules_of(world)
    less = decide(facts(world, *PEOPLE, context=CONTEXT, history=history(some)), compiled)
    longer = decide(facts(world, *PEOPLE, context=CONTEXT, history=history(some + more)), compiled)
    if longer.permitted:
        assert less.permitted
        assert longer.seconds <= less.seconds


@settings(max_examples=200, deadline=None)
@given(worlds(), policies())
def test_another_guard_never_permits(world, spec):
    """An enforced policy that only adds conditions can only take away."""
    guard = policy("zz-guard", **{**spec, "effect": "guard"})
    whole = everything(world)
    without = decide(whole, rules_of(world))
    with_it = decide(whole, compile_policies([*world.policies.values(), guard]))
    if with_it.permitted:
        assert without.permitted
        assert with_it.seconds <= without.seconds


@settings(max_examples=100, deadline=None)
@given(worlds())
def test_no_permit_without_an_approval_on_the_head(world):
    assert decide(facts(world), rules_of(world)).effect is not Effect.PERMIT
    assert all(item.commit == HEAD for item in everything(world).approvals.counted)
