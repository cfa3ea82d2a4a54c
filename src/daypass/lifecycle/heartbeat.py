"""Heartbeat: what each run leaves in Vault, so that somebody outside can see when none comes.

A schedule that GitHub drops leaves no trace of its own; only the age of the last good run shows it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Final

from daypass.errors import DaypassError
from daypass.ledger.usable import StillUsable, still_usable
from daypass.lifecycle.notes import NoteKind, rows_in, text_in, texts_in
from daypass.lifecycle.restored import FLOOD_CAUSE, MAIN_CAUSE, VAULT_CAUSE
from daypass.model.instant import Instant

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from daypass.lifecycle.context import Ports
    from daypass.lifecycle.outcome import Outcome

HEARTBEAT_NOTE: Final = "heartbeat"
# Causes, to the first dot, of which a monitor hears at once, not when the last good run is old:
# nothing is granted until somebody acts, or access may outlive its end.
AT_ONCE: Final = frozenset(
    {
        *(MAIN_CAUSE, VAULT_CAUSE, FLOOD_CAUSE, "evidence-key", "frozen"),
        *("revoke-failed", "overdue-leases", "sessions"),
        *("log-ins-without-a-grant", "strange-log-ins", "evidence-gone"),
    }
)
_TOLD: Final = 20  # alarms whose text is kept


def is_told_at_once(cause: str) -> bool:
    """Whether a monitor hears of that cause at once."""
    return cause.partition(".")[0] in AT_ONCE


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """When the last run was, and the last one that left nothing to do and nothing to look at."""

    at: Instant
    good_at: Instant | None
    head: str
    looks: tuple[str, ...] = ()  # what the last run left to look at: causes, and failed ids
    died: str = ""  # what ended the last run early
    said: Mapping[str, str] = field(default_factory=dict)  # told at once: cause → its alarm

    @classmethod
    def from_note(cls, note: Mapping[str, Any]) -> Heartbeat:
        """What a run has left. Raises KeyError, TypeError, ValueError, RecursionError."""
        good = note.get("goodAt")
        return cls(
            Instant.parse(note["at"]),
            Instant.parse(good) if good is not None else None,
            text_in(note, "head"),
            tuple(text_in(note, "looks", "").split()),
            text_in(note, "died", ""),
            texts_in(json.loads(text_in(note, "said", "{}"))),
        )


def leave_heartbeat(ports: Ports, outcome: Outcome) -> None:
    """Note this run, and keep the time of the last good one if this was none."""
    at = ports.issuer.now()
    now = str(at)
    good = not outcome.failures and not outcome.causes
    failed = dict.fromkeys(f"failed.{grant_id}" for grant_id, _ in outcome.failures)
    before = HEARTBEAT.recall(ports.registry) or {}
    usable = _usable(ports, outcome, before, at)
    ports.registry.write_note(
        HEARTBEAT_NOTE,
        {
            "at": now,
            "goodAt": now if good else before.get("goodAt"),
            "head": outcome.head,
            "run": ports.run.id,
            # One text: ids and codes, of which none holds a space.
            "looks": " ".join((*outcome.causes, *failed)),
            "said": json.dumps(dict(_alarms_at_once(outcome))),
            "mayLogIn": json.dumps([item.to_json() for item in usable]),
        },
    )


def _alarms_at_once(outcome: Outcome) -> Iterator[tuple[str, str]]:
    """The first few alarms of which a monitor hears at once: cause, and text."""
    found = (
        (cause, alarm.text) for cause, alarm in outcome.causes.items() if is_told_at_once(cause)
    )
    return islice(found, _TOLD)


def _named_usable(note: Mapping[str, Any]) -> tuple[StillUsable, ...]:
    rows = rows_in(json.loads(text_in(note, "mayLogIn", "[]")))
    return tuple(StillUsable.from_json(texts_in(row)) for row in rows)


def _whole(note: Mapping[str, Any]) -> Mapping[str, Any]:
    """The note itself, if all of it can be read."""
    Heartbeat.from_note(note)
    _named_usable(note)
    return note


HEARTBEAT: Final = NoteKind(HEARTBEAT_NOTE, _whole, "When the last good run was is not known")


def usable_of(note: Mapping[str, Any] | None, now: Instant) -> tuple[StillUsable, ...]:
    """What a heartbeat names that a restored Vault forgot, and that may be used at `now`."""
    return tuple(item for item in _named_usable(note or {}) if now < item.until)


def _usable(
    ports: Ports, outcome: Outcome, before: Mapping[str, Any], now: Instant
) -> tuple[StillUsable, ...]:
    """What may still be used, read from the evidence: only while there can be any."""
    known = usable_of(before, now)
    if not outcome.usable and VAULT_CAUSE not in outcome.causes and not known:
        return ()
    try:
        return tuple(still_usable(ports.repository.walk(outcome.head), ports.signers, now))
    except DaypassError:  # a heartbeat without news is better than none
        return (*known, *outcome.usable.values())
