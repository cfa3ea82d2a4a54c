"""Approvals are computed, not believed: who approved, and whose word does not count, and why.

Pure: it reads a `PullRequest` as GitHub's API told it. Accounts are numeric ids throughout. Which
group an approver belongs to is asked later, by the rules: here it is only whether a review is the
word of an independent person on exactly these bytes, given in time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from daypass.model.grant import Approval
from daypass.model.pullrequest import AccountType, ReviewState
from daypass.policy.dismissals import Dismissers, Objection
from daypass.policy.hands import UnknownHandError, hands_of
from daypass.policy.voices import voice_problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from daypass.model.catalogue import Catalogue
    from daypass.model.exception import PolicyException
    from daypass.model.identity import Identity
    from daypass.model.instant import Instant
    from daypass.model.pullrequest import PullRequest, Review
    from daypass.model.resource import Resource
    from daypass.policy.groups import GroupDirectory

_VERDICTS: Final = frozenset(
    {ReviewState.APPROVED, ReviewState.CHANGES_REQUESTED, ReviewState.DISMISSED}
)
_NO_APPROVAL: Final = {
    ReviewState.DISMISSED: ("dismissed", "the review was dismissed"),
    ReviewState.CHANGES_REQUESTED: ("changes-requested", "changes are requested"),
}
_STILL_NO: Final = {
    Objection.STANDS: (
        "changes-requested",
        "changes are requested, and no owner dismissed that before the merge",
    ),
    Objection.UNKNOWN: ("dismissed", "it was dismissed, and whether by an owner is not known"),
}


@dataclass(frozen=True, slots=True)
class RefusedReview:
    """A review that does not count. `why` is for people; `login` only to recognise it."""

    account_id: int | None
    login: str | None
    code: str
    why: str

    def to_json(self) -> dict[str, Any]:
        """As plans print it."""
        return {"login": self.login, "code": self.code, "why": self.why}


@dataclass(frozen=True, slots=True)
class ApprovalCount:
    """What the reviews of one pull request amount to.

    A `fault` means that nothing may be counted at all: then `counted` is empty. `fault` names
    accounts by number and commits by id, and holds no text of anybody's.
    """

    counted: tuple[Approval, ...] = ()  # by account id
    refused: tuple[RefusedReview, ...] = ()
    fault: str | None = None
    fault_remedy: str = ""  # how the pull request's author mends it; empty where there is none
    fault_may_pass: bool = False  # GitHub may tell later what it does not tell now
    blocked_by: tuple[int, ...] = ()  # accounts whose request for changes stands
    unsettled: tuple[int, ...] = ()  # accounts whose dismissed one may stand: that is not known
    excluded: Mapping[int, str] | None = None  # accounts whose approval never counts here, and why


def count_approvals(
    pull_request: PullRequest,
    subject: Identity,
    catalogue: Catalogue,
    groups: GroupDirectory,
    now: Instant,
    exceptions: Iterable[PolicyException] = (),
    resource: Resource | None = None,
) -> ApprovalCount:
    """Count the approvals of a pull request that asks for access for `subject`.

    The person who answers for one of the `exceptions`, those about what is asked, does not approve
    it; their request for changes stands like any other's.
    A dismissed request for changes stands unless its author dismissed it, or somebody independent
    among the approvers or owners of the `resource`, or among the owners of the foundation.

    Of each reviewer the latest verdict counts that was given before the merge (before `now` while
    the pull request is open; GitHub tells whole seconds, so one given in the merge's own second
    still came before it). It counts if it is APPROVED, on the head of the pull request, after that
    was last aimed at another branch, by a person who neither wrote nor pushed any of it, and has no
    part in what is asked.
    """
    barred = parties(subject, exceptions, catalogue)
    silent = frozenset(parties(subject, (), catalogue))
    fault = _requester_fault(pull_request, subject, askers(subject, catalogue))
    owners = (*resource.approvers.groups, resource.business_owner) if resource is not None else ()
    return _count(pull_request, (barred, silent), fault, catalogue, groups, (now, now), owners)


def count_reviews(
    pull_request: PullRequest, catalogue: Catalogue, groups: GroupDirectory, now: Instant
) -> ApprovalCount:
    """Count the approvals of a pull request that changes what decisions rest on.

    It is asked of old ones too: a vendor's contract counts as it stood at the merge.
    """
    given = pull_request.merged_at or now
    return _count(pull_request, ({}, frozenset()), None, catalogue, groups, (now, given))


def excluded_among(
    asked: Iterable[int], count: ApprovalCount, pull_request: PullRequest, catalogue: Catalogue
) -> tuple[str, ...]:
    """Tell which of the accounts asked for approval cannot give it, each with the reason.

    The author of the pull request is left out: that one's own approval is not expected.
    """
    author = pull_request.author.id if pull_request.author is not None else None
    excluded = count.excluded or {}
    return tuple(
        sorted(
            f"{name_of(account_id, catalogue)} cannot approve: the same account is "
            f"{excluded[account_id]}"
            for account_id in set(asked) & excluded.keys()
            if account_id != author
        )
    )


def name_of(account_id: int, catalogue: Catalogue) -> str:
    """The name of the identity that has the account, or the account's number, for people."""
    identity = catalogue.identity_of(account_id)
    return identity.name if identity is not None else f"account {account_id}"


