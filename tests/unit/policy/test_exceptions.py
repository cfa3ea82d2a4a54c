"""Exceptions: what one opens, what it costs, and all that it cannot do."""

from __future__ import annotations

from dataclasses import replace

import pytest
from policy_world import (
    NOW,
    catalogue,
    exception,
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

from daypass.model.canonical import canonical_json
from daypass.model.catalogue import rules_digest
from daypass.model.decision import Effect
from daypass.model.grant import Lane
from daypass.model.pullrequest import ReviewState
from daypass.policy.asked import Asked
from daypass.policy.compiled import compile_policies
from daypass.policy.decide import decide, describe_requirements
from daypass.policy.facts import Stage
from daypass.policy.input import DecisionInput
from daypass.policy.rules import DESCRIBED

STATIC = identity(
    "deployer", type="ci", owners=["alice", "bob"], environment="production", authn=None
)
ASKED = request(subject="deployer", workload={"runs": "x", "from": "y"})
OFFICE = {
    "name": "office-hours",
    "expression": "false",
    "message": "only from the office",
    "mayBeExcepted": True,
}
SHARED = "age1shared"


def world(*exceptions, subject=STATIC, others=(), policies=(), **options):
    return catalogue(*policies, identities=(subject, *others), exceptions=exceptions, **options)


def asked(*exceptions, approvers=("carol", "dave"), lane=Lane.ROUTINE, now=NOW, **options):
    there = world(*exceptions, **options)
    return outcome(there, *approvers, asked=ASKED, lane=lane, now=now)


def test_a_static_secret_is_let_through_by_an_exception_that_says_so():
    assert failing(asked()) == {"built-in/authenticates-itself"}
    decision = asked(exception())
    assert decision.permitted
    assert decision.exceptions == ("orders-static",)
    (excepted,) = decision.excepted
    assert (excepted.rule, excepted.effect) == ("authenticates-itself", Effect.DENY)
    assert "static secret" in excepted.message
    assert decision.reasons == ()


def test_it_lasts_no_longer_than_the_exception_says():
    assert asked(exception()).seconds == 3600
    assert asked(exception()).bounded_by == "exception orders-static (at most 1h)"
    ends = asked(exception(notAfter=str(NOW.plus(600)), maxDuration="8h"))
    assert ends.seconds == 600
    assert ends.bounded_by.startswith("exception orders-static, until ")


def test_it_is_recorded_though_the_resource_asks_for_no_record():
    assert asked(exception()).obligations.recording == "required"


@pytest.mark.parametrize(
    "approvers", [("carol",), ("bob", "carol"), ("dave", "erin"), ("carol", "frank")]
)
def test_it_needs_two_approvers_an_owner_among_them_besides_all_else(approvers):
    """bob owns the subject, and frank answers for the exception: neither counts."""
    decision = asked(exception(), approvers=approvers)
    assert not decision.permitted
    assert decision.excepted


def test_who_answers_for_it_approves_nothing_and_is_no_candidate():
    security = {"groups": ["security"], "atLeast": 1}
    there = world(exception(), resources=(resource(approvers=security),))
    given = facts(there, "frank", "dave", asked=ASKED)
    assert [item.identity for item in given.approvals.counted] == ["dave"]
    needs = describe_requirements(facts(there, "dave", asked=ASKED), rules_of(there))
    assert any("erin" in item.candidates for item in needs)
    assert not any("frank" in item.candidates for item in needs)


@pytest.mark.parametrize(
    "dates", [{}, {"notBefore": str(NOW.plus(-172800)), "notAfter": str(NOW.plus(-86400))}]
)
def test_who_answers_for_it_may_still_say_no(dates):
    """Others may write an exception: it takes no objection away, whichever rule it is of."""
    other = exception("other", "built-in/own-keys", attributedTo="frank", **dates)
    said = pull_request(
        *map(review, ("carol", "dave")), review("frank", ReviewState.CHANGES_REQUESTED)
    )
    for excepted in ((exception(),), (exception(), other)):
        there = world(*excepted)
        given = facts(there, asked=ASKED, pull=said)
        assert given.approvals.blocked_by == (6,)
        assert failing(decide(given, rules_of(there))) == {"built-in/approvals-provable"}


def test_a_word_of_theirs_in_the_input_counts_for_nothing():
    """However it came into the input: who builds it is not who decides."""
    there = world(exception())
    whole = facts(there, "carol", "dave", asked=ASKED)
    counted = replace(whole.approvals.counted[0], account_id=6, identity="frank")
    forged = replace(
        whole, approvals=replace(whole.approvals, counted=(counted, whole.approvals.counted[1]))
    )
    assert decide(whole, rules_of(there)).permitted
    decision = decide(forged, rules_of(there))
    assert not decision.permitted
    assert decision.input_digest == forged.digest


@pytest.mark.parametrize(
    "change",
    [
        {"notBefore": str(NOW.plus(1))},
        {"notAfter": str(NOW)},
        {"subject": "alice"},
        {"resource": "payments-db"},
        {"access": "admin"},
        {"excepts": ["built-in/own-keys"]},
        {"excepts": ["built-in/authenticates-himself"]},
        {"excepts": ["other/authenticates-itself"]},
        {"attributedTo": "deployer"},
        {"attributedTo": "nobody"},
    ],
)
def test_any_other_exception_lets_nothing_through(change):
    assert failing(asked(exception(**change))) == {"built-in/authenticates-itself"}


@pytest.mark.parametrize("status", ["suspended", "offboarded"])
def test_when_who_answers_for_it_is_gone_so_is_the_exception(status):
    gone = identity("frank", status=status)
    assert not asked(exception(), others=(gone,)).permitted


def test_a_vendor_answers_for_nobody():
    vendor = {"organisation": "X", "sponsor": "alice", "contractEnd": "2027-01-31"}
    frank = identity("frank", type="vendor", vendor=vendor)
    assert not asked(exception(), others=(frank,)).permitted


@pytest.mark.parametrize("name", sorted(DESCRIBED))
def test_no_other_built_in_rule_is_ever_excepted(name):
    """Nobody approved: of all rules that deny, an exception of all of them opens three at most."""
    old = resource(type="legacy-static", sensitivity="critical")
    everything = exception("all-of-it", *(f"built-in/{rule}" for rule in DESCRIBED))
    there = world(everything, resources=(old,))
    decision = outcome(there, asked=request(subject="deployer", duration="9h"))
    told = {item.rule for item in decision.excepted}
    assert told == {"authenticates-itself", "no-static-secret"}
    assert name not in told or DESCRIBED[name].may_be_excepted
    assert "built-in/two-approvers" in failing(decision)


def test_a_legacy_static_secret_is_given_to_nobody_but_by_exception():
    old = resource(type="legacy-static")
    alice = exception(
        "old-ledger", "built-in/no-static-secret", subject="alice", attributedTo="alice"
    )
    plain = catalogue(resources=(old,))
    assert failing(outcome(plain, "carol", "dave")) == {"built-in/no-static-secret"}
    there = catalogue(resources=(old,), exceptions=(alice,))
    assert outcome(there, "carol", "dave").permitted
    drill = outcome(there, lane=Lane.BREAK_GLASS)
    assert "built-in/no-static-secret" in failing(drill)


def shared(*people):
    named = exception("own", "built-in/own-keys")
    machine = identity(
        "deployer",
        type="ci",
        owners=["alice", "bob"],
        environment="production",
        recipients=[SHARED],
    )
    holders = tuple(identity(name, recipients=[SHARED]) for name in people)
    return asked(named, subject=machine, others=holders)


def test_own_keys_is_excepted_only_for_the_one_person_who_answers():
    assert shared("frank").permitted
    assert failing(shared("erin")) == {"built-in/own-keys"}
    assert failing(shared("erin", "frank")) == {"built-in/own-keys"}


def office(*, rule=OFFICE, enforcement="enforce", name="office", **options):
    guard = policy("guard", effect="guard", enforcement=enforcement, rules=[rule])
    machine = identity("deployer", type="ci", owners=["alice", "bob"], environment="production")
    there = catalogue(
        policy(),
        guard,
        identities=(machine,),
        exceptions=(exception(name, "guard/office-hours"),),
    )
    return outcome(there, "carol", "dave", asked=ASKED, **options)


def test_a_policys_rule_is_excepted_if_its_author_said_that_it_may_be():
    assert office().exceptions == ("office",)
    assert office().permitted
    assert failing(office(rule={**OFFICE, "mayBeExcepted": False})) == {"guard/office-hours"}
    assert failing(office(rule={**OFFICE, "name": "renamed"})) == {"guard/renamed"}


def test_a_rule_that_is_only_tried_needs_no_exception():
    decision = office(enforcement="audit")
    assert decision.permitted
    assert decision.exceptions == ()
    assert decision.obligations.recording == "none"


@pytest.mark.parametrize(
    ("expression", "effect"),
    [
        ("context.posture.value == 'healthy'", Effect.INDETERMINATE),  # not known
        ("subject.nothing == 1", Effect.DENY),  # an error
        ("subject.name ==", Effect.DENY),  # no expression at all
    ],
)
def test_what_is_not_known_or_fails_is_not_excepted(expression, effect):
    decision = office(rule={**OFFICE, "expression": expression})
    assert decision.effect is effect
    assert failing(decision) == {"guard/office-hours"}


def test_the_emergency_lane_knows_no_exception():
    there = world(exception())
    question = Asked(ASKED, Lane.BREAK_GLASS, None)
    assert question.exceptions(there) == ()
    assert "built-in/authenticates-itself" in failing(asked(exception(), lane=Lane.BREAK_GLASS))
    forged = replace(
        facts(there, asked=ASKED, lane=Lane.BREAK_GLASS),
        exceptions=facts(there, asked=ASKED).exceptions,
    )
    assert "built-in/authenticates-itself" in failing(decide(forged, rules_of(there)))


@pytest.mark.parametrize(
    ("stricter", "seconds"),
    [
        ({"maxDuration": "30m"}, 1800),
        ({"maxDuration": "8h", "notAfter": str(NOW.plus(600))}, 600),
    ],
)
def test_of_two_exceptions_the_stricter_bounds_count_in_whatever_order_they_are_read(
    stricter, seconds
):
    long, short = exception("a-long", maxDuration="8h"), exception("b-short", **stricter)
    for order in ((long, short), (short, long)):
        decision = asked(*order)
        assert decision.exceptions == ("b-short",)
        assert decision.seconds == seconds
    assert asked(long).seconds > seconds
    assert asked(exception("b-long", maxDuration="8h"), long).exceptions == ("a-long",)


def test_one_exception_excepts_one_rule_and_none_where_two_have_its_name():
    """`validate` refuses such names; on main all the same, none of them is excepted."""
    other = {**OFFICE, "expression": "request.access != 'read'", "message": "never read"}
    for second in (other, {**other, "mayBeExcepted": False}):
        guard = policy("guard", effect="guard", rules=[OFFICE, second])
        named = exception("office", "guard/office-hours", subject="alice")
        there = catalogue(policy(), guard, exceptions=(named,))
        decision = outcome(there, "carol", "dave")
        assert failing(decision) == {"guard/office-hours"}
        assert decision.exceptions == ()
        apart = policy("guard", effect="guard", rules=[OFFICE, {**second, "name": "reads"}])
        there = catalogue(policy(), apart, exceptions=(named,))
        decision = outcome(there, "carol", "dave")
        assert failing(decision) == {"guard/reads"}
        assert decision.exceptions == ("office",)


def test_the_input_holds_them_and_reads_back_to_the_byte():
    there = world(exception())
    whole = facts(there, "carol", "dave", asked=ASKED)
    again = DecisionInput.from_json(whole.to_json())
    assert again == whole
    first, second = decide(whole, rules_of(there)), decide(again, rules_of(there))
    assert canonical_json(first.to_json()) == canonical_json(second.to_json())


def test_without_exceptions_digests_are_what_they_were():
    plain = world()
    assert "exceptions" not in facts(plain, asked=ASKED).to_json()
    assert plain.policy_digest == compile_policies(plain.policies.values()).digest
    assert world(exception()).policy_digest != plain.policy_digest
    assert rules_of(world(exception())).digest == world(exception()).policy_digest
    other = world(exception(ticket="OPS-2"))
    assert other.policy_digest != world(exception()).policy_digest


def test_no_policy_can_have_the_digest_of_an_exception():
    item = exception()
    named = policy("exceptions"), policy("policies")
    assert rules_digest(named, ()) != rules_digest((), (item,))


def live(there, named=("orders-static",)):
    """Ten minutes after it was issued."""
    whole = facts(there, "carol", "dave", asked=ASKED)
    begun, now = replace(whole.request, issued_at=str(NOW)), NOW.plus(600)
    later = replace(whole, stage=Stage.LIVE, request=begun, now=str(now), rests_on=named)
    return decide(later, rules_of(there))


def test_a_live_grant_ends_with_its_exception():
    assert live(world(exception())).permitted
    assert failing(live(world())) == {"built-in/authenticates-itself"}
    over = exception(notAfter=str(NOW.plus(600)))
    assert failing(live(world(over))) == {"built-in/authenticates-itself"}
    assert live(world(exception())).seconds == 3000


def test_a_live_grant_rests_on_no_exception_that_began_after_it():
    later = exception(notBefore=str(NOW.plus(300)))
    assert failing(live(world(later))) == {"built-in/authenticates-itself"}


def test_a_live_grant_rests_on_no_exception_that_its_record_does_not_name():
    """It may be dated back: Vault would not end the grant with it, and no evidence names it."""
    assert failing(live(world(exception()), named=())) == {"built-in/authenticates-itself"}
    renamed = world(exception("renamed"))
    assert failing(live(renamed)) == {"built-in/authenticates-itself"}


def test_a_policys_own_rule_does_not_count_the_word_of_who_answers_for_it():
    two = {
        "name": "two",
        "expression": "size(approvals) >= 2",
        "message": "two people must approve",
    }
    there = world(exception(), policies=(policy(rules=[two]),))
    whole = facts(there, "carol", "dave", asked=ASKED)
    assert decide(whole, rules_of(there)).permitted
    frank = replace(whole.approvals.counted[0], account_id=6, identity="frank")
    counted = (frank, whole.approvals.counted[1])
    forged = replace(whole, approvals=replace(whole.approvals, counted=counted))
    again = decide(forged, rules_of(there), recorded=forged.to_json())
    for decision in (decide(forged, rules_of(there)), again):
        assert {"built-in/two-approvers", "orders-read/two"} <= failing(decision)
        assert decision.input_digest == forged.digest
