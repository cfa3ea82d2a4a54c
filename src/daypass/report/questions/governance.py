"""What the rules did: denials, and who changed the rules."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from daypass.model.event import EventKind, Reason
from daypass.model.names import RULES_FOLDERS
from daypass.report.answer import Answer, Cell, Column, Shape, Standing, counted

if TYPE_CHECKING:
    from daypass.report.ground import Ground
    from daypass.report.story import Note

_SHOWN_PATHS = 4


def denials(ground: Ground) -> Answer:
    """Every request that was not granted."""
    rows = tuple(
        (
            item.moment.at,
            item.id,
            str(item.kind),
            item.reason,
            item.requester or item.subject,
            item.subject,
            item.resource,
            item.access,
            item.effect,
            item.pull_request,
            item.moment.commit,
        )
        for item in ground.refusals
    )
    kinds = Counter(f"{item.kind} ({item.reason})" for item in ground.refusals)
    summary = ", ".join(f"{number:,} {kind}" for kind, number in kinds.most_common())
    return Answer(
        name="denials",
        title="Denials",
        question="What was denied, rejected, withdrawn or left to lapse, and whose was it?",
        standing=Standing.NOTED if rows else Standing.NONE,
        summary=summary + "." if rows else "None in this window.",
        columns=(
            Column("at", "When", Shape.INSTANT),
            Column("request", "Request", Shape.NAME),
            Column("kind", "What", Shape.STATE),
            Column("reason", "Reason", Shape.NAME),
            Column("requester", "Asked by", Shape.NAME),
            Column("subject", "Subject", Shape.NAME),
            Column("resource", "Resource", Shape.NAME),
            Column("access", "Access", Shape.NAME),
            Column("effect", "Decision", Shape.NAME),
            Column("pullRequest", "PR", Shape.COUNT),
            Column("commit", "Commit", Shape.COMMIT),
        ),
        rows=rows,
        note="`daypass explain ID` replays a decision from its recorded input.",
    )


def policy_changes(ground: Ground) -> Answer:
    """Each change of what decisions rest on, and what the bot found of those of policies."""
    holds = ground.window.holds
    rows: list[tuple[Cell, ...]] = []
    for item in ground.evidence.foundation:
        if holds(item.moment.at):
            shown = item.paths[:_SHOWN_PATHS]
            more = len(item.paths) - len(shown)
            paths = (*shown, f"and {more} more") if more else shown
            by = "daypass" if item.by_bot else item.author
            rows.append(
                (item.moment.at, "changed", by, (), paths, None, None, None, item.moment.commit)
            )
    found = ground.notes(EventKind.POLICY_CHANGED)
    rows += [_decides_otherwise(note, ground) for note in found]
    rows.sort(key=lambda row: (str(row[0]), str(row[-1])))
    policies = sum(
        any(path.startswith(tuple(f"{folder}/" for folder in RULES_FOLDERS)) for path in item.paths)
        for item in ground.evidence.foundation
        if holds(item.moment.at)
    )
    unproven = sum(note.reason != Reason.APPROVED for note in found)
    changes = counted(len(rows) - len(found), "change")
    said = f"{changes}, {policies} of policies"
    if found:
        said += f"; {counted(len(found), 'time')} the policies decide otherwise since"
    if unproven:
        said += f", {unproven} of them not proven to be approved"
    return Answer(
        name="policy-changes",
        title="Changes of the rules",
        question="Who changed policies, resources, identities, settings or workflows?",
        standing=Standing.ATTENTION if unproven else Standing.NOTED if rows else Standing.NONE,
        summary=f"{said}." if rows else "None in this window.",
        columns=(
            Column("at", "When", Shape.INSTANT),
            Column("kind", "What", Shape.STATE),
            Column("author", "By", Shape.TEXT),
            Column("approvedBy", "Approved by", Shape.NAME),
            Column("paths", "Paths", Shape.TEXT),
            Column("policyBefore", "Policies before", Shape.DIGEST, detail=True),
            Column("policy", "Policies after", Shape.DIGEST, detail=True),
            Column("change", "Change in", Shape.COMMIT),
            Column("commit", "Commit", Shape.COMMIT),
        ),
        rows=tuple(rows),
        note="“Changed” names the author that the commit names, and anybody can write any into "
        "one. Every run of apply asks GitHub who approved the pull request that brought it, "
        "grants nothing on what is not proven, and records each change of what the policies "
        "decide, with who asked for it and who approved it.",
    )


def _decides_otherwise(note: Note, ground: Ground) -> tuple[Cell, ...]:
    proven = note.reason == Reason.APPROVED
    return (
        note.moment.at,
        "decides otherwise" if proven else "not proven",
        note.requester,
        tuple(ground.name_of(account) or "" for account in note.approvers),
        (),
        note.policy_before,
        note.policy_digest,
        note.change,
        note.moment.commit,
    )
