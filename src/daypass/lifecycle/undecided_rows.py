"""Undecided rows: what the note about waiting requests holds, as it is kept in Vault. Pure.

Vault keeps what anybody who may write the note wrote there: a row that cannot be one is dropped,
and its time starts anew.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from daypass.lifecycle.undecided import ALARMING, OUTAGE
from daypass.model.names import is_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daypass.model.instant import Duration

REQUESTS: Final = "requests"  # one string: OpenBao limits how many JSON may hold
OPEN: Final = "#"  # of a pull request that is open: it is on main under no id
# In the note: 4,000 rows are less than 600 KB, and OpenBao takes 1 MiB. What has no room waits.
_MOST: Final = 4000
_BLOB: Final = 12  # characters of a blob's id that tell one file from another
_CODES: Final = 12  # that a row tells of
_IN_TOTAL: Final = 4  # graces that a request may be undecided for, whatever takes turns
_LATEST: Final = 2**33  # seconds since the epoch: the year 2242
_GREATEST: Final = 2**31  # number of a pull request
_FEWEST, _PARTS = 4, 6  # of a row; the last one is left out where it says nothing new
_OPEN_NAME: Final = re.compile(r"#[1-9][0-9]{0,9}")
_CODE: Final = re.compile(r"[a-z][a-z-]{0,31}")
_HEX: Final = re.compile(r"[0-9a-f]{0,12}")

NEVER_TOLD: Final = 0  # on the pull request
TOLD: Final = 1  # its comment says what the row says
OUTDATED: Final = 2  # its comment says something that is missing no longer


class Noted(NamedTuple):
    """One row of the note."""

    since: int  # seconds since the epoch, by Vault's clock: of the first look at it
    blob: str  # of the file, or the head of an open pull request: another one starts anew
    code: str  # of what was missing at the last look
    number: int  # of the pull request; 0: none is known
    told: int = NEVER_TOLD
    met: tuple[tuple[str, int], ...] = ()  # code → when it was met first; no clear look since

    @classmethod
    def of(cls, since: int, blob: str, code: str, number: int) -> Noted:
        """A first look."""
        return cls(since, blob[:_BLOB], code, number, met=((code, since),))

    @property
    def times(self) -> dict[str, int]:
        """When each code was met first, in seconds since the epoch."""
        return dict(self.met)

    @property
    def is_unproven(self) -> bool:
        """Whether nothing was known to have brought it, at one look at least."""
        return not ALARMING.isdisjoint(self.times)

    def is_about(self, row: Noted) -> bool:
        """Whether a later look at a file is one at the same.

        What nothing brought stays the same whatever is pushed over it: that restarts no time.
        """
        return self.blob == row.blob or (self.is_unproven and row.code in ALARMING)

    def joined(self, row: Noted) -> Noted:
        """This row with a later look. A time to come is none; an outage starts the times anew."""
        at, times = row.since, self.times
        if row.code == OUTAGE:
            kept = {OUTAGE: times.get(OUTAGE, at)}
            times = kept | dict.fromkeys(ALARMING & times.keys(), at)
        else:
            times.pop(OUTAGE, None)
        times = {code: min(time, at) for code, time in times.items()}
        if len(times) < _CODES:
            times.setdefault(row.code, at)
        told = self.told if self.code == row.code or self.told == NEVER_TOLD else OUTDATED
        return row._replace(since=min(self.since, at), told=told, met=tuple(sorted(times.items())))

    def before(self, other: Noted) -> Noted:
        """This row, with the earlier times of another run's row about the same."""
        times = other.times
        met = tuple((code, min(time, times.get(code, time))) for code, time in self.met)
        return self._replace(since=min(self.since, other.since), met=met)

    def until(self, grace: Duration) -> int | None:
        """When a look at the same refuses it, in seconds since the epoch; None: none does."""
        own = self.times.get(self.code)
        if own is None or self.code == OUTAGE:
            return None
        return min(own + grace.seconds, self.begun + _IN_TOTAL * grace.seconds)

    @property
    def begun(self) -> int:
        """When it was met first, of what is not over; outages aside."""
        return min((time for code, time in self.met if code != OUTAGE), default=self.since)

    def written(self) -> list[Any]:
        """As the note holds it."""
        row: list[Any] = [*self[:5]]
        if self.met != ((self.code, self.since),):
            row.append({code: time - self.since for code, time in self.met})
        return row


def read_undecided(note: Mapping[str, Any]) -> dict[str, Noted]:
    """The rows of the note by grant id, or by `#` and the number of an open pull request.

    A row that cannot be read is as good as lost: its time starts anew. Raises TypeError,
    ValueError, RecursionError where the note has no rows.
    """
    rows = json.loads(note.get(REQUESTS, "{}"))
    if not isinstance(rows, dict):
        raise TypeError("not an object of rows")
    found = {name: _row(row) for name, row in rows.items() if _is_row_name(name)}
    return {name: row for name, row in found.items() if row is not None}


def write_undecided(rows: Mapping[str, Noted]) -> dict[str, str]:
    """The note with these rows, or the oldest of them."""
    kept = sorted(rows.items(), key=lambda item: (item[1].since, item[0]))[:_MOST]
    whole = {name: row.written() for name, row in kept}
    return {REQUESTS: json.dumps(whole, separators=(",", ":"))}


def _is_row_name(name: str) -> bool:
    return is_name(name) or _OPEN_NAME.fullmatch(name) is not None


def _row(row: Any) -> Noted | None:
    if not isinstance(row, list) or not _FEWEST <= len(row) <= _PARTS:
        return None
    since, blob, code, number, told = (*row, NEVER_TOLD)[:5]
    if not (_is_number(since, _LATEST) and _is_text(blob, _HEX) and _is_text(code, _CODE)):
        return None
    if not (_is_number(number, _GREATEST) and _is_number(told, OUTDATED)):
        return None
    met = _met(row[5], since) if len(row) == _PARTS else ((code, since),)
    return Noted(since, blob, code, number, told, met) if met is not None else None


def _met(value: Any, since: int) -> tuple[tuple[str, int], ...] | None:
    if not isinstance(value, dict) or not 0 < len(value) <= _CODES:
        return None
    if not all(_is_text(code, _CODE) and _is_number(at, _LATEST) for code, at in value.items()):
        return None
    return tuple(sorted((code, since + at) for code, at in value.items()))


def _is_number(value: Any, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most


def _is_text(value: Any, pattern: re.Pattern[str]) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None