def askers(subject: Identity, catalogue: Catalogue) -> frozenset[int]:
    """The accounts that may ask for access for `subject`: itself, or who answers for it."""
    names = {subject.name, subject.sponsor}
    if not subject.type.is_person:
        names.update(subject.owners)
    people = (catalogue.identities.get(name) for name in names if name is not None)
    ids = {subject.github_id, *(person.github_id for person in people if person is not None)}
    return frozenset(account_id for account_id in ids if account_id is not None)


def parties(
    subject: Identity, exceptions: Iterable[PolicyException], catalogue: Catalogue
) -> dict[int, str]:
    """Returns the accounts that have a part in what is asked, each with which."""
    roles = {item.attributed_to: f"answerable for the exception {item.name}" for item in exceptions}
    roles.update(dict.fromkeys(subject.owners, "owner of the subject"))
    if subject.sponsor is not None:
        roles[subject.sponsor] = "sponsor of the subject"
    people = {name: catalogue.identities.get(name) for name in roles}
    found = {
        person.github_id: roles[name]
        for name, person in people.items()
        if person is not None and person.github_id is not None
    }
    if subject.github_id is not None:
        found[subject.github_id] = "the subject"
    return found


def _requester_fault(
    pull_request: PullRequest, subject: Identity, allowed: frozenset[int]
) -> str | None:
    author = pull_request.author
    if author is None:
        return "the account that opened the pull request is gone"
    if author.id not in allowed:
        return (
            f"the pull request was opened by account {author.id}, "
            f"which is neither {subject.name} nor an owner or sponsor of it"
        )
    return None


def _count(
    pull_request: PullRequest,
    without: tuple[Mapping[int, str], frozenset[int]],
    fault: str | None,
    catalogue: Catalogue,
    groups: GroupDirectory,
    times: tuple[Instant, Instant],
    owners: tuple[str, ...] = (),
) -> ApprovalCount:
    """Count the reviews.

    Args:
        pull_request: as GitHub tells it.
        without: the accounts that do not approve, each with its part in what is asked; and those
            of them that do not object either.
        fault: why nothing counts, where that is known already.
        catalogue: whose identities and settings count.
        groups: who belongs to which.
        times: that of the question, and that at which contracts are looked at.
        owners: groups and identities that may dismiss a request for changes.
    """
    parties, silent = without
    now, contracts_at = times
    remedy, may_pass = "", False
    try:
        hands = hands_of(pull_request, frozenset(parties), catalogue.settings)
    except UnknownHandError as error:
        if fault is None:
            fault, remedy, may_pass = str(error), error.remedy, error.may_pass
        hands = {}
    excluded = {**hands, **parties}
    opener = pull_request.author
    voiceless = silent | ({opener.id} if opener is not None else set())
    counted: list[Approval] = []
    refused: list[RefusedReview] = []
    owners = (*owners, *catalogue.settings.foundation_owners)
    dismissers = Dismissers(catalogue, groups, contracts_at, excluded, owners)
    blocked: dict[Objection, list[int]] = {item: [] for item in Objection}
    for review in _latest_verdicts(pull_request, now):
        objection = dismissers.objection(review, pull_request)
        problem = _problem(review, pull_request, excluded, catalogue, contracts_at)
        if review.state is ReviewState.DISMISSED and objection is not Objection.NONE:
            problem = _STILL_NO[objection]
        if problem is not None:
            refused.append(_refusal(review, *problem))
        elif review.state is ReviewState.APPROVED:
            counted.append(_approval(review, catalogue))
        if _can_block(review, voiceless, catalogue, groups) and review.reviewer is not None:
            blocked[objection].append(review.reviewer.id)
    refused.extend(_never_counted(pull_request, now))
    return ApprovalCount(
        counted=() if fault else tuple(sorted(counted, key=lambda item: item.account_id)),
        refused=tuple(refused),
        fault=fault,
        fault_remedy=remedy,
        fault_may_pass=may_pass,
        blocked_by=tuple(sorted(blocked[Objection.STANDS])),
        unsettled=tuple(sorted(blocked[Objection.UNKNOWN])),
        excluded=excluded,
    )


