"""Instants and durations: strict, in UTC, and never "never".

A time that cannot be read is an error, not a default: access whose end is unreadable must not
become access without an end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, total_ordering
from typing import Final

NANOSECONDS: Final = 1_000_000_000
# Of `fromisoformat` each release of Python accepts more: an hour 24, offsets of 99 minutes.
_CLOCK: Final = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_INSTANT = re.compile(
    rf"([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T{_CLOCK}:[0-5][0-9])(?:\.([0-9]{{1,9}}))?"
    rf"(Z|[+-]{_CLOCK})"
)
_DURATION = re.compile(r"([1-9][0-9]{0,3})([mhd])")
# The end of the year 9999 in UTC: nothing later can be written down again as it was read.
_WHOLE: Final = len("2026-11-23T09:00:00")
_LAST_SECONDS: Final = 253_402_300_799
_UNIT_SECONDS: Final = {"m": 60, "h": 3600, "d": 86400}


@lru_cache(maxsize=1024)
def text_of_seconds(seconds: int) -> str:
    """Whole seconds since the epoch as an instant is written: `2026-11-23T09:00:00Z`.

    A batch writes the same few seconds again for each grant that counts in a decision.
    """
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:_WHOLE] + "Z"


@total_ordering
@dataclass(frozen=True, slots=True)
class Instant:
    """A point in time, in nanoseconds since 1970-01-01T00:00:00Z (Vault tells nanoseconds)."""

    nanoseconds: int

    @classmethod
    def parse(cls, text: str) -> Instant:
        """Read RFC 3339, for example `2026-11-23T09:00:00Z`; an offset is required.

        Raises:
            ValueError: the text is anything else, a date that does not exist, or one before 1970
                or after 9999 in UTC.
        """
        match = _INSTANT.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not an RFC 3339 time such as 2026-11-23T09:00:00Z")
        whole, fraction, zone = match.groups()
        moment = datetime.fromisoformat(whole + ("+00:00" if zone == "Z" else zone))
        seconds = int(moment.timestamp())
        if not 0 <= seconds <= _LAST_SECONDS:
            raise ValueError(f"{text!r} does not lie between 1970 and 9999, in UTC")
        return cls(seconds * NANOSECONDS + int((fraction or "").ljust(9, "0")))

    @classmethod
    def from_seconds(cls, seconds: float) -> Instant:
        """From seconds since the epoch, as `server_time_utc` and git tell them."""
        return cls(round(seconds * NANOSECONDS))

    @property
    def seconds(self) -> int:
        """Whole seconds since the epoch, rounded down, as git writes them."""
        return self.nanoseconds // NANOSECONDS

    def plus(self, seconds: float) -> Instant:
        """The instant that many seconds later (or earlier, if negative)."""
        return Instant(self.nanoseconds + round(seconds * NANOSECONDS))

    def since(self, earlier: Instant) -> float:
        """Seconds from `earlier` to this instant; negative if it comes first."""
        return (self.nanoseconds - earlier.nanoseconds) / NANOSECONDS

    def __lt__(self, other: Instant) -> bool:
        return self.nanoseconds < other.nanoseconds

    def __str__(self) -> str:
        text = text_of_seconds(self.seconds)
        milliseconds = self.nanoseconds % NANOSECONDS // 1_000_000
        return f"{text[:-1]}.{milliseconds:03d}Z" if milliseconds else text


@total_ordering
@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time in whole seconds; always more than zero."""

    seconds: int

    def __post_init__(self) -> None:
        if self.seconds <= 0:
            raise ValueError("a duration must be longer than zero")

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Read `90m`, `8h` or `30d`: `[1-9][0-9]{0,3}(m|h|d)`, one unit, nothing else.

        Raises:
            ValueError: the text is anything else.
        """
        match = _DURATION.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not a duration such as 30m, 8h or 5d")
        return cls(int(match[1]) * _UNIT_SECONDS[match[2]])

    def __lt__(self, other: Duration) -> bool:
        return self.seconds < other.seconds

    def __str__(self) -> str:
        for unit in ("d", "h", "m"):
            if self.seconds % _UNIT_SECONDS[unit] == 0:
                return f"{self.seconds // _UNIT_SECONDS[unit]}{unit}"
        return f"{self.seconds}s"
