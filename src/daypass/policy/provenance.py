"""Provenance: which approved pull request brought a file to main, byte for byte.

Asked for every request, and for every commit that touches what decisions rest on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from daypass.policy.approvals import count_reviews

if TYPE_CHECKING:
    from collections.abc import Iterable

    from daypass.model.catalogue import Catalogue
    from daypass.model.grant import Approval
    from daypass.model.instant import Instant
    from daypass.model.pullrequest import PullRequest
    from daypass.model.settings import GitHubSettings
    from daypass.policy.approvals import ApprovalCount
    from daypass.policy.groups import GroupDirectory


@dataclass(frozen=True, slots=True)
class ProvenanceFault:
    """Why nothing may rest on it: a code, and a sentence for people.

    `pull_request` is one that claims to have brought it, which is where people are told.
    """

    code: str
    why: str
    pull_request: PullRequest | None = None


def prove(
    pull_requests: Iterable[PullRequest],
    commit: str,
    path: str,
    blob: str,
    github: GitHubSettings,
) -> PullRequest | ProvenanceFault:
    """The pull request that brought exactly these bytes to main.

    Args:
        pull_requests: what `Forge.pull_requests_of(commit)` gave.
        commit: the first-parent commit of main that introduced `path`.
        path: relative to the repository's root.
        blob: the object id of the file as it lies on main.
        github: which repository, and which branch, is the governed one.
    """
    merged = [item for item in pull_requests if _merged_here(item, github)]
    if not merged:
        return ProvenanceFault(
            "no-pull-request",
            f"commit {commit[:12]} came to {github.default_branch} by no pull request "
            f"that was merged into it",
        )
    whole = [item for item in merged if item.complete]
    if not whole:
        # What is too large stays so; of the others, GitHub may tell the rest later.
        part = next((item for item in merged if not item.is_too_large), merged[0])
        return ProvenanceFault(
            "too-large" if part.is_too_large else "incomplete",
            f"GitHub does not tell the whole of #{part.number}: "
            f"{part.incomplete_because or 'a list was cut'}",
            part,
        )
    proven = [item for item in whole if _lists(item, path, blob)]
    if not proven:
        return ProvenanceFault(
            "other-bytes",
            f"{path} on {github.default_branch} is not the file of #{whole[0].number}",
            whole[0],
        )
    exact = [item for item in proven if item.merge_commit_sha == commit] or proven
    if len({item.number for item in exact}) > 1:
        numbers = ", ".join(f"#{item.number}" for item in sorted(exact, key=lambda i: i.number))
        return ProvenanceFault(
            "ambiguous",
            f"{numbers} all claim to have brought {path}; approvals of one only count",
            exact[0],
        )
    return exact[0]


def outside(pull_request: PullRequest, folder: str) -> str | None:
    """A path that it changes outside of a folder, by whichever of its names; None: there is none.

    A file that was moved into the folder is gone from where it was.
    """
    paths = (path for item in pull_request.files for path in item.paths)
    return next((path for path in paths if not path.startswith(folder)), None)


def over_limit(pull_request: PullRequest, folder: str, path: str, most: int) -> str | None:
    """Tells why `path` is over the limit of requests that one pull request may bring.

    The first `most` by name are within it. What a pull request deletes is never counted.

    Returns:
        The reason, for people; None when it is within the limit.
    """
    brought = sorted(
        item.path
        for item in pull_request.files
        if item.status != "removed" and item.path.startswith(folder)
    )
    if path in brought[:most] or len(brought) <= most:
        return None
    return (
        f"#{pull_request.number} asks for {len(brought)} requests, and the limit is {most} "
        "(limits.requestsPerPullRequest in access/daypass.yaml): the first by name are decided, "
        "and this one comes after them. Ask for it in another pull request, with a new id"
    )


@dataclass(frozen=True, slots=True)
class FoundationProof:
    """A change of what decisions rest on that its owners approved."""

    pull_request: int
    approvals: ApprovalCount
    owners: tuple[Approval, ...] = ()  # those of them that were asked for


@dataclass(frozen=True, slots=True)
class FoundationFault(ProvenanceFault):
    """Why a change of what decisions rest on is not proven."""

    approvals: ApprovalCount = field(kw_only=True)


def prove_foundation(
    pull_request: PullRequest,
    catalogue: Catalogue,
    groups: GroupDirectory,
    now: Instant,
) -> FoundationProof | FoundationFault:
    """Whether a pull request that touches the foundation was approved by its owners.

    `settings.foundation_at_least` different members of `settings.foundation_owners` must have
    approved its head before the merge, none of whom opened, wrote or pushed any of it.

    Args:
        pull_request: one that `prove` or the caller found merged into the default branch.
        catalogue: of the tree *before* the change: nobody votes himself in.
        groups: of the same tree, with today's members of the teams.
        now: for pull requests that are still open.
    """
    settings = catalogue.settings
    wanted = max(1, settings.foundation_at_least)
    owners = [groups.group(name) for name in settings.foundation_owners]
    count = count_reviews(pull_request, catalogue, groups, now)
    name = f"#{pull_request.number}"
    counted = tuple(
        item for item in count.counted if any(item.account_id in group.accounts for group in owners)
    )
    refused = _foundation_fault(name, count)
    if refused is None and len(counted) >= wanted:
        return FoundationProof(pull_request.number, count, counted)
    asked = " or ".join(settings.foundation_owners) or "nobody (the settings name no owners)"
    if refused is None and not all(group.known for group in owners):
        refused = "unknown-group", f"{name}: who belongs to {asked} cannot be had from GitHub"
    few = (
        f"{name} changes what decisions rest on: it needs {wanted} approval(s) of {asked}, "
        f"and has {len(counted)}"
    )
    if pull_request.merged_at is not None and not pull_request.reviews:
        few += " (GitHub tells of no review of it: if it has any, the next run asks again)"
    code, why = refused or ("not-approved", few)
    return FoundationFault(code, why, approvals=count)


def _foundation_fault(name: str, count: ApprovalCount) -> tuple[str, str] | None:
    """What keeps any approval from proving it: a code and a sentence; None: nothing does."""
    if count.fault is not None:
        return "unprovable", f"{name} cannot be judged: {count.fault}"
    if count.blocked_by:
        accounts = ", ".join(map(str, count.blocked_by))
        return "changes-requested", f"{name}: account {accounts} asks for changes"
    if count.unsettled:
        accounts = ", ".join(map(str, count.unsettled))
        why = (
            f"{name}: whether an owner dismissed the request for changes of account {accounts} "
            "cannot be had from GitHub"
        )
        return "unknown-group", why
    return None


def _merged_here(pull_request: PullRequest, github: GitHubSettings) -> bool:
    return (
        pull_request.merged_at is not None
        and not pull_request.open
        and pull_request.base_repository_id == github.repository_id
        and pull_request.base_ref == github.default_branch
    )


def _lists(pull_request: PullRequest, path: str, blob: str) -> bool:
    return any(
        item.path == path and item.blob == blob and item.status != "removed"
        for item in pull_request.files
    )
