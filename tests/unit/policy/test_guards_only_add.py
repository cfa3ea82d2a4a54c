"""A guard only adds: who may approve comes from the resource and the permit policies alone."""

from __future__ import annotations

import pytest
from policy_world import catalogue, facts, failing, outcome, policy, resource, rules_of

from daypass.model.decision import Effect
from daypass.policy.decide import describe_requirements

CRITICAL = resource(
    sensitivity="critical", approvers={"groups": ["dba"], "atLeast": 1, "owner": True}
)
SECURITY = {"stages": [{"name": "eyes", "allOf": [{"group": "security", "atLeast": 1}]}]}


def guard(enforcement: str = "enforce", **spec):
    return policy("eyes", effect="guard", enforcement=enforcement, **spec)


@pytest.mark.parametrize("enforcement", ["enforce", "warn", "audit"])
def test_whom_a_guard_names_approves_for_the_guard_only(enforcement):
    """Frank of security is asked by the guard; the resource asks its owner and dba."""
    without = catalogue(policy(), resources=(CRITICAL,))
    with_it = catalogue(policy(), guard(enforcement, approvals=SECURITY), resources=(CRITICAL,))
    for people in (("dave", "frank"), ("dave",), ("frank",), ("erin", "frank")):
        assert outcome(without, *people).effect is Effect.DENY
        assert failing(outcome(with_it, *people)) >= {"built-in/two-approvers"}
    assert outcome(without, "bob", "dave").permitted
    assert outcome(with_it, "bob", "dave").permitted is (enforcement != "enforce")
    assert outcome(with_it, "bob", "dave", "frank").permitted
    # Erin belongs to the owners and to security: what both ask for, she may say once for each.
    assert outcome(with_it, "bob", "erin").permitted


def test_whom_a_permit_policy_names_approves_for_what_it_permits():
    named = catalogue(policy(approvals=SECURITY), resources=(CRITICAL,))
    assert outcome(named, "dave", "frank").permitted


def test_people_are_told_whom_the_resource_asks_for():
    there = catalogue(policy(), guard(approvals=SECURITY), resources=(CRITICAL,))
    lines = [str(need) for need in describe_requirements(facts(there, "frank"), rules_of(there))]
    assert [line for line in lines if "2 " in line or "2 more" in line] == [
        "needs 2 approvals from dba or orders-team: bob, carol, dave, erin can approve"
    ]
    assert "1 of security: approved by frank" in lines
