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
    from collections.abc import Iterator

    from daypass.model.instant import Instant
    from daypass.report.ground import Ground
    from daypass.report.story import GrantStory

LEFT: Final = 190  # room for the names of resources
WIDTH: Final = 1200
TOP: Final = 20  # under the labels of the time axis
COLUMN: Final = 14  # units: the width of a column, in which grants are counted
FLOOR: Final = TOP + 58  # what the columns stand on
TALLEST: Final = 44
_ROW: Final = 9
_BAR: Final = 7
_PADDING: Final = 8
_MOST_ROWS: Final = 10
_MOST_BANDS: Final = 60
_LEAST: Final = 2  # units: a bar that is shorter could not be seen
_TICKS: Final = 8
_MONTHS: Final = 12
_DAY: Final = 86400
_MONTHLY_FROM: Final = 90 * _DAY
_STEPS: Final = tuple(
    step * unit
    for unit, steps in ((60, (1, 5, 15, 30)), (3600, (1, 2, 3, 6, 12)), (_DAY, (1, 2, 7, 14)))
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
class Pillar:
    """How many grants began within one column: routine (and unknown) ones, and emergencies."""

    x: int
    routine: int
    emergency: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """The whole picture, in units."""

    width: int
    height: int
    left: int
    bands: tuple[Band, ...]
    ticks: tuple[Tick, ...]
    omitted: int  # resources that have no band
    pillars: tuple[Pillar, ...]
    most: int  # grants of the tallest pillar
    column_seconds: int  # the length of time that a pillar counts

    def tall(self, number: int) -> int:
        """The height of that many grants; a single one can be seen."""
        return -(-number * TALLEST // max(self.most, 1))


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
    y = FLOOR + 6
    for resource in sorted(chosen):
        band = _band(resource, y, by_resource[resource], scale, ground)
        bands.append(band)
        y += band.height
    pillars = _pillars(bands)
    return Timeline(
        width=WIDTH,
        height=y + 4,
        left=LEFT,
        bands=tuple(bands),
        ticks=scale.ticks(),
        omitted=len(by_resource) - len(chosen),
        pillars=pillars,
        most=max(pillar.routine + pillar.emergency for pillar in pillars),
        column_seconds=scale.seconds(COLUMN),
    )


def _pillars(bands: list[Band]) -> tuple[Pillar, ...]:
    """The bars of all bands, counted by the column in which each begins."""
    counts: dict[int, list[int]] = {}
    for band in bands:
        for bar in band.bars:
            counts.setdefault((bar.x - LEFT) // COLUMN, [0, 0])[bar.kind == "b"] += 1
    return tuple(Pillar(LEFT + at * COLUMN, *found) for at, found in sorted(counts.items()))


class _Scale:
    def __init__(self, start: int, end: int) -> None:
        self._start, self._span, self._end = start, end - start, end

    def x(self, when: Instant) -> int:
        inside = min(max(when.seconds - self._start, 0), self._span)
        return LEFT + round(inside * (WIDTH - LEFT - 4) / self._span)

    def seconds(self, units: int) -> int:
        """The length of time that so many units stand for."""
        return round(units * self._span / (WIDTH - LEFT - 4))

    def ticks(self) -> tuple[Tick, ...]:
        marks = []
        for at, label in self._months() if self._span > _MONTHLY_FROM else self._steps():
            x = LEFT + round((at - self._start) * (WIDTH - LEFT - 4) / self._span)
            if x <= WIDTH - 60:  # the label has to fit
                marks.append(Tick(x, label))
        return tuple(marks)

    def _steps(self) -> Iterator[tuple[int, str]]:
        step = next((item for item in _STEPS if self._span / item <= _TICKS), _STEPS[-1])
        for at in range(-(-self._start // step) * step, self._end + 1, step):
            when = datetime.fromtimestamp(at, UTC)
            yield at, f"{when.day} {when:%b}" if step >= _DAY else f"{when.day} {when:%b %H:%M}"

    def _months(self) -> Iterator[tuple[int, str]]:
        """The first days of months, as many as there is room for."""
        begin = datetime.fromtimestamp(self._start, UTC)
        months = self._span // (30 * _DAY) + 1
        every = next((item for item in (1, 2, 3, 6) if months / item <= _MONTHS), 12)
        number = begin.year * 12 + begin.month  # of the month after the first one, from 0
        number += -number % every
        while True:
            year, month = divmod(number, 12)
            at = datetime(year, month + 1, 1, tzinfo=UTC)
            if at.timestamp() > self._end:
                return
            yield int(at.timestamp()), at.strftime("%b %Y")
            number += every


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
