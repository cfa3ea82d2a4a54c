"""Answers: one shape for every question, so that every format says the same."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from daypass.model.instant import Instant

if TYPE_CHECKING:
    from collections.abc import Iterable

# None: the evidence does not say. It is shown as such, and never as zero or "ok".
Cell = str | int | float | Instant | tuple[str, ...] | None


NOT_RECORDED: Final = "\u2013"  # an en dash: what is shown to people for None
# Of a line of JSON Lines itself.
RESERVED: Final = frozenset({"type", "question"})


class Shape(StrEnum):
    """What a column holds, so that formats can align, sort and shorten it."""

    NAME = "name"  # an identity, a resource, an id
    TEXT = "text"
    INSTANT = "instant"
    SECONDS = "seconds"
    COUNT = "count"
    COMMIT = "commit"
    DIGEST = "digest"
    STATE = "state"


class Standing(StrEnum):
    """What an answer means to an auditor at first glance."""

    NONE = "none"  # asked, and there is nothing
    NOTED = "noted"  # something is there, as it should be
    ATTENTION = "attention"  # something is there that somebody should look at
    UNKNOWN = "not-assessable"  # what is here cannot answer it


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its key for programs, its title for people."""

    key: str
    title: str
    shape: Shape = Shape.TEXT
    detail: bool = False  # left out where people read, and there is no room for all


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one question: a sentence, a table, and how it is known."""

    name: str
    title: str
    question: str
    standing: Standing
    summary: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""

    def __post_init__(self) -> None:
        keys = [column.key for column in self.columns]
        if len(set(keys)) < len(keys) or not RESERVED.isdisjoint(keys):
            raise ValueError(f"{self.name}: a column's key is there twice, or reserved")
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"{self.name}: a row of {len(row)} cells")


def counted(number: int, one: str, many: str | None = None) -> str:
    """`1 grant`, `2 grants`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def joined(words: Iterable[str]) -> str:
    """Words as people list them; a dash for none."""
    return ", ".join(words) or "-"


def span(seconds: float | None) -> str:
    """A length of time in two units at most: `2d 3h`, `1h 05m`, `45s`; seconds below a minute."""
    if seconds is None:
        return "not recorded"
    whole = round(seconds)
    if whole < 60:  # noqa: PLR2004  -- a minute
        return f"{whole}s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if not hours:
        return f"{minutes}m {whole % 60:02d}s"
    return f"{days}d {hours % 24:02d}h" if days else f"{hours}h {minutes % 60:02d}m"


def percentile(values: list[float], share: float) -> float | None:
    """The nearest-rank percentile of sorted values: one that was measured; None of nothing."""
    if not values:
        return None
    rank = -(-len(values) * share // 1)  # rounded up
    return values[max(int(rank), 1) - 1]
