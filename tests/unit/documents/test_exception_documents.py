"""Exceptions as people write them: each mistake is one finding that says how to mend it."""

from __future__ import annotations

import pytest
from documents_world import (
    DEPLOYER,
    EXCEPTION,
    EXCEPTION_PATH,
    POLICY,
    POLICY_PATH,
    RESOURCE,
    RESOURCE_PATH,
    human,
    judged,
)

OFFICE = """  rules:
    - name: office
      expression: request.access == 'read'
      message: only from the office
"""
GUARDED = POLICY + OFFICE
OPEN = GUARDED + "      mayBeExcepted: true\n"
NAMED = EXCEPTION.replace("built-in/authenticates-itself", "reading/office")


@pytest.mark.parametrize(
    ("old", "new", "rule", "words"),
    [
        ("deployer\n", "deplyer\n", "reference-identity", "did you mean `deployer`?"),
        ("orders\n", "order\n", "reference-resource", "did you mean `orders`?"),
        ("access: read", "access: raed", "reference-level", "did you mean `read`?"),
        ("To: alice", "To: alcie", "reference-identity", "did you mean `alice`?"),
        ("To: alice", "To: deployer", "identity-not-answerable", "the attributed person"),
        ("itself]", "himself]", "exception-rule", "did you mean `built-in/authenticates-itself`?"),
        ("authenticates-itself]", "duration]", "exception-rule", "can be excepted"),
        ("authenticates-itself]", "own-keys, x/y]", "reference-rule", "no policy `x`"),
        ("authenticates-itself]", "no-static-secret]", "exception-in-vain", "type database"),
        ("built-in/authenticates-itself", "reading/approvals", "reference-rule", "of its own"),
        ("2027-01-31", "2026-11-23", "exception-dates", "ends before it begins"),
        ("2027-01-31", "2027-02-22", "exception-dates", "lasts 90d at the most"),
        ("  ticket: OPS-1\n", "", "schema-required", "`ticket` is missing"),
        ("  attributedTo: alice\n", "", "schema-required", "`attributedTo` is missing"),
        ('  notAfter: "2027-01-31T00:00:00Z"\n', "", "schema-required", "`notAfter` is missing"),
        ("[built-in/authenticates-itself]", "[]", "schema-limit", "fewer entries than 1"),
        ("subject: deployer", "subject: [deployer, x]", "schema-type", "a list"),
    ],
)
def test_what_is_wrong_is_said_once_and_in_words(old: str, new: str, rule: str, words: str) -> None:
    assert old in EXCEPTION
    (finding,) = judged({EXCEPTION_PATH: EXCEPTION.replace(old, new, 1)})
    assert finding.rule == rule
    assert words in finding.message
    assert finding.remedy


def test_ninety_days_to_the_second_are_allowed() -> None:
    assert judged({EXCEPTION_PATH: EXCEPTION.replace("2027-01-31", "2027-02-21")}) == ()


def test_a_policys_rule_must_say_that_it_may_be_excepted() -> None:
    assert judged({POLICY_PATH: OPEN, EXCEPTION_PATH: NAMED}) == ()
    (finding,) = judged({POLICY_PATH: GUARDED, EXCEPTION_PATH: NAMED})
    assert finding.rule == "exception-rule"
    assert "mayBeExcepted" in finding.remedy


def test_a_rule_that_is_renamed_leaves_its_exception_with_nothing() -> None:
    renamed = OPEN.replace("name: office", "name: offices")
    (finding,) = judged({POLICY_PATH: renamed, EXCEPTION_PATH: NAMED})
    assert finding.path == EXCEPTION_PATH
    assert "did you mean `reading/offices`?" in finding.message


def test_nobody_has_to_be_told_whose_keys_a_person_has() -> None:
    keys = EXCEPTION.replace("authenticates-itself", "own-keys")
    assert judged({EXCEPTION_PATH: keys}) == ()
    (finding,) = judged({EXCEPTION_PATH: keys.replace("subject: deployer", "subject: bob")})
    assert finding.rule == "exception-in-vain"


def test_a_static_secret_is_what_its_rule_is_about() -> None:
    legacy = RESOURCE.replace("type: database", "type: legacy-static")
    static = EXCEPTION.replace("authenticates-itself", "no-static-secret")
    assert judged({RESOURCE_PATH: legacy, EXCEPTION_PATH: static}) == ()


def test_who_has_left_answers_for_nothing() -> None:
    gone = human("alice", 11).replace("active", "offboarded")
    mine = DEPLOYER.replace("[alice,", "[carol,")
    found = judged(
        {
            "access/identities/alice.yaml": gone,
            "access/identities/carol.yaml": human("carol", 13),
            "access/identities/deployer.yaml": mine,
            EXCEPTION_PATH: EXCEPTION,
        }
    )
    assert [item.rule for item in found if item.path == EXCEPTION_PATH] == [
        "identity-not-answerable"
    ]
