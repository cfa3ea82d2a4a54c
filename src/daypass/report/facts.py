"""Facts: main's commits, read once and newest first, as stories. Pure: it is handed what it reads.

What is kept grows with the grants, not with the commits: of a commit that is no event, only those
are remembered that an event names.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from daypass.ledger.commitobject import parse_commit
from daypass.ledger.compose import safe_text
from daypass.model.event import EventKind
from daypass.model.instant import Instant
from daypass.report.drafts import (
    Draft,
    approvals_of,
    decision_of,
    instant,
    moment_of,
    pull_request_of,
    request_commit_of,
    requester_of,
    text,
)
from daypass.report.story import Authored, Evidence, Moment, Note, Oddity, Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daypass.ledger.commitobject import ParsedCommit, RawCommit
    from daypass.model.event import RecordedEvent
    from daypass.report.story import GrantStory, RecordFacts

_WORDS: Final = 4  # of an approver's trailer: account, review, commit, time
_REFUSALS: Final = frozenset({EventKind.DENIED, EventKind.REJECTED, EventKind.WITHDRAWN})
_OF_GRANT: Final = frozenset(
    {
        EventKind.DELIVERED_AGAIN,
        EventKind.EXPIRED,
        EventKind.LAPSED,
        EventKind.REVOKED,
        EventKind.REVOKE_FAILED,
        EventKind.SESSION,
        EventKind.REVIEWED,
        EventKind.REVIEW_OVERDUE,
        EventKind.EVIDENCE_GAP,
    }
)


class FactsBuilder:
    """Takes main's commits from its head back, each once, and tells what they say together.

    Args:
        requests: non-event commits that changed or removed the request of a grant: id → commits.
        foundation: commits that changed what decisions rest on, and the paths that they changed.
        side_times: the author's times of commits beside main, seconds since the epoch.
        records: what the record says that each issuing commit brought.
    """

    def __init__(
        self,
        *,
        requests: Mapping[str, tuple[str, ...]],
        foundation: Mapping[str, tuple[str, ...]],
        side_times: Mapping[str, int],
        records: Mapping[str, RecordFacts],
    ) -> None:
        self._foundation_paths = foundation
        self._side_times = side_times
        self._records = records
        self._requests: dict[str, list[str]] = {}
        for grant, commits in requests.items():
            for commit in commits:
                self._requests.setdefault(commit, []).append(grant)
        self._drafts: dict[str, Draft] = {}
        self._stories: list[tuple[GrantStory, str | None]] = []  # and its request's commit
        self._wanted: dict[str, Moment | None] = {}  # request commits that an event names
        self._refusals: list[Refusal] = []
        self._notes: list[Note] = []
        self._foundation: list[Authored] = []
        self._oddities: list[Oddity] = []
        self._head: Moment | None = None
        self._oldest: RawCommit | None = None
        self._commits = 0
        self._events = 0

    def take(self, commit: RawCommit, event: RecordedEvent | None) -> None:
        """The next commit, and the event that it records."""
        self._commits += 1
        sha = commit.sha
        self._oldest = commit
        if event is not None:
            self._take_event(event)
        paths = self._foundation_paths.get(sha)
        if self._head is None or paths is not None or sha in self._wanted or sha in self._requests:
            parsed = parse_commit(commit.raw)
            moment = _moment(sha, parsed)
            self._head = self._head or moment
            self._note_commit(moment, parsed, paths, by_bot=event is not None)

    def odd(self, commit: RawCommit, what: str) -> None:
        """A signed commit whose event cannot be read."""
        self._oddities.append(Oddity(_moment(commit.sha, parse_commit(commit.raw)), what))

    def finish(self) -> Evidence:
        """The whole, once every commit was taken."""
        if self._head is None or self._oldest is None:
            raise ValueError("no commit was taken")
        # Its merge is older than its issue, so it was not known when the story was told.
        grants = [
            replace(story, merged=self._wanted.get(request)) if request else story
            for story, request in self._stories
        ]
        for grant, draft in self._drafts.items():
            self._refuse_unissued(grant, draft)
        return Evidence(
            head=self._head.commit,
            head_at=self._head.at,
            first_at=_moment(self._oldest.sha, parse_commit(self._oldest.raw)).at,
            commits=self._commits,
            events=self._events,
            grants=tuple(sorted(grants, key=lambda item: (item.not_before, item.id))),
            refusals=tuple(sorted(self._refusals, key=lambda item: (item.moment.at, item.id))),
            notes=tuple(reversed(self._notes)),
            foundation=tuple(reversed(self._foundation)),
            oddities=tuple(reversed(self._oddities)),
        )

    def _take_event(self, recorded: RecordedEvent) -> None:
        self._events += 1
        kind, grant = recorded.event.kind, recorded.event.grant
        if kind is EventKind.ISSUED and grant is not None:
            self._take_issued(recorded, grant)
        elif kind in _REFUSALS:
            self._refusals.append(_refusal(recorded))
        elif kind in _OF_GRANT and grant is not None:
            self._drafts.setdefault(grant, Draft()).later.append(recorded)
        else:
            self._notes.append(_note(recorded))

    def _take_issued(self, recorded: RecordedEvent, grant: str) -> None:
        draft = self._drafts.pop(grant, None) or Draft()
        said = dict(recorded.event.trailers)
        reviewed = (recorded.event.first("Daypass-Approver") or "").split(" ")
        seconds = self._side_times.get(reviewed[2]) if len(reviewed) == _WORDS else None
        asked_at = Instant.from_seconds(seconds) if seconds is not None else None
        request = request_commit_of(said)
        if request is not None:
            self._wanted.setdefault(request, None)
        # Told at once, so that no event is kept: what a walk holds grows with what it tells.
        record = self._records.get(recorded.commit)
        self._stories.append((draft.finish(recorded, asked_at, record), request))
        if instant(said, "Daypass-Not-After") is None:
            self._oddities.append(
                Oddity(
                    moment_of(recorded),
                    f"the end of {grant} cannot be read: it counts as access without an end",
                )
            )

    def _note_commit(
        self,
        moment: Moment,
        parsed: ParsedCommit,
        paths: tuple[str, ...] | None,
        *,
        by_bot: bool,
    ) -> None:
        if moment.commit in self._wanted:
            self._wanted[moment.commit] = moment
        if paths is not None:
            # Both can be any bytes: no format, and no terminal, is to be steered by them.
            shown = tuple(map(safe_text, paths))
            self._foundation.append(Authored(moment, safe_text(_author(parsed)), shown, by_bot))
        if by_bot:
            return
        for grant in self._requests.get(moment.commit, ()):
            draft = self._drafts.setdefault(grant, Draft())
            # The first one after its issue counts, and the walk goes back: the last one taken.
            draft.withdrawn_by = moment

    def _refuse_unissued(self, grant: str, draft: Draft) -> None:
        """What was never issued: a request that lapsed, or events whose beginning is missing."""
        for recorded in draft.later:
            if recorded.event.kind is EventKind.LAPSED:
                self._refusals.append(_refusal(recorded))
            else:
                what = f"{recorded.event.kind} of {grant}, which no event issued"
                self._oddities.append(Oddity(moment_of(recorded), what))


def _moment(sha: str, parsed: ParsedCommit) -> Moment:
    return Moment(sha, Instant.from_seconds(parsed.committed_at or 0))


def _author(parsed: ParsedCommit) -> str:
    line = next((value for key, value in parsed.headers if key == b"author"), b"")
    return line.partition(b"> ")[0].decode("utf-8", "replace") + ">" if line else "nobody"


def _refusal(recorded: RecordedEvent) -> Refusal:
    said = dict(recorded.event.trailers)
    effect, digest = decision_of(said)
    return Refusal(
        id=recorded.event.grant or "",
        kind=recorded.event.kind,
        reason=text(said, "Daypass-Reason"),
        subject=text(said, "Daypass-Subject"),
        resource=text(said, "Daypass-Resource"),
        access=text(said, "Daypass-Access"),
        requester=requester_of(said)[0],
        pull_request=pull_request_of(said),
        effect=effect,
        decision_digest=digest,
        policy_digest=text(said, "Daypass-Policy"),
        moment=moment_of(recorded),
    )


def _note(recorded: RecordedEvent) -> Note:
    said = dict(recorded.event.trailers)
    return Note(
        kind=recorded.event.kind,
        reason=text(said, "Daypass-Reason"),
        subject=text(said, "Daypass-Subject"),
        policy_digest=text(said, "Daypass-Policy"),
        policy_before=text(said, "Daypass-Policy-Before"),
        accessor=text(said, "Daypass-Accessor"),
        grant=recorded.event.grant,
        requester=requester_of(said)[0],
        approvers=tuple(item.account_id for item in approvals_of(recorded, {})),
        change=text(said, "Daypass-Change"),
        moment=moment_of(recorded),
    )
