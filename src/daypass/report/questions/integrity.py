"""What does not fit: gaps in the record, drift, and paths that nobody governs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daypass.ledger.compose import safe_text
from daypass.model.event import EventKind, Reason
from daypass.report.answer import Answer, Cell, Column, Shape, Standing, counted

if TYPE_CHECKING:
    from daypass.ledger.fault import Fault
    from daypass.report.ground import Ground


def gaps(ground: Ground) -> Answer:
    """Sessions without a record, and every fault that verify names."""
    rows: list[tuple[Cell, ...]] = [
        (
            "evidence-gap",
            story.id,
            "a recording was required, and there is none",
            gap.at,
            gap.commit,
        )
        for story in ground.grants
        for gap in story.gaps
    ]
    rows += [
        ("unreadable", None, item.what, item.moment.at, item.moment.commit)
        for item in ground.evidence.oddities
    ]
    rows += [
        (
            str(fault.code),
            None,
            # It can name a path, which can be any bytes: no format is to fail on them.
            safe_text(fault.message) + ("" if fault.open else _closed(fault)),
            None,
            fault.commit,
        )
        for fault in ground.verification.faults
    ]
    open_faults = len(ground.verification.open_faults)
    standing = Standing.ATTENTION if rows else Standing.NONE
    return Answer(
        name="gaps",
        title="Gaps in the record",
        question="Is anything missing, rewritten, unsigned or unreadable?",
        standing=standing,
        summary=f"{counted(len(rows), 'entry', 'entries')}, {open_faults} of them faults that "
        "break the evidence."
        if rows
        else f"None: {counted(ground.verification.events, 'event')} follow each other without a "
        "gap.",
        columns=(
            Column("kind", "Kind", Shape.NAME),
            Column("grant", "Grant", Shape.NAME),
            Column("what", "What", Shape.TEXT),
            Column("at", "When", Shape.INSTANT),
            Column("commit", "Commit", Shape.COMMIT),
        ),
        rows=tuple(rows),
        note="What was cut off after the newest event cannot be seen from inside the repository: "
        "compare the head with one that was noted elsewhere.",
    )


def _closed(fault: Fault) -> str:
    if fault.noted:
        return " (not by the evidence key: it counts for nothing, and breaks nothing)"
    return " (mended, or known at the anchor)"


_DRIFT = {
    Reason.ORPHAN: "a token that no grant knew was found in Vault and revoked",
    Reason.RECORD_CHANGED: "records that were changed by hand were put back",
}


def drift(ground: Ground) -> Answer:
    """Where Vault or the records differed from what git says, and were put right."""
    rows = tuple(
        (
            note.moment.at,
            note.reason,
            _DRIFT[Reason(note.reason)] if note.reason in _DRIFT else "",
            note.grant,
            note.moment.commit,
        )
        for note in ground.notes(EventKind.DRIFT)
    )
    return Answer(
        name="drift",
        title="Drift",
        question="Where did Vault or the records differ from git, and was it put right?",
        standing=Standing.ATTENTION if rows else Standing.NONE,
        summary=f"{counted(len(rows), 'event')}." if rows else "None on record.",
        columns=(
            Column("at", "When", Shape.INSTANT),
            Column("reason", "Reason", Shape.NAME),
            Column("what", "What", Shape.TEXT),
            Column("grant", "Grant", Shape.NAME),
            Column("commit", "Commit", Shape.COMMIT),
        ),
        rows=rows,
    )


def ungoverned(ground: Ground) -> Answer:
    """Paths that nobody governs, as far as the evidence met any."""
    orphans = [note for note in ground.notes(EventKind.DRIFT) if note.reason == Reason.ORPHAN]
    held = {story.resource for story in ground.live}
    lost = sorted(held - set(ground.catalogue.resources)) if ground.catalogue else []
    rows: list[tuple[Cell, ...]] = [
        ("access to what access/resources does not know", name, None) for name in lost
    ]
    rows += [("token without a grant", None, note.moment.commit) for note in orphans]
    return Answer(
        name="ungoverned",
        title="Paths that nobody governs",
        question="Which privileged paths does nobody govern?",
        standing=Standing.ATTENTION if rows else Standing.UNKNOWN,
        summary=(f"{counted(len(rows), 'trace')} of such. " if rows else "")
        + "A full answer needs an inventory of what exists outside this repository, and there is "
        "none here.",
        columns=(
            Column("kind", "Kind", Shape.TEXT),
            Column("resource", "Resource", Shape.NAME),
            Column("commit", "Commit", Shape.COMMIT),
        ),
        rows=tuple(rows),
    )
