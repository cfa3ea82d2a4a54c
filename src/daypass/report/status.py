"""Who holds what, until when, and who will: rows for people and for programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from daypass.model.grant import GrantState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from daypass.model.grant import Grant, Lane
    from daypass.model.instant import Instant
    from daypass.model.obligation import Obligation
    from daypass.model.request import AccessRequest

_HEADINGS: Final = ("GRANT", "SUBJECT", "RESOURCE", "ACCESS", "SINCE", "UNTIL", "LEFT", "STATE")
_DAY, _HOUR, _MINUTE = 86400, 3600, 60
_OVER: Final = "time is up, waiting for the next run"


@dataclass(frozen=True, slots=True)
class Holding:
    """One live grant, seen at one moment. `now` is this machine's: it is shown, it decides nothing.

    Vault ends a grant at its time; its record is there until the next run has written that down.
    """

    grant: Grant
    now: Instant

    @property
    def failed(self) -> bool:
        """Whether ending it has failed: it may still open a door, whatever its time says."""
        return self.grant.state is GrantState.REVOKE_FAILED

    @property
    def left(self) -> float:
        """Seconds until its end; negative once that is past."""
        return self.grant.not_after.since(self.now)

    @property
    def state(self) -> str:
        """A word for programs: active | over | revoke-failed."""
        if self.failed:
            return str(GrantState.REVOKE_FAILED)
        return str(GrantState.ACTIVE) if self.left > 0 else "over"

    @property
    def state_text(self) -> str:
        """The state in words for people."""
        if self.failed:
            since = f" since {self.grant.state_since}" if self.grant.state_since else ""
            return f"revoke-failed: it may still work{since} ({self.grant.state_reason})"
        lane = f" ({self.grant.lane_word})" if self.grant.lane_word else ""
        return (self.state if self.left > 0 else _OVER) + lane

    def to_json(self) -> dict[str, Any]:
        """For programs. Times in RFC 3339, `leftSeconds` negative once its time is up."""
        grant = self.grant
        return {
            "grant": grant.id,
            "subject": grant.subject,
            "resource": grant.resource,
            "access": grant.access,
            "lane": grant.lane_word or str(grant.lane),
            "notBefore": str(grant.not_before),
            "notAfter": str(grant.not_after),
            "leftSeconds": int(self.left),
            "state": self.state,
            "reason": grant.state_reason,
            "renews": grant.renews,
            "exceptions": list(grant.exceptions),
            "pullRequest": grant.pull_request,
        }

    def cells(self) -> tuple[str, ...]:
        """For the table."""
        grant = self.grant
        return (
            grant.id,
            grant.subject,
            grant.resource,
            grant.access,
            minute(grant.not_before),
            minute(grant.not_after),
            time_left(self.left),
            self.state_text,
        )


def holdings(grants: Iterable[Grant], now: Instant) -> tuple[Holding, ...]:
    """Those whose revocation failed first, then the one that ends soonest."""
    rows = (Holding(grant, now) for grant in grants)
    return tuple(sorted(rows, key=lambda row: (not row.failed, row.grant.not_after, row.grant.id)))


def doubt_clock(rows: Iterable[Holding], now: Instant) -> str | None:
    """Return what to say of a machine's clock by which these rows may be wrong; None for nothing.

    A grant was issued at Vault's own time, so a clock before that is behind. One that is ahead
    shows nothing but grants whose time seems to be up.
    """
    rows = list(rows)
    issued = max((row.grant.not_before for row in rows), default=now)
    if issued.since(now) > _MINUTE:
        return (
            f"this machine's clock ({minute(now)}) is behind Vault's, by which a grant was issued "
            f"at {minute(issued)}: LEFT and STATE are wrong, UNTIL holds"
        )
    if any(row.left <= 0 for row in rows):
        return (
            f"LEFT and STATE are by this machine's clock ({minute(now)}); Vault ends each grant by "
            "its own"
        )
    return None


def render_table(rows: Sequence[Holding], alarm: Callable[[str], str]) -> str:
    """The table; `alarm` styles a line of a grant that could not be ended."""
    if not rows:
        return "nobody holds anything"
    table = [_HEADINGS, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(_HEADINGS))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in table
    ]
    shown = (alarm(line) if row.failed else line for row, line in zip(rows, lines[1:], strict=True))
    return "\n".join([lines[0], *shown])


@dataclass(frozen=True, slots=True)
class Awaited:
    """A request on main that is not granted yet: scheduled for later, or waiting for a run."""

    request: AccessRequest
    lane: Lane
    now: Instant

    @property
    def state(self) -> str:
        """A word for programs: scheduled | waiting."""
        begins = self.request.not_before
        return "scheduled" if begins is not None and self.now < begins else "waiting"

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        asked = self.request
        return {
            "grant": asked.id,
            "subject": asked.subject,
            "resource": asked.resource,
            "access": asked.access,
            "lane": str(self.lane),
            "notBefore": str(asked.not_before) if asked.not_before else None,
            "duration": str(asked.duration),
            "state": self.state,
        }

    @property
    def line(self) -> str:
        """For people."""
        asked = self.request
        what = f"{asked.id}: {asked.subject}, {asked.access} on {asked.resource}, {asked.duration}"
        if self.state == "scheduled" and asked.not_before is not None:
            return f"scheduled for {minute(asked.not_before)}  {what}"
        return f"waiting for the next run  {what}"


def awaited(requests: Iterable[tuple[AccessRequest, Lane]], now: Instant) -> tuple[Awaited, ...]:
    """Those that wait for a run first, then the one that begins first."""
    rows = (Awaited(request, lane, now) for request, lane in requests)
    return tuple(
        sorted(rows, key=lambda row: (row.state != "waiting", row.request.not_before or now))
    )


def owed_json(owed: Obligation, now: Instant) -> dict[str, Any]:
    """A review that is owed, for programs: nothing is held any more, or nothing by this row."""
    return {
        "grant": owed.grant_id,
        "subject": owed.subject,
        "resource": owed.resource,
        "access": owed.access,
        "lane": owed.lane_word,
        "state": "review-overdue" if owed.is_overdue(now) else "review-due",
        "due": str(owed.due),
        "incident": owed.incident,
        "pullRequest": owed.pull_request,
    }


def render_owed(
    owed: Iterable[Obligation], now: Instant, alarm: Callable[[str], str]
) -> Iterator[str]:
    """One line for each review that is owed, the one that is due first before the others."""
    for item in sorted(owed, key=lambda item: (item.due, item.grant_id)):
        what = f"{item.grant_id}: {item.subject}, {item.access} on {item.resource}"
        where = f"{item.incident}, pull request #{item.pull_request}"
        if item.is_overdue(now):
            yield alarm(
                f"review overdue since {minute(item.due)}  {what} ({where}): "
                f"{item.subject} receives nothing until it is given"
            )
        else:
            yield f"review due until {minute(item.due)}  {what} ({where})"


def time_left(seconds: float) -> str:
    """`2d 3h`, `1h 05m`, `12m`, `45s`, or `-` when nothing is left."""
    whole = int(seconds)
    if seconds <= 0:
        return "-"
    if whole >= _DAY:
        return f"{whole // _DAY}d {whole % _DAY // _HOUR}h"
    if whole >= _HOUR:
        return f"{whole // _HOUR}h {whole % _HOUR // _MINUTE:02d}m"
    return f"{whole // _MINUTE}m" if whole >= _MINUTE else f"{whole}s"


def minute(instant: Instant) -> str:
    """`2026-11-22 10:15Z`: seconds are in the JSON."""
    return f"{str(instant)[:16].replace('T', ' ')}Z"
