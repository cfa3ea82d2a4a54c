"""The emergency lane: who used it, and whether somebody not involved reviewed it in time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.model.obligation import REVIEW_SECONDS
from daypass.report.answer import Answer, Column, Shape, Standing, counted

if TYPE_CHECKING:
    from daypass.report.answer import Cell
    from daypass.report.ground import Ground
    from daypass.report.story import GrantStory

_FINE: Final = frozenset({"reviewed", "due"})


def review_state(story: GrantStory, ground: Ground) -> str:
    """Whether its use was reviewed within a day of its issue, and by somebody else."""
    due = story.not_before.plus(REVIEW_SECONDS)
    if not story.reviews:
        return "overdue" if due <= ground.window.at else "due"
    first = story.reviews[0]
    if first.account_id is not None and first.account_id == story.requester_id:
        return "reviewed by its requester"
    return "reviewed" if first.at <= due else "reviewed late"


def break_glass(ground: Ground) -> Answer:
    """Every grant of the emergency lane, and its review."""
    stories = [story for story in ground.grants if story.is_emergency]
    unknown = sum(story.lane is None for story in ground.grants)
    rows = [_row(story, ground) for story in stories]
    bad = sum(review_state(story, ground) not in _FINE for story in stories)
    offline = sum(story.is_offline for story in stories)
    beyond = sum(not story.was_permitted for story in stories)
    summary = (
        f"{counted(len(rows), 'use')} of the emergency lane; {bad} without a sound review within "
        "24 h."
        + (f" {offline} taken of Vault itself, while GitHub was down." if offline else "")
        + (f" {beyond} of them not permitted, and ended." if beyond else "")
        if rows
        else "None: no grant came by the emergency lane."
    )
    if unknown:
        summary += f" The lane of {counted(unknown, 'grant')} cannot be told."
    return Answer(
        name="break-glass",
        title="Break-glass and its reviews",
        question="Was the emergency lane used, and was each use reviewed within 24 h?",
        standing=Standing.ATTENTION
        if bad or beyond
        else Standing.UNKNOWN
        if unknown
        else Standing.NOTED
        if rows
        else Standing.NONE,
        summary=summary,
        columns=(
            Column("grant", "Grant", Shape.NAME),
            Column("subject", "Subject", Shape.NAME),
            Column("resource", "Resource", Shape.NAME),
            Column("access", "Access", Shape.NAME),
            Column("lane", "Lane", Shape.NAME),
            Column("decision", "Decision", Shape.NAME),
            Column("issuedAt", "Issued", Shape.INSTANT),
            Column("endedAt", "Ended", Shape.INSTANT),
            Column("review", "Review", Shape.STATE),
            Column("reviewer", "Reviewed by", Shape.NAME),
            Column("reviewedAt", "Reviewed", Shape.INSTANT),
            Column("issuedBy", "Issued in", Shape.COMMIT),
            Column("reviewedIn", "Reviewed in", Shape.COMMIT),
        ),
        rows=tuple(rows),
        note="A review is due 24 h after the issue. While one is overdue, its subject receives "
        "nothing.",
    )


def _row(story: GrantStory, ground: Ground) -> tuple[Cell, ...]:
    first = story.reviews[0] if story.reviews else None
    return (
        story.id,
        story.subject,
        story.resource,
        story.access,
        story.lane,
        story.effect,
        story.not_before,
        story.end.ended_at if story.end else None,
        review_state(story, ground),
        ground.name_of(first.account_id) if first else None,
        first.at if first else None,
        story.issued.commit,
        first.moment.commit if first else None,
    )
