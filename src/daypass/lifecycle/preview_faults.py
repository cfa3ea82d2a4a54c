"""Faults of a pull request itself: whatever it asks for, the judge refuses what it brings.

The same functions judge the merge (`policy/provenance.py`, `lifecycle/emergency.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.documents.changes import REQUESTS
from daypass.documents.tree import check_layout
from daypass.lifecycle.emergency import fault_of, is_from_fork, is_into_main, push_here
from daypass.policy.provenance import outside, over_limit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from daypass.lifecycle.ports import Repository
    from daypass.lifecycle.preview_sources import Used
    from daypass.model.pullrequest import PullRequest
    from daypass.model.settings import GitHubSettings

MERGED_BY_DAYPASS: Final = (
    "daypass merges an emergency itself, within minutes: a merge by anybody else is refused"
)


def over_already(pull_request: PullRequest, github: GitHubSettings) -> str | None:
    """Why a merge of it cannot come, or brings nothing to the governed branch; None: it can."""
    name = f"#{pull_request.number}"
    if pull_request.merged_at is not None:
        return (
            f"{name} was merged at {pull_request.merged_at}: `daypass explain ID` tells what "
            "became of what it asked for"
        )
    if not is_into_main(pull_request, github):
        return (
            f"{name} is into {pull_request.base_ref}: nothing is granted or ended by its merge, "
            f"only by one into {github.default_branch}"
        )
    if not pull_request.open:
        return f"{name} is closed: reopen it, or open another one, if it is to be merged"
    return None


def within_limit(
    new: Sequence[str], pull_request: PullRequest | None, most: int
) -> tuple[list[str], str | None]:
    """The requests that are decided, of the sorted `new`; and why the others are refused."""
    if pull_request is None:
        kept = list(new[:most])
    else:
        kept = [path for path in new if over_limit(pull_request, REQUESTS, path, most) is None]
    lost = [path for path in new if path not in kept]
    if not lost:
        return kept, None
    return kept, (
        f"this pull request asks for {len(new)} requests, and the limit is {most}: "
        f"{lost[0]} and those after it would be refused, and are not shown here. Bring them "
        "in other pull requests"
    )


def pull_request_faults(
    pull_request: PullRequest | None,
    github: GitHubSettings,
    requests: Sequence[str],
    emergencies: Sequence[str],
) -> Iterator[str]:
    """Tells why all that it asks for would be refused. Nothing where GitHub is not asked.

    `requests`, `emergencies`: paths of what it asks for, by lane.
    """
    if pull_request is None:
        return
    other = outside(pull_request, REQUESTS)
    if requests and other is not None:
        yield (
            f"#{pull_request.number} changes more than requests ({other}): what it asks for would "
            "be refused. Ask in one of its own"
        )
    if requests and is_from_fork(pull_request, github):
        yield f"#{pull_request.number} would be refused: {push_here(github)}"
    if emergencies and (fault := fault_of(pull_request, github)) is not None:
        yield f"#{pull_request.number} is no emergency that daypass merges: {fault}"


def layout_faults(
    repository: Repository, folder: str, commit: str, before: Mapping[str, str]
) -> Iterator[str]:
    """What lies in a folder since the branch began, and is no document that is read there."""
    entries = [item for item in repository.entries(commit, folder) if item.path not in before]
    for finding in check_layout(entries):
        yield f"{finding.path}: {finding.message}"


def used_before(paths: Sequence[str], used: Used | None) -> Iterator[str]:
    """The ids among those paths that were used before: they are refused. Asked where it may be."""
    if used is None or not paths:
        return
    names = {path: path.rsplit("/", 1)[-1].removesuffix(".yaml") for path in paths}
    found = used(sorted(names.values()))
    for path, name in names.items():
        if name in found:
            yield f"{path}: the id {name} was used before: an id is used once, take a new one"
