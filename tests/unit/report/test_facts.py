"""From commits, read once and backwards, to stories."""

from __future__ import annotations

from typing import Any

from report_world import record

from daypass.ledger.commitobject import CommitDraft
from daypass.lifecycle.ports import CommitObject
from daypass.model.event import Event, EventKind, RecordedEvent
from daypass.model.instant import Instant
from daypass.report.facts import FactsBuilder
from daypass.report.story import Evidence, State

START = Instant.parse("2026-11-23T09:00:00Z").seconds
ASKED = "1" * 40
Trailers = tuple[tuple[str, str], ...]


class History:
    """Commits in the order in which they were made; read backwards, as main is."""

    def __init__(self) -> None:
        self.commits: list[tuple[CommitObject, RecordedEvent | None]] = []

    def person(self, sha: str, author: str = "Alice <alice@example.com>") -> str:
        name, _space, mail = author.partition(" <")
        seconds = START + 60 * len(self.commits)
        draft = CommitDraft("a" * 40, "b" * 40, name, mail[:-1], seconds, "By a person\n")
        self.commits.append((CommitObject(sha, draft.payload()), None))
        return sha

    def event(self, kind: EventKind, grant: str | None, *trailers: tuple[str, str]) -> str:
        number = len(self.commits) + 1
        sha = f"{number:040x}"
        seconds = START + 60 * len(self.commits)
        draft = CommitDraft("a" * 40, "b" * 40, "daypass", "bot@example.com", seconds, "x\n")
        event = RecordedEvent(Event(kind, grant, trailers), number, None, sha, seconds)
        self.commits.append((CommitObject(sha, draft.payload()), event))
        return sha

    def issue(self, grant: str = "one", not_after: str = "2026-11-23T10:00:00Z") -> str:
        return self.event(
            EventKind.ISSUED,
            grant,
            ("Daypass-Request", f"{ASKED} {'b' * 40}"),
            ("Daypass-Pull-Request", "7"),
            ("Daypass-Requester", "alice 1"),
            ("Daypass-Subject", "alice"),
            ("Daypass-Resource", "orders-db"),
            ("Daypass-Access", "read"),
            ("Daypass-Approver", f"2 11 {'d' * 40} 2026-11-23T08:59:00Z"),
            ("Daypass-Not-Before", "2026-11-23T09:00:00Z"),
            ("Daypass-Not-After", not_after),
        )

    def read(self, **known: Any) -> Evidence:
        nothing: dict[str, Any] = {
            "requests": {},
            "foundation": {},
            "side_times": {},
            "records": {},
        }
        builder = FactsBuilder(**(nothing | known))
        for commit, event in reversed(self.commits):
            builder.take(commit, event)
        return builder.finish()


END = (("Daypass-Ended-At", "2026-11-23T10:00:05Z"), ("Daypass-Reason", "time"))


def test_a_life_from_request_to_end() -> None:
    history = History()
    history.person(ASKED)
    issued = history.issue()
    failed = history.event(EventKind.REVOKE_FAILED, "one", ("Daypass-Reason", "unconfirmed"))
    expired = history.event(EventKind.EXPIRED, "one", *END)

    found = history.read(
        records={issued: record(names=((2, "bob"),))}, side_times={"d" * 40: START - 3600}
    )

    (told,) = found.grants
    assert (told.subject, told.requested_by, told.pull_request) == ("alice", "alice", 7)
    assert told.merged is not None
    assert told.merged.commit == ASKED
    assert told.asked_at == Instant.from_seconds(START - 3600)
    assert [item.who for item in told.approvals] == ["bob"]
    assert [item.moment.commit for item in told.failures] == [failed]
    assert told.end is not None
    assert (told.end.moment.commit, str(told.end.ended_at)) == (expired, "2026-11-23T10:00:05Z")
    assert (found.commits, found.events, found.head) == (4, 3, expired)
    assert told.state_at(Instant.parse("2026-11-23T09:30:00Z")) is State.FAILED
    assert told.state_at(Instant.parse("2026-11-23T10:00:05Z")) is State.ENDED


def test_what_is_not_confirmed_is_access_though_its_time_is_up() -> None:
    history = History()
    history.issue()
    (told,) = history.read().grants
    assert told.state_at(Instant.parse("2026-11-23T10:00:00Z")) is State.OVER
    assert State.OVER.is_access
    assert State.FAILED.is_access
    assert not State.ENDED.is_access


def test_an_end_that_cannot_be_read_is_no_end() -> None:
    history = History()
    history.issue(not_after="soon")
    found = history.read()
    assert found.grants[0].not_after is None
    assert found.grants[0].state_at(Instant.parse("2099-01-01T00:00:00Z")) is State.ACTIVE
    assert "without an end" in found.oddities[0].what


def test_an_id_that_is_used_again_is_a_denial_and_ends_nothing() -> None:
    history = History()
    history.issue()
    history.event(EventKind.EXPIRED, "one", *END)
    history.event(EventKind.DENIED, "one", ("Daypass-Reason", "id-reused"))
    found = history.read()
    assert [item.reason for item in found.refusals] == ["id-reused"]
    assert found.grants[0].end is not None


def test_what_lapsed_before_it_was_issued_is_a_refusal() -> None:
    history = History()
    history.event(EventKind.LAPSED, "late", ("Daypass-Reason", "lapsed"))
    history.issue()
    history.event(EventKind.LAPSED, "one", ("Daypass-Reason", "never-claimed"))
    found = history.read()
    assert [(item.id, item.kind) for item in found.refusals] == [("late", EventKind.LAPSED)]
    assert found.grants[0].end is not None
    assert found.grants[0].end.kind is EventKind.LAPSED


def test_an_end_of_what_was_never_issued_is_named() -> None:
    history = History()
    history.event(EventKind.EXPIRED, "ghost", *END)
    found = history.read()
    assert found.grants == ()
    assert "ghost" in found.oddities[0].what


def test_who_took_a_request_back() -> None:
    history = History()
    history.person(ASKED)
    history.issue()
    gone = history.person("2" * 40)
    history.person("3" * 40)
    history.event(EventKind.REVOKED, "one", ("Daypass-Reason", "request-deleted"))
    (told,) = history.read(requests={"one": (ASKED, gone, "3" * 40)}).grants
    assert told.withdrawn is not None
    assert told.withdrawn.commit == gone  # the first one after the issue


def test_changes_of_the_rules_name_the_author_that_the_commit_claims() -> None:
    history = History()
    history.person("2" * 40, "Mallory <mallory@example.com>")
    history.issue()
    (change,) = history.read(foundation={"2" * 40: ("access/policies/x.yaml",)}).foundation
    assert change.author == "Mallory <mallory@example.com>"
    assert not change.by_bot


def test_a_lane_is_routine_unless_evidence_or_record_says_so() -> None:
    history = History()
    drill = history.event(
        EventKind.ISSUED,
        "drill",
        ("Daypass-Subject", "alice"),
        ("Daypass-Lane", "break-glass-drill"),
    )
    plain = history.issue()
    unread = history.issue("two")
    found = history.read(records={drill: record(), plain: record()})
    lanes = {item.id: item.lane for item in found.grants}
    assert lanes == {"drill": "break-glass-drill", "one": "routine", "two": None}
    assert unread
