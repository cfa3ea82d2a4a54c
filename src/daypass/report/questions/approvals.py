"""Who approved whom: grants without an independent word, pairs, and rings."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Final

from daypass.report.answer import Answer, Column, Shape, Standing, counted, joined
from daypass.report.questions.access import who

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from daypass.report.ground import Ground

_CLOSE: Final = 2  # an approver of at least one in so many of somebody's grants is close to them
_WHO: Final = (
    Column("grant", "Grant", Shape.NAME),
    Column("subject", "Subject", Shape.NAME),
    Column("resource", "Resource", Shape.NAME),
    Column("access", "Access", Shape.NAME),
    Column("lane", "Lane", Shape.NAME),
)


def independence(ground: Ground) -> Answer:
    """Grants that nobody but the requester or the subject approved."""
    rows = []
    own = 0
    for story in ground.grants:
        if story.independent:
            continue
        own += bool(story.approvals)
        why = (
            "approved by requester or subject only"
            if story.approvals
            else "emergency lane: reviewed afterwards"
            if story.is_emergency
            else "no approval counted: the policies asked for none"
        )
        sensitivity = story.record.sensitivity if story.record else None
        rows.append((*who(story), sensitivity, why, story.not_before, story.issued.commit))
    total = len(ground.grants)
    said = (
        f"{counted(len(rows), 'grant')} of {total:,} had no independent approver."
        if rows
        else (f"None of {counted(total, 'grant')}." if total else "No grant in this window.")
    )
    return Answer(
        name="independence",
        title="Without an independent approver",
        question="Which grants had no independent approver?",
        standing=Standing.ATTENTION if rows else Standing.NONE,
        summary=said,
        columns=(
            *_WHO,
            Column("sensitivity", "Sensitivity", Shape.NAME),
            Column("why", "Why", Shape.TEXT),
            Column("issuedAt", "Issued", Shape.INSTANT),
            Column("issuedBy", "Issued in", Shape.COMMIT),
        ),
        rows=tuple(rows),
        note="An approval is independent when it is neither the requester's nor the subject's, by "
        "numeric account. daypass counted it only at the pull request's head, before the merge, "
        "from a member of a group that was asked.",
    )


def pairs(ground: Ground) -> Answer:
    """Who approves whose requests how often, and which rings they form."""
    edges: Counter[tuple[str, str]] = Counter()
    asked: Counter[str] = Counter()
    for story in ground.grants:
        asked[story.requested_by] += 1
        for name in {item.who for item in story.approvals}:
            edges[name, story.requested_by] += 1
    rings = _rings(pair for pair, number in edges.items() if number * _CLOSE >= asked[pair[1]])
    ring_of = {name: number for number, ring in enumerate(rings, start=1) for name in ring}
    rows = tuple(
        (
            approver,
            requester,
            number,
            asked[requester],
            edges.get((requester, approver), 0),
            joined(rings[ring_of[approver] - 1])
            if ring_of.get(approver, 0) and ring_of[approver] == ring_of.get(requester)
            else None,
        )
        for (approver, requester), number in sorted(
            edges.items(), key=lambda item: (-item[1], item[0])
        )
    )
    summary = (
        f"{counted(len(rows), 'pair')}; {counted(len(rings), 'ring')} of people who approve each "
        "other" + (": " + "; ".join(joined(ring) for ring in rings[:3]) if rings else "") + "."
    )
    return Answer(
        name="approver-pairs",
        title="Approver pairs and rings",
        question="Who approves whom, and are there rings of people who approve each other?",
        standing=Standing.ATTENTION if rings else Standing.NOTED if rows else Standing.NONE,
        summary=summary if rows else "No approval in this window.",
        columns=(
            Column("approver", "Approver", Shape.NAME),
            Column("requester", "Asked by", Shape.NAME),
            Column("grants", "Grants approved", Shape.COUNT),
            Column("ofRequests", "Of all of theirs", Shape.COUNT),
            Column("inReturn", "In return", Shape.COUNT),
            Column("ring", "Ring", Shape.TEXT),
        ),
        rows=rows,
        note="A ring is a set of people each of whom can be reached from each other by following "
        "approvals, counting only whoever approved at least half of what the other asked for. In a "
        "small team that is usual; it says where a second look pays.",
    )


def _rings(edges: Iterable[tuple[str, str]]) -> list[tuple[str, ...]]:
    """Strongly connected components of two or more (Kosaraju's), the largest first."""
    ahead: dict[str, list[str]] = defaultdict(list)
    back: dict[str, list[str]] = defaultdict(list)
    for approver, requester in sorted(edges):
        ahead[approver].append(requester)
        back[requester].append(approver)
    seen: set[str] = set()
    finished = [name for root in sorted(ahead) for name in _reach(root, ahead, seen)]
    seen = set()
    found = [tuple(sorted(_reach(name, back, seen))) for name in reversed(finished)]
    return sorted((ring for ring in found if len(ring) > 1), key=lambda ring: (-len(ring), ring))


def _reach(root: str, ahead: Mapping[str, list[str]], seen: set[str]) -> Iterator[str]:
    """Everybody new whom `root` reaches, each after those whom they reach."""
    if root in seen:
        return
    seen.add(root)
    work = [(root, iter(ahead.get(root, ())))]
    while work:
        name, rest = work[-1]
        other = next((item for item in rest if item not in seen), None)
        if other is None:
            work.pop()
            yield name
        else:
            seen.add(other)
            work.append((other, iter(ahead.get(other, ()))))
