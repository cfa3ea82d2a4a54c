"""One event for another system: its trailers by name, and when it took effect. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from daypass.model.event import REPEATED, EventKind
from daypass.model.instant import Instant
from daypass.report.drafts import instant

if TYPE_CHECKING:
    from daypass.model.event import RecordedEvent

_TIMES: Final = {
    EventKind.ISSUED: "Daypass-Not-Before",
    EventKind.EXPIRED: "Daypass-Ended-At",
    EventKind.REVOKED: "Daypass-Ended-At",
}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the evidence comes from, and which daypass tells of it."""

    repository: str  # owner/repository
    url: str  # of the repository, for people and as a source
    version: str  # of daypass


def recorded_at(recorded: RecordedEvent) -> Instant:
    """When it was written down, by the committer's clock."""
    return Instant.from_seconds(recorded.recorded_at)


def happened_at(recorded: RecordedEvent) -> Instant:
    """When it took effect: by Vault's time, where the event tells it."""
    said = dict(recorded.event.trailers)
    name = _TIMES.get(recorded.event.kind)
    return (instant(said, name) if name else None) or recorded_at(recorded)


def trailers(recorded: RecordedEvent) -> dict[str, Any]:
    """All trailers by name; repeated ones are lists."""
    told: dict[str, Any] = {}
    for name, value in recorded.event.trailers:
        if name in REPEATED:
            told.setdefault(name, []).append(value)
        else:
            told[name] = value
    return told
