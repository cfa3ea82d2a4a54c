"""A repository in memory, with signed evidence, for tests of claiming."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from daypass.ledger import sshsig
from daypass.ledger.allowed_signers import AllowedSigner
from daypass.ledger.commitobject import CommitDraft, with_signature
from daypass.ledger.compose import compose
from daypass.ledger.record import grant_trailers
from daypass.lifecycle.ports import CommitObject
from daypass.model.canonical import digest_bytes
from daypass.model.event import Event, EventKind
from daypass.model.grant import Grant, Lane, Wrapping
from daypass.model.instant import Duration, Instant
from daypass.model.names import ALLOWED_SIGNERS_PATH, SETTINGS_PATH, grant_path, request_path
from daypass.model.resource import IssueMode
from daypass.model.tree import REGULAR_FILE, TreeEntry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).parents[3]
EMAIL = "daypass@example.com"
APP = 41898282  # the App's own account, in the example of the settings
ARMORED = "-----BEGIN AGE ENCRYPTED FILE-----\nY2FuYXJ5\n-----END AGE ENCRYPTED FILE-----\n"
SHA = "ab" * 20


def example(kind: str) -> bytes:
    """A schema's own example; JSON is YAML."""
    schema = json.loads((ROOT / "schemas" / f"{kind}.schema.json").read_text())
    return json.dumps(schema["examples"][0], indent=1).encode()


def a_grant(grant_id: str = "alice-orders-7f3k") -> Grant:
    digest = "sha256:" + "0" * 64
    return Grant(
        id=grant_id,
        lane=Lane.ROUTINE,
        subject="alice",
        requester="alice",
        requester_id=11,
        resource="orders-db",
        access="read",
        engine="database",
        mount="database",
        role="orders-ro-1h",
        token_role="daypass-orders-db-read-1h",
        tier=Duration.parse("1h"),
        issue=IssueMode.ON_MERGE,
        request_blob=SHA,
        request_commit=SHA,
        pull_request=3,
        not_before=Instant.parse("2026-11-22T10:00:00Z"),
        not_after=Instant.parse("2026-11-22T11:00:00Z"),
        accessor=digest,
        wrapping=Wrapping(
            "database/creds/orders-ro-1h",
            "2026-11-22T10:00:00.123456789Z",
            600,
            digest_bytes(ARMORED.encode()),
        ),
        recipients=("SHA256:x",),
        approvals=(),
        decision_input={},
        decision_digest=digest,
        policy_digest=digest,
    )


@dataclass
class World:
    """main, as a list of commits; implements what claiming asks of a `Repository`."""

    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    files: dict[str, bytes] = field(default_factory=dict)
    commits: list[CommitObject] = field(default_factory=list)
    trees: dict[str, dict[str, bytes]] = field(default_factory=dict)
    events: int = 0
    complete_asked: bool = False

    def __post_init__(self) -> None:
        self.files[ALLOWED_SIGNERS_PATH] = self.signer_line(self.key).encode()
        self.files[SETTINGS_PATH] = example("settings")
        self.files["access/resources/orders-db.yaml"] = example("resource")

    @staticmethod
    def signer_line(key: Ed25519PrivateKey) -> str:
        return AllowedSigner(EMAIL, key.public_key().public_bytes_raw()).to_line() + "\n"

    @property
    def fingerprint(self) -> str:
        return sshsig.fingerprint(self.key.public_key().public_bytes_raw())

    def commit(self, message: str, key: Ed25519PrivateKey | None = None) -> str:
        parent = self.commits[-1].sha if self.commits else "0" * 40
        tree = hashlib.sha1(repr(sorted(self.files.items())).encode()).hexdigest()  # noqa: S324
        payload = CommitDraft(tree, parent, "daypass", EMAIL, 1795341600, message).payload()
        if key is not None:
            public = key.public_key().public_bytes_raw()
            signature = key.sign(sshsig.bytes_to_sign(payload))
            payload = with_signature(payload, sshsig.armoured_signature(public, signature))
        sha = hashlib.sha1(payload).hexdigest()  # noqa: S324  -- a name, as git's own
        self.commits.append(CommitObject(sha, payload))
        self.trees[sha] = dict(self.files)
        return sha

    def record(self, kind: EventKind, grant: Grant, key: Ed25519PrivateKey | None = None) -> str:
        brings = kind in (EventKind.ISSUED, EventKind.DELIVERED_AGAIN)
        trailers = grant_trailers(grant) if brings else ()
        self.events += 1
        message = compose("An event", "", Event(kind, grant.id, trailers), self.events, None)
        return self.commit(message, key or self.key)

    def issue(self, grant: Grant) -> str:
        self.files[request_path(grant.id)] = b"asked"
        self.files[grant_path(grant.id)] = grant.to_bytes()
        return self.record(EventKind.ISSUED, grant)

    def end(self, grant: Grant, kind: EventKind = EventKind.EXPIRED) -> str:
        del self.files[request_path(grant.id)], self.files[grant_path(grant.id)]
        return self.record(kind, grant)

    def tamper(self, grant: Grant, **over: object) -> str:
        changed = replace(grant, **over)  # type: ignore[arg-type]  # the tests name real fields
        self.files[grant_path(grant.id)] = changed.to_bytes()
        return self.commit("Innocent change")

    # What claiming asks of a Repository.

    def head(self) -> str:
        return self.commits[-1].sha

    def assert_complete(self) -> None:
        self.complete_asked = True

    def entries(self, commit: str, folder: str) -> tuple[TreeEntry, ...]:
        return tuple(
            TreeEntry(REGULAR_FILE, hashlib.sha1(data).hexdigest(), path)  # noqa: S324
            for path, data in sorted(self.trees[commit].items())
            if path.startswith(folder + "/") or path == folder
        )

    def blobs(self, ids: Sequence[str]) -> dict[str, bytes]:
        every = {
            hashlib.sha1(data).hexdigest(): data  # noqa: S324
            for tree in self.trees.values()
            for data in tree.values()
        }
        return {name: every[name] for name in ids}

    def walk(self, commit: str) -> Iterator[CommitObject]:
        names = [item.sha for item in self.commits]
        yield from reversed(self.commits[: names.index(commit) + 1])

    def touching(self, since: str | None, until: str, paths: Sequence[str]) -> tuple[str, ...]:
        assert since is None
        found, before = [], dict.fromkeys(paths, b"")
        for item in reversed(list(self.walk(until))):
            now = {path: self.trees[item.sha].get(path, b"") for path in paths}
            if now != before:
                found.append(item.sha)
            before = now
        return tuple(found)