def _in_time(review: Review, pull_request: PullRequest, now: Instant) -> bool:
    until = now if pull_request.merged_at is None else pull_request.merged_at
    return review.submitted_at is not None and review.submitted_at <= until


def _seen_elsewhere(review: Review, pull_request: PullRequest) -> tuple[str, str] | None:
    """Why it is not about what was merged: another commit, or another branch to compare with."""
    if review.commit is None or review.commit != pull_request.head_sha:
        seen = "a commit that is gone" if review.commit is None else review.commit[:12]
        return "not-the-head", f"it is on {seen}, and the head is {pull_request.head_sha[:12]}"
    # The head stays what it is when the base changes, and so does the commit of the review: but
    # its reviewer was shown what was new on that other branch, which may have been far less.
    changed, given = pull_request.base_changed_at, review.submitted_at
    if changed is not None and (given is None or given <= changed):
        return "other-base", "it was given before the pull request was aimed at this branch"
    return None


def _latest_verdicts(pull_request: PullRequest, now: Instant) -> list[Review]:
    latest: dict[int, tuple[tuple[Instant, int], Review]] = {}
    for review in pull_request.reviews:
        given, reviewer = review.submitted_at, review.reviewer
        if given is None or reviewer is None or review.state not in _VERDICTS:
            continue
        if not _in_time(review, pull_request, now):
            continue
        rank = (given, review.id)
        if reviewer.id not in latest or latest[reviewer.id][0] < rank:
            latest[reviewer.id] = (rank, review)
    return [latest[account_id][1] for account_id in sorted(latest)]


def _problem(
    review: Review,
    pull_request: PullRequest,
    excluded: Mapping[int, str],
    catalogue: Catalogue,
    contracts_at: Instant,
) -> tuple[str, str] | None:
    """Why a verdict does not count as an approval: a code and a sentence. None: it counts."""
    reviewer = review.reviewer
    if reviewer is None:
        return "account-gone", "the account is gone"
    if review.state in _NO_APPROVAL:
        return _NO_APPROVAL[review.state]
    elsewhere = _seen_elsewhere(review, pull_request)
    if elsewhere is not None:
        return elsewhere
    if reviewer.type is not AccountType.USER:
        return "not-a-person", "the account is no person's"
    if reviewer.id in excluded:
        return "not-independent", f"the same account is {excluded[reviewer.id]}"
    return voice_problem(reviewer.id, catalogue, contracts_at)


def _can_block(
    review: Review,
    voiceless: frozenset[int],
    catalogue: Catalogue,
    groups: GroupDirectory,
) -> bool:
    """Whether a request for changes counts: it is the word of a person who is known here.

    `voiceless` are the accounts that ask for the access, or have a part in it by main's documents.
    To answer for an exception is no such part: others may write it, and it only bars approvals.
    A commit takes no objection away: its author, committer and co-authors are what its writer
    claims. Neither does a push: whoever asks chooses the branch, and others may have pushed to it.
    An account that nobody here knows cannot block: on a public repository that would let anybody
    stop everything. While a group is unknown, nobody can be said to be a stranger.
    """
    reviewer = review.reviewer
    if reviewer is None or reviewer.type is not AccountType.USER or reviewer.id in voiceless:
        return False
    return (
        catalogue.identity_of(reviewer.id) is not None
        or any(reviewer.id in group.accounts for group in groups.groups.values())
        or any(not group.known for group in groups.groups.values())
    )


def _never_counted(pull_request: PullRequest, now: Instant) -> Iterator[RefusedReview]:
    for review in pull_request.reviews:
        if review.state is not ReviewState.APPROVED:
            continue
        if review.reviewer is None:
            yield _refusal(review, "account-gone", "the account is gone")
        elif not _in_time(review, pull_request, now):
            yield _refusal(review, "too-late", "it was given after the merge, or at no known time")


def _refusal(review: Review, code: str, why: str) -> RefusedReview:
    reviewer = review.reviewer
    return RefusedReview(
        reviewer.id if reviewer else None, reviewer.login if reviewer else None, code, why
    )


def _approval(review: Review, catalogue: Catalogue) -> Approval:
    # `_problem` let it through, so reviewer, commit and time are there.
    if review.reviewer is None or review.commit is None or review.submitted_at is None:
        raise ValueError("a review without reviewer, commit or time is no approval")
    identity = catalogue.identity_of(review.reviewer.id)
    return Approval(
        account_id=review.reviewer.id,
        identity=identity.name if identity else None,
        review_id=review.id,
        commit=review.commit,
        at=review.submitted_at,
    )
