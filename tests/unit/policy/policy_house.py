"""A governed repository on disk, with the example documents, in which somebody decides."""

from __future__ import annotations

import subprocess
from pathlib import Path

from daypass.documents.repository import load_catalogue
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
        for folder in ("identities", "resources", "policies", "policy-tests"):
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
