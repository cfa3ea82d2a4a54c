"""A year of evidence: as many grants as are asked for, signed, in an order that could have been.

The same number gives the same repository, to the byte. It is written in one stroke: a request, its
grant and its end are commits of their own, at the times at which they would have been made.
"""

from __future__ import annotations

import os
import random
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from daypass.adapters.git import GitRepository
from daypass.adapters.git.pack import object_id
from daypass.adapters.git.tree import TreeEditor
from daypass.ledger import sshsig
from daypass.ledger.commitobject import CommitDraft, with_signature
from daypass.ledger.compose import compose
from daypass.lifecycle.happening import (
    Begun,
    Happening,
    Refusal,
    Run,
    ended,
    issued,
    orphaned,
    refused,
    revoke_failed,
)
from daypass.model.canonical import digest_bytes
from daypass.model.event import Event, EventKind, Reason
from daypass.model.grant import Approval, Grant, Lane, Wrapping
from daypass.model.instant import Duration, Instant
from daypass.model.names import (
    ALLOWED_SIGNERS_PATH,
    break_glass_path,
    obligation_path,
    request_path,
)
from daypass.model.resource import IssueMode
from support.desk import DESK, lay_documents
from support.local_signer import LocalSigner

START = Instant.parse("2026-01-05T08:00:00Z")
_EDITED = Path(__file__).parents[2] / "access" / "resources" / "payments-db.yaml"
YEAR = 365 * 86400
AUTHOR = ("daypass", "bot@daypass.example")
RUN = Run("4711/1", "example/daypass/.github/workflows/access-apply.yml@refs/heads/main")
PEOPLE = (
    *("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy"),
    *("mallory", "niaj", "olivia", "peggy", "rupert", "sybil", "trent", "victor", "walter"),
)
RESOURCES = {
    "orders-db-replica": "low",
    "orders-db": "high",
    "payments-db": "critical",
    "billing-db": "high",
    "customers-db": "critical",
    "bastion-eu": "moderate",
    "bastion-us": "moderate",
    "cluster-production": "high",
    "cluster-staging": "low",
    "dns-zone": "high",
    "artifact-store": "moderate",
    "search-index": "low",
}


@dataclass(frozen=True)
class _Step:
    at: int
    order: int
    what: str
    grant: Grant


def write_year(
    folder: Path, grants: int, *, live: int = 3, emergencies: float = 0.006
) -> GitRepository:
    """A clone whose main tells of that many grants, `live` of which have not ended.

    One request in twenty is denied, and now and then somebody edits a resource, or a token is found
    that no grant knows. `emergencies` is the share of grants that came by that lane.
    """
    _git(folder, "init", "-q", "-b", "main")
    _git(folder, "config", "gc.auto", "0")
    signer = LocalSigner()
    lay_documents(folder)
    (folder / ALLOWED_SIGNERS_PATH).write_text(signer.allowed().to_line() + "\n")
    _git(folder, "add", "-A")
    _git(folder, "commit", "-q", "-m", "Begin")
    repository = GitRepository(folder, remote="origin", branch="main", author=AUTHOR, token=None)
    head = _write(repository, repository.resolve("HEAD"), _steps(grants, live, emergencies), signer)
    _git(folder, "update-ref", "refs/heads/main", head)
    _git(folder, "update-ref", "refs/remotes/origin/main", head)
    _git(folder, "reset", "-q", "--hard")
    return repository


