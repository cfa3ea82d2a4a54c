"""Every built-in rule has a name, a purpose, an example of each outcome, and a test."""

from __future__ import annotations

from pathlib import Path

import pytest
from policy_world import catalogue, outcome

from daypass.model.names import is_name
from daypass.policy.rule_names import RESERVED_NAMES
from daypass.policy.rules import BUILT_IN, CONDITIONS, DESCRIBED

HERE = Path(__file__).parent


@pytest.mark.parametrize(
    "rule", [*DESCRIBED.values(), *CONDITIONS.values()], ids=lambda rule: rule.name
)
def test_a_rule_is_told(rule):
    assert is_name(rule.name)
    assert (rule.name in DESCRIBED) is not (rule.name in CONDITIONS)
    assert rule.purpose.endswith(".")
    assert rule.passes != rule.fails
    assert rule.requirements


def test_the_names_that_no_free_rule_bears_are_those_of_all_rules():
    assert {*DESCRIBED, *CONDITIONS} == RESERVED_NAMES


@pytest.mark.parametrize("name", [*DESCRIBED, *CONDITIONS])
def test_a_rule_is_tried(name):
    files = (path for path in HERE.glob("test_*.py") if path.name != Path(__file__).name)
    assert any(name in path.read_text() for path in files)


def test_every_rule_gives_an_outcome_for_every_request():
    decision = outcome(catalogue(), "bob")
    given = [item.rule for item in decision.outcomes if item.policy == BUILT_IN]
    assert sorted(given) == sorted(DESCRIBED)
