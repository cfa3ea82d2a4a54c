"""A small governed repository in memory, sound as it stands."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from daypass.documents.blob import blob_id
from daypass.documents.finding import Finding, Report
from daypass.documents.validation import validate
from daypass.lifecycle.examining import examine
from daypass.model.tree import TreeEntry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daypass.documents.document import Document
    from daypass.errors import DocumentError

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBDhfk5eYozgvKve4pQ66OW1PP89UXivHrYm0y1/Au0i a@b"
DIGEST = "sha256:" + "0" * 64


def human(name: str, account: int) -> str:
    return f"""apiVersion: daypass.dev/v1
kind: Identity
metadata: {{name: {name}}}
spec: {{type: human, status: active, github: {{id: {account}}}}}
"""


SETTINGS = """apiVersion: daypass.dev/v1
kind: Settings
metadata: {name: daypass}
spec:
  github:
    {owner: acme, ownerId: 1, repository: access, repositoryId: 2, appId: 3, appUserId: 4,
     installationId: 5}
  vault: {address: "https://vault.example.com:8200", audience: vault}
  evidence: {email: daypass@example.com}
  groups:
    dba: [bob, "team:dba"]
  foundation: {owners: [dba]}
"""
RESOURCE = """apiVersion: daypass.dev/v1
kind: Resource
metadata: {name: orders}
spec:
  type: database
  environment: production
  sensitivity: low
  owners: {business: dba, lifecycle: "team:dba"}
  levels:
    read: {engine: database, mount: database, tiers: {1h: ro-1h, 8h: ro-8h}}
  maxDuration: 8h
  recording: none
  approvers: {groups: [dba], atLeast: 1}
"""
DEPLOYER = f"""apiVersion: daypass.dev/v1
kind: Identity
metadata: {{name: deployer}}
spec: {{type: ci, status: active, owners: [alice, bob], environment: production,
  recipients: [{KEY}]}}
"""
POLICY = """apiVersion: daypass.dev/v1
kind: AccessPolicy
metadata: {name: reading}
spec:
  description: Reading needs a word from the people who run the database.
  effect: permit
  enforcement: enforce
  match: {}
  approvals: {stages: [{name: dba, allOf: [{group: dba, atLeast: 1}]}]}
"""
REQUEST = """apiVersion: daypass.dev/v1
kind: AccessRequest
metadata:
  id: alice-1
spec:
  subject: alice
  resource: orders
  access: read
  duration: 2h
  reason: Orders are stuck
"""
EMERGENCY_LANE = """  breakGlass: {invokers: [bob], reviewers: [dba], incident: "INC-[0-9]+"}
"""
EMERGENCY = """apiVersion: daypass.dev/v1
kind: BreakGlassRequest
metadata:
  id: bob-1
spec:
  subject: bob
  resource: orders
  access: read
  duration: 1h
  incident: INC-7
  reason: Orders are down
"""
EXCEPTION = """apiVersion: daypass.dev/v1
kind: PolicyException
metadata: {name: deployer-static}
spec:
  excepts: [built-in/authenticates-itself]
  subject: deployer
  resource: orders
  access: read
  attributedTo: alice
  reason: It moves to the cluster next month
  ticket: OPS-1
  notBefore: "2026-11-23T00:00:00Z"
  notAfter: "2027-01-31T00:00:00Z"
  maxDuration: 2h
"""
EXCEPTION_PATH = "access/exceptions/deployer-static.yaml"
EMERGENCY_PATH = "access/break-glass/bob-1.yaml"
REQUEST_PATH = "access/requests/alice-1.yaml"
RESOURCE_PATH = "access/resources/orders.yaml"
ALICE_PATH = "access/identities/alice.yaml"
DEPLOYER_PATH = "access/identities/deployer.yaml"
POLICY_PATH = "access/policies/reading.yaml"
SETTINGS_PATH = "access/daypass.yaml"
GRANT_PATH = "access/grants/alice-1.json"
SOUND = {
    SETTINGS_PATH: SETTINGS,
    RESOURCE_PATH: RESOURCE,
    ALICE_PATH: human("alice", 11),
    "access/identities/bob.yaml": human("bob", 12),
    DEPLOYER_PATH: DEPLOYER,
    POLICY_PATH: POLICY,
    REQUEST_PATH: REQUEST,
    "access/grants/.gitkeep": "",
}
GRANT = json.dumps(
    {
        "apiVersion": "daypass.dev/v1",
        "kind": "Grant",
        "metadata": {"id": "alice-1"},
        "spec": {
            "lane": "routine",
            "subject": "alice",
            "requester": {"identity": "alice", "accountId": 11},
            "resource": "orders",
            "access": "read",
            "vault": {
                "engine": "database",
                "mount": "database",
                "role": "ro-8h",
                "tokenRole": "daypass-orders-read-8h",
                "tier": "8h",
                "issue": "on-merge",
                "accessor": DIGEST,
            },
            "request": {"blob": "0" * 40, "commit": "0" * 40, "pullRequest": 7, "renews": None},
            "notBefore": "2026-11-23T09:00:00Z",
            "notAfter": "2026-11-23T11:00:00Z",
            "wrapping": {
                "path": "database/creds/ro-8h",
                "time": "2026-11-23T09:00:00.123456789Z",
                "ttlSeconds": 3600,
                "ciphertext": DIGEST,
            },
            "recipients": ["SHA256:abc"],
            "approvals": [],
            "decision": {"digest": DIGEST, "policy": DIGEST, "input": {}},
        },
        "status": {"state": "active", "reason": None, "since": None},
    },
    indent=2,
)


class Forgetful:
    """Results that are never known."""

    def get(self, entry: TreeEntry) -> Document | None:  # noqa: ARG002  -- the interface's name
        return None

    def put(self, entry: TreeEntry, document: Document) -> None:
        pass


def entries(
    files: Mapping[str, str | bytes], modes: Mapping[str, str] | None = None
) -> tuple[TreeEntry, ...]:
    return tuple(
        TreeEntry((modes or {}).get(path, "100644"), blob_id(_bytes(text)), path)
        for path, text in sorted(files.items())
    )


def judged(
    files: Mapping[str, str | bytes | None] | None = None,
    modes: Mapping[str, str] | None = None,
) -> tuple[Finding, ...]:
    """Findings of the sound repository with some files replaced (None: removed)."""
    return reported(files, modes).findings


def reported(
    files: Mapping[str, str | bytes | None] | None = None,
    modes: Mapping[str, str] | None = None,
) -> Report:
    """The same, with notices."""
    whole = {path: text for path, text in {**SOUND, **(files or {})}.items() if text is not None}
    return validate(
        entries(whole, modes), lambda path: _bytes(whole[path]), Forgetful(), examine=examine
    )


def findings_of(error: DocumentError) -> list[Finding]:
    return [finding for finding in error.findings if isinstance(finding, Finding)]


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()
