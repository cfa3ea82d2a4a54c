"""Free rules in CEL: what is refused before it is evaluated, and what denies when it is."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time

import pytest
from policy_world import catalogue, facts, failing, outcome, policy, request

from daypass.model.decision import Effect
from daypass.policy.expressions import (
    ExpressionError,
    activation,
    check_expressions,
    compile_expression,
    compile_ticket,
    passes,
)
from daypass.policy.facts import ContextFacts
from daypass.policy.zone import ZoneReader


def rule(expression: str, **spec) -> list[dict]:
    return [{"name": "free", "expression": expression, "message": "the rule must hold", **spec}]


@pytest.mark.parametrize(
    "expression",
    [
        "request.durationSeconds <= 4 * 3600",
        "request.access == 'read' && resource.environment in ['production', 'staging']",
        "subject.type == 'human' || subject.autonomy == 'propose'",
        "size(approvals) >= 1 && approvals.exists(a, 'dba' in a.groups)",
        "approvals.all(a, timestamp(a.at) < now)",
        "now.getHours('Europe/Zurich') == 11",
        "request.ticket == null",
        "requester.identity == 'alice'",
        "now - timestamp('2026-11-23T09:00:00Z') == duration('1h')",
    ],
)
def test_what_people_write_passes(expression):
    assert outcome(catalogue(policy(rules=rule(expression))), "bob").permitted


@pytest.mark.parametrize(
    "expression",
    [
        "false",
        "request.nothing == 1",  # an error value is truthy in Python
        "request.labels['x'] == 'y'",
        "request.ticket.matches('a')",  # the ticket is null
        "1 / 0 == 1",
        "9223372036854775807 + 1 > 0",
        "request.durationSeconds == '7200'",
        "subject.groups.exists(g, g == 1)",
        "resource.name.matches('(')",
    ],
)
def test_false_and_every_error_deny(expression):
    decision = outcome(catalogue(policy(rules=rule(expression))), "bob")
    assert decision.effect is Effect.DENY
    assert failing(decision) == {"orders-read/free"}


@pytest.mark.parametrize(
    "expression",
    [
        "tokens == 1",
        "request.durationSeconds",
        "'true'",
        "1",
        "true &&",
        "",
        "request.access",
        "context",
        "size(context) == 0",
        "context.all(name, context[name].status == 'known')",
        "env('HOME') == ''",
        "(" * 400 + "true" + ")" * 400,
        "(" * 200_000 + "true" + ")" * 200_000,
        "||".join(["true"] * 50_000),
        "x" * 2001,
        "approvals.map(a, a + a) == []",
        # each turn binds a list that holds the last one eight times: 8^9 comparisons, and no turns
        "[[0]]" + ".map(x,[x,x,x,x,x,x,x,x])" * 9 + ".all(x,x==x)",
        "[[0,0]].all(a,[[a,a]].all(b,[[b,b]].all(c,[[c,c]].all(d,d==d))))",
        "approvals.exists(a, a.identity.matches('((x{1,10}){1,10}){1,10}y'))",
        "approvals . exists // hidden\n (a, a.identity . matches ('x'))",
        "&&".join(["'x'.matches('((x{1,10}){1,10}){1,10}y')"] * 5),
        f"approvals.all(a, [{','.join('1' * 400)}].size() > 0)",
        '"' + "\\" * 1001,
    ],
)
def test_what_cannot_be_used_is_told_to_its_author_and_denies(expression):
    written = policy(rules=rule(expression))
    ((name, why),) = check_expressions(written)
    assert name == "free"
    assert why
    decision = outcome(catalogue(written), "bob")
    assert decision.effect is Effect.DENY
    assert failing(decision) == {"orders-read/free"}


def test_a_good_policy_has_no_findings():
    assert check_expressions(policy(rules=rule("true"), require={"ticket": "OPS-[0-9]+"})) == ()


@pytest.mark.parametrize("pattern", ["(", "a)|(b", "[", "x{1001}", "(?P<a>", "(x{1,100}){1,100}"])
def test_a_ticket_pattern_that_is_wrong_is_found_and_denies(pattern):
    written = policy(require={"ticket": pattern})
    assert [name for name, _ in check_expressions(written)] == ["ticket"]
    decision = outcome(catalogue(written), "bob", asked=request(ticket="OPS-1"))
    assert failing(decision) == {"orders-read/ticket"}


def test_a_ticket_pattern_cannot_break_out_of_its_quotes():
    expression = compile_ticket("x' || true || 'x")
    given = facts(catalogue(), "bob", asked=request(ticket="OPS-1"))
    assert passes(expression, activation(given.to_json()), ZoneReader.of(given)) is False


HOSTILE = [
    # 300 * 300 * 300 turns
    "{big}.exists(b, {big}.exists(c, {big}.exists(d, b == c && c == -d)))",
    # what one turn costs, times the budget of turns
    "{half}.exists(a, {half}.exists(b, [{half}, {half}] == []))",
    "{half}.map(a, {half}.map(b, [a, b, a, b, a, b])).size() < 0",
    "approvals" + ".map(a, [a, a])" * 25 + " == []",
]


@pytest.mark.parametrize("shape", HOSTILE)
def test_a_hostile_expression_is_bounded_and_denied(shape):
    expression = shape.replace("{big}", f"[{','.join(['1'] * 60)}]").replace(
        "{half}", f"[{','.join(['1'] * 35)}]"
    )
    began = time.process_time()
    decision = outcome(catalogue(policy(rules=rule(expression))), "bob")
    assert decision.effect is Effect.DENY
    assert time.process_time() - began < 20  # unbounded, the mildest of them takes hours


def test_a_hostile_policy_stays_within_its_memory():
    """In a process of its own, whose peak can be measured."""
    body = "[" + ",".join(["request"] * 50) + "].size() < 0"
    expression = f"approvals.exists(a, {body})"
    nested = "[0,1,2,3,4,5,6,7,8,9]"
    deep = f"{nested}.exists(a, {nested}.exists(b, {nested}.exists(c, {body})))"
    script = textwrap.dedent(f"""
        import resource, sys
        sys.path.insert(0, "tests/unit/policy")
        from policy_world import catalogue, outcome, policy
        rules = lambda text: [{{"name": "free", "expression": text, "message": "must hold"}}]
        outcome(catalogue(policy(rules=rules("true"))), "bob")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for text in ({expression!r}, {deep!r}):
            assert not outcome(catalogue(policy(rules=rules(text))), "bob").permitted
        print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
    """)
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert int(result.stdout) < 64  # MiB


def test_an_input_that_is_too_large_for_an_expression_denies():
    world = catalogue(policy(rules=rule("true")))
    for value in ("x" * 2000, ["x"] * 300, {str(number): 1 for number in range(300)}):
        context = {"posture": ContextFacts("known", value, "mdm", 1)}
        decision = outcome(world, "bob", context=context)
        assert failing(decision) == {"orders-read/free"}


@pytest.mark.parametrize("text", ["true", "request.durationSeconds > 0"])
def test_compiling_gives_a_bool(text):
    assert compile_expression(text).text == text


def test_an_error_says_one_line_and_no_more():
    with pytest.raises(ExpressionError) as caught:
        compile_expression("a.b.c == 'x' &&\n&& 1")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) <= 200
