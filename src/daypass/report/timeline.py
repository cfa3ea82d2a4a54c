"""The picture of grants: time from left to right, a band a resource, a bar a grant. Pure geometry.

Bars of one resource that overlap are stacked, up to a limit; beyond it they lie over each other.
Coordinates are whole units of the picture, so that the same head gives the same bytes.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from daypass.model.instant import Instant
    from daypass.report.ground import Ground
    from daypass.report.story import GrantStory

LEFT: Final = 190  # room for the names of resources
WIDTH: Final = 1200
TOP: Final = 26
_ROW: Final = 9
_BAR: Final = 7
_PADDING: Final = 8
_MOST_ROWS: Final = 10
_MOST_BANDS: Final = 60
_LEAST: Final = 2  # units: a bar that is shorter could not be seen
_TICKS: Final = 8
_STEPS: Final = tuple(
    step * unit
    for unit, steps in (
        (60, (1, 5, 15, 30)),
        (3600, (1, 2, 3, 6, 12)),
        (86400, (1, 2, 7, 14, 30, 60, 90, 180, 365, 730, 1825)),
    )
    for step in steps
)


@dataclass(frozen=True, slots=True)
class Bar:
    """One grant. `kind`: r routine, b break-glass, u unknown lane; `live`: access at the end."""

    number: int  # of the grant's row in the table, from 0; the newest is the first
    x: int
    y: int
    width: int
    kind: str
    live: bool


@dataclass(frozen=True, slots=True)
class Band:
    """One resource."""

    resource: str
    y: int
    height: int
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark of the time axis."""

    x: int
    label: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """The whole picture, in units."""

    width: int
    height: int
    left: int
    bands: tuple[Band, ...]
    ticks: tuple[Tick, ...]
    omitted: int  # resources that have no band


def draw(ground: Ground) -> Timeline | None:
    """The picture of all grants in the window; None when there is none."""
    stories = ground.grants
    if not stories:
        return None
    end = max(ground.window.until, ground.window.at)
    start = min(story.not_before for story in stories)
    if ground.window.since is not None:
        start = max(start, ground.window.since)
    scale = _Scale(start.seconds, max(end.seconds, start.seconds + 1))
    by_resource: dict[str, list[tuple[int, GrantStory]]] = defaultdict(list)
    for number, story in enumerate(stories, start=1):
        by_resource[story.resource].append((len(stories) - number, story))
    # The busiest first where there is no room for all, then by name.
    chosen = sorted(by_resource, key=lambda name: (-len(by_resource[name]), name))[:_MOST_BANDS]
    bands = []
    y = TOP
    for resource in sorted(chosen):
        band = _band(resource, y, by_resource[resource], scale, ground)
        bands.append(band)
        y += band.height
    return Timeline(WIDTH, y + 4, LEFT, tuple(bands), scale.ticks(), len(by_resource) - len(chosen))


class _Scale:
    def __init__(self, start: int, end: int) -> None:
        self._start, self._span, self._end = start, end - start, end

    def x(self, when: Instant) -> int:
        inside = min(max(when.seconds - self._start, 0), self._span)
        return LEFT + round(inside * (WIDTH - LEFT - 4) / self._span)

    def ticks(self) -> tuple[Tick, ...]:
        step = next((item for item in _STEPS if self._span / item <= _TICKS), _STEPS[-1])
        first = -(-self._start // step) * step
        form = "%Y-%m-%d" if step >= _STEPS[9] else "%m-%d %H:%M"
        marks = []
        for at in range(first, self._end + 1, step):
            x = LEFT + round((at - self._start) * (WIDTH - LEFT - 4) / self._span)
            if x <= WIDTH - 60:  # the label has to fit
                marks.append(Tick(x, datetime.fromtimestamp(at, UTC).strftime(form)))
        return tuple(marks)


def _band(
    resource: str, y: int, stories: list[tuple[int, GrantStory]], scale: _Scale, ground: Ground
) -> Band:
    """Stack what overlaps: each bar in the first row that is free."""
    free = list(range(_MOST_ROWS))  # rows without a bar; a heap
    busy: list[tuple[int, int]] = []  # (free again from, row); a heap
    bars = []
    deepest = 0
    for number, story in stories:
        x = scale.x(story.not_before)
        until = scale.x(story.last_known(ground.window.at))
        width = max(until - x, _LEAST)
        while busy and busy[0][0] <= x:
            heapq.heappush(free, heapq.heappop(busy)[1])
        if free:
            row = heapq.heappop(free)
            heapq.heappush(busy, (x + width, row))
        else:
            row = number % _MOST_ROWS
        deepest = max(deepest, row)
        kind = "b" if story.is_emergency else "r" if story.lane else "u"
        live = story.state_at(ground.window.at).is_access
        bars.append(Bar(number, x, y + _PADDING // 2 + row * _ROW, width, kind, live))
    height = max((deepest + 1) * _ROW + _PADDING, 20)
    return Band(resource, y, height, tuple(bars))


BAR_HEIGHT: Final = _BAR
