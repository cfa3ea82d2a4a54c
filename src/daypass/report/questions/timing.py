"""How long it takes: from request to approval, issue and end; and from revoke to confirmed."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

from daypass.model.event import Reason
from daypass.report.answer import Answer, Column, Shape, Standing, counted, percentile, span
from daypass.report.story import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from daypass.model.instant import Instant
    from daypass.report.ground import Ground
    from daypass.report.story import GrantStory

_STATISTICS: Final = (
    Column("measured", "Measured", Shape.COUNT),
    Column("notRecorded", "Not recorded", Shape.COUNT),
    Column("p50Seconds", "p50", Shape.SECONDS),
    Column("p95Seconds", "p95", Shape.SECONDS),
    Column("maxSeconds", "Max", Shape.SECONDS),
)
_ALL: Final = "(all)"


class Statistics(NamedTuple):
    """Of measured lengths of time, in seconds; None of none."""

    measured: int
    not_recorded: int
    p50: float | None
    p95: float | None
    most: float | None


def statistics(values: Iterable[float | None]) -> Statistics:
    """Nearest-rank percentiles: each is a length that was measured."""
    every = list(values)
    known = sorted(value for value in every if value is not None)
    return Statistics(
        len(known),
        len(every) - len(known),
        percentile(known, 0.5),
        percentile(known, 0.95),
        known[-1] if known else None,
    )


def _between(later: Instant | None, earlier: Instant | None) -> float | None:
    """Seconds; None when either is not known, or the clocks of the two disagree."""
    if later is None or earlier is None or later < earlier:
        return None
    return later.since(earlier)


def _merged(story: GrantStory) -> Instant | None:
    return story.merged.at if story.merged else None


def _ended(story: GrantStory) -> Instant | None:
    return story.end.ended_at if story.end else None


def merged_to_issued(story: GrantStory) -> float | None:
    """Seconds from the merge of its request to its issue; None if not known."""
    return _between(story.not_before, _merged(story))


_STEPS: Final[tuple[tuple[str, Callable[[GrantStory], float | None]], ...]] = (
    ("asked to approved", lambda story: _between(story.approved_at, story.asked_at)),
    ("approved to merged", lambda story: _between(_merged(story), story.approved_at)),
    ("merged to issued", merged_to_issued),
    ("asked to issued", lambda story: _between(story.not_before, story.asked_at)),
    ("issued to ended", lambda story: _between(_ended(story), story.not_before)),
)


def durations(ground: Ground) -> Answer:
    """Each step's p50, p95 and maximum, over all and by resource."""
    by_resource: dict[str, list[GrantStory]] = defaultdict(list)
    for story in ground.grants:
        by_resource[story.resource].append(story)
    groups = [(_ALL, list(ground.grants)), *sorted(by_resource.items())]
    rows = []
    for step, measure in _STEPS:
        for resource, stories in groups if len(by_resource) > 1 else groups[:1]:
            # A grant that lives has not ended: that is no gap in the record.
            counts = (
                [story for story in stories if story.end] if step == "issued to ended" else stories
            )
            rows.append((step, resource, *statistics(measure(story) for story in counts)))
    merged = statistics(merged_to_issued(story) for story in ground.grants)
    lived = statistics(
        _between(_ended(story), story.not_before) for story in ground.grants if story.end
    )
    summary = (
        f"Half are issued within {span(merged.p50)} of the merge, 95% within {span(merged.p95)}; "
        f"half live no longer than {span(lived.p50)}."
        if ground.grants
        else "No grant in this window."
    )
    return Answer(
        name="durations",
        title="From request to end",
        question="How long from request to approval, to issue, to end?",
        standing=Standing.NOTED if ground.grants else Standing.NONE,
        summary=summary,
        columns=(
            Column("step", "Step", Shape.TEXT),
            Column("resource", "Resource", Shape.NAME),
            *_STATISTICS,
        ),
        rows=tuple(rows) if ground.grants else (),
        note="“Asked” is the author's time of the commit that was approved, by the requester's own "
        "clock, and is known only where pull requests are merged with a merge commit. “Approved” "
        "is GitHub's time of the last approval that counted, “merged” git's, “issued” and “ended” "
        "Vault's.",
    )


# A person's commit is what made it due, and the story names it.
_WITHDRAWN: Final = (Reason.REQUEST_DELETED, Reason.REQUEST_CHANGED, Reason.REQUEST_PUT_BACK)


def trigger_time(story: GrantStory) -> Instant | None:
    """When it became due that this grant ends; None where the evidence does not say."""
    reason = story.end.reason if story.end else None
    if reason == Reason.TIME:
        return story.not_after
    known = []
    if reason in _WITHDRAWN and story.withdrawn is not None:
        known.append(story.withdrawn.at)
    if story.end_asked_at is not None:
        known.append(story.end_asked_at)
    if story.failures:
        known.append(story.failures[0].moment.at)
    return min(known, default=None)


def endings(ground: Ground) -> Answer:
    """From the moment that an end was due to the commit that confirms it, by trigger."""
    by_trigger: dict[str, list[GrantStory]] = defaultdict(list)
    for story in ground.grants:
        if story.end is not None:
            by_trigger[story.end.reason or "not recorded"].append(story)
    rows = []
    for trigger, stories in sorted(by_trigger.items()):
        found = statistics(confirmed_after(story) for story in stories)
        failed = sum(bool(story.failures) for story in stories)
        rows.append((trigger, len(stories), *found, failed))
    total = statistics(
        confirmed_after(story) for stories in by_trigger.values() for story in stories
    )
    at = ground.window.at
    unconfirmed = sum(story.state_at(at) in (State.OVER, State.FAILED) for story in ground.live)
    ended = sum(map(len, by_trigger.values()))
    summary = (
        f"{counted(ended, 'end')} confirmed: p50 {span(total.p50)}, p95 {span(total.p95)}, "
        f"max {span(total.most)}."
        if ended
        else "No grant ended in this window."
    )
    if unconfirmed:
        summary += f" {counted(unconfirmed, 'end')} not confirmed yet."
    return Answer(
        name="endings",
        title="From revoke to confirmed",
        question="How long from revoke to confirmed, by trigger?",
        standing=Standing.ATTENTION if unconfirmed else Standing.NOTED if ended else Standing.NONE,
        summary=summary,
        columns=(
            Column("trigger", "Trigger", Shape.NAME),
            Column("ends", "Ends", Shape.COUNT),
            *_STATISTICS,
            Column("failedFirst", "Failed at first", Shape.COUNT),
        ),
        rows=tuple(rows),
        note="Counted from when the end was due to the signed commit that confirms it: from the "
        "not-after for `time`, from the merge for a request that was taken back, from Vault's time "
        "at which somebody said `done`, `revoke` or `halt`, else from the first try that failed. "
        "Ends that the policies or a look at Vault brought are found and carried out in one run: "
        "since when they were due is not recorded. At the not-after itself Vault ends access, "
        "whenever that is confirmed.",
    )


def confirmed_after(story: GrantStory) -> float | None:
    """Seconds from when its end was due to the commit that confirms it; None if not known."""
    return _between(story.end.moment.at if story.end else None, trigger_time(story))
