"""Strictest: two decisions on one request, by the documents of two commits, as one.

Policy is HEAD's. Where the commit before the merge asked for more, that counts too: what people
approved was approved under it, and loosening it afterwards opens nothing that is already merged.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from daypass.model.decision import Effect, Obligations
from daypass.model.resource import IssueMode, Recording

if TYPE_CHECKING:
    from daypass.model.decision import Decision

_WORST_FIRST: Final = (Effect.DENY, Effect.INDETERMINATE, Effect.PERMIT)
_STRICTER: Final = (Recording.NONE, Recording.API_LOG, Recording.REQUIRED)


def strictest(head: Decision, base: Decision) -> Decision:
    """The worse effect, the least duration, every obligation; and why, from both.

    Its digests are HEAD's: the base's decision is recorded beside it.
    """
    effect = min(head.effect, base.effect, key=_WORST_FIRST.index)
    shorter = min(head, base, key=lambda decision: decision.seconds)
    said = tuple(
        replace(item, message=f"{item.message} (before the merge)") for item in base.reasons
    )
    known = {(item.policy, item.rule, item.effect) for item in head.reasons}
    added = (item for item in said if (item.policy, item.rule, item.effect) not in known)
    return replace(
        head,
        effect=effect,
        outcomes=tuple(
            sorted(
                (*head.outcomes, *added), key=lambda item: (item.policy, item.rule, item.message)
            )
        ),
        obligations=_union(head.obligations, base.obligations),
        seconds=shorter.seconds if effect is Effect.PERMIT else 0,
        bounded_by=shorter.bounded_by,
    )


def _union(head: Obligations, base: Obligations) -> Obligations:
    on_claim = IssueMode.ON_CLAIM in (head.issue, base.issue)
    recordings = (Recording(head.recording), Recording(base.recording))
    reviews = [
        item.review_within_seconds
        for item in (head, base)
        if item.review_within_seconds is not None
    ]
    return Obligations(
        issue=IssueMode.ON_CLAIM if on_claim else IssueMode.ON_MERGE,
        recording=str(max(recordings, key=_STRICTER.index)),
        review_within_seconds=min(reviews, default=None),
    )
