"""Time zones in decisions: what of the database goes into their inputs.

What a decision reads of the database of time zones is kept in its input, so that it can be made
again without the database, or with that of another year.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Self

from daypass.errors import PermanentError
from daypass.model.decision import Effect
from daypass.model.instant import Instant
from daypass.model.zone_database import PACKAGE, database_version, find_zone
from daypass.policy.expression_zones import zones_named
from daypass.policy.facts import Facts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from daypass.model.decision import Decision, RuleOutcome
    from daypass.model.policy import AccessPolicy
    from daypass.policy.compiled import CompiledPolicies
    from daypass.policy.input import DecisionInput

_DAY_SECONDS: Final = 24 * 3600
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ZoneFacts(Facts):
    """A time zone at the time of the decision.

    `offset_seconds` is east of UTC; None: the database does not know the zone. `database` is the
    database's version, such as `2026f`; empty where the package is missing.
    """

    offset_seconds: int | None
    database: str

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`. Raises ValueError for anything that is no offset."""
        offset, database = value["offsetSeconds"], value["database"]
        whole = type(offset) is int and abs(offset) < _DAY_SECONDS
        if not (offset is None or whole) or not isinstance(database, str):
            raise ValueError("a time zone of the input has no offset that can be")
        return cls(offset, database)


def zone_problem(name: str) -> str:
    """Why a time zone cannot be used; empty when it can."""
    if find_zone(name) is not None:
        return ""
    version = database_version()
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


def zones_facts(policies: Iterable[AccessPolicy], now: Instant) -> dict[str, ZoneFacts]:
    """Every time zone that these policies name, as it is at that time."""
    names = {name for policy in policies for name in _named_by(policy)}
    if not names:
        return {}
    moment, version = _EPOCH + timedelta(seconds=now.seconds), database_version()
    return {name: ZoneFacts(offset_at(name, moment), version) for name in sorted(names)}


def offset_in(facts: DecisionInput, name: str) -> int | None:
    """Seconds east of UTC at the time of the decision, by its input; None: not known.

    An input that was recorded before inputs held time zones is read with today's database.
    """
    if facts.zones:
        zone = facts.zones.get(name)
        return zone.offset_seconds if zone is not None else None
    return offset_at(name, _EPOCH + timedelta(seconds=Instant.parse(facts.now).seconds))


def unknown_zones(
    decision: Decision, facts: DecisionInput, policies: CompiledPolicies
) -> tuple[str, ...]:
    """The time zones without which it could not be decided, sorted. None of a permit or a denial.

    A request that waits for them is not refused, and a live grant is not ended: the documents are
    sound elsewhere, and it is this installation that cannot read them.
    """
    if decision.effect is not Effect.INDETERMINATE:
        return ()
    missing = (missing_zones(item, facts, policies) for item in decision.reasons)
    return tuple(sorted({name for names in missing for name in names}))


def missing_zones(
    outcome: RuleOutcome, facts: DecisionInput, policies: CompiledPolicies
) -> frozenset[str]:
    """The time zones for want of which a rule could not be decided."""
    if outcome.effect is not Effect.INDETERMINATE:
        return frozenset()
    named = policies.zones_of(outcome.policy, outcome.rule)
    return frozenset(name for name in named if offset_in(facts, name) is None)


def zone_error(names: Iterable[str]) -> PermanentError:
    """The error of a decision that waits for these time zones."""
    return PermanentError(
        "; ".join(zone_problem(name) or f"no offset of {name} is recorded" for name in names)
        + ": nothing is decided that depends on it",
        remedy=f"Install daypass with all that its lock names, {PACKAGE} among it "
        "(`pip install --require-hashes -r .github/daypass.txt`); if the newest release does not "
        "know the zone either, correct its name in the policy.",
    )


def _named_by(policy: AccessPolicy) -> Iterable[str]:
    times = policy.limits.times
    if times is not None:
        yield times.time_zone
    for rule in policy.rules:
        yield from zones_named(rule.expression)


def with_zones(
    recorded: Mapping[str, ZoneFacts], other: Mapping[str, ZoneFacts]
) -> dict[str, ZoneFacts]:
    """What was recorded, and of other zones what is known today."""
    return dict(sorted({**other, **recorded}.items()))
