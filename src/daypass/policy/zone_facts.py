"""Zone facts: the offsets of time zones that a decision asks for, gathered into its input.

Most rules write their zones out. Where a zone is computed, or another time than `now` is asked
about, the expression is evaluated on the rest of the input, and what it asks for is kept.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from daypass.model.policy import AppliesAt
from daypass.model.zone_database import database_version
from daypass.policy.excepting import independent
from daypass.policy.expression_zones import Localised, localised
from daypass.policy.facts import Stage
from daypass.policy.match import Applies, applies
from daypass.policy.zone import MAX_READINGS, ZoneFacts, ZoneReader, written

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from daypass.model.policy import AccessPolicy
    from daypass.policy.expressions import Expression
    from daypass.policy.input import DecisionInput


def reads_zones(policy: AccessPolicy) -> bool:
    """Whether a decision by this policy may need a time zone."""
    return policy.limits.times is not None or any(
        found.zones or found.is_computed
        for found in (_localised(rule.expression) for rule in policy.rules)
    )


def with_zones(facts: DecisionInput, policies: Iterable[AccessPolicy]) -> DecisionInput:
    """The input with every offset that a decision by these policies asks for.

    What it holds already is kept, as it was recorded; the rest is that of today's database. Equal
    facts and policies give equal bytes.
    """
    wanted = [
        policy
        for policy in policies
        if reads_zones(policy) and applies(policy, facts) is Applies.YES
    ]
    if not wanted:
        return facts
    reader = ZoneReader.of(facts, asks_database=True)
    variables: Any = None
    for policy in sorted(wanted, key=lambda policy: policy.name):
        if policy.limits.times is not None and facts.stage is Stage.ISSUE:
            reader.offset(policy.limits.times.time_zone)
        for text, found in _expressions(policy, facts.stage):
            for name in found.zones:
                reader.offset(name)
            if found.is_computed:
                variables = variables or _Evaluation(independent(facts))
                variables.ask(text, reader)
    return replace(facts, zones=_gathered(facts, reader))


def _expressions(policy: AccessPolicy, stage: Stage) -> Iterator[tuple[str, Localised]]:
    for rule in policy.rules:
        if stage is Stage.ISSUE or rule.applies_at is AppliesAt.ALWAYS:
            yield rule.expression, _localised(rule.expression)


def _localised(text: str) -> Localised:
    try:
        return localised(text)
    except ValueError:  # it denies, and asks for nothing
        return Localised(text, frozenset(), is_computed=False)


class _Evaluation:
    """The input as expressions see it, made once they must be evaluated."""

    def __init__(self, facts: DecisionInput) -> None:
        from daypass.policy import expressions  # noqa: PLC0415  -- few inputs need CEL

        self._cel = expressions
        try:
            self._variables = expressions.activation(facts.to_json())
        except expressions.ExpressionError:
            self._variables = None  # larger than expressions may see: then each of them denies

    def ask(self, text: str, reader: ZoneReader) -> None:
        """Evaluate one expression, for what it asks the reader."""
        expression = _compiled(text)
        if expression is not None and self._variables is not None:
            try:
                self._cel.passes(expression, self._variables, reader)
            except self._cel.ExpressionError:
                return  # what it makes of it is the decision's matter


@lru_cache(maxsize=1024)
def _compiled(text: str) -> Expression | None:
    from daypass.policy.expressions import (  # noqa: PLC0415  -- as above
        ExpressionError,
        compile_expression,
    )

    try:
        return compile_expression(text)
    except ExpressionError:
        return None


def _gathered(facts: DecisionInput, reader: ZoneReader) -> dict[str, ZoneFacts]:
    """What was recorded, and what else was asked for, as far as an input may hold it."""
    found = dict(facts.zones)
    version = database_version()
    left = MAX_READINGS
    for name, moment in sorted(reader.asked):
        offset = reader.asked[name, moment]
        zone = found.get(name)
        if zone is None:
            zone = ZoneFacts(reader.offset(name), version)
        if moment != reader.now and offset is not None and left > 0:
            zone = replace(zone, at={**zone.at, written(moment): offset})
            left -= 1
        found[name] = zone
    return dict(sorted(found.items()))
