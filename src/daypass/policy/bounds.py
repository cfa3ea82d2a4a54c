"""Bounds: the least of all durations, and what it came from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from daypass.model.grant import Lane
from daypass.model.instant import Instant
from daypass.model.resource import EMERGENCY_CAP
from daypass.policy.calendar import left_in_window
from daypass.policy.excepting import least_time
from daypass.policy.facts import Stage
from daypass.policy.verdict import words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from daypass.model.policy import AccessPolicy
    from daypass.policy.facts import ExceptionFacts
    from daypass.policy.input import DecisionInput

BREAK_GLASS_SECONDS: Final = EMERGENCY_CAP.seconds


class Bound(NamedTuple):
    """A length in seconds from now, and what it came from, for people."""

    seconds: int
    source: str


def least(
    facts: DecisionInput,
    policies: Sequence[AccessPolicy],
    exceptions: Sequence[ExceptionFacts] = (),
) -> Bound:
    """The least of all bounds, from now; the first of equal ones. May be 0 or negative.

    For a live grant a length counts from when it was issued. `exceptions`: what it rests on.
    """
    return min(_bounds(facts, policies, exceptions), key=lambda bound: bound.seconds)


def _bounds(
    facts: DecisionInput, policies: Sequence[AccessPolicy], exceptions: Sequence[ExceptionFacts]
) -> Iterator[Bound]:
    now = Instant.parse(facts.now)
    issued = Instant.parse(facts.request.issued_at) if facts.request.issued_at else now
    elapsed = -int(-now.since(issued) // 1)  # rounded up: never a second too many
    for length, source in _lengths(facts, policies):
        yield Bound(length - elapsed, source)
    for item in exceptions:
        yield Bound(*least_time(item, facts))
    subject = facts.subject
    if subject is not None and subject.contract_end is not None:
        left = int(Instant.parse(subject.contract_end).since(now) // 1)
        yield Bound(left, f"the contract of {subject.name}, until {subject.contract_end}")
    if facts.stage is not Stage.ISSUE:
        return
    for policy in policies:
        window = policy.limits.window
        if window is not None:
            rule = f"{words(window.seconds)} in any {window.per}"
            left_over = left_in_window(window, policy, facts)
            # Not known: the window's own outcome is indeterminate, and nothing is permitted.
            yield Bound(left_over or 0, f"policy {policy.name}: {rule}")


def _lengths(facts: DecisionInput, policies: Sequence[AccessPolicy]) -> Iterator[Bound]:
    request, resource = facts.request, facts.resource
    yield Bound(request.duration_seconds, f"the request ({words(request.duration_seconds)})")
    if resource is not None:
        most = resource.max_duration_seconds
        yield Bound(most, f"resource {resource.name} (at most {words(most)})")
        if resource.level is not None:
            longest = resource.level.longest_seconds
            yield Bound(longest, f"the longest tier of {resource.level.name} ({words(longest)})")
    if request.lane == Lane.BREAK_GLASS:
        yield Bound(BREAK_GLASS_SECONDS, f"break-glass (at most {words(BREAK_GLASS_SECONDS)})")
    for policy in policies:
        if policy.limits.max_duration is not None:
            most = policy.limits.max_duration.seconds
            yield Bound(most, f"policy {policy.name} (at most {words(most)})")
