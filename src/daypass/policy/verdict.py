"""Verdicts: what one check says, before it is a policy's or a built-in rule's outcome."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from daypass.model.decision import Effect


class Verdict(NamedTuple):
    """An effect, and a sentence: what was asked, what was found, what would satisfy it."""

    effect: Effect
    message: str
    zones: tuple[str, ...] = ()  # time zones for want of which alone it is not known


def passed(message: str) -> Verdict:
    """It holds."""
    return Verdict(Effect.PERMIT, message)


def failed(message: str) -> Verdict:
    """It does not hold."""
    return Verdict(Effect.DENY, message)


def unknown(message: str, zones: tuple[str, ...] = ()) -> Verdict:
    """What it needs is not known, which is enforced as a denial."""
    return Verdict(Effect.INDETERMINATE, message, zones)


@lru_cache(maxsize=256)  # of any run the same few lengths, of which every decision tells some
def words(seconds: int) -> str:
    """A length of time for people: `2h`, `1h 30m`, `45s`."""
    parts = []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2]) or "0s"
