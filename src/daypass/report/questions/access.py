"""Who has access now, every grant from request to end, and what is over and not confirmed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.model.event import EventKind, Reason
from daypass.report.answer import Answer, Column, Shape, Standing, counted
from daypass.report.story import State

if TYPE_CHECKING:
    from daypass.model.instant import Instant
    from daypass.report.answer import Cell
    from daypass.report.ground import Ground
    from daypass.report.story import GrantStory

_WHO: Final = (
    Column("grant", "Grant", Shape.NAME),
    Column("subject", "Subject", Shape.NAME),
    Column("resource", "Resource", Shape.NAME),
    Column("access", "Access", Shape.NAME),
    Column("lane", "Lane", Shape.NAME),
)
# What ended a grant, by the reason that the ending gives.
_BY: Final = {
    Reason.TIME: "Vault, at its time",
    Reason.DONE: "its holder",
    Reason.REPORTED_STOLEN: "its holder, who had not opened it",
    Reason.REVOKED_BY_HAND: "a person who may",
    Reason.HALT: "a halt",
    Reason.REQUEST_DELETED: "a merged change",
    Reason.REQUEST_CHANGED: "a merged change",
    Reason.REQUEST_PUT_BACK: "a merged change",
    Reason.RECORD_DELETED: "a change by hand",
    Reason.RECORD_CHANGED: "a change by hand",
    Reason.REEVALUATED: "the policies",
    Reason.UNKNOWN_CONTEXT: "the policies",
    Reason.OFFBOARDED: "offboarding",
    Reason.VANISHED: "nobody on record",
    Reason.VAULT_RESTORED: "a restored backup of Vault",
}


def who(story: GrantStory) -> tuple[Cell, ...]:
    """The five cells that say which grant it is."""
    return (story.id, story.subject, story.resource, story.access, story.lane)


def ended_by(story: GrantStory) -> str | None:
    """Who or what ended it, in words; None while it lives."""
    if story.end is None:
        return None
    if story.end.reason in _BY:
        return _BY[Reason(story.end.reason)]
    return story.end.reason or None


def outcome(story: GrantStory, at: Instant) -> str:
    """How it ended and why (`expired`, `revoked: done`), or its state while it lives."""
    if story.end is None:
        return str(story.state_at(at))
    plain = story.end.reason in ("", Reason.TIME)
    return str(story.end.kind) if plain else f"{story.end.kind}: {story.end.reason}"


def access_now(ground: Ground) -> Answer:
    """Everything that counts as access at the report's now."""
    at = ground.window.at
    rows = []
    states = []
    for story in sorted(ground.live, key=lambda item: (item.subject, item.id)):
        state = story.state_at(at)
        states.append(state)
        rows.append(
            (*who(story), story.not_before, story.not_after, str(state), story.issued.commit)
        )
    doubtful = sum(state is not State.ACTIVE for state in states)
    people = len({story.subject for story in ground.live})
    summary = f"{counted(len(rows), 'grant')} to {counted(people, 'identity', 'identities')}"
    if doubtful:
        summary += f"; the end of {doubtful} of them is not confirmed"
    standing = Standing.ATTENTION if doubtful else Standing.NOTED if rows else Standing.NONE
    return Answer(
        name="access-now",
        title="Access now",
        question="Who has access now?",
        standing=standing,
        summary=summary if rows else "Nobody holds anything.",
        columns=(
            *_WHO,
            Column("since", "Since", Shape.INSTANT),
            Column("until", "Until", Shape.INSTANT),
            Column("state", "State", Shape.STATE),
            Column("issuedBy", "Issued in", Shape.COMMIT),
        ),
        rows=tuple(rows),
        note=f"“Now” is {at}. What Vault has not confirmed to be gone counts as access.",
    )


def grants(ground: Ground) -> Answer:
    """The timeline: each grant with its request, approvals, issue and end, the newest first."""
    rows = tuple(
        (
            *who(story),
            story.requested_by,
            tuple(item.who for item in story.approvals),
            story.approved_at,
            story.not_before,
            story.not_after,
            story.end.ended_at if story.end else None,
            outcome(story, ground.window.at),
            ended_by(story),
            story.pull_request,
            story.issued.commit,
            story.end.moment.commit if story.end else None,
        )
        for story in reversed(ground.grants)
    )
    resources = len({story.resource for story in ground.grants})
    subjects = len({story.subject for story in ground.grants})
    summary = (
        f"{counted(len(rows), 'grant')} of {counted(resources, 'resource')} to "
        f"{counted(subjects, 'identity', 'identities')}."
    )
    return Answer(
        name="grants",
        title="Timeline of grants",
        question="Which grants were there: asked by whom, approved, issued, ended, and why?",
        standing=Standing.NOTED if rows else Standing.NONE,
        summary=summary if rows else "No grant in this window.",
        columns=(
            *_WHO,
            Column("requestedBy", "Asked by", Shape.NAME),
            Column("approvedBy", "Approved by", Shape.NAME),
            Column("approvedAt", "Approved", Shape.INSTANT, detail=True),
            Column("issuedAt", "Issued", Shape.INSTANT),
            Column("notAfter", "Until", Shape.INSTANT, detail=True),
            Column("endedAt", "Ended", Shape.INSTANT),
            Column("outcome", "Outcome", Shape.STATE),
            Column("endedBy", "Ended by", Shape.TEXT, detail=True),
            Column("pullRequest", "PR", Shape.COUNT),
            Column("issuedBy", "Issued in", Shape.COMMIT),
            Column("endedIn", "Ended in", Shape.COMMIT),
        ),
        rows=rows,
        note="Issue and end are Vault's times. Each commit is signed by the evidence key.",
    )


def unconfirmed(ground: Ground) -> Answer:
    """Grants whose time is up, or whose revocation failed, and whose end nobody confirmed."""
    at = ground.window.at
    rows = []
    for story in ground.live:
        state = story.state_at(at)
        if state is State.ACTIVE:
            continue
        since = story.failures[0].moment.at if state is State.FAILED else story.not_after
        rows.append(
            (
                *who(story),
                str(state),
                since,
                at.since(since) if since else None,
                len(story.failures),
                story.failures[-1].moment.commit if story.failures else None,
            )
        )
    recovered = sum(
        bool(story.failures) and story.end is not None and story.end.kind is not EventKind.LAPSED
        for story in ground.grants
    )
    said = f"{counted(len(rows), 'grant')} may still work." if rows else "None."
    if recovered:
        said += f" {counted(recovered, 'revocation')} failed at first, and succeeded later."
    return Answer(
        name="unconfirmed",
        title="Over and not confirmed",
        question="What is expired or revoked, and not confirmed to be gone?",
        standing=Standing.ATTENTION if rows else Standing.NONE,
        summary=said,
        columns=(
            *_WHO,
            Column("state", "State", Shape.STATE),
            Column("since", "Since", Shape.INSTANT),
            Column("openSeconds", "Open for", Shape.SECONDS),
            Column("tries", "Failed tries", Shape.COUNT),
            Column("lastTry", "Last try in", Shape.COMMIT),
        ),
        rows=tuple(rows),
        note="This compares git with itself. “Vault against git” asks Vault, where it may.",
    )
