"""Identities that are not people, vendors, agents: who answers for them, and what they hold."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from daypass.model.event import EventKind
from daypass.model.identity import IdentityType
from daypass.model.instant import Duration
from daypass.report.answer import Answer, Cell, Column, Shape, Standing, counted, joined

if TYPE_CHECKING:
    from daypass.model.identity import Identity
    from daypass.model.instant import Instant
    from daypass.report.ground import Ground

_OWNERS: Final = 2
_PEOPLE: Final = frozenset(str(kind) for kind in IdentityType if kind.is_person)


def is_living(ground: Ground, name: str | None) -> bool:
    """Whether that is an active human of the present."""
    found = ground.identities.get(name or "")
    return found is not None and found.is_active and found.type is IdentityType.HUMAN


def last_rotation(ground: Ground, name: str) -> Instant | None:
    """When its static credential was last rotated, by the evidence."""
    times = (
        note.moment.at
        for note in ground.evidence.notes
        if note.kind is EventKind.ROTATED and note.subject == name
    )
    return max(times, default=None)


def problems_of(ground: Ground, identity: Identity, live: int) -> list[str]:
    """What is wrong with an identity that is no person, and with anybody who left."""
    found = []
    if not identity.is_active and live:
        found.append(f"{identity.status} and has access")
    if identity.type.is_person:
        return found
    living = sum(is_living(ground, name) for name in identity.owners)
    if living == 0:
        found.append("orphaned: no owner is an active human")
    elif living < _OWNERS:
        found.append("only one living owner")
    if identity.rotation and identity.is_active:
        rotated = last_rotation(ground, identity.name)
        every = Duration.parse(identity.rotation["every"])
        if rotated is None:
            found.append("no rotation on record")
        elif ground.window.at.since(rotated) > every.seconds:
            found.append("rotation is overdue")
    return found


def non_human(ground: Ground) -> Answer:
    """NHIs: not rotated, orphaned, offboarded with access; and people who left with access."""
    live = Counter(story.subject for story in ground.live)
    used = Counter(story.subject for story in ground.grants)
    rows: list[tuple[Cell, ...]] = []
    listed = 0
    for name, identity in sorted(ground.identities.items()):
        problems = problems_of(ground, identity, live[name])
        if identity.type.is_person and not problems:
            continue
        listed += not identity.type.is_person
        rows.append(
            (
                name,
                str(identity.type),
                str(identity.status),
                identity.owners,
                str(identity.authn["method"]) if identity.authn else None,
                last_rotation(ground, name),
                used[name],
                live[name],
                joined(problems),
            )
        )
    rows += _unlisted(ground, live, used)
    problematic = sum(row[-1] != "-" for row in rows)
    summary = f"{counted(listed, 'non-human identity', 'non-human identities')}"
    summary += f"; {counted(problematic, 'finding')}." if rows else "."
    columns = (
        Column("identity", "Identity", Shape.NAME),
        Column("identityType", "Type", Shape.NAME),
        Column("status", "Status", Shape.STATE),
        Column("owners", "Owners", Shape.NAME),
        Column("authentication", "Authentication", Shape.NAME),
        Column("rotatedAt", "Last rotated", Shape.INSTANT),
        Column("grants", "Grants", Shape.COUNT),
        Column("live", "Live now", Shape.COUNT),
        Column("finding", "Finding", Shape.TEXT),
    )
    unknown = ground.catalogue is None
    return Answer(
        name="non-human",
        title="Non-human identities",
        question="Which NHIs are not rotated, orphaned, or offboarded with access?",
        standing=Standing.UNKNOWN
        if unknown
        else Standing.ATTENTION
        if problematic
        else Standing.NOTED
        if rows
        else Standing.NONE,
        summary=_unknown(ground) if unknown else summary if rows else "None.",
        columns=columns,
        rows=() if unknown else tuple(rows),
        note="Identities are those of the head. People are listed only if they left and still have "
        "access.",
    )


def _unlisted(ground: Ground, live: Counter[str], used: Counter[str]) -> list[tuple[Cell, ...]]:
    """Subjects that the head does not know any more, and that have access or are no people."""
    types: dict[str, str] = {}
    for story in ground.grants:
        if story.subject not in ground.identities:
            types[story.subject] = ground.type_of(story) or ""
    rows: list[tuple[Cell, ...]] = []
    for name, kind in sorted(types.items()):
        if live[name]:
            finding = "has access and is not in access/identities"
        elif kind not in _PEOPLE:
            finding = "is not in access/identities any more"
        else:
            continue  # somebody who left, and whose access has ended
        rows.append((name, kind or None, None, (), None, None, used[name], live[name], finding))
    return rows


def vendors_agents(ground: Ground) -> Answer:
    """Vendors and agents: sponsor, contract, tools, and what they have."""
    live = Counter(story.subject for story in ground.live)
    used = Counter(story.subject for story in ground.grants)
    rows: list[tuple[Cell, ...]] = []
    problematic = 0
    for name, identity in sorted(ground.identities.items()):
        if identity.type not in (IdentityType.VENDOR, IdentityType.AGENT):
            continue
        problems = _sponsoring(ground, identity, live[name])
        problematic += bool(problems)
        rows.append(
            (
                name,
                str(identity.type),
                str(identity.status),
                identity.sponsor,
                identity.contract_end,
                identity.autonomy,
                len(identity.tools) if identity.type is IdentityType.AGENT else None,
                used[name],
                live[name],
                joined(problems),
            )
        )
    holding = sum(1 for row in rows if row[8])
    summary = (
        f"{counted(len(rows), 'vendor or agent', 'vendors and agents')}, {holding} with access "
        f"now; {counted(problematic, 'finding')}."
    )
    unknown = ground.catalogue is None
    return Answer(
        name="vendors-agents",
        title="Vendors and agents",
        question="What access do vendors and agents have, and who answers for it?",
        standing=Standing.UNKNOWN
        if unknown
        else Standing.ATTENTION
        if problematic
        else Standing.NOTED
        if rows
        else Standing.NONE,
        summary=_unknown(ground) if unknown else summary if rows else "None.",
        columns=(
            Column("identity", "Identity", Shape.NAME),
            Column("identityType", "Type", Shape.NAME),
            Column("status", "Status", Shape.STATE),
            Column("sponsor", "Sponsor", Shape.NAME),
            Column("contractEnd", "Contract ends", Shape.INSTANT),
            Column("autonomy", "Autonomy", Shape.NAME),
            Column("tools", "Tools", Shape.COUNT),
            Column("grants", "Grants", Shape.COUNT),
            Column("live", "Live now", Shape.COUNT),
            Column("finding", "Finding", Shape.TEXT),
        ),
        rows=() if unknown else tuple(rows),
    )


def _sponsoring(ground: Ground, identity: Identity, live: int) -> list[str]:
    found = []
    if not is_living(ground, identity.sponsor):
        found.append("its sponsor is no active human" if identity.sponsor else "no sponsor")
    end = identity.contract_end
    if end is not None and end < ground.window.at:
        found.append("has access after its contract" if live else "contract has ended")
    if not identity.is_active and live:
        found.append(f"{identity.status} and has access")
    outlives = sum(
        end is not None and story.not_after is not None and end < story.not_after
        for story in ground.live
        if story.subject == identity.name
    )
    if outlives and not (end is not None and end < ground.window.at):
        found.append(f"{counted(outlives, 'grant')} would outlive its contract")
    return found


def _unknown(ground: Ground) -> str:
    return f"Cannot be told: {ground.catalogue_problem}"
