"""Limits that make sense when access is issued: hours of the day, freezes, how many, how much."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from daypass.model.instant import Instant
from daypass.model.policy import DAYS
from daypass.policy.facts import Status
from daypass.policy.match import counts_past_grant
from daypass.policy.verdict import Verdict, failed, passed, unknown, words

if TYPE_CHECKING:
    from daypass.model.policy import AccessPolicy, Freeze, RollingWindow, Times
    from daypass.policy.facts import PastGrantFacts
    from daypass.policy.input import DecisionInput
    from daypass.policy.zone import ZoneReader


def within_times(times: Times, facts: DecisionInput, zones: ZoneReader) -> Verdict:
    """Whether now is within the hours and days at which access may be issued."""
    offset = zones.offset(times.time_zone)
    if offset is None:
        return unknown(zones.missing[times.time_zone], (times.time_zone,))
    seconds = Instant.parse(facts.now).seconds + offset
    local = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    minute, today = local.hour * 60 + local.minute, DAYS[local.weekday()]
    yesterday = DAYS[(local.weekday() - 1) % 7]
    if times.start < times.end:
        inside = today in times.days and times.start <= minute < times.end
    else:
        # Over midnight: the part before it belongs to today, the part after it to yesterday.
        late = today in times.days and minute >= times.start
        inside = late or (yesterday in times.days and minute < times.end)
    span = f"{_clock(times.start)}-{_clock(times.end)} on {', '.join(times.days)}"
    here = f"it is {today} {_clock(minute)} in {times.time_zone}"
    return (passed if inside else failed)(f"issued {span} only; {here}")


def outside_freezes(freezes: tuple[Freeze, ...], facts: DecisionInput) -> Verdict:
    """Whether no change freeze is on."""
    now = Instant.parse(facts.now)
    for freeze in freezes:
        if freeze.start <= now < freeze.end:
            return failed(f"frozen until {freeze.end}: {freeze.reason}")
    return passed("no change freeze is on")


def below_concurrent(limit: int, policy: AccessPolicy, facts: DecisionInput) -> Verdict:
    """Whether one more live grant is allowed. The grant that this one continues is not counted."""
    if facts.history.status != Status.KNOWN:
        return unknown("which grants are live is not known here")
    live = [
        grant
        for grant in facts.history.grants
        if grant.live and counts_past_grant(policy, grant) and not _continues(facts, grant)
    ]
    names = ", ".join(grant.id for grant in live)
    text = f"at most {limit} at once; {len(live)} live{f' ({names})' if names else ''}"
    return passed(text) if len(live) < limit else failed(f"{text}: end one with `daypass done ID`")


def left_in_window(window: RollingWindow, policy: AccessPolicy, facts: DecisionInput) -> int | None:
    """Seconds of access left in the rolling window, never below 0; None when not known.

    All of a grant counts that reaches into the window, what is still to come of it included.
    """
    if facts.history.status != Status.KNOWN:
        return None
    since = Instant.parse(facts.now).plus(-window.per.seconds)
    used = sum(
        _seconds_after(since, grant)
        for grant in facts.history.grants
        if counts_past_grant(policy, grant)
    )
    return max(0, window.seconds - used)


def window_verdict(window: RollingWindow, policy: AccessPolicy, facts: DecisionInput) -> Verdict:
    """Whether anything is left in the rolling window."""
    left = left_in_window(window, policy, facts)
    rule = f"at most {words(window.seconds)} in any {window.per}"
    if left is None:
        return unknown(f"{rule}; how much was used is not known here")
    if left == 0:
        return failed(f"{rule}, and all of it is used")
    return passed(f"{rule}; {words(left)} left")


def _seconds_after(since: Instant, grant: PastGrantFacts) -> int:
    start = max(since, Instant.parse(grant.not_before))
    return max(0, -int(-Instant.parse(grant.not_after).since(start) // 1))


def _continues(facts: DecisionInput, grant: PastGrantFacts) -> bool:
    request = facts.request
    return (
        grant.id == request.renews
        and grant.resource == request.resource
        and grant.access == request.access
    )


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"
