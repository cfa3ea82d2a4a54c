"""What a control is: what is asked, where it stands in the frameworks, and how it is looked for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from daypass.documents.wording import first_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from daypass.report.ground import Ground


class Verdict(StrEnum):
    """What this repository shows. Never "holds" for what nothing here could contradict."""

    HOLDS = "holds"  # something happened that would have shown a failure, and did not
    UNUSED = "not exercised"  # it is in place, and nothing in the window put it to the test
    FAILS = "does not hold"
    UNKNOWN = "not assessable"  # what shows it lies outside this repository


class Finding(NamedTuple):
    """A verdict, and what it rests on: counts, names, rules."""

    verdict: Verdict
    shown: str


@dataclass(frozen=True, slots=True)
class Control:
    """One line of the table of requirements."""

    id: str
    statement: str  # given → then
    frameworks: tuple[str, ...]
    look: Callable[[Ground], Finding]


def holds(shown: str) -> Finding:
    """It was put to the test and held."""
    return Finding(Verdict.HOLDS, shown)


def unused(shown: str) -> Finding:
    """It is in place, and was not put to the test."""
    return Finding(Verdict.UNUSED, shown)


def fails(shown: str) -> Finding:
    """Something here contradicts it."""
    return Finding(Verdict.FAILS, shown)


def unknown(shown: str) -> Finding:
    """Nothing here can show it."""
    return Finding(Verdict.UNKNOWN, shown)


def some(names: list[str]) -> str:
    """The first few of many names."""
    return first_of(names, 5)