def _steps(count: int, live: int, emergencies: float) -> list[_Step]:
    chance = random.Random(5)  # noqa: S311  -- for variety, not for secrets
    steps = []
    for number in range(count):
        grant = _grant(number, count, chance, emergencies)
        begin, end = grant.not_before.seconds, grant.not_after.seconds
        steps += [
            _Step(begin - chance.randrange(8, 40), number, "ask", grant),
            _Step(begin + 2, number, "issue", grant),
        ]
        early = chance.random() < 0.25
        over = begin + (end - begin) // 2 if early else end + chance.randrange(20, 600)
        if chance.random() < 0.01:
            steps.append(_Step(over, number, "fail", grant))
            over += 900
        if number < count - live:
            steps.append(_Step(over, number, "done" if early else "expire", grant))
            if grant.lane is Lane.BREAK_GLASS and chance.random() < 0.9:
                steps.append(_Step(over + 7200, number, "review", grant))
        if number % 20 == 7:
            denied = replace(grant, id=f"{grant.subject}-denied-{number:05d}")
            at = begin + 1800
            steps += [_Step(at, number, "ask", denied), _Step(at + 30, number, "deny", denied)]
        if number % 150 == 11:
            steps += [_Step(begin + 900, number, what, grant) for what in ("edit", "orphan")]
    steps.sort(key=lambda step: (step.at, step.order))
    last = max(step.at for step in steps if step.what in ("ask", "issue"))
    return [step for step in steps if step.at <= last + 120 or step.what != "fail"]


