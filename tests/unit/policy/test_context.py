"""Context in a decision: unknown and stale are values of their own, and deny where it matters."""

from __future__ import annotations

import pytest
from policy_world import NOW, catalogue, facts, failing, policy, resource, rules_of, settings

from daypass.model.context import filled
from daypass.model.decision import Effect
from daypass.policy.context import AnswerError, answer, find
from daypass.policy.decide import decide
from daypass.policy.facts import ContextFacts, Status

DOCUMENT = {"a/b": {"m~n": [10, {"x": None}]}, "": 7, "01": 8, "list": [1, 2]}
NAMES = {"subject": "alice", "device": "alice-laptop", "resource": "orders-db"}


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("", DOCUMENT),
        ("/", 7),
        ("/a~1b/m~0n/0", 10),
        ("/a~1b/m~0n/1/x", None),
        ("/list/1", 2),
        ("/01", 8),
    ],
)
def test_a_pointer_leads_where_rfc_6901_says(pointer, value):
    assert find(DOCUMENT, pointer, NAMES) == value


@pytest.mark.parametrize(
    "pointer",
    ["/no", "/list/2", "/list/01", "/list/-1", "/list/-", "/list/+1", "/list/\u0661", "/list/1/0"],
)
def test_a_pointer_that_leads_nowhere_answers_nothing(pointer):
    with pytest.raises(AnswerError):
        find(DOCUMENT, pointer, NAMES)


def test_names_are_filled_in_and_nothing_else():
    assert filled("/{subject}/{device}/{resource}", NAMES) == "/alice/alice-laptop/orders-db"
    assert filled("/{subject}", {"subject": "{device}", "device": "x"}) is None
    assert filled("/{other}", NAMES) == "/{other}"


def world(sensitivity: str, *, required: bool, rule: str | None = None):
    rules = [{"name": "healthy", "expression": rule, "message": "must be healthy"}] if rule else []
    place = resource(
        sensitivity=sensitivity, approvers={"groups": ["dba"], "atLeast": 1, "owner": True}
    )
    made = catalogue(policy(**({"rules": rules} if rules else {})), resources=(place,))
    source = {
        "url": "https://mdm.example.com/devices",
        "pointer": "/{subject}",
        "maxAge": "15m",
        "required": required,
    }
    object.__setattr__(made, "settings", settings(context={"sources": {"posture": source}}))
    return made


def decided(made, status: Status | None, value: object = "healthy"):
    known = {"posture": ContextFacts(status, value, "mdm", 5)} if status else {}
    return decide(facts(made, "bob", "dave", context=known), rules_of(made))


@pytest.mark.parametrize("sensitivity", ["high", "critical"])
@pytest.mark.parametrize("status", [Status.UNKNOWN, Status.STALE, None])
def test_context_known_denies_high_and_critical_without_a_required_answer(sensitivity, status):
    decision = decided(world(sensitivity, required=True), status, None)
    assert decision.effect is Effect.INDETERMINATE
    assert failing(decision) == {"built-in/context-known"}
    assert decided(world(sensitivity, required=True), Status.KNOWN).permitted


@pytest.mark.parametrize("sensitivity", ["low", "moderate"])
def test_a_required_answer_is_not_wanted_where_little_harm_can_be_done(sensitivity):
    assert decided(world(sensitivity, required=True), Status.UNKNOWN, None).permitted


def test_a_source_that_is_not_required_is_only_wanted_by_the_rules_that_read_it():
    assert decided(world("high", required=False), None).permitted
    reading = world("high", required=False, rule="context.posture.value == 'healthy'")
    assert failing(decided(reading, None)) == {"orders-read/healthy"}
    assert failing(decided(reading, Status.STALE, None)) == {"orders-read/healthy"}
    assert decided(reading, Status.KNOWN).permitted


def test_what_nobody_asked_for_stands_in_the_input_as_unknown():
    given = facts(world("high", required=True), "bob", "dave").to_json()["context"]
    assert given == {
        "posture": {
            "status": "unknown",
            "value": None,
            "source": "https://mdm.example.com/devices",
            "ageSeconds": None,
            "required": True,
        }
    }


def test_an_answer_cannot_say_itself_that_it_is_not_required():
    made = world("high", required=True)
    known = {"posture": ContextFacts(Status.UNKNOWN, None, "mdm", None, required=False)}
    decision = decide(facts(made, "bob", "dave", context=known), rules_of(made))
    assert failing(decision) == {"built-in/context-known"}


def test_null_is_an_answer():
    source = world("low", required=False).settings.context["posture"]
    assert answer(source, {"alice": None}, NAMES, NOW).status == Status.KNOWN
