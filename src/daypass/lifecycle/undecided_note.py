"""Undecided note: since when each merged request waits for an answer that is missing.

The first run that meets it notes the time in Vault and refuses nothing; a later run refuses once
the answer has been missing for the grace of the settings. A note that is lost starts the time anew.
Nothing here grants: only a whole decision does.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from daypass.errors import DaypassError
from daypass.lifecycle import messages
from daypass.lifecycle.context import WORKERS
from daypass.lifecycle.undecided import UNDECIDED
from daypass.model.event import Reason
from daypass.model.instant import Instant

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import Any

    from daypass.lifecycle.happening import Refusal
    from daypass.lifecycle.notes import NoteBook
    from daypass.lifecycle.outcome import Outcome
    from daypass.lifecycle.ports import Forge
    from daypass.lifecycle.undecided import Undecided
    from daypass.model.instant import Duration

UNDECIDED_NOTE: Final = "undecided"
_REQUESTS: Final = "requests"  # one string: OpenBao limits how many JSON may hold
# In the note: 4,000 rows are less than 600 KB, and OpenBao takes 1 MiB. What has no room waits.
_MOST: Final = 4000
_COMMENTS: Final = 25  # that one pass posts; the next one goes on with the rest
_BLOB: Final = 12  # characters of a blob's id that tell one file from another
_OPEN: Final = "#"  # of a pull request that is open: it is on main under no id
_OPEN_SECONDS: Final = 24 * 3600
# Without these nothing came by a pull request, as far as is known: people are told at once.
_ALARMING: Final = frozenset({"no-pull-request", "other-bytes"})


class Noted(NamedTuple):
    """One row of the note."""

    since: int  # seconds since the epoch, by Vault's clock
    blob: str  # of the file, or the head of an open pull request: another one starts anew
    code: str
    number: int  # of the pull request; 0: none is known
    told: int = 0  # 1: the pull request says so

    def until(self, grace: Duration) -> Instant:
        """When the grace is over."""
        return Instant.from_seconds(self.since + grace.seconds)


def read_undecided(note: Mapping[str, Any] | None) -> dict[str, Noted]:
    """The rows of the note by grant id, or by `#` and the number of an open pull request.

    What cannot be read is as good as lost: the time starts anew.
    """
    try:
        rows = json.loads((note or {}).get(_REQUESTS, "{}"))
        return {str(name): Noted(int(row[0]), *row[1:]) for name, row in rows.items()}
    except (ValueError, TypeError, AttributeError, LookupError):
        return {}


@dataclass(slots=True)
class UndecidedRequests:
    """What one run cannot decide, and what the runs before it could not; all its passes share it.

    A failure to read or to write the note is one of the run's; then everything undecided waits.
    """

    registry: NoteBook
    forge: Forge
    outcome: Outcome
    grace: Duration
    _before: dict[str, Noted] | None = None  # as the note was; None: it was not read
    _met: dict[str, Noted] = field(default_factory=dict)  # by this run
    _found: dict[str, Undecided] = field(default_factory=dict)  # what these wait for
    _over: set[str] = field(default_factory=set)  # of these, what is refused now
    _gone: dict[str, Noted] = field(default_factory=dict)  # decided, withdrawn or closed

    def recall(self) -> None:
        """Read the note, once in a run."""
        if self._before is not None:
            return
        try:
            self._before = read_undecided(self.registry.read_note(UNDECIDED_NOTE))
        except DaypassError as error:
            self.outcome.fail(UNDECIDED_NOTE, error)

    @property
    def is_read(self) -> bool:
        """Whether this run has read the note."""
        return self._before is not None

    @property
    def names(self) -> Collection[str]:
        """What waited when this run began, or has come to wait since."""
        return {*(self._before or ()), *self._met}

    def settle(self, found: Undecided, now: Instant, *, head: str = "") -> Refusal | Undecided:
        """The refusal if an earlier run noted it and the grace is over; otherwise since when.

        Args:
            found: what this run met.
            now: by Vault's clock.
            head: of the pull request, while it is open: then `found` is noted by its number.
        """
        refusal = found.refusal
        number = refusal.pull_request or 0
        name = f"{_OPEN}{number}" if head else refusal.grant_id
        self.recall()
        noted = self._note(
            name, Noted(now.seconds, (head or refusal.blob)[:_BLOB], found.code, number)
        )
        found = replace(
            found, since=Instant.from_seconds(noted.since), until=noted.until(self.grace)
        )
        earlier = (self._before or {}).get(name)
        if earlier is not None and earlier.blob == noted.blob and noted.until(self.grace) <= now:
            self._over.add(name)
            return found.stayed(now)
        if name not in self._found:
            where = f"{name}: " if head else ""
            self.outcome.add(UNDECIDED, refusal.grant_id, where + found.line)
        self._found[name] = found
        if found.refusal.reason is Reason.UNPROVEN and found.code in _ALARMING:
            text = f"{refusal.grant_id} is not proven yet: {found.line}"
            self.outcome.alarm(f"not-proven-yet.{refusal.grant_id}", text)
        return found

    def clear(self, name: str) -> None:
        """That request was decided, or waits for its time: a doubt to come starts anew."""
        met, before = self._met.pop(name, None), (self._before or {}).pop(name, None)
        row = met or before
        if row is not None:
            self._gone[name] = row

    def clear_open(self, number: int) -> None:
        """The same for the emergency in an open pull request."""
        self.recall()
        self.clear(f"{_OPEN}{number}")

    def write(self, on_main: Collection[str], now: Instant) -> None:
        """Say on the pull requests what waits, and note it, where something changed.

        Args:
            on_main: ids of the requests that main holds; other rows are dropped.
            now: by Vault's clock.
        """
        if self._before is None:
            return
        for name, row in list(self._before.items()):
            is_open = name.startswith(_OPEN) and now.seconds - row.since < _OPEN_SECONDS
            if not is_open and name not in on_main and name not in self._met:
                self.clear(name)
        self._tell()
        if not self._gone and all(self._before.get(name) == row for name, row in self._met.items()):
            return
        try:
            self.registry.update_note(UNDECIDED_NOTE, self._merge)
        except DaypassError as error:
            self.outcome.fail(UNDECIDED_NOTE, error)
            return
        self._gone = {}

    def _note(self, name: str, row: Noted) -> Noted:
        known = self._met.get(name) or (self._before or {}).get(name)
        if known is not None and known.blob == row.blob:
            # Another answer that is missing does not start the time anew: two that take turns
            # would wait for ever. A time to come is none.
            told = known.told if known.code == row.code else 0
            row = row._replace(since=min(known.since, row.since), told=told)
        self._met[name] = row
        self._gone.pop(name, None)
        return row

    def _merge(self, note: Mapping[str, Any] | None) -> dict[str, str]:
        """The note as it is to be, whatever another run wrote meanwhile."""
        rows = read_undecided(note)
        for name in self._gone:
            rows.pop(name, None)
        for name, row in self._met.items():
            other = rows.get(name)
            same = other is not None and other.blob == row.blob
            rows[name] = row._replace(since=min(row.since, other.since)) if same and other else row
        kept = sorted(rows.items(), key=lambda item: (item[1].since, item[0]))[:_MOST]
        return {_REQUESTS: json.dumps(dict(kept), separators=(",", ":"))}

    def _tell(self) -> None:
        """Say on pull requests what waits, and where something waited, that it does no more."""
        wanted: dict[str, tuple[Noted, str]] = {
            name: (row, messages.no_longer_undecided())
            for name, row in self._gone.items()
            if row.told
        }
        for name in self._over:
            row = self._met[name]
            if row.told:
                wanted[name] = row, messages.stayed_undecided()
                self._met[name] = row._replace(told=0)
        waits = [
            name
            for name, row in self._met.items()
            if row.number and not row.told and name not in self._over
        ]
        for name in waits[:_COMMENTS]:
            wanted[name] = self._met[name], messages.undecided(self._found[name])
        with ThreadPoolExecutor(WORKERS) as pool:
            done = pool.map(lambda name: self._put(name, *wanted[name]), wanted)
            told = {name for name, put in zip(wanted, done, strict=True) if put}
        for name in told.intersection(waits):
            self._met[name] = self._met[name]._replace(told=1)

    def _put(self, name: str, row: Noted, body: str) -> bool:
        marker = messages.undecided_marker(name.replace(_OPEN, "open."))
        try:
            self.forge.put_comment(row.number, marker, body)
        except DaypassError as error:
            self.outcome.fail(name, error)
            return False
        return True
