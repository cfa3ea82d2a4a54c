"""Policy findings: what a policy says that cannot be used, or that its author hardly means."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from daypass.documents.nearby import named, suggestion
from daypass.documents.problem import Problem
from daypass.model.zone_database import database_version, zone_names
from daypass.policy.expression_fields import unknown_fields
from daypass.policy.expression_zones import zones_named
from daypass.policy.expressions import check_expressions
from daypass.policy.patterns import pattern_problem, patterns_in
from daypass.policy.rule_names import RESERVED_NAMES, RULE_PREFIX
from daypass.policy.verdict import words
from daypass.policy.zone import zone_error, zone_problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daypass.model.instant import Duration
    from daypass.model.policy import AccessPolicy

_Place = tuple[str | int, ...]
_TICKET: _Place = ("spec", "require", "ticket")


def policy_problems(policy: AccessPolicy) -> Iterator[Problem]:
    """Yields what is wrong with one policy by itself."""
    yield from _of_expressions(policy)
    yield from _of_zones(policy)
    yield from name_problems(policy)
    yield from _of_patterns(policy)
    yield from _of_fields(policy)
    yield from _of_limits(policy)


def name_problems(policy: AccessPolicy) -> Iterator[Problem]:
    """Yields the rules that share a name, or have one that stands for something else.

    Outcomes, exceptions and coverage go by `policy/rule`: one name is one rule.
    """
    found = Counter(rule.name for rule in policy.rules)
    for index, rule in enumerate(policy.rules):
        at = ("spec", "rules", index, "name")
        plain = rule.name.removeprefix(RULE_PREFIX)
        if plain in RESERVED_NAMES:
            yield Problem(
                at,
                "policy-rule-name",
                f"`{plain}` is a built-in rule or a condition of every policy: "
                f"a rule called `{rule.name}` could be taken for it",
                "Give the rule a name of its own.",
            )
        elif found[rule.name] > 1:
            yield Problem(
                at,
                "policy-rule-name",
                f"{found[rule.name]} rules of this policy are called `{rule.name}`",
                "Give each rule a name of its own.",
            )


def _of_expressions(policy: AccessPolicy) -> Iterator[Problem]:
    places = {rule.name: index for index, rule in enumerate(policy.rules)}
    for name, why in check_expressions(policy):
        yield Problem(
            ("spec", "rules", places[name], "expression") if name in places else _TICKET,
            "policy-expression",
            f"the expression of `{name}` cannot be used: {why}",
            "Correct it: an expression that cannot be used denies whatever the policy matches.",
        )


def _of_zones(policy: AccessPolicy) -> Iterator[Problem]:
    """Time zones that the database does not know: it is the same wherever daypass is installed."""
    zones: list[tuple[_Place, str]] = []
    if policy.limits.times is not None:
        zones.append((("spec", "limits", "times", "timeZone"), policy.limits.times.time_zone))
    for place, expression in _expressions(policy):
        zones.extend((place, name) for name in sorted(zones_named(expression)))
    if zones and not database_version():
        raise zone_error(sorted({name for _, name in zones}))  # no fault of the documents
    for place, name in zones:
        problem = zone_problem(name)
        if problem:
            remedy = "Write a name of the IANA database, such as Europe/Zurich."
            hint, remedy = named(name, zone_names(), remedy)
            yield Problem(place, "policy-time-zone", problem + hint, remedy)


def _of_patterns(policy: AccessPolicy) -> Iterator[Problem]:
    patterns: list[tuple[_Place, str]] = []
    if policy.require.ticket is not None:
        patterns.append((_TICKET, policy.require.ticket))
    for place, expression in _expressions(policy):
        patterns.extend((place, pattern) for pattern in patterns_in(expression))
    for place, pattern in patterns:
        found = pattern_problem(pattern)
        if found is not None:
            message, remedy = found
            yield Problem(place, "policy-pattern", f"in a pattern: {message}", remedy)


def _of_fields(policy: AccessPolicy) -> Iterator[Problem]:
    for place, expression in _expressions(policy):
        for item in unknown_fields(expression):
            yield Problem(
                place,
                "policy-field",
                f"`{item.owner}` has no field `{item.name}`{suggestion(item.name, item.known)}",
                f"Write one of {', '.join(item.known)}.",
            )


def _of_limits(policy: AccessPolicy) -> Iterator[Problem]:
    times, window = policy.limits.times, policy.limits.window
    if times is not None and times.start == times.end:
        yield Problem(
            ("spec", "limits", "times", "to"),
            "policy-times",
            "`from` and `to` are the same minute, which is read as the whole day",
            'Write another `to`; for whole days write `from: "00:00"` and `to: "24:00"`.',
        )
    if window is not None and window.seconds > window.per.seconds:
        yield Problem(
            ("spec", "limits", "window", "hours"),
            "policy-window",
            f"{words(window.seconds)} of access in any {window.per} limits nothing: "
            "there are fewer hours in it",
            f"Write {_hours(window.per)} hours or fewer, or a longer `per`.",
        )


def _hours(per: Duration) -> int:
    return max(1, per.seconds // 3600)


def _expressions(policy: AccessPolicy) -> Iterator[tuple[_Place, str]]:
    for index, rule in enumerate(policy.rules):
        yield ("spec", "rules", index, "expression"), rule.expression
