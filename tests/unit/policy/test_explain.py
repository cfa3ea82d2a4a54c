"""`daypass explain`: a decision replayed from git, for people and for programs."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from daypass.cli.main import main
from daypass.documents.repository import load_catalogue
from daypass.ledger.compose import compose
from daypass.lifecycle.happening import Refusal, Run, refused
from daypass.model.canonical import canonical_json
from daypass.model.event import EventKind, Reason
from daypass.model.grant import Approval, Grant, Lane, Wrapping
from daypass.model.instant import Duration, Instant
from daypass.model.pullrequest import Account, AccountType
from daypass.model.request import AccessRequest
from daypass.model.resource import IssueMode
from daypass.model.tree import TreeEntry
from daypass.policy.approvals import ApprovalCount
from daypass.policy.asked import Asked, Surroundings
from daypass.policy.compiled import compile_policies
from daypass.policy.decide import decide
from daypass.policy.groups import resolve_groups
from daypass.policy.input import build_input

ROOT = Path(__file__).parents[3]
NOW = Instant.parse("2026-11-23T10:00:00Z")
SHA = "sha256:" + "0" * 64
ID = "alice-replica-1"


class House:
    """A governed repository with the example documents, in which somebody decides."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.git("init", "-q", "-b", "main")
        for folder in ("identities", "resources", "policies"):
            for file in (ROOT / "access" / folder).glob("*.yaml"):
                self.write(f"access/{folder}/{file.name}", file.read_bytes())
        self.write("access/daypass.yaml", (ROOT / "access/daypass.yaml").read_bytes())
        self.commit("Begin")

    def git(self, *words: str) -> str:
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.com")
        command = ("git", "-C", str(self.path), *identity, *words)
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def write(self, path: str, content: bytes) -> None:
        (self.path / path).parent.mkdir(parents=True, exist_ok=True)
        (self.path / path).write_bytes(content)

    def commit(self, message: str) -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD").strip()

    def decide(self, *approvers: str):
        paths = list((self.path / "access").rglob("*.yaml"))
        contents = {str(item.relative_to(self.path)): item.read_bytes() for item in paths}
        entries = [TreeEntry("100644", path, path) for path in contents]
        world = load_catalogue(entries, lambda _: contents)
        assert world.policy_digest == compile_policies(world.policies.values()).digest
        groups = resolve_groups(world, {})
        alice = world.identities["alice"]
        asked = AccessRequest.from_document(
            {
                "metadata": {"id": ID},
                "spec": {
                    "subject": "alice",
                    "resource": "orders-db-replica",
                    "access": "read",
                    "duration": "1h",
                    "reason": "Orders stuck since the deploy",
                },
            }
        )
        counted = tuple(
            Approval(world.identities[name].github_id, name, 9, "a" * 40, NOW) for name in approvers
        )
        requester = Account(alice.github_id, "alice", AccountType.USER)
        facts = build_input(
            Asked(asked, Lane.ROUTINE, requester),
            world,
            ApprovalCount(counted),
            Surroundings(NOW, groups, ()),
        )
        return facts, decide(facts, compile_policies(world.policies.values()))

    def record(self, *approvers: str) -> Grant:
        facts, decision = self.decide(*approvers)
        grant = Grant(
            id=ID,
            lane=Lane.ROUTINE,
            subject="alice",
            requester="alice",
            requester_id=1,
            resource="orders-db-replica",
            access="read",
            engine="database",
            mount="database",
            role="orders-ro-1h",
            token_role="daypass-orders-db-replica-read-1h",
            tier=Duration.parse("1h"),
            issue=IssueMode.ON_MERGE,
            request_blob="b" * 40,
            request_commit="c" * 40,
            pull_request=7,
            not_before=NOW,
            not_after=NOW.plus(3600),
            accessor=SHA,
            wrapping=Wrapping("database/creds/orders-ro-1h", "2026-11-23T10:00:00Z", 60, SHA),
            recipients=("SHA256:" + "A" * 43,),
            approvals=(),
            decision_input=facts.to_json(),
            decision_digest=decision.input_digest,
            policy_digest=decision.policy_digest,
        )
        self.write(f"access/grants/{ID}.json", grant.to_bytes())
        self.commit("Grant")
        return grant


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


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
    refusal = Refusal(
        grant_id=ID,
        blob="b" * 40,
        kind=EventKind.DENIED,
        reason=Reason.POLICY,
        why=("no",),
        effect=str(decision.effect),
        input_digest=decision.input_digest,
        policy_digest=decision.policy_digest,
        decision_input=canonical_json(facts.to_json()).decode(),
    )
    happening = refused(refusal, Run("local", "local"))
    (house.path / f"access/requests/{ID}.yaml").unlink()
    house.commit(compose(happening.title, happening.body, happening.event, 1, None))
    assert explain(house, ID) == 0
    told = capsys.readouterr().out
    assert "deny at" in told
    assert "needs 1 approval from dba or orders-team: bob, carol, dave can approve" in told


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
