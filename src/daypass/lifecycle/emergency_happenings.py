"""Happenings of the emergency lane: what was taken offline, and the reviews that follow. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daypass.ledger.record import grant_trailers
from daypass.lifecycle.happening import Happening, grant_title, make_event
from daypass.model.event import EventKind
from daypass.model.names import break_glass_path, grant_path, obligation_path
from daypass.model.obligation import Obligation

if TYPE_CHECKING:
    from daypass.lifecycle.happening import Run
    from daypass.model.grant import Grant
    from daypass.model.pullrequest import Comment


def taken_offline(grant: Grant, request: bytes, run: Run) -> Happening:
    """What its holder took of Vault itself: request, record and what is owed, in one commit."""
    event = make_event(EventKind.ISSUED, grant.id, *grant_trailers(grant), run=run)
    owed = Obligation.of(grant)
    drill = "This is a drill. " if grant.is_drill else ""
    body = (
        f"{drill}{grant.subject} took {grant.access} on {grant.resource} of Vault itself, while\n"
        f"GitHub was down: from {grant.not_before} until {grant.not_after} at the latest. Whose\n"
        "log-in it was, and through which role, Vault says. The request is written down here as\n"
        "its holder gave it. "
        + (
            "Today's policies permit it."
            if grant.effect == "permit"
            else f"Today's policies do not permit it ({grant.effect}), so it is ended."
        )
    )
    writes = {
        break_glass_path(grant.id): request,
        grant_path(grant.id): grant.to_bytes(),
    }
    if owed is not None:
        body += f"\n\nSomebody not involved reviews it until {owed.due}."
        writes[obligation_path(grant.id)] = owed.to_bytes()
    return Happening(
        event,
        grant_title(grant),
        body,
        writes=writes,
        # Whatever lies where its request goes: access that was had is in the evidence.
        requires={grant_path(grant.id): None},
        owes=owed,
    )


def reviewed(
    owed: Obligation,
    comment: Comment,
    reviewer: str,
    issued_commit: str,
    *,
    record_blob: str | None,
    run: Run,
) -> Happening:
    """Somebody not involved has looked at an emergency: nothing is owed for it any more."""
    approver = f"{comment.author_id} {comment.id} {issued_commit} {comment.created_at}"
    event = make_event(
        EventKind.REVIEWED, owed.grant_id, *_owed(owed), ("Daypass-Approver", approver), run=run
    )
    return Happening(
        event,
        f"Review {owed.grant_id}: {owed.access} on {owed.resource} by {owed.subject}",
        f"{reviewer} (account {comment.author_id}) reviewed it on {_place(owed)}, in comment "
        f"{comment.id}:\n{comment.url}",
        removes=(obligation_path(owed.grant_id),),
        requires={obligation_path(owed.grant_id): record_blob},
    )


def review_overdue(owed: Obligation, record_blob: str | None, run: Run) -> Happening:
    """Nobody has reviewed an emergency in time. It is still owed."""
    return Happening(
        make_event(EventKind.REVIEW_OVERDUE, owed.grant_id, *_owed(owed), run=run),
        f"Review overdue: {owed.grant_id}, {owed.access} on {owed.resource}",
        f"It was due at {owed.due}. Until somebody not involved has reviewed it, {owed.subject}\n"
        "receives nothing, by either lane.",
        writes={obligation_path(owed.grant_id): owed.overdue().to_bytes()},
        requires={obligation_path(owed.grant_id): record_blob},
    )


def _place(owed: Obligation) -> str:
    return "its issue" if owed.pull_request is None else f"pull request #{owed.pull_request}"


def _owed(owed: Obligation) -> tuple[tuple[str, str], ...]:
    return (
        *(() if owed.pull_request is None else (("Daypass-Pull-Request", str(owed.pull_request)),)),
        ("Daypass-Subject", owed.subject),
        ("Daypass-Resource", owed.resource),
        ("Daypass-Access", owed.access),
        ("Daypass-Lane", owed.lane_word),
    )
