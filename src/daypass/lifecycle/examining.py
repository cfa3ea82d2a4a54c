"""Examining: what is wrong with a sound document by the word of the sealer and the decision point.

`daypass validate` asks it of a work tree, and the plan of a pull request of the tree after a merge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from daypass.documents.problem import Problem
from daypass.documents.usable_identities import key_problems
from daypass.model.names import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daypass.documents.document import Document
    from daypass.model.identity import Identity
    from daypass.model.policy import AccessPolicy


def examine(document: Document) -> list[Problem]:
    """What the sealer could not use in an identity, or the decision point in a policy."""
    if document.kind is Kind.IDENTITY:
        return list(key_problems(cast("Identity", document.model)))
    if document.kind is not Kind.ACCESS_POLICY:
        return []
    policy = cast("AccessPolicy", document.model)
    # CEL costs a tenth of a second to load, and only policies need it.
    from daypass.policy.expressions import check_expressions  # noqa: PLC0415  -- see above

    places = {rule.name: index for index, rule in enumerate(policy.rules)}
    problems = [
        Problem(
            ("spec", "rules", places[name], "expression")
            if name in places
            else ("spec", "require", "ticket"),
            "policy-expression",
            f"the expression of `{name}` cannot be used: {why}",
            "Correct it: an expression that cannot be used denies whatever the policy matches.",
        )
        for name, why in check_expressions(policy)
    ]
    return [*problems, *_of_zones(policy)]


def _of_zones(policy: AccessPolicy) -> Iterator[Problem]:
    """Time zones that the database does not know: it is the same wherever daypass is installed."""
    from daypass.model.zone_database import database_version  # noqa: PLC0415  -- as CEL
    from daypass.policy.expression_zones import zones_named  # noqa: PLC0415  -- as CEL
    from daypass.policy.zone import zone_error, zone_problem  # noqa: PLC0415  -- as CEL

    named: list[tuple[tuple[str | int, ...], str]] = []
    if policy.limits.times is not None:
        named.append((("spec", "limits", "times", "timeZone"), policy.limits.times.time_zone))
    for index, rule in enumerate(policy.rules):
        names = sorted(zones_named(rule.expression))
        named.extend((("spec", "rules", index, "expression"), name) for name in names)
    if named and not database_version():
        raise zone_error(sorted({name for _, name in named}))  # no fault of the documents
    for place, name in named:
        problem = zone_problem(name)
        if problem:
            remedy = "Write a name of the IANA database, such as Europe/Zurich."
            yield Problem(place, "policy-time-zone", problem, remedy)
