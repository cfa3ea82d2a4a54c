"""Holders: who could use what at one time, from main's commits, newest first, in one pass.

By Vault's time of ending, not by that of the commit that says so; what was not confirmed to be gone
counts as access. Judging a signature costs far more than reading a commit, so only those are judged
that the answer rests on: of a grant that was over by then, its end alone. What a commit claims
before it is judged can make it be passed over itself, and nothing else.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from daypass.ledger.history import read_event, read_events
from daypass.model.event import EventKind
from daypass.model.grant import Lane
from daypass.model.instant import Instant
from daypass.report.drafts import Draft, instant, moment_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from daypass.ledger.allowed_signers import Signers
    from daypass.ledger.commitobject import RawCommit
    from daypass.report.story import GrantStory

_ENDS: Final = frozenset({EventKind.EXPIRED, EventKind.REVOKED, EventKind.LAPSED})
# The first lines of an event's last paragraph, as `ledger.trailers` writes them.
_CLAIM: Final = re.compile(
    rb"\nDaypass-Event: (issued|expired|revoked|lapsed|revoke-failed)\n"
    rb"Daypass-Grant: ([a-z0-9-]{1,63})\n"
)
_NOT_BEFORE: Final = re.compile(rb"\nDaypass-Not-Before: (\S{20,40})\n")
_ENDED_AT: Final = re.compile(rb"\nDaypass-Ended-At: (\S{20,40})\n")


class Holders:
    """What one walk finds.

    Args:
        at: the time that is asked about.
        resource: only grants of this resource; None: of all.
        subject: only grants to this identity; None: to all.
    """

    def __init__(self, at: Instant, *, resource: str | None, subject: str | None) -> None:
        self.named = False  # whether any commit names what is asked for
        # Commits that say that they issued something of what is asked for, and do not count.
        self.doubted = 0
        self._at = at
        self._asked = tuple(
            (f"\nDaypass-{word}: ".encode(), f"\nDaypass-{word}: {name}\n".encode())
            for word, name in (("Resource", resource), ("Subject", subject))
            if name is not None
        )
        self._over: set[str] = set()  # grants of which a judged end lies no later than `at`
        self._later: dict[str, list[RawCommit]] = {}  # the other claims, for the grants that count

    def among(self, walk: Iterable[RawCommit], signers: Signers) -> Iterator[GrantStory]:
        """The grants that counted as access then, the one issued last first.

        Raises:
            EvidenceError: an allowed signer signed trailers that cannot be read.
        """
        for commit in walk:
            raw = commit.raw
            claim = _CLAIM.search(raw)
            if claim is None or self._is_of_others(raw):
                continue
            self.named = self.named or all(line in raw for _name, line in self._asked)
            grant = claim[2].decode()
            if grant in self._over:
                continue
            if claim[1] == b"issued":
                story = self._issued(commit, grant, signers)
                if story is not None:
                    yield story
            elif claim[1] == b"revoke-failed" or self._is_later(raw):
                self._later.setdefault(grant, []).append(commit)
            else:
                self._ended(commit, signers)

    def _issued(self, commit: RawCommit, grant: str, signers: Signers) -> GrantStory | None:
        begins = _claimed(_NOT_BEFORE, commit.raw)
        if begins is not None and self._at < begins:
            return None
        event = read_event(commit, signers)
        if event is None or event.event.kind is not EventKind.ISSUED:
            self.doubted += 1
            return None
        draft = Draft()
        for other in self._later.pop(grant, ()):
            later = read_event(other, signers)
            if later is not None and later.event.grant == event.event.grant:
                draft.later.append(later)
        story = draft.finish(event, None, None)
        return story if story.state_at(self._at).is_access else None

    def _is_of_others(self, raw: bytes) -> bool:
        """Whether it names another resource, or another subject, than the one asked for."""
        return any(line not in raw and name in raw for name, line in self._asked)

    def _is_later(self, raw: bytes) -> bool:
        ended_at = _claimed(_ENDED_AT, raw)
        return ended_at is not None and self._at < ended_at

    def _ended(self, commit: RawCommit, signers: Signers) -> None:
        event = read_event(commit, signers)
        if event is None or event.event.kind not in _ENDS or event.event.grant is None:
            return
        ended_at = instant(dict(event.event.trailers), "Daypass-Ended-At") or moment_of(event).at
        if ended_at <= self._at:
            self._over.add(event.event.grant)
        else:
            self._later.setdefault(event.event.grant, []).append(commit)


def told_until(walk: Iterable[RawCommit], signers: Signers, head_at: Instant) -> Instant:
    """The last instant that the evidence tells of.

    A person's commit may bear any time, and a commit has whole seconds, which Vault's times have
    not: what was issued within the second of the newest event is there at its end.
    """
    at = head_at
    newest: int | None = None
    for event in read_events(walk, signers):
        newest = event.recorded_at if newest is None else newest
        if event.recorded_at < newest:
            break
        begins = instant(dict(event.event.trailers), "Daypass-Not-Before")
        at = max(at, moment_of(event).at, begins or at)
    return at


def _claimed(pattern: re.Pattern[bytes], raw: bytes) -> Instant | None:
    match = pattern.search(raw)
    try:
        return Instant.parse(match[1].decode("ascii", "replace")) if match else None
    except ValueError:
        return None


_COLUMNS: Final = (
    *("SUBJECT", "RESOURCE", "ACCESS", "GRANT", "LANE"),
    *("FROM", "UNTIL", "ENDED", "STATE THEN", "ISSUED IN"),
)
_SHORT: Final = 12


def holders_table(stories: Sequence[GrantStory], at: Instant) -> Iterator[str]:
    """The lines of a table for people."""
    rows = [_COLUMNS, *(_row(story, at) for story in stories)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


def _row(story: GrantStory, at: Instant) -> tuple[str, ...]:
    return (
        *(story.subject, story.resource, story.access, story.id),
        story.lane or Lane.ROUTINE,
        str(story.not_before),
        str(story.not_after or "unreadable"),
        str(story.end.ended_at) if story.end else "-",
        str(story.state_at(at)),
        story.issued.commit[:_SHORT],
    )


def holder_json(story: GrantStory, at: Instant) -> dict[str, Any]:
    """One grant for programs. Times are RFC 3339; null is what the evidence does not say."""
    return {
        "grant": story.id,
        "subject": story.subject,
        "resource": story.resource,
        "access": story.access,
        "lane": story.lane or str(Lane.ROUTINE),
        "requestedBy": story.requested_by,
        "approvals": [
            {"accountId": item.account_id, "review": item.review, "at": str(item.at)}
            for item in story.approvals
        ],
        "notBefore": str(story.not_before),
        "notAfter": str(story.not_after) if story.not_after else None,
        "state": str(story.state_at(at)),
        "endedAt": str(story.end.ended_at) if story.end else None,
        "outcome": str(story.end.kind) if story.end else None,
        "issuedIn": story.issued.commit,
        "endedIn": story.end.moment.commit if story.end else None,
    }
