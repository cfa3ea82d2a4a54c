"""The log of evidence: one row an event, as a table for people and as JSON for programs."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from daypass.model.event import REPEATED, EventKind
from daypass.model.instant import Instant, text_of_seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from daypass.model.event import RecordedEvent

_COLUMNS: Final[tuple[str, ...]] = (
    "WHEN",
    "EVENT",
    "GRANT",
    "SUBJECT",
    "RESOURCE",
    "ACCESS",
    "LANE",
    "UNTIL",
    "COMMIT",
)
_SHORT: Final = 12
# Rows whose widths a table is laid out by; a longer log is printed as it is read, so later rows
# may be wider than their columns.
_LOOK_AHEAD: Final = 200


def log_table(events: Iterable[RecordedEvent]) -> Iterator[str]:
    """The lines of a table, newest event first if they come so; nothing is held back for long."""
    source = map(_row, events)
    head = [_COLUMNS, *islice(source, _LOOK_AHEAD)]
    widths = [max(map(len, column)) for column in zip(*head, strict=True)]
    for row in head:
        yield _line(row, widths)
    for row in source:
        yield _line(row, widths)


def log_json(event: RecordedEvent) -> dict[str, Any]:
    """One event with all its trailers; the repeated ones are lists."""
    trailers: dict[str, Any] = {}
    for name, value in event.event.trailers:
        if name in REPEATED:
            trailers.setdefault(name, []).append(value)
        else:
            trailers[name] = value
    return {
        "event": str(event.event.kind),
        "grant": event.event.grant,
        "sequence": event.sequence,
        "previous": event.previous,
        "commit": event.commit,
        "recordedAt": str(Instant.from_seconds(event.recorded_at)),
        "trailers": trailers,
    }


def _row(recorded: RecordedEvent) -> tuple[str, ...]:
    event = recorded.event
    said = dict(event.trailers)
    until = "Daypass-Not-After" if event.kind is not EventKind.REVOKED else "Daypass-Ended-At"
    return (
        text_of_seconds(recorded.recorded_at),
        event.kind.value,
        event.grant or "-",
        said.get("Daypass-Subject", "-"),
        said.get("Daypass-Resource", "-"),
        said.get("Daypass-Access", "-"),
        said.get("Daypass-Lane") or ("routine" if event.grant else "-"),
        said.get(until) or "-",
        recorded.commit[:_SHORT],
    )


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    return "  ".join(map(str.ljust, row, widths)).rstrip()
