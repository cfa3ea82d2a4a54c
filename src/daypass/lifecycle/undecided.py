"""Undecided: a request on its way to a decision that an answer is missing for.

An answer of GitHub, of a team or of a context source that is missing, empty or contradicts another
is often only late. Pure: since when a request waits for it, `undecided_note` knows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from daypass.policy.facts import Status

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from daypass.errors import DaypassError
    from daypass.lifecycle.deciding import Decided
    from daypass.lifecycle.happening import Refusal
    from daypass.model.grant import Approval
    from daypass.model.instant import Instant
    from daypass.model.pullrequest import PullRequest
    from daypass.model.request import AccessRequest
    from daypass.policy.approvals import ApprovalCount

UNDECIDED: Final = "waiting"  # the word for it in plans and in what a run did
APPROVALS: Final = "approvals"  # the code of what only lacks approvals
OUTAGE: Final = "outage"  # the code of what waits for GitHub itself: age alone never refuses it
# Without these nothing came by a pull request, as far as is known: people are told at once.
ALARMING: Final = frozenset({"no-pull-request", "other-bytes"})
_REVIEWS: Final = 10  # named in one line


@dataclass(frozen=True, slots=True)
class Undecided:
    """A request that waits for an answer, and what it becomes when the answer stays missing."""

    code: str  # which answer is missing, for programs
    missing: tuple[str, ...]  # the same for people, one line each
    refusal: Refusal
    since: Instant | None = None  # of the first run that met it; None: it was not looked up
    until: Instant | None = None  # a run after that refuses; None: none does, or it is not known
    error: DaypassError | None = None  # what GitHub answered instead, where it is a failure
    request: AccessRequest | None = None  # of one that no answer may ever come for: it lapses

    @property
    def line(self) -> str:
        """What waits for what until when, on one line."""
        what = "; ".join(self.missing)
        if self.since is None:
            return f"not decided yet: {what}. Each run asks again"
        if self.until is None:
            return f"not decided yet, since {self.since}: {what}. Each run asks again"
        return (
            f"not decided yet, since {self.since}: {what}. Each run asks again until {self.until}"
        )

    def stayed(self, span: str) -> Refusal:
        """The refusal, which says what was missing, and from when to when (`span`)."""
        missing = tuple(line for line in self.missing if line not in self.refusal.why)
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


def empty_group(decided: Decided) -> str | None:
    """That GitHub tells of no member of a group that approves: a list can come back empty.

    By what rules now, or by what ruled before the merge.
    """
    inputs = (decided.facts, *((decided.facts_before,) if decided.facts_before else ()))
    names = dict.fromkeys(
        name
        for facts in inputs
        for name, group in facts.groups.items()
        if group.status == Status.KNOWN and not group.members
    )
    return f"GitHub tells of no member of {', '.join(names)}" if names else None


def told_reviews(
    pull_request: PullRequest, asked_for: Collection[Approval], counts: Iterable[ApprovalCount]
) -> tuple[str, ...]:
    """What GitHub tells of the reviews of a merged pull request, and what never counts.

    Args:
        pull_request: the one that brought the request.
        asked_for: the approvals that count, and are by people who are asked for one.
        counts: what its reviews amount to, by each ruling that decides.
    """
    number, asked = len(pull_request.reviews), {item.review_id for item in asked_for}
    beside: dict[str, None] = {}
    for count in counts:
        for review in count.refused:
            who = f"account {review.account_id}" if review.account_id else "an account that is gone"
            beside[f"that of {who}: {review.why}"] = None
        for given in count.counted:
            if given.review_id not in asked:
                why = "in no group that is asked to approve"
                beside[f"that of account {given.account_id}: {why}"] = None
    lines = []
    if number:
        which = f"{len(asked)} count{'s' if len(asked) == 1 else ''}" if asked else "none counts"
        why = "; ".join([*beside][:_REVIEWS])
        one = f"{number} review{'' if number == 1 else 's'} of #{pull_request.number}"
        lines.append(f"GitHub tells of {one}, of which {which}{f' ({why})' if why else ''}")
    return (*lines, "an approval that is given after the merge never counts")
