"""An exception is never longer, less recorded or less reviewed than what it excepts.

Whatever the policies, the resource, the people who approved and the exceptions are.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from policy_world import NOW, exception, facts, identity, policy, request, resource, rules_of
from test_properties import CONTEXT, PEOPLE, worlds

from daypass.model.grant import Lane
from daypass.model.resource import Recording
from daypass.policy.decide import decide, describe_requirements
from daypass.policy.excepting import independent
from daypass.policy.facts import ContextFacts, Stage

STRICTER = (Recording.NONE, Recording.API_LOG, Recording.REQUIRED)
ASKED = request(subject="deployer", duration="8h", workload={"runs": "x", "from": "y"})
RULES = [
    "built-in/authenticates-itself",
    "built-in/no-static-secret",
    "built-in/own-keys",
    *(f"p{policy}/r{rule}" for policy in range(4) for rule in range(2)),
]
KEY = "age1shared"


@st.composite
def exceptions(draw, number=0):
    begins = draw(st.sampled_from([-86400, -3600, 0, 1, 3600]))
    some = st.lists(st.sampled_from(RULES), min_size=1, max_size=8, unique=True)
    return exception(
        f"x{number}",
        *draw(st.one_of(st.just(RULES), st.just(RULES[:3]), some)),
        attributedTo=draw(st.sampled_from(["alice", "alice", *PEOPLE, "deployer"])),
        notBefore=str(NOW.plus(begins)),
        notAfter=str(NOW.plus(begins + draw(st.integers(1, 5 * 86400)))),
        maxDuration=draw(st.sampled_from(["10m", "1h", "9h"])),
    )


@st.composite
def machines(draw):
    """A machine that may rest on a static secret, and may share its key with people."""
    recipients = draw(st.sampled_from([["age1own"], [KEY]]))
    spec = {"owners": ["alice", "mallory"], "environment": "production", "recipients": recipients}
    if draw(st.booleans()):
        spec["authn"] = None
    return identity("deployer", type=draw(st.sampled_from(["ci", "service"])), **spec)


@st.composite
def excepting(draw):
    """A catalogue with a machine, and one that differs by its exceptions only."""
    there = draw(worlds())
    # Most of what is drawn permits nothing: some of it is made easy to please.
    if draw(st.booleans()):
        there = replace(there, policies={**there.policies, "plain": policy("plain")})
    if draw(st.booleans()):
        easy = policy("p0", rules=[{"name": "r0", "expression": "false", "message": "never"}])
        there = replace(there, policies={"p0": easy}, resources={"orders-db": resource()})
    place = draw(st.sampled_from(["database", "legacy-static"]))
    kept = there.resources["orders-db"]
    holder = draw(st.sampled_from(["alice", *PEOPLE]))
    rules = {
        name: replace(
            item,
            rules=tuple(
                replace(rule, may_be_excepted=draw(st.sampled_from([True, True, False])))
                for rule in item.rules
            ),
        )
        for name, item in there.policies.items()
    }
    people = {
        **there.identities,
        "deployer": draw(machines()),
        "mallory": identity("mallory", github={"id": 66, "login": "mallory"}),
        holder: identity(holder, recipients=[KEY]),
    }
    plain = replace(
        there,
        policies=rules,
        identities=people,
        resources={"orders-db": replace(kept, type=place)},
    )
    found = [draw(exceptions(number)) for number in range(draw(st.integers(1, 2)))]
    return plain, replace(plain, exceptions={item.name: item for item in found})


def asked(world, who=PEOPLE, **options):
    return facts(world, *who, asked=ASKED, context=CONTEXT, **options)


@pytest.mark.parametrize("rule", ["authenticates-itself", "no-static-secret", "own-keys", "r0"])
def test_there_are_worlds_that_permit_by_an_exception(rule):
    def shows(pair):
        world = pair[1]
        decision = decide(asked(world), rules_of(world))
        return decision.permitted and rule in {item.rule for item in decision.excepted}

    quick = settings(
        max_examples=5000, deadline=None, database=None, phases=[Phase.generate], derandomize=True
    )
    find(excepting(), shows, settings=quick)


def without(world, excepted):
    """The same world, in which the excepted rules are not asked, or hold."""
    names = {f"{item.policy}/{item.rule}" for item in excepted}
    there = replace(
        world,
        exceptions={},
        policies={
            name: replace(
                item,
                rules=tuple(rule for rule in item.rules if f"{name}/{rule.name}" not in names),
            )
            for name, item in world.policies.items()
        },
    )
    deployer, place = there.identities["deployer"], there.resources["orders-db"]
    if "built-in/authenticates-itself" in names:
        deployer = replace(deployer, authn={"method": "oidc"})
    if "built-in/own-keys" in names:
        deployer = replace(deployer, recipients=("age1own",))
    if "built-in/no-static-secret" in names:
        place = replace(place, type="database")
    return replace(
        there,
        identities={**there.identities, "deployer": deployer},
        resources={"orders-db": place},
    )


@settings(max_examples=300, deadline=None)
@given(excepting(), st.sampled_from([("bob",), ("bob", "carol"), ("bob", "dave"), PEOPLE]))
def test_never_longer_less_recorded_or_less_reviewed(pair, who):
    _plain, world = pair
    whole = asked(world, who)
    decision = decide(whole, rules_of(world))
    if not (decision.permitted and decision.exceptions):
        return
    bare_world = without(world, decision.excepted)
    bare_facts = asked(bare_world, who)
    bare = decide(bare_facts, rules_of(bare_world))
    assert bare.permitted
    assert 0 < decision.seconds <= bare.seconds
    for name in decision.exceptions:
        item = world.exceptions[name]
        assert decision.seconds <= item.not_after.since(NOW)
        assert decision.seconds <= item.max_duration.seconds
        assert item.not_before <= NOW < item.not_after
    recordings = [
        STRICTER.index(Recording(item.obligations.recording)) for item in (decision, bare)
    ]
    assert recordings[0] >= recordings[1]
    assert decision.obligations.recording == Recording.REQUIRED
    assert bare.obligations.issue == decision.obligations.issue
    _reviewed(world, whole, bare_world, bare_facts, decision)


def _reviewed(world, whole, bare_world, bare_facts, decision):
    needs = describe_requirements(whole, rules_of(world))
    # Of the ways that a stage leaves open the nearest is told: by the same words it is the same.
    heard = independent(replace(bare_facts, exceptions=whole.exceptions))
    bare_needs = describe_requirements(replace(heard, exceptions=()), rules_of(bare_world))
    asked_for = {(need.wanted, need.groups) for need in needs}
    assert asked_for >= {(need.wanted, need.groups) for need in bare_needs}
    answers = {world.exceptions[name].attributed_to for name in decision.exceptions}
    counted = {item.identity for item in whole.approvals.counted} - answers
    owners = {"dave", "erin"}
    assert len(counted) > 1
    assert counted & owners
    assert not answers & {name for need in needs for name in (*need.given, *need.candidates)}


@settings(max_examples=150, deadline=None)
@given(excepting(), st.sampled_from(["subject", "resource", "access"]))
def test_nothing_else_is_decided_otherwise(pair, field):
    plain, world = pair
    elsewhere = resource("payments-db", levels={"admin": _ADMIN, "read": _ADMIN})
    other = {"subject": "alice", "resource": "payments-db", "access": "admin"}[field]
    places = {"orders-db": resource(levels={"admin": _ADMIN, "read": _ADMIN})}
    places["payments-db"] = elsewhere
    about = request(**{"subject": "deployer", field: other})
    said = []
    for there in (plain, world):
        whole = replace(there, resources=places)
        told = facts(whole, *PEOPLE, asked=about, context=CONTEXT)
        assert told.exceptions == ()
        said.append({**decide(told, rules_of(whole)).to_json(), "policy": ""})
    assert said[0] == said[1]


_ADMIN = {"engine": "database", "mount": "database", "tiers": {"1h": "admin-1h"}}


@settings(max_examples=100, deadline=None)
@given(excepting())
def test_an_emergency_is_decided_as_without_them(pair):
    said = []
    for there in pair:
        told = asked(there, lane=Lane.BREAK_GLASS)
        said.append({**decide(told, rules_of(there)).to_json(), "policy": ""})
    assert said[0] == said[1]


@settings(max_examples=150, deadline=None)
@given(excepting(), st.sets(st.sampled_from(PEOPLE)), st.sets(st.sampled_from(sorted(CONTEXT))))
def test_less_is_never_more(pair, kept, lost):
    """Neither fewer approvals nor fewer answers of sources turn a denial into a permit."""
    _plain, world = pair
    compiled = rules_of(world)
    whole = asked(world)
    fewer = tuple(item for item in whole.approvals.counted if item.identity in kept)
    gone = {name: ContextFacts("unknown", None, "mdm", None) for name in lost}
    for less in (
        replace(whole, approvals=replace(whole.approvals, counted=fewer)),
        replace(whole, context={**whole.context, **gone}),
    ):
        if decide(less, compiled).permitted:
            assert decide(whole, compiled).permitted


@settings(max_examples=150, deadline=None)
@given(excepting(), st.integers(0, 10_000), st.integers(0, 400_000))
def test_time_only_takes_live_access_away(pair, first, later):
    _plain, world = pair
    compiled = rules_of(world)
    whole = asked(world)
    begun = replace(whole.request, issued_at=str(NOW))
    live = replace(whole, stage=Stage.LIVE, request=begun, rests_on=tuple(world.exceptions))
    early = decide(replace(live, now=str(NOW.plus(first))), compiled)
    late = decide(replace(live, now=str(NOW.plus(first + later))), compiled)
    if late.permitted:
        assert early.permitted
    assert early.seconds - late.seconds >= min(later, early.seconds)


@settings(max_examples=150, deadline=None)
@given(excepting())
def test_what_permits_without_an_exception_needs_none(pair):
    """An exception that is there and not needed can only bar the word of who answers for it."""
    plain, world = pair
    decision = decide(asked(world), rules_of(world))
    bare = decide(asked(plain), rules_of(plain))
    if decision.permitted and not decision.exceptions:
        assert bare.permitted
        assert bare.seconds == decision.seconds
    if bare.permitted:
        assert decision.exceptions == ()
