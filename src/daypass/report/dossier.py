"""Dossier: all that a clone holds of one request, from the file that asked to its last event.

A chapter is one thing that happened, with the commit that says so. What people wrote is kept as it
was; each format escapes it.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from daypass.errors import DaypassError
from daypass.ledger.commitobject import parse_commit
from daypass.ledger.history import find_events
from daypass.model.event import EventKind
from daypass.model.instant import Instant
from daypass.model.names import break_glass_path, grant_path, request_path
from daypass.policy.decide import decide
from daypass.report.chapters import Chapter, of_decision, of_event
from daypass.report.records import read_grant
from daypass.report.replay import Library, differences, policies_at, recorded_decision

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from daypass.ledger.allowed_signers import Signers
    from daypass.ledger.commitobject import RawCommit
    from daypass.ledger.records import PathChange
    from daypass.model.event import RecordedEvent
    from daypass.model.grant import Grant

_MOST_LINES: Final = 400  # of one diff: a request is 25 to 40, and at most 16 KiB


class Archive(Library, Protocol):
    """What a dossier needs of a clone."""

    def changes(
        self, until: str, paths: Sequence[str]
    ) -> Iterator[tuple[str, Sequence[PathChange]]]:
        """For each first-parent commit up to `until` that changes `paths`: what, oldest first."""


@dataclass(frozen=True, slots=True)
class Dossier:
    """One page: the chapters of one id, the oldest first."""

    id: str
    head: str
    title: str
    chapters: tuple[Chapter, ...]


def read_dossier(archive: Archive, head: str, grant_id: str, signers: Signers) -> Dossier | None:
    """All chapters of that id up to `head`; None if there is nothing of it.

    Raises:
        GitError: the clone is shallow, or an object is not to be had.
        EvidenceError: an allowed signer signed trailers that cannot be read.
    """
    asked = _requests(archive, head, grant_id)
    walk = _Walk(archive.walk(head), grant_id, {chapter.commit for chapter in asked})
    found = find_events(walk, signers, [grant_id])[grant_id]
    walk.finish()
    events = {event.commit: event for event in reversed(found)}
    asked = [chapter for chapter in asked if chapter.commit not in events]
    if not events and not asked:
        return None
    decided = _decision(archive, head, grant_id) if events else None
    told: list[Chapter] = []
    for event in events.values():
        record = _record(archive, event)
        if decided is not None and _decides(event):
            told.append(_at(decided, event))
            decided = None
        told.extend(of_event(event, _body(archive, event), record))
    # By their place on main: a clock, and above all a person's, can say anything.
    chapters = sorted((*asked, *told), key=lambda chapter: -walk.places[chapter.commit])
    return Dossier(grant_id, head, _title(told, grant_id), tuple(chapters))


class _Walk:
    """A walk that notes where the commits of one request lie, counted from the head."""

    def __init__(self, commits: Iterator[RawCommit], grant_id: str, wanted: set[str]) -> None:
        self.places: dict[str, int] = {}
        self._commits = enumerate(commits)
        self._mark = f"\nDaypass-Grant: {grant_id}\n".encode()
        self._missing = wanted

    def __iter__(self) -> Iterator[RawCommit]:
        for place, commit in self._commits:
            if commit.sha in self._missing or self._mark in commit.raw:
                self.places[commit.sha] = place
                self._missing.discard(commit.sha)
            yield commit

    def finish(self) -> None:
        """Go on until each commit that was wanted is found."""
        rest = iter(self)
        while self._missing and next(rest, None) is not None:
            pass


def _requests(archive: Archive, head: str, grant_id: str) -> list[Chapter]:
    """What was done to the request's file, each with its diff; the bot's commits too."""
    chapters = []
    paths = (request_path(grant_id), break_glass_path(grant_id))
    for commit, changes in archive.changes(head, paths):
        parsed = parse_commit(next(iter(archive.walk(commit))).raw)
        author = next((value for key, value in parsed.headers if key == b"author"), b"")
        for change in changes:
            did = "removed" if change.after is None else "changed" if change.before else "asked"
            chapters.append(
                Chapter(
                    did,
                    {"asked": "Asked", "changed": "Changed", "removed": "Taken back"}[did],
                    commit,
                    Instant.from_seconds(parsed.committed_at or 0),
                    signed=False,
                    facts=(
                        ("path", change.path),
                        ("title", parsed.title),
                        ("author", author.partition(b"> ")[0].decode("utf-8", "replace") + ">"),
                    ),
                    lines=_diff(archive, change),
                )
            )
    return chapters


def _diff(archive: Archive, change: PathChange) -> tuple[str, ...]:
    """The change as `git diff` shows it, without its heading."""
    blobs = [blob for blob in (change.before, change.after) if blob is not None]
    contents = archive.blobs(blobs)
    before, after = (
        contents[blob].decode("utf-8", "replace").splitlines() if blob is not None else []
        for blob in (change.before, change.after)
    )
    lines = list(difflib.unified_diff(before, after, lineterm="", n=3))[3:]
    if len(lines) > _MOST_LINES:
        lines = [*lines[:_MOST_LINES], f"… {len(lines) - _MOST_LINES} more lines"]
    return tuple(lines)


def _decides(event: RecordedEvent) -> bool:
    return event.event.kind in (EventKind.ISSUED, EventKind.DENIED)


def _decision(archive: Archive, head: str, grant_id: str) -> Chapter | None:
    """The decision, made once more; or why it cannot be."""
    try:
        recorded = recorded_decision(archive, head, grant_id)
        if recorded is None:
            return None
        decision = decide(recorded.facts, policies_at(archive, recorded.commit))
    except DaypassError as error:
        return of_decision(None, ("it cannot be made again here: " + error.message,))
    notes = differences(recorded, decision, today=False)
    if recorded.beside:
        notes.append(recorded.beside)
    return of_decision(decision, tuple(notes))


def _at(chapter: Chapter, event: RecordedEvent) -> Chapter:
    """The decision, in the place of the event that was recorded with it."""
    when = Instant.from_seconds(event.recorded_at)
    said = [
        (key, event.event.first(name))
        for key, name in (("recorded", "Daypass-Decision"), ("policies", "Daypass-Policy"))
    ]
    facts = (*chapter.facts, *((key, value) for key, value in said if value))
    return Chapter("decided", chapter.title, event.commit, when, True, facts, chapter.lines)


def _body(archive: Archive, event: RecordedEvent) -> str:
    """The body for people: what stands between the title and the trailers."""
    message = parse_commit(next(iter(archive.walk(event.commit))).raw).message
    text = message.decode("utf-8", "replace").rstrip("\n")
    _title_line, _blank, rest = text.partition("\n\n")
    return rest.rpartition("\n\n")[0]


def _record(archive: Archive, event: RecordedEvent) -> Grant | None:
    """The grant's record, as that event left it."""
    grant = event.event.grant
    if grant is None or event.event.kind not in (EventKind.ISSUED, EventKind.DELIVERED_AGAIN):
        return None
    entries = archive.entries(event.commit, grant_path(grant))
    if not entries:
        return None
    return read_grant(archive.blobs([entries[0].blob])[entries[0].blob])


def _title(chapters: Sequence[Chapter], grant_id: str) -> str:
    """Who, what and where, by the first event that says it."""
    for chapter in chapters:
        facts = dict(chapter.facts)
        if "subject" in facts and "resource" in facts:
            return f"{facts['subject']}: {facts.get('access', 'access')} on {facts['resource']}"
    return f"request {grant_id}"
