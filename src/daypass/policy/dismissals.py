"""Dismissals: who may take back a reviewer's request for changes. Pure.

GitHub lets everyone with write access dismiss a review, the requester included. So a dismissed
request for changes still stands, unless its own author dismissed it, or an independent person who
could have approved instead.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING

from daypass.model.pullrequest import AccountType, ReviewState
from daypass.policy.voices import voice_problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daypass.model.catalogue import Catalogue
    from daypass.model.instant import Instant
    from daypass.model.pullrequest import Dismissal, PullRequest, Review
    from daypass.policy.groups import GroupDirectory


class Objection(Enum):
    """Whether a review's request for changes stands."""

    STANDS = auto()
    NONE = auto()
    UNKNOWN = auto()  # a group that decides it could not be asked


@dataclass(frozen=True, slots=True)
class Dismissers:
    """Who may dismiss a request for changes on one pull request, beside the review's author."""

    catalogue: Catalogue
    groups: GroupDirectory
    contracts_at: Instant  # a vendor whose contract has ended by then dismisses nothing
    excluded: Mapping[int, str] = field(default_factory=dict)  # accounts with a part in it
    owners: tuple[str, ...] = ()  # groups and identities that may approve it

    def objection(self, review: Review, pull_request: PullRequest) -> Objection:
        """Returns whether the review is a request for changes that stands."""
        if review.state is ReviewState.CHANGES_REQUESTED:
            return Objection.STANDS
        if review.state is not ReviewState.DISMISSED:
            return Objection.NONE
        found = [item for item in pull_request.dismissals if item.review == review.id]
        if not found:
            return Objection.UNKNOWN
        newest = max(found, key=lambda item: item.at)
        if newest.was is not ReviewState.CHANGES_REQUESTED:
            return Objection.NONE
        merged_at = pull_request.merged_at
        if merged_at is not None and newest.at > merged_at:
            return Objection.STANDS  # the pull request was merged against it
        return self._dismissed(review, newest)

    def _dismissed(self, review: Review, dismissal: Dismissal) -> Objection:
        actor = dismissal.actor
        if actor is None:
            return Objection.STANDS
        if review.reviewer is not None and actor.id == review.reviewer.id:
            return Objection.NONE
        if actor.type is not AccountType.USER or actor.id in self.excluded:
            return Objection.STANDS
        if voice_problem(actor.id, self.catalogue, self.contracts_at) is not None:
            return Objection.STANDS
        groups = [self.groups.group(name) for name in self.owners]
        if any(actor.id in group.accounts for group in groups):
            return Objection.NONE
        return Objection.STANDS if all(group.known for group in groups) else Objection.UNKNOWN
