"""Time zones in decisions: what of the database is in their inputs, and how rules read it.

What a decision reads of the database of time zones is kept in its input, so that it can be made
again without the database, or with that of another year.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Self

from daypass.errors import PermanentError
from daypass.model.decision import Effect
from daypass.model.instant import NANOSECONDS, Instant
from daypass.model.zone_database import PACKAGE, database_version, find_zone
from daypass.policy.expression_zones import fixed_offset
from daypass.policy.facts_json import Facts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from daypass.model.decision import Decision
    from daypass.policy.input import DecisionInput

MAX_READINGS: Final = 1000  # other times than `now` that one input holds, of all zones

_DAY_SECONDS: Final = 24 * 3600
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ZoneFacts(Facts):
    """A time zone at the time of the decision, and at other times that its rules ask about.

    `offset_seconds` is east of UTC; None: the database does not know the zone. `database` is the
    database's version, such as `2026f`; empty where the package is missing. `at` holds the offset
    at each other time, by the time in RFC 3339.
    """

    offset_seconds: int | None
    database: str
    at: Mapping[str, int] = field(default_factory=dict)  # none: not in the JSON

    def to_json(self) -> dict[str, Any]:
        """The facts as JSON."""
        found: dict[str, Any] = {"offsetSeconds": self.offset_seconds, "database": self.database}
        return {**found, "at": dict(sorted(self.at.items()))} if self.at else found

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`. Raises ValueError for anything that is no offset."""
        offset, database, at = value["offsetSeconds"], value["database"], value.get("at", {})
        if not (offset is None or _is_offset(offset)) or not isinstance(database, str):
            raise ValueError("a time zone of the input has no offset that can be")
        if not isinstance(at, dict) or not all(map(_is_offset, at.values())):
            raise ValueError("a time zone of the input has no offset that can be at some time")
        return cls(offset, database, at)


def _is_offset(value: object) -> bool:
    return type(value) is int and abs(value) < _DAY_SECONDS


class UnknownZoneError(ValueError):
    """An expression asks for a time zone whose offset is not known. Never leaves this package."""


@dataclass(slots=True)
class ZoneReader:
    """The offsets of time zones, as one decision reads them.

    An input that was recorded before inputs held time zones is read with today's database.
    """

    recorded: Mapping[str, ZoneFacts]
    now: datetime  # the time of the decision, of which `offset_seconds` is
    asks_database: bool  # for what is not recorded
    asked: dict[tuple[str, datetime], int | None] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)  # zone → why its offset is not known

    @classmethod
    def of(cls, facts: DecisionInput, *, asks_database: bool = False) -> ZoneReader:
        """The reader of a decision's input; asking the database is for those who write one."""
        return cls(facts.zones, moment_of(facts.now), asks_database or not facts.zones)

    def local(self, moment: datetime, zone: str) -> datetime:
        """The time that clocks of a zone show, as if it were UTC.

        Args:
            moment: in UTC.
            zone: a name of the database, or a fixed offset such as `+01:00`.

        Raises:
            UnknownZoneError: the offset is not known.
        """
        fixed = fixed_offset(zone)
        if fixed is not None:
            return moment + timedelta(seconds=fixed)
        offset = self.offset(zone, moment)
        if offset is None:
            raise UnknownZoneError(self.missing[zone])
        return moment + timedelta(seconds=offset)

    def offset(self, zone: str, moment: datetime | None = None) -> int | None:
        """Seconds east of UTC at that time, or at that of the decision; None: not known."""
        moment = self.now if moment is None else moment
        key = (zone, moment)
        if key not in self.asked:
            self.asked[key] = self._find(zone, moment)
        if self.asked[key] is None:
            self.missing[zone] = self._why(zone)
        return self.asked[key]

    def _find(self, zone: str, moment: datetime) -> int | None:
        facts = self.recorded.get(zone)
        if facts is not None:
            offset = facts.offset_seconds if moment == self.now else facts.at.get(written(moment))
            if offset is not None or facts.offset_seconds is None:
                return offset
        return offset_at(zone, moment) if self.asks_database else None

    def _why(self, zone: str) -> str:
        facts = self.recorded.get(zone)
        if facts is not None and facts.offset_seconds is None:
            return _not_found(zone, facts.database)
        return (self.asks_database and zone_problem(zone)) or (
            f"the input holds no offset of the time zone {zone} at the time that is asked for"
        )


def moment_of(text: str) -> datetime:
    """The time of a decision, to the microsecond."""
    microseconds = Instant.parse(text).nanoseconds // (NANOSECONDS // 1_000_000)
    return _EPOCH + timedelta(microseconds=microseconds)


def written(moment: datetime) -> str:
    """A time in RFC 3339, as inputs hold it."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def zone_problem(name: str) -> str:
    """Why a time zone cannot be used; empty when it can."""
    return "" if find_zone(name) is not None else _not_found(name, database_version())


def _not_found(name: str, version: str) -> str:
    if not version:
        return f"the time zone {name} was not found: the Python package {PACKAGE} is not installed"
    return f"the time zone {name} was not found in {PACKAGE} {version}"


def offset_at(name: str, moment: datetime) -> int | None:
    """Seconds east of UTC in that zone at that moment; None: the database has no such zone.

    Args:
        name: as the IANA database spells it, aliases included.
        moment: with a time zone of its own.
    """
    zone = find_zone(name)
    offset = moment.astimezone(zone).utcoffset() if zone is not None else None
    return None if offset is None else int(offset.total_seconds())


def unknown_zones(decision: Decision) -> tuple[str, ...]:
    """The time zones for want of which alone it could not be decided, sorted.

    None of a permit or a denial, nor where anything else is not known either: that counts as it
    would with the zone known. A request that waits for zones is not refused, and a live grant is
    not ended: the documents are sound elsewhere, and it is this installation that cannot read them.
    """
    reasons = decision.reasons
    if decision.effect is not Effect.INDETERMINATE or not all(item.zones for item in reasons):
        return ()
    return tuple(sorted({name for item in reasons for name in item.zones}))


def zone_error(names: Iterable[str]) -> PermanentError:
    """The error of a decision that waits for these time zones."""
    return PermanentError(
        "; ".join(zone_problem(name) or f"no offset of {name} is recorded" for name in names)
        + ": nothing is decided that depends on it",
        remedy=f"Install daypass with all that its lock names, {PACKAGE} among it "
        "(`pip install --require-hashes -r .github/daypass.txt`); if the newest release does not "
        "know the zone either, correct its name in the policy.",
    )
