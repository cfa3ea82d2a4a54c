"""Chapters: one event of a grant, as facts and lines that every format shows the same. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from daypass.model.event import EventKind
from daypass.model.instant import Instant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daypass.model.decision import Decision
    from daypass.model.event import RecordedEvent
    from daypass.model.grant import Grant

Facts = tuple[tuple[str, str], ...]
_TITLES: Final = {
    EventKind.ISSUED: "Issued",
    EventKind.DELIVERED_AGAIN: "Delivered again",
    EventKind.DENIED: "Denied",
    EventKind.REJECTED: "Rejected",
    EventKind.WITHDRAWN: "Withdrawn",
    EventKind.LAPSED: "Lapsed",
    EventKind.EXPIRED: "Ended: expired",
    EventKind.REVOKED: "Ended: revoked",
    EventKind.REVOKE_FAILED: "Could not be ended",
    EventKind.REVIEWED: "Reviewed",
    EventKind.REVIEW_OVERDUE: "Review overdue",
    EventKind.EVIDENCE_GAP: "Gap in the record",
    EventKind.SESSION: "Session",
    EventKind.DRIFT: "Drift",
}
_NAMES: Final = {
    "Daypass-Subject": "subject",
    "Daypass-Resource": "resource",
    "Daypass-Access": "access",
    "Daypass-Lane": "lane",
    "Daypass-Requester": "requester",
    "Daypass-Pull-Request": "pullRequest",
    "Daypass-Not-Before": "notBefore",
    "Daypass-Not-After": "notAfter",
    "Daypass-Ended-At": "endedAt",
    "Daypass-Reason": "reason",
    "Daypass-Session": "session",
    "Daypass-Accessor": "accessor",
    "Daypass-Run": "run",
    "Daypass-Workflow": "workflow",
}
# What an event repeats of the one that began it; told once.
_BEGINNING: Final = ("subject", "resource", "access", "lane", "requester", "pullRequest")
_BEGINS: Final = frozenset(
    {
        EventKind.ISSUED,
        EventKind.DENIED,
        EventKind.REJECTED,
        EventKind.WITHDRAWN,
        EventKind.LAPSED,
    }
)
_DELIVERED: Final = frozenset({EventKind.ISSUED, EventKind.DELIVERED_AGAIN})
_INPUT: Final = "    {"  # of a decision: as long as a record, and replayed instead


@dataclass(frozen=True, slots=True)
class Chapter:
    """One thing that happened. `signed`: its commit carries the bot's signature."""

    kind: str
    title: str
    commit: str
    at: Instant  # the committer's time
    signed: bool
    facts: Facts
    lines: tuple[str, ...] = ()


def of_decision(decision: Decision | None, notes: tuple[str, ...]) -> Chapter:
    """What was decided, rule by rule; its place is filled in by whoever knows it."""
    facts: list[tuple[str, str]] = []
    lines: list[str] = []
    if decision is not None:
        facts.append(("effect", str(decision.effect)))
        if decision.permitted:
            facts.append(("for", f"{decision.seconds}s, by {decision.bounded_by}"))
        lines += [
            f"{item.effect} {item.policy}/{item.rule}: {item.message}"
            + (f" (excepted by {item.excepted_by})" if item.excepted_by else "")
            for item in decision.outcomes
        ]
    lines += notes
    return Chapter(
        "decided", "Decided", "", Instant(0), signed=True, facts=tuple(facts), lines=tuple(lines)
    )


def of_event(recorded: RecordedEvent, body: str, record: Grant | None) -> Iterator[Chapter]:
    """The chapters of one event: approvals, the event itself, and its delivery."""
    event = recorded.event
    at = Instant.from_seconds(recorded.recorded_at)

    def chapter(kind: str, title: str, facts: Facts, lines: tuple[str, ...] = ()) -> Chapter:
        return Chapter(kind, title, recorded.commit, at, signed=True, facts=facts, lines=lines)

    if event.kind is EventKind.ISSUED:
        yield chapter("approved", "Approved", (), _approvals(recorded, record))
    facts = [
        (_NAMES[name], value)
        for name, value in event.trailers
        if name in _NAMES and (event.kind in _BEGINS or _NAMES[name] not in _BEGINNING)
    ]
    if event.kind is EventKind.REVIEWED:
        facts += [("review", value) for value in event.values("Daypass-Approver")]
    if event.values("Daypass-Exception"):
        facts.append(("exceptions", ", ".join(event.values("Daypass-Exception"))))
    if event.kind in _DELIVERED and record is not None:
        facts += _minted(record)
    lines = tuple(line for line in body.split("\n") if line and not line.startswith(_INPUT))
    yield chapter(str(event.kind), _TITLES.get(event.kind, str(event.kind)), tuple(facts), lines)
    if event.kind in _DELIVERED:
        yield chapter("delivered", "Delivered", _delivery(recorded, record))


def _approvals(recorded: RecordedEvent, record: Grant | None) -> tuple[str, ...]:
    names = {item.account_id: item.identity for item in record.approvals} if record else {}
    lines = []
    for value in recorded.event.values("Daypass-Approver"):
        account, review, commit, when = (value.split(" ") + ["?"] * 4)[:4]
        name = names.get(int(account)) if account.isdigit() else None
        who = f"{name} (account {account})" if name else f"account {account}"
        lines.append(f"{who}, review {review} of commit {commit}, at {when}")
    return tuple(lines) or ("nobody: its lane or its policies asked for no approval before",)


def _minted(record: Grant) -> list[tuple[str, str]]:
    return [
        ("engine", f"{record.engine} at {record.mount}, role {record.role}"),
        ("tokenRole", record.token_role),
        ("tier", str(record.tier)),
        ("issue", str(record.issue)),
        *([("renews", record.renews)] if record.renews else []),
    ]


def _delivery(recorded: RecordedEvent, record: Grant | None) -> Facts:
    """How it was handed over: what a claim is held against."""
    words = (recorded.event.first("Daypass-Wrapping") or "").split(" ")
    facts = list(zip(("creationPath", "creationTime", "ciphertext"), words, strict=False))
    if record is not None and record.wrapping is not None:
        facts.append(("opensFor", f"{record.wrapping.ttl}s"))
        facts.append(("sealedTo", ", ".join(record.recipients)))
    return tuple(facts)
