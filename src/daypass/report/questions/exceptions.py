"""What stands outside the rules: exceptions and their use, and policies that do not bind."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Final

from daypass.model.decision import Enforcement
from daypass.model.grant import Lane
from daypass.model.policy import PolicyEffect
from daypass.model.resource import LEGACY_STATIC
from daypass.report.answer import Answer, Cell, Column, Shape, Standing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daypass.model.catalogue import Catalogue
    from daypass.model.exception import PolicyException
    from daypass.model.instant import Instant
    from daypass.model.policy import AccessPolicy
    from daypass.report.ground import Ground

_COLUMNS: Final = (
    Column("kind", "Kind", Shape.TEXT),
    Column("name", "Name", Shape.NAME),
    Column("what", "What", Shape.TEXT),
    Column("attributedTo", "Attributed to", Shape.NAME),
    Column("until", "Until", Shape.INSTANT),
    Column("grants", "Grants that it is about", Shape.COUNT),
    Column("issued", "Issued under it", Shape.NAME),
)


def exceptions(ground: Ground) -> Answer:
    """Exceptions and the grants under them; policies that do not enforce; static secrets."""
    catalogue = ground.catalogue
    rows = tuple(_rows(ground, catalogue)) if catalogue is not None else ()
    kinds = Counter(str(row[0]) for row in rows)
    said = "; ".join(f"{kind}: {number}" for kind, number in sorted(kinds.items()))
    if catalogue is None:
        standing, summary = Standing.UNKNOWN, f"Cannot be told: {ground.catalogue_problem}"
    elif rows:
        standing, summary = Standing.ATTENTION, f"{said}."
    else:
        standing, summary = Standing.NONE, "None."
    return Answer(
        name="exceptions",
        title="Exceptions",
        question="Which exceptions are in force, and what came of them?",
        standing=standing,
        summary=summary,
        columns=_COLUMNS,
        rows=rows,
        note="An exception is for one subject, resource and level, until a date, and every grant "
        "under it names it in the evidence. One that is over lets nothing through: its document "
        "can go. Which grants rest on a policy that asks for no approval: see “Without an "
        "independent approver”.",
    )


def _rows(ground: Ground, catalogue: Catalogue) -> Iterator[tuple[Cell, ...]]:
    issued: dict[str, list[str]] = defaultdict(list)
    for story in ground.grants:
        for name in story.exceptions:
            issued[name].append(story.id)
    for name, exception in sorted(catalogue.exceptions.items()):
        under = tuple(issued.pop(name, ()))
        about = f"{exception.access} on {exception.resource} by {exception.subject}"
        yield (
            f"exception, {_state(exception, ground.window.at)}",
            name,
            f"{', '.join(exception.excepts)} for {about}",
            exception.attributed_to,
            exception.not_after,
            len(under),
            under,
        )
    for name, ids in sorted(issued.items()):
        yield ("exception, its document is gone", name, None, None, None, len(ids), tuple(ids))
    for name, policy in sorted(catalogue.policies.items()):
        if policy.enforcement is not Enforcement.ENFORCE:
            what = ("policy that does not enforce", name, str(policy.enforcement))
        elif policy.approvals_not_required is not None:
            what = ("policy that asks for no approval", name, "enforce")
        else:
            continue
        yield (*what, None, None, _uses(policy, ground), ())
    used = Counter(story.resource for story in ground.grants)
    for name, resource in sorted(catalogue.resources.items()):
        if resource.type == LEGACY_STATIC:
            secret = ("legacy static secret", name, str(resource.sensitivity))
            yield (*secret, None, None, used[name], ())


def _state(exception: PolicyException, at: Instant) -> str:
    if at < exception.not_before:
        return "not yet in force"
    return "in force" if at < exception.not_after else "over"


def _uses(policy: AccessPolicy, ground: Ground) -> int | None:
    """How many grants it is about, by what their records say; None where labels or groups tell."""
    match = policy.match
    if match.resource_labels or match.subject_labels or match.subject_groups:
        return None
    lanes = match.lanes or (tuple(Lane) if policy.effect is PolicyEffect.GUARD else (Lane.ROUTINE,))
    return sum(
        (not match.resource_names or story.resource in match.resource_names)
        and (not match.levels or story.access in match.levels)
        and (not match.subject_names or story.subject in match.subject_names)
        and (not match.resource_types or record.resource_type in match.resource_types)
        and (not match.environments or record.environment in match.environments)
        and (not match.sensitivities or record.sensitivity in match.sensitivities)
        and (not match.subject_types or record.subject_type in match.subject_types)
        and (record.lane in lanes)
        for story in ground.grants
        if (record := story.record) is not None
    )
