"""The trailers that a grant record determines: a commit that brings one must carry the same.

The record serves the next run, the trailers serve the auditor; verify holds the one against the
other, so that they cannot disagree unseen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from daypass.model.grant import Grant


def grant_trailers(grant: Grant) -> tuple[tuple[str, str], ...]:
    """The trailers of `issued` (and `delivered-again`) that the record itself determines.

    Sorted as a commit carries them; what is not of the record (reason, run, workflow) is left out.
    """
    approvers = tuple(
        ("Daypass-Approver", f"{item.account_id} {item.review_id} {item.commit} {item.at}")
        for item in grant.approvals
    )
    lane = () if grant.lane_word is None else (("Daypass-Lane", grant.lane_word),)
    renews = () if grant.renews is None else (("Daypass-Renews", grant.renews),)
    return (
        ("Daypass-Request", f"{grant.request_commit or '-'} {grant.request_blob}"),
        *_pull_request(grant),
        ("Daypass-Requester", f"{grant.requester or '-'} {grant.requester_id}"),
        ("Daypass-Subject", grant.subject),
        ("Daypass-Resource", grant.resource),
        ("Daypass-Access", grant.access),
        *renews,
        *lane,
        ("Daypass-Decision", f"{grant.effect} {grant.decision_digest}"),
        ("Daypass-Policy", grant.policy_digest),
        *(("Daypass-Exception", name) for name in grant.exceptions),
        *approvers,
        ("Daypass-Not-Before", str(grant.not_before)),
        ("Daypass-Not-After", str(grant.not_after)),
        ("Daypass-Accessor", grant.accessor),
        *_wrapping(grant),
    )


def _pull_request(grant: Grant) -> tuple[tuple[str, str], ...]:
    """What was taken of Vault itself has none."""
    number = grant.pull_request
    return () if number is None else (("Daypass-Pull-Request", str(number)),)


def _wrapping(grant: Grant) -> tuple[tuple[str, str], ...]:
    """What its holder minted was never delivered."""
    item = grant.wrapping
    if item is None:
        return ()
    return (("Daypass-Wrapping", f"{item.path} {item.time} {item.ciphertext}"),)
