"""Stories and grounds for the questions: everything has a value that is in order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from daypass.ledger.fault import Fault, FaultCode
from daypass.ledger.verify import Report as Verification
from daypass.ledger.verify import Verdict
from daypass.model.catalogue import Catalogue
from daypass.model.event import EventKind
from daypass.model.grant import Lane
from daypass.model.identity import Identity
from daypass.model.instant import Instant
from daypass.model.settings import Settings
from daypass.report.ground import Ground, Window
from daypass.report.story import (
    Counted,
    End,
    Evidence,
    Failure,
    GrantStory,
    Moment,
    Note,
    RecordFacts,
    Refusal,
    Review,
)

NOW = Instant.parse("2026-11-23T12:00:00Z")
HOUR = 3600
ACCOUNTS = {"alice": 1, "bob": 2, "carol": 3, "dave": 4}


def at(seconds: float) -> Instant:
    """That many seconds after (or before) now."""
    return NOW.plus(seconds)


def moment(seconds: float, letter: str = "a") -> Moment:
    return Moment(letter * 40, at(seconds))


def approval(name: str, seconds: float = -2 * HOUR) -> Counted:
    return Counted(ACCOUNTS[name], name, 11, "d" * 40, at(seconds))


def record(**other: Any) -> RecordFacts:
    usual = RecordFacts(
        lane=Lane.ROUTINE,
        renews=None,
        issue="on-merge",
        tier_seconds=HOUR,
        asked_seconds=HOUR,
        subject_type="human",
        sensitivity="low",
        environment="production",
        resource_type="database",
        resource_seconds=8 * HOUR,
        recording="none",
        names=(),
        context=None,
        input_matches=True,
    )
    return replace(usual, **other)


def ended(seconds: float, *, kind: EventKind = EventKind.EXPIRED, reason: str = "time") -> End:
    return End(kind, reason, at(seconds), moment(seconds + 60, "e"))


def failure(seconds: float) -> Failure:
    return Failure("unconfirmed", moment(seconds, "f"))


def review(by: str, seconds: float) -> Review:
    return Review(ACCOUNTS[by], at(seconds), moment(seconds + 60))


def story(
    grant: str = "one", begins: float = -1800, lasts: float = HOUR, **other: Any
) -> GrantStory:
    """A grant of alice's, approved by bob, half an hour old and live."""
    usual = GrantStory(
        id=grant,
        subject="alice",
        requester="alice",
        requester_id=1,
        resource="orders-db",
        access="read",
        pull_request=7,
        asked_at=at(begins - 600),
        merged=moment(begins - 30, "c"),
        approvals=(approval("bob", begins - 300),),
        issued=moment(begins, "b"),
        not_before=at(begins),
        not_after=at(begins + lasts),
        policy_digest="sha256:" + "2" * 64,
        decision_digest="sha256:" + "1" * 64,
        accessor="sha256:" + grant,
        lane="routine",
        record=record(),
        end_asked_at=None,
        withdrawn=None,
        deliveries=(),
        sessions=(),
        failures=(),
        end=None,
        reviews=(),
        overdue=(),
        gaps=(),
    )
    return replace(usual, **other)


def refusal(kind: EventKind, reason: str, **other: Any) -> Refusal:
    usual = Refusal(
        "two", kind, reason, "bob", "orders-db", "read", "bob", 8, "deny", None, None, moment(-600)
    )
    return replace(usual, **other)


def note(kind: EventKind, seconds: float, **other: Any) -> Note:
    """An event of the repository, of which only what is given is known."""
    usual = Note(kind, None, None, None, None, None, None, None, (), None, moment(seconds))
    return replace(usual, **other)


def identity(name: str, kind: str = "human", **spec: Any) -> Identity:
    github = {"github": {"id": ACCOUNTS[name]}} if name in ACCOUNTS else {}
    return Identity.from_document(
        {"metadata": {"name": name}, "spec": {"type": kind, "status": "active", **github, **spec}}
    )


def catalogue(*identities: Identity) -> Catalogue:
    ids = dict.fromkeys(("ownerId", "repositoryId", "appId", "appUserId", "installationId"), 1)
    settings = Settings.from_document(
        {
            "spec": {
                "github": ids | {"owner": "example", "repository": "access"},
                "vault": {"address": "https://vault.example.com", "audience": "vault"},
                "evidence": {"email": "bot@example.com"},
                "foundation": {"owners": ["security"]},
            }
        }
    )
    people = [identity(name) for name in ACCOUNTS]
    known = {item.name: item for item in (*people, *identities)}
    return Catalogue(settings, {}, known, {}, "sha256:" + "3" * 64)


def ground(
    *stories: GrantStory,
    refusals: tuple[Refusal, ...] = (),
    identities: tuple[Identity, ...] = (),
    verdict: Verdict = Verdict.SELF_ATTESTED,
    since: Instant | None = None,
    until: Instant = NOW,
    documents: bool = True,
    **other: Any,
) -> Ground:
    faults = other.pop("faults", ()) or (
        (Fault(FaultCode.SEQUENCE_GAP, "9" * 40, "event 2 is missing"),)
        if verdict is Verdict.BROKEN
        else ()
    )
    evidence = Evidence(
        head="0" * 40,
        head_at=NOW,
        first_at=at(-30 * 86400),
        commits=9,
        events=3,
        grants=stories,
        refusals=refusals,
        notes=other.pop("notes", ()),
        foundation=other.pop("foundation", ()),
        oddities=other.pop("oddities", ()),
    )
    return Ground(
        repository="example/access",
        evidence=evidence,
        window=Window(since, until, NOW),
        catalogue=catalogue(*identities) if documents else None,
        catalogue_problem=None if documents else "the documents do not load",
        verification=Verification(verdict, "0" * 40, 9, 3, faults, ("SHA256:x",), None),
        version="1.2.3",
        promises=other.pop("promises", ()),
        cases=other.pop("cases", None),
        held=other.pop("held", None),
    )
