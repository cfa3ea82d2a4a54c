"""Drafts: one grant's events, taken newest first, put together to a story at its beginning."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from daypass.model.event import EventKind
from daypass.model.instant import Instant
from daypass.report.story import Counted, End, Failure, GrantStory, Moment, Review

if TYPE_CHECKING:
    from daypass.model.event import RecordedEvent
    from daypass.report.story import RecordFacts

_APPROVER: Final = re.compile(r"([0-9]{1,18}) ([0-9]{1,18}) ([0-9a-f]{40}) (\S+)")
_REQUESTER: Final = re.compile(r"(\S+) ([0-9]{1,18})")
Said = Mapping[str, str]  # the trailers of one event; of a repeated one, the last
_ENDS: Final = frozenset({EventKind.EXPIRED, EventKind.REVOKED, EventKind.LAPSED})


class Draft:
    """The events of one grant so far. They are few; the trailers are read when it is finished."""

    __slots__ = ("later", "withdrawn_by")

    def __init__(self) -> None:
        self.later: list[RecordedEvent] = []  # newest first, the beginning left out
        self.withdrawn_by: Moment | None = None

    def finish(
        self,
        issued: RecordedEvent,
        asked_at: Instant | None,
        record: RecordFacts | None,
    ) -> GrantStory:
        """The story of the grant that this event issued; when its request was merged is older."""
        said = dict(issued.event.trailers)
        names = dict(record.names) if record else {}
        requester, requester_id = requester_of(said)
        moments: dict[EventKind, list[Moment]] = {}
        for item in reversed(self.later):
            moments.setdefault(item.event.kind, []).append(moment_of(item))
        began = moment_of(issued)
        return GrantStory(
            id=issued.event.grant or "",
            subject=text(said, "Daypass-Subject") or "",
            requester=requester,
            requester_id=requester_id,
            resource=text(said, "Daypass-Resource") or "",
            access=text(said, "Daypass-Access") or "",
            pull_request=pull_request_of(said),
            asked_at=asked_at,
            merged=None,
            approvals=approvals_of(issued, names),
            issued=began,
            not_before=instant(said, "Daypass-Not-Before") or began.at,
            not_after=instant(said, "Daypass-Not-After"),
            policy_digest=text(said, "Daypass-Policy"),
            decision_digest=decision_of(said)[1],
            accessor=self._accessor() or text(said, "Daypass-Accessor"),
            lane=_lane(said, record),
            record=record,
            end_asked_at=self._end_asked_at(),
            withdrawn=self.withdrawn_by,
            deliveries=tuple(moments.get(EventKind.DELIVERED_AGAIN, ())),
            sessions=tuple(moments.get(EventKind.SESSION, ())),
            failures=self._failures(),
            end=self._end(),
            reviews=self._reviews(),
            overdue=tuple(moments.get(EventKind.REVIEW_OVERDUE, ())),
            gaps=tuple(moments.get(EventKind.EVIDENCE_GAP, ())),
            effect=decision_of(said)[0],
            exceptions=issued.event.values("Daypass-Exception"),
        )

    def _accessor(self) -> str | None:
        """Of the token that was minted last, after the first one."""
        again = (item for item in self.later if item.event.kind is EventKind.DELIVERED_AGAIN)
        found = next(again, None)
        return found.event.first("Daypass-Accessor") if found is not None else None

    def _end_asked_at(self) -> Instant | None:
        times = (instant(dict(item.event.trailers), "Daypass-Asked-At") for item in self.later)
        return min((at for at in times if at is not None), default=None)

    def _failures(self) -> tuple[Failure, ...]:
        return tuple(
            Failure(item.event.first("Daypass-Reason") or "", moment_of(item))
            for item in reversed(self.later)
            if item.event.kind is EventKind.REVOKE_FAILED
        )

    def _reviews(self) -> tuple[Review, ...]:
        return tuple(
            _review(item) for item in reversed(self.later) if item.event.kind is EventKind.REVIEWED
        )

    def _end(self) -> End | None:
        found = next((item for item in self.later if item.event.kind in _ENDS), None)
        if found is None:
            return None
        moment = moment_of(found)
        said = dict(found.event.trailers)
        return End(
            found.event.kind,
            text(said, "Daypass-Reason") or "",
            # An end whose time cannot be read was at the latest when it was written down.
            instant(said, "Daypass-Ended-At") or moment.at,
            moment,
        )


def _lane(said: Said, record: RecordFacts | None) -> str | None:
    """The lane: evidence names the emergency lane only."""
    named = text(said, "Daypass-Lane")
    return named or (str(record.lane) if record else None)


def _review(recorded: RecordedEvent) -> Review:
    moment = moment_of(recorded)
    said = approvals_of(recorded, {})
    return (
        Review(said[0].account_id, said[0].at, moment) if said else Review(None, moment.at, moment)
    )


def moment_of(recorded: RecordedEvent) -> Moment:
    """The commit of an event, and its time."""
    return Moment(recorded.commit, Instant.from_seconds(recorded.recorded_at))


def text(said: Said, name: str) -> str | None:
    """The first value of a trailer; equal ones share their memory."""
    value = said.get(name)
    return sys.intern(value) if value is not None else None


def instant(said: Said, name: str) -> Instant | None:
    """A trailer's time; None if it is not there or cannot be read."""
    value = said.get(name)
    try:
        return Instant.parse(value) if value is not None else None
    except ValueError:
        return None


def requester_of(said: Said) -> tuple[str | None, int | None]:
    """Identity and account of the requester, as far as the trailer says."""
    match = _REQUESTER.fullmatch(said.get("Daypass-Requester") or "")
    if match is None:
        return None, None
    return (None if match[1] == "-" else sys.intern(match[1])), int(match[2])


def request_commit_of(said: Said) -> str | None:
    """The commit that brought the request to main."""
    commit = (said.get("Daypass-Request") or "").partition(" ")[0]
    return None if commit in ("", "-") else commit


def decision_of(said: Said) -> tuple[str | None, str | None]:
    """Effect and digest of the decision."""
    effect, _space, digest = (said.get("Daypass-Decision") or "").partition(" ")
    return (sys.intern(effect) or None), (digest or None)


def pull_request_of(said: Said) -> int | None:
    """The number of the pull request."""
    value = said.get("Daypass-Pull-Request") or ""
    return int(value) if value.isascii() and value.isdigit() else None


def approvals_of(recorded: RecordedEvent, names: dict[int, str]) -> tuple[Counted, ...]:
    """The approvals that counted; one that cannot be read does not count."""
    found = []
    for value in recorded.event.values("Daypass-Approver"):
        match = _APPROVER.fullmatch(value)
        if match is None:
            continue
        try:
            at = Instant.parse(match[4])
        except ValueError:
            continue
        account = int(match[1])
        found.append(Counted(account, names.get(account), int(match[2]), match[3], at))
    return tuple(found)
