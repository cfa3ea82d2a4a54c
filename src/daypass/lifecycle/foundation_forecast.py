"""Foundation forecast: whether merging a change of what decisions rest on would freeze daypass.

Asked of an open pull request, before anybody approves it, by the function that proves it after the
merge (`prove_foundation`), on the documents of main, which name who may approve.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from daypass.documents.changes import is_foundation
from daypass.lifecycle.emergency import is_from_fork, push_here
from daypass.lifecycle.merged_documents import merge_faults
from daypass.lifecycle.stretches import changed_between, odd_modes
from daypass.policy.approvals import excluded_among, name_of
from daypass.policy.provenance import FoundationFault, prove_foundation
from daypass.policy.voices import voiceless

if TYPE_CHECKING:
    from collections.abc import Iterable

    from daypass.lifecycle.merged_documents import MergeFaults
    from daypass.lifecycle.ports import Repository
    from daypass.model.catalogue import Catalogue
    from daypass.model.instant import Instant
    from daypass.model.pullrequest import PullRequest
    from daypass.policy.approvals import ApprovalCount, RefusedReview
    from daypass.policy.groups import GroupDirectory

_SHOWN: Final = 8  # names in a line
_UNTIL: Final = "that stands until that account approves, or an owner dismisses it before the merge"


@dataclass(frozen=True, slots=True)
class FoundationForecast:
    """What is known of a change of policies, resources, identities or settings before its merge."""

    would_freeze: tuple[str, ...]  # whoever approves
    unknown: tuple[str, ...]  # what GitHub does not tell now
    still_needed: tuple[str, ...]
    approved: tuple[str, ...]  # owners of the foundation
    cannot_approve: tuple[str, ...]  # owners who are out, each with the reason
    refused_reviews: tuple[RefusedReview, ...]
    would_break: tuple[str, ...] = ()  # what `validate` has against the documents after the merge

    @property
    def is_refused(self) -> bool:
        """Whether it should not be merged as it is, whoever approves."""
        return bool(self.would_freeze or self.would_break)

    @property
    def is_ready(self) -> bool:
        """Whether a merge now would be proven, and leaves documents that are sound."""
        return not (self.is_refused or self.unknown or self.still_needed)

    def with_merge(self, found: MergeFaults) -> FoundationForecast:
        """The same with what is wrong with the documents as the merge would leave them."""
        freezes = (*self.would_freeze, *found.freezes)
        return replace(self, would_freeze=freezes, would_break=found.breaks)

    def to_json(self) -> dict[str, Any]:
        """As `plan --format json` prints it."""
        return {
            "wouldFreeze": list(self.would_freeze),
            "wouldBreak": list(self.would_break),
            "unknownHere": list(self.unknown),
            "stillNeeded": list(self.still_needed),
            "approved": list(self.approved),
            "cannotApprove": list(self.cannot_approve),
            "reviewsThatDoNotCount": [item.to_json() for item in self.refused_reviews],
        }


def touches_foundation(pull_request: PullRequest) -> bool:
    """Whether it changes what decisions rest on, under either name of a renamed file."""
    return any(is_foundation(path) for item in pull_request.files for path in item.paths)


def forecast_documents(
    repository: Repository, main: str, ancestor: str, head: str
) -> FoundationForecast | None:
    """What is known of a change without GitHub: its documents. None: it changes no foundation."""
    if not changed_between(repository, ancestor, head):
        return None
    unknown = "who approved it is not asked here: `daypass plan --pr N` asks GitHub"
    found = FoundationForecast(_odd(repository, ancestor, head), (unknown,), (), (), (), ())
    return found.with_merge(merge_faults(repository, main, ancestor, head))


def forecast_foundation(
    repository: Repository,
    ancestor: str,
    pull_request: PullRequest,
    catalogue: Catalogue,
    groups: GroupDirectory,
    now: Instant,
) -> FoundationForecast:
    """Tell what the proof will say after the merge, and who can still approve.

    Args:
        repository: has the pull request's head.
        ancestor: the commit where the pull request's branch left main.
        pull_request: an open one that `touches_foundation`.
        catalogue: of main.
        groups: of the same tree.
        now: a time to count at.
    """
    freezes = list(_odd(repository, ancestor, pull_request.head_sha))
    if is_from_fork(pull_request, catalogue.settings.github):
        freezes.append(push_here(catalogue.settings.github))
    proof = prove_foundation(pull_request, catalogue, groups, now)
    count = proof.approvals
    team = _Owners(catalogue, groups, count, now)
    unknown: tuple[str, ...] = ()
    needed: tuple[str, ...] = ()
    if isinstance(proof, FoundationFault):
        if count.fault is not None and not count.fault_may_pass:
            freezes.append(". ".join(filter(None, (proof.why, count.fault_remedy))))
        elif proof.code in ("unprovable", "unknown-group"):
            unknown = (proof.why,)
        elif proof.code == "not-approved" and team.missing > len(team.candidates):
            freezes.append(f"{proof.why}, and nobody who could approve is left: {team}")
        elif proof.code == "changes-requested":
            needed = (f"{proof.why}: {_UNTIL}",)
        else:
            needed = (f"{proof.why}: {team}",)
    return FoundationForecast(
        would_freeze=tuple(freezes),
        unknown=unknown,
        still_needed=needed,
        approved=team.approved,
        cannot_approve=excluded_among(team.accounts, count, pull_request, catalogue),
        refused_reviews=count.refused,
    )


def _odd(repository: Repository, ancestor: str, head: str) -> tuple[str, ...]:
    odd = odd_modes(changed_between(repository, ancestor, head))
    return tuple(f"{item} is no regular file (mode 100644): commit it as one" for item in odd)


@dataclass(frozen=True, slots=True)
class _Owners:
    """The owners of the foundation, and who of them can still approve."""

    catalogue: Catalogue
    groups: GroupDirectory
    count: ApprovalCount
    now: Instant

    @property
    def accounts(self) -> frozenset[int]:
        """Numeric ids of their accounts, as far as GitHub tells them."""
        names = self.catalogue.settings.foundation_owners
        return frozenset().union(*(self.groups.group(name).accounts for name in names))

    @property
    def approved(self) -> tuple[str, ...]:
        """Those who did, by name."""
        given = {item.account_id for item in self.count.counted} & self.accounts
        return _names(given, self.catalogue)

    @property
    def missing(self) -> int:
        """How many approvals are still needed."""
        return max(1, self.catalogue.settings.foundation_at_least) - len(self.approved)

    @property
    def candidates(self) -> tuple[str, ...]:
        """Those who still could, by name."""
        gone = {item.account_id for item in self.count.counted} | set(self.count.excluded or ())
        able = self.accounts - gone - voiceless(self.catalogue, self.now)
        return _names(able, self.catalogue)

    def __str__(self) -> str:
        rest = len(self.candidates) - _SHOWN
        names = ", ".join(self.candidates[:_SHOWN])
        if not names:
            return "another owner must join by a pull request that the present ones approve"
        return f"{names}{f' and {rest} others' if rest > 0 else ''} can approve"


def _names(accounts: Iterable[int], catalogue: Catalogue) -> tuple[str, ...]:
    return tuple(sorted(name_of(account_id, catalogue) for account_id in accounts))
