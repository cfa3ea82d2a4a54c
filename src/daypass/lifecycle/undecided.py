"""Undecided: a request on its way to a decision that an answer is missing for.

An answer of GitHub, of a team or of a context source that is missing, empty or contradicts another
is often only late. Pure: since when a request waits for it, `undecided_note` knows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daypass.lifecycle.happening import Refusal
    from daypass.model.instant import Instant
    from daypass.model.pullrequest import PullRequest

UNDECIDED: Final = "waiting"  # the word for it in plans and in what a run did


@dataclass(frozen=True, slots=True)
class Undecided:
    """A request that waits for an answer, and what it becomes when the answer stays missing."""

    code: str  # which answer is missing, for programs
    missing: tuple[str, ...]  # the same for people, one line each
    refusal: Refusal
    since: Instant | None = None  # of the first run that met it; None: it was not looked up
    until: Instant | None = None  # a run after that refuses; None: that is not known

    @property
    def line(self) -> str:
        """What waits for what until when, on one line."""
        what = "; ".join(self.missing)
        if self.since is None or self.until is None:
            return f"not decided yet: {what}. Each run asks again"
        return (
            f"not decided yet, since {self.since}: {what}. Each run asks again until {self.until}"
        )

    def stayed(self, now: Instant) -> Refusal:
        """The refusal, which says what was missing from when to when."""
        missing = tuple(line for line in self.missing if line not in self.refusal.why)
        span = f"this did not change from {self.since}, when a run first met it, until {now}"
        return replace(self.refusal, why=(*self.refusal.why, *missing, span))


def untold_hand(pull_request: PullRequest) -> bool:
    """Whether GitHub leaves open the account that opened it, or one that pushed to it."""
    return pull_request.author is None or any(push.actor is None for push in pull_request.pushes)


def untold(pull_request: PullRequest) -> str | None:
    """What GitHub leaves open about a pull request that approvals are counted on.

    Returns a sentence for people; None when nothing is open.
    """
    return next(_untold(pull_request), None)


def _untold(pull_request: PullRequest) -> Iterator[str]:
    name, head = f"#{pull_request.number}", pull_request.head_sha
    if not pull_request.complete:
        yield f"GitHub does not tell the whole of {name}: {pull_request.incomplete_because}"
    if pull_request.author is None:
        yield f"GitHub does not tell the account that opened {name}"
    for commit in pull_request.commits:
        if commit.author is None or commit.committer is None:
            yield f"GitHub does not tell the account of commit {commit.sha[:12]} of {name}"
    if pull_request.co_authors_unknown_because:
        why = pull_request.co_authors_unknown_because
        yield f"GitHub does not tell who the co-authors of {name} are: {why}"
    if any(push.actor is None for push in pull_request.pushes):
        yield f"GitHub does not tell the account of a push to {name}"
    if all(commit.sha != head for commit in pull_request.commits) or all(
        push.after != head for push in pull_request.pushes
    ):
        yield f"GitHub's lists of {name} do not hold its head {head[:12]}"
    if pull_request.merged_at is not None and not pull_request.reviews:
        yield f"GitHub tells of no review of {name}"
