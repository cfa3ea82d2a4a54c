"""`daypass explain`: a decision replayed from git, for people and for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from policy_house import ID, House

from daypass.cli.main import main
from daypass.ledger.compose import compose
from daypass.lifecycle.happening import Refusal, Run, refused
from daypass.model.canonical import canonical_json
from daypass.model.event import EventKind, Reason

if TYPE_CHECKING:
    from pathlib import Path

    from daypass.model.decision import Decision
    from daypass.policy.input import DecisionInput

KEY = (
    b'bot@example.com namespaces="git" '
    b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ2flCmJmhzzxmTHiLn2mHmTLQOq+sTj8SpJsSvRA2mL\n"
)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def refusal_of(facts: DecisionInput, decision: Decision, effect: str = "") -> Refusal:
    return Refusal(
        grant_id=ID,
        blob="b" * 40,
        kind=EventKind.DENIED,
        reason=Reason.POLICY,
        why=("no",),
        effect=effect or str(decision.effect),
        input_digest=decision.input_digest,
        policy_digest=decision.policy_digest,
        decision_input=canonical_json(facts.to_json()).decode(),
    )


def explain(house: House, *words: str) -> int:
    return main(["explain", "-C", str(house.path), *words])


def test_a_live_grant(house, capsys):
    house.record("carol")
    assert explain(house, ID) == 0
    told = capsys.readouterr().out
    assert "permit at 2026-11-23T10:00:00Z, for 3600s, by the request (1h)" in told
    assert "built-in/resource-approvers" in told
    assert "approved by carol" in told
    assert "differs" not in told


def test_a_grant_of_last_year_by_the_policies_of_then(house, capsys):
    house.record("carol")
    (house.path / "access/grants" / f"{ID}.json").unlink()
    house.commit("Revert")
    policy = house.path / "access/policies/replicas-read.yaml"
    policy.write_text(policy.read_text().replace("maxDuration: 8h", "maxDuration: 30m"))
    house.commit("Be stricter")
    assert explain(house, ID, "--format", "json") == 0
    then = json.loads(capsys.readouterr().out)
    assert then["decision"]["seconds"] == 3600
    assert then["differences"] == []
    assert explain(house, ID, "--today", "--format", "json") == 0
    today = json.loads(capsys.readouterr().out)
    assert today["decision"]["seconds"] == 1800
    assert today["decision"]["input"] == then["decision"]["input"]


def test_today_a_policy_can_name_a_time_zone_that_was_not_recorded(house, capsys):
    policy = house.path / "access/policies/replicas-read.yaml"
    plain = policy.read_text()

    def hours(zone: str) -> None:
        limit = f'maxDuration: 8h\n    times: {{timeZone: {zone}, from: "00:00", to: "12:00"}}'
        policy.write_text(plain.replace("maxDuration: 8h", limit))
        house.commit(f"Hours of {zone}")

    hours("Europe/Zurich")
    assert list(house.record("carol").decision_input["zones"]) == ["Europe/Zurich"]
    hours("Asia/Tokyo")
    for words, effect in (((), "permit"), (("--today",), "deny")):
        assert explain(house, ID, *words, "--format", "json") == 0
        told = json.loads(capsys.readouterr().out)
        assert told["differences"] == []
        assert told["decision"]["effect"] == effect
    (against,) = (item for item in told["decision"]["outcomes"] if item["effect"] == "deny")
    assert against["message"].endswith("it is mon 19:00 in Asia/Tokyo")


def test_a_record_that_was_changed_is_told(house, capsys):
    house.record("carol")
    path = house.path / "access/grants" / f"{ID}.json"
    path.write_text(path.read_text().replace('"durationSeconds": 3600', '"durationSeconds": 60'))
    house.commit("Tamper")
    assert explain(house, ID) == 6
    assert "differs" in capsys.readouterr().out


def test_a_denial_is_replayed_from_its_message(house, capsys):
    house.write(f"access/requests/{ID}.yaml", b"x")
    house.commit("Ask")
    facts, decision = house.decide()
    assert not decision.permitted
    happening = refused(refusal_of(facts, decision), Run("local", "local"))
    (house.path / f"access/requests/{ID}.yaml").unlink()
    house.commit(compose(happening.title, happening.body, happening.event, 1, None))
    assert explain(house, ID) == 0
    told = capsys.readouterr().out
    assert "deny at" in told
    assert "needs 1 approval from dba or orders-team: bob, carol, dave can approve" in told


def test_a_decision_that_no_key_of_the_repository_signed_is_told(house, capsys):
    house.write("access/allowed_signers", KEY)
    house.record("carol")
    assert explain(house, ID) == 6
    assert "no key of access/allowed_signers signed" in capsys.readouterr().out


def test_a_denial_that_says_what_its_input_does_not_is_told(house, capsys):
    """A message with the trailers of a denial, on an input and policies that permit."""
    house.write(f"access/requests/{ID}.yaml", b"x")
    house.commit("Ask")
    facts, decision = house.decide("carol")
    assert decision.permitted
    happening = refused(refusal_of(facts, decision, effect="deny"), Run("local", "local"))
    (house.path / f"access/requests/{ID}.yaml").unlink()
    house.commit(compose(happening.title, happening.body, happening.event, 1, None))
    assert explain(house, ID) == 6
    assert "decided again it is permit, and deny was recorded" in capsys.readouterr().out


@pytest.mark.parametrize("rule", ["two-approvers", "window", "yaml-alias", "replicas-read/window"])
def test_a_rule(house, capsys, rule):
    assert explain(house, rule) == 0
    told = capsys.readouterr().out
    assert rule in told
    assert "passes" in told
    assert "fails" in told


def test_a_free_rule_of_a_policy(house, capsys):
    assert explain(house, "critical-databases/admin-is-short", "--format", "json") == 0
    assert "durationSeconds" in json.loads(capsys.readouterr().out)["expression"]


@pytest.mark.parametrize("what", ["nobody-asked", "replicas-read/nothing", "nothing/match", "No!"])
def test_what_is_neither_says_so(house, capsys, what):
    assert explain(house, what) == 2
    error = capsys.readouterr().err
    assert what in error
    assert "daypass plan" in error


@pytest.mark.parametrize(
    ("rule", "excepted"),
    [
        ("own-keys", "for one subject, resource and level until a date"),
        ("two-approvers", "never"),
        ("ticket", "never"),
        ("agents-propose/reads-only", "never"),
    ],
)
def test_a_rule_says_whether_it_may_be_excepted(house, capsys, rule, excepted):
    assert explain(house, rule) == 0
    (line,) = [
        line for line in capsys.readouterr().out.splitlines() if line.startswith("excepted ")
    ]
    assert excepted in line


def test_a_policys_rule_that_may_be_excepted_says_so(house, capsys):
    policy = house.path / "access/policies/agents-propose.yaml"
    text = policy.read_text()
    assert "      message:" in text
    policy.write_text(text.replace("      message:", "      mayBeExcepted: true\n      message:"))
    house.commit("Let it be excepted")
    assert explain(house, "agents-propose/reads-only") == 0
    assert "by a document in access/exceptions" in capsys.readouterr().out
