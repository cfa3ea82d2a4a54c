"""`daypass policy test`: cases beside the policies, and which rules they have tried."""

from __future__ import annotations

import json

import pytest
from policy_house import House

from daypass.cli.main import main

CASES = "access/policy-tests/replicas-read.yaml"


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


def policy_test(house: House, *words: str) -> int:
    return main(["policy", "-C", str(house.path), "test", *words])


def edit(house: House, before: str, after: str, path: str = CASES) -> None:
    file = house.path / path
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after, 1))


def test_the_examples_pass(house, capsys):
    assert policy_test(house, "--format", "json") == 0
    told = json.loads(capsys.readouterr().out)
    assert all(case["wrong"] == [] for case in told["cases"])
    tried = {item["rule"]: item for item in told["coverage"]}
    assert tried["critical-databases/window"] == {
        "rule": "critical-databases/window",
        "held": True,
        "failed": True,
    }


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("effect: permit, lasts: 1h", "effect: deny", "expected deny, got permit"),
        ("lasts: 1h", "lasts: 2h", "expected to last 2h; it lasts 1h, by the request (1h)"),
        ("issue: on-merge", "issue: on-claim", "expected to be issued on-claim"),
        ("recording: none", "recording: required", "expected recording required"),
        ("rules: [built-in/resource-approvers]", "rules: []", "expected to fail by none"),
    ],
)
def test_a_case_that_is_wrong_says_how(house, capsys, before, after, said):
    edit(house, before, after)
    assert policy_test(house) == 1
    assert said in capsys.readouterr().out


def test_a_policy_that_is_loosened_fails_its_cases(house, capsys):
    edit(house, "reasonLength: 10", "reasonLength: 1", "access/policies/replicas-read.yaml")
    assert policy_test(house) == 1
    assert "replicas-read/a-reason-of-one-word" in capsys.readouterr().out


def test_what_was_not_tried_is_told_and_can_be_demanded(house, capsys):
    assert policy_test(house, "--require-coverage") == 0
    (house.path / "access/policy-tests/agents-propose.yaml").unlink()
    assert policy_test(house) == 0
    assert "agents-propose/reads-only: no case reaches it" in capsys.readouterr().out
    assert policy_test(house, "--require-coverage") == 1


def test_a_rule_was_tried_only_by_its_own_answer(house, capsys):
    """What is not known, and an error, are no answer of it; nor is another rule's."""
    policy, rule = "access/policies/agents-propose.yaml", "subject.autonomy == 'propose'"
    for expression, missing in (
        (f"{rule} || context.posture.value == 1", "no case reaches it"),  # never known
        (f"{rule} || subject.nothing == 1", "no case fails it"),  # an error instead
        (f"{rule} || true", "no case fails it"),
    ):
        edit(house, f"expression: {rule}", f"expression: {expression}", policy)
        policy_test(house, "--require-coverage")
        assert f"agents-propose/proposes-only: {missing}" in capsys.readouterr().out
        edit(house, expression, rule, policy)
    assert policy_test(house, "--require-coverage") == 0


@pytest.mark.parametrize("name", ["proposes-only", "own-keys", "window", "rule-window"])
def test_two_rules_of_one_name_are_not_tried_as_one(house, capsys, name):
    edit(house, "name: reads-only", f"name: {name}", "access/policies/agents-propose.yaml")
    assert policy_test(house) == 3
    error = capsys.readouterr().err
    assert "agents-propose.yaml:19:13" in error
    assert "Give each rule" in error or "Give the rule" in error


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("approvals: [carol]", "approvals: [nobody]", "names nobody"),
        ("approvals: [carol]", "approvals: [payments-deployer]", "payments-deployer"),
        ("name: a-fourth-at-once", "name: approved-by-one", "two cases are called"),
        ("effect: permit", "effect: allow", "permit"),
        ('at: "2026-11-23T10:00:00Z"', 'at: "2026-02-30T10:00:00Z"', "2026-02-30"),
    ],
)
def test_a_case_that_cannot_be_says_where(house, capsys, before, after, said):
    edit(house, before, after)
    assert policy_test(house) == 3
    error = capsys.readouterr().err
    assert said in error
    assert CASES in error


def test_no_cases_is_no_success(house, capsys):
    for file in (house.path / "access/policy-tests").glob("*.yaml"):
        file.unlink()
    assert policy_test(house) == 2
    assert "no cases" in capsys.readouterr().err


EXCEPTION = b"""apiVersion: daypass.dev/v1
kind: PolicyException
metadata: {name: long-repair}
spec:
  excepts: [critical-databases/admin-is-short]
  subject: alice
  resource: payments-db
  access: admin
  attributedTo: dave
  reason: The repair of the ledger takes longer than half an hour
  ticket: PAY-7
  notBefore: "2026-12-01T00:00:00Z"
  notAfter: "2026-12-15T00:00:00Z"
  maxDuration: 20m
"""
CASE = b"""apiVersion: daypass.dev/v1
kind: PolicyTest
metadata: {name: excepted}
spec:
  description: The long repair is let through, and for no longer than its exception says.
  cases:
    - name: repair
      request:
        subject: alice
        resource: payments-db
        access: admin
        duration: 1h
        reason: The ledger is to be repaired by hand
        ticket: PAY-7
      at: "2026-12-07T10:00:00Z"
      approvals: [bob, carol]
      expect: {effect: permit, lasts: 20m, recording: required, exceptions: [long-repair]}
"""


def test_cases_see_the_exceptions_of_the_repository(house, capsys):
    policy = "access/policies/critical-databases.yaml"
    edit(house, "      message: admin", "      mayBeExcepted: true\n      message: admin", policy)
    house.write("access/policy-tests/excepted.yaml", CASE)
    house.write("access/exceptions/long-repair.yaml", EXCEPTION)
    assert policy_test(house) == 0, capsys.readouterr().out
    house.write("access/policy-tests/excepted.yaml", CASE.replace(b"[long-repair]", b"[]"))
    assert policy_test(house) == 1
    assert "it rests on long-repair" in capsys.readouterr().out
    (house.path / "access/exceptions/long-repair.yaml").unlink()
    assert policy_test(house) == 1
    assert "critical-databases/admin-is-short: admin is given" in capsys.readouterr().out
