"""Undecided note: since when each merged request waits for an answer that is missing.

The first run that meets it notes the time in Vault and refuses nothing; a later run refuses once
the answer has been missing for the grace of the settings. A note that is lost starts the time anew,
and so does a clear look. What nothing brought to main is kept until the evidence tells of it.
Nothing here grants: only a whole decision does.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from daypass.errors import DaypassError
from daypass.lifecycle import messages
from daypass.lifecycle.context import WORKERS
from daypass.lifecycle.notes import NoteKind
from daypass.lifecycle.timing import Late, untimely
from daypass.lifecycle.undecided import ALARMING, OUTAGE, UNDECIDED
from daypass.lifecycle.undecided_rows import (
    NEVER_TOLD,
    OPEN,
    TOLD,
    Noted,
    read_undecided,
    write_undecided,
)
from daypass.model.event import EventKind, Reason
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
UNDECIDED_KIND: Final = NoteKind(
    UNDECIDED_NOTE,
    read_undecided,
    "Since when merged requests wait for an answer starts anew",
)
_COMMENTS: Final = 25  # that one pass posts; the next one goes on with the rest
_OPEN_SECONDS: Final = 24 * 3600  # that an open one is remembered for, where nothing tells of it


@dataclass(slots=True)
class UndecidedRequests:
    """What one run cannot decide, and what the runs before it could not; all its passes share it.

    A failure to read or to write the note is one of the run's; then everything undecided waits.
    """

    registry: NoteBook
    forge: Forge
    outcome: Outcome
    grace: Duration
    open_numbers: Collection[int] | None = None  # of all emergencies that are open; None: not known
    _before: dict[str, Noted] | None = None  # as the note was; None: it was not read
    _met: dict[str, Noted] = field(default_factory=dict)  # by this run
    _found: dict[str, Undecided] = field(default_factory=dict)  # what these wait for
    _over: set[str] = field(default_factory=set)  # of these, what is refused now
    _gone: dict[str, Noted] = field(default_factory=dict)  # decided, withdrawn or closed
    _anew: set[str] = field(default_factory=set)  # of what is met, what was clear in this run

    def recall(self) -> None:
        """Read the note, once in a run."""
        if self._before is not None:
            return
        try:
            self._before = UNDECIDED_KIND.recall(self.registry) or {}
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
        name = f"{OPEN}{number}" if head else refusal.grant_id
        self.recall()
        earlier = (self._before or {}).get(name)
        look = Noted.of(now.seconds, head or refusal.blob, found.code, number)
        noted = self._note(name, look)
        due = noted.until(self.grace)
        found = replace(
            found,
            since=Instant.from_seconds(noted.since),
            until=Instant.from_seconds(due) if due is not None else None,
        )
        if earlier is not None and earlier.is_about(look):
            over = _lapsed(found, noted, now)
            if due is not None and due <= now.seconds and found.code in earlier.times:
                over = found.stayed(_span(noted, now))
            if over is not None:
                self._over.add(name)
                return over
        self._say(name, found, head=head)
        return found

    def _say(self, name: str, found: Undecided, *, head: str) -> None:
        refusal = found.refusal
        if name not in self._found:
            where = f"{name}: " if head else ""
            self.outcome.add(UNDECIDED, refusal.grant_id, where + found.line)
            if found.error is not None:
                self.outcome.fail(refusal.grant_id, found.error)
        self._found[name] = found
        if refusal.reason is Reason.UNPROVEN and found.code in ALARMING:
            # Until a person has looked: whoever pushed it can take it back before the next run.
            text = f"{refusal.grant_id} is not proven yet: {found.line}"
            self.outcome.alarm(not_proven_yet(refusal.grant_id), text, standing=False)

    def clear(self, name: str, *, proven: str = "") -> None:
        """That request was decided, or waits for its time: a doubt to come starts anew.

        Args:
            name: its id.
            proven: the blob of the file that a pull request turned out to have brought, if one did:
                then the alarm about it is over.
        """
        met, before = self._met.pop(name, None), (self._before or {}).pop(name, None)
        row = met or before
        if row is None:
            return
        self._gone[name] = row
        self._anew.add(name)
        if row.is_unproven and proven and proven.startswith(row.blob):
            self.outcome.settle(not_proven_yet(name))

    def unproven_gone(self, on_main: Collection[str]) -> Mapping[str, Noted]:
        """What nothing was known to have brought, and main holds no more, by grant id.

        Each is kept until it is cleared: the evidence is to tell of it first.
        """
        return {
            name: row
            for name, row in (self._before or {}).items()
            if row.is_unproven and name not in on_main and not name.startswith(OPEN)
        }

    def clear_open(self, number: int) -> None:
        """The same for the emergency in an open pull request."""
        self.recall()
        self.clear(f"{OPEN}{number}")

    def write(self, on_main: Collection[str], now: Instant) -> None:
        """Say on the pull requests what waits, and note it, where something changed.

        Args:
            on_main: ids of the requests that main holds; other rows are dropped.
            now: by Vault's clock.
        """
        if self._before is None:
            return
        kept = {*on_main, *self._met, *self.unproven_gone(on_main)}
        for name, row in list(self._before.items()):
            if name not in kept and not self._is_open(name, row, now):
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

    def _is_open(self, name: str, row: Noted, now: Instant) -> bool:
        if not name.startswith(OPEN):
            return False
        if self.open_numbers is None:
            return now.seconds - row.since < _OPEN_SECONDS
        return row.number in self.open_numbers

    def _note(self, name: str, row: Noted) -> Noted:
        known = self._met.get(name) or (self._before or {}).get(name)
        if known is not None and known.is_about(row):
            row = known.joined(row)
        self._met[name] = row
        self._gone.pop(name, None)
        return row

    def _merge(self, note: Mapping[str, Any] | None) -> dict[str, str]:
        """The note as it is to be, whatever another run wrote meanwhile."""
        rows = UNDECIDED_KIND.reread(note, self.registry) or {}
        for name in self._gone:
            rows.pop(name, None)
        for name, row in self._met.items():
            other = rows.get(name)
            is_same = other is not None and other.is_about(row) and name not in self._anew
            rows[name] = row.before(other) if is_same and other is not None else row
        return write_undecided(rows)

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
                self._met[name] = row._replace(told=NEVER_TOLD)
        waits = [
            name
            for name, row in self._met.items()
            if row.number and row.told != TOLD and name not in self._over
        ]
        for name in waits[:_COMMENTS]:
            wanted[name] = self._met[name], messages.undecided(self._found[name])
        with ThreadPoolExecutor(WORKERS) as pool:
            done = pool.map(lambda name: self._put(name, *wanted[name]), wanted)
            told = {name for name, put in zip(wanted, done, strict=True) if put}
        for name in told.intersection(waits):
            self._met[name] = self._met[name]._replace(told=TOLD)

    def _put(self, name: str, row: Noted, body: str) -> bool:
        marker = messages.undecided_marker(name.replace(OPEN, "open."))
        try:
            self.forge.put_comment(row.number, marker, body)
        except DaypassError as error:
            self.outcome.fail(name, error)
            return False
        return True


def not_proven_yet(grant_id: str) -> str:
    """The cause of the alarm about a file that nothing is known to have brought."""
    return f"not-proven-yet.{grant_id}"


def _span(noted: Noted, now: Instant) -> str:
    """From when to when no run could decide it, in words that are true of what was met."""
    own = Instant.from_seconds(noted.times.get(noted.code, noted.since))
    if len(noted.met) == 1 and own.seconds == noted.since:
        return f"this did not change from {own}, when a run first met it, until {now}"
    since = Instant.from_seconds(noted.since)
    return (
        f"from {since} until {now} no run could decide it: not the same was missing at each look; "
        f"a run first met this at {own}"
    )


def _lapsed(found: Undecided, noted: Noted, now: Instant) -> Refusal | None:
    """What GitHub did not answer about for so long that its time is over in any case."""
    if noted.code != OUTAGE or found.request is None:
        return None
    # It lay on main at the first look: it was merged then at the latest.
    since = Instant.from_seconds(noted.since)
    late = untimely(found.request, found.refusal.lane, since, now)
    if not isinstance(late, Late) or late.kind is not EventKind.LAPSED:
        return None
    why = (late.why, *found.missing)
    return replace(found.refusal, kind=late.kind, reason=late.reason, why=why)