def _grant(number: int, count: int, chance: random.Random, emergencies: float) -> Grant:
    resource = chance.choices(list(RESOURCES), weights=range(len(RESOURCES), 0, -1))[0]
    subject, *others = chance.sample(PEOPLE, 4)
    sensitivity = RESOURCES[resource]
    word = 2 if sensitivity in ("high", "critical") else 1
    lane = Lane.BREAK_GLASS if chance.random() < emergencies else Lane.ROUTINE
    hours = chance.choice((1, 1, 1, 2, 4, 8)) if lane is Lane.ROUTINE else 1
    begin = START.plus(600 + number * (YEAR // count) + chance.randrange(max(YEAR // count, 1)))
    grant_id = f"{subject}-{resource}-{number:05d}"
    base = Grant(
        id=grant_id,
        lane=lane,
        subject=subject,
        requester=subject,
        requester_id=900_000_000 + PEOPLE.index(subject),
        resource=resource,
        access=chance.choice(("read", "read", "write", "admin")),
        engine="database",
        mount="database",
        role=f"{resource}-{hours}h",
        token_role=f"daypass-{resource}-{hours}h",
        tier=Duration(hours * 3600),
        issue=IssueMode.ON_MERGE,
        request_blob="b" * 40,
        request_commit="c" * 40,
        pull_request=number + 1,
        not_before=begin,
        not_after=begin.plus(hours * 3600),
        accessor=digest_bytes(grant_id.encode()),
        wrapping=Wrapping("database/creds/x", str(begin), 3600, digest_bytes(b"x")),
        recipients=("SHA256:abc",),
        approvals=(),
        decision_input={},
        decision_digest="",
        policy_digest="",
    )
    approvals = tuple(
        Approval(
            900_000_000 + PEOPLE.index(name),
            name,
            number * 10 + place,
            "d" * 40,
            begin.plus(-chance.randrange(60, 7200)),
        )
        for place, name in enumerate(others[:word] if lane is Lane.ROUTINE else ())
    )
    return DESK.decided(replace(base, approvals=approvals), sensitivity)


def _write(repository: GitRepository, head: str, steps: list[_Step], signer: LocalSigner) -> str:
    """All commits, in one pack: those of people unsigned, those of the bot signed, each in time."""
    editor = TreeEditor(repository._demand(head), repository._tree, repository._pack)
    public_key = signer.public_key()
    sequence, seconds = 0, START.seconds
    previous: str | None = None
    lying: set[str] = set()
    asked: dict[str, str] = {}
    granted: dict[str, str] = {}
    failed: dict[str, str] = {}
    for step in steps:
        seconds = max(step.at, seconds)
        grant = step.grant
        if step.what == "ask":
            asked_at = path_of(grant)
            tree = editor.apply({asked_at: _content(grant)})
            message = f"Ask for {grant.id}\n"
            draft = CommitDraft(tree, head, "Alice", "alice@example.com", seconds, message)
            lying.add(asked_at)
            head = asked[grant.id] = repository._pack.add("commit", draft.payload())
            continue
        if step.what == "edit":
            text = f"{_EDITED.read_text()}# Read again on {Instant.from_seconds(seconds)}.\n"
            tree = editor.apply({f"access/resources/{_EDITED.name}": text.encode()})
            draft = CommitDraft(tree, head, "Dave", "dave@example.com", seconds, "Read it again\n")
            head = repository._pack.add("commit", draft.payload())
            continue
        blob = object_id("blob", _content(grant))
        request = asked.get(grant.id, grant.request_commit)
        grant = replace(grant, request_commit=request, request_blob=blob)
        happening = _happening(step.what, grant, granted, failed, seconds)
        sequence += 1
        message = compose(happening.title, happening.body, happening.event, sequence, previous)
        lying.update(happening.writes)
        gone = lying.intersection(happening.removes)
        lying -= gone
        tree = editor.apply(dict(happening.writes) | dict.fromkeys(gone))
        payload = CommitDraft(tree, head, *AUTHOR, seconds, message).payload()
        signature = signer.sign(sshsig.bytes_to_sign(payload))
        armoured = sshsig.armoured_signature(public_key, signature)
        head = previous = repository._pack.add("commit", with_signature(payload, armoured))
        if step.what == "issue":
            granted[grant.id] = head
        elif step.what == "fail":
            failed[grant.id] = head
    repository._flush()
    return head


def _content(grant: Grant) -> bytes:
    return f"kind: AccessRequest\nid: {grant.id}\n".encode()


def path_of(grant: Grant) -> str:
    return (request_path if grant.lane is Lane.ROUTINE else break_glass_path)(grant.id)


def _happening(
    what: str, grant: Grant, granted: dict[str, str], failed: dict[str, str], seconds: int
) -> Happening:
    now = Instant.from_seconds(seconds)
    if what == "issue":
        return issued(grant, RUN)
    if what == "fail":
        why = "a lease of its role is overdue"
        return revoke_failed(grant, Reason.UNCONFIRMED, why, now, record_blob=None, run=RUN)
    if what == "deny":
        return _denied(grant)
    if what == "orphan":
        return orphaned(digest_bytes(b"lost"), RUN)
    if what == "review":
        approver = f"900000004 5 {granted[grant.id]} {now}"
        event = Event(EventKind.REVIEWED, grant.id, (("Daypass-Approver", approver),))
        return Happening(event, f"Review {grant.id}", "", removes=(obligation_path(grant.id),))
    kind, reason = EventKind.EXPIRED, Reason.TIME
    at = grant.not_after
    if what == "done":
        kind, reason, at = EventKind.REVOKED, Reason.DONE, now
    return ended(
        grant,
        Begun(
            granted[grant.id],
            failed.get(grant.id),
            asked_at=now.plus(-(7 + seconds % 50)) if what == "done" else None,
        ),
        kind,
        reason,
        at,
        record_blob=None,
        run=RUN,
    )


def _denied(grant: Grant) -> Happening:
    refusal = Refusal(
        grant_id=grant.id,
        blob=grant.request_blob,
        kind=EventKind.DENIED,
        reason=Reason.UNPROVEN,
        why=("no merged pull request lists these bytes",),
        request_commit=grant.request_commit,
        pull_request=grant.pull_request,
        resource=grant.resource,
        subject=grant.subject,
        access=grant.access,
        lane=grant.lane,
    )
    return refused(refusal, RUN)


def _git(folder: Path, *words: str) -> None:
    date = f"{START.seconds - 3600} +0000"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_DATE": date,
        "GIT_COMMITTER_DATE": date,
        **{f"GIT_{who}_NAME": "Alice" for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_EMAIL": "alice@example.com" for who in ("AUTHOR", "COMMITTER")},
    }
    subprocess.run(["git", *words], cwd=folder, env=environment, check=True, capture_output=True)
