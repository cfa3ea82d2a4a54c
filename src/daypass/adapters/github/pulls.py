"""One pull request with all that approvals are counted on, and whether it is all."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from daypass.adapters.github import wire
from daypass.adapters.github.co_authors import find_co_authors
from daypass.adapters.github.pushes import PushRecord, Span, pushes_of
from daypass.errors import ForgeRefusedError, ForgeUnavailableError
from daypass.model.pullrequest import PullRequest, ReviewState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daypass.adapters.github.co_authors import CoAuthors
    from daypass.adapters.github.transport import Transport
    from daypass.model.instant import Instant
    from daypass.model.pullrequest import ChangedFile, Dismissal, PullRequestCommit, Review
    from daypass.model.settings import GitHubSettings

# What GitHub's API lists of a pull request; the rest exists, and cannot be seen.
_MOST_COMMITS: Final = 250
_MOST_FILES: Final = 3000
# Somebody aimed it at another branch, or GitHub did so because its base was merged and deleted.
_BASE_CHANGES: Final = frozenset({"base_ref_changed", "automatic_base_change_succeeded"})
_MERGED: Final = "merged"
# A branch with more pushes than this is no access request; nor is what has so many reviews, or
# events of its timeline.
_MOST_ACTIVITIES: Final = 2000
_HIDDEN: Final = "GitHub does not show who pushed to its branch"


class _Lists(NamedTuple):
    """What GitHub lists of a pull request."""

    files: tuple[ChangedFile, ...]
    commits: tuple[PullRequestCommit, ...]
    co_authors: CoAuthors
    reviews: tuple[Review, ...]
    record: PushRecord
    base_changed_at: Instant | None  # the last time
    untold_merge: str  # why the list of events is not whole; empty when it may be
    dismissals: tuple[Dismissal, ...]
    too_large: str  # why nothing may be decided on it; empty when it is not too large


def fetch(transport: Transport, settings: GitHubSettings, number: int) -> PullRequest:
    """Ask GitHub for a pull request, its files, commits, reviews, pushes and changes of base.

    Also for the accounts of co-authors, where a commit names any that no number tells.

    Raises:
        ForgeUnavailableError: GitHub does not answer, or does not tell yet who dismissed a review.
        ForgeRefusedError: GitHub refuses.
    """
    pull = transport.get(f"/repos/{settings.full_name}/pulls/{number}")
    lists = _read_lists(transport, settings, number, pull)
    return wire.read(lambda value: _pull_request(value, lists), pull)


def contradicts_itself(pull_request: PullRequest) -> bool:
    """Whether what was told of it cannot all be so: a later answer may be whole.

    What is too large, or came from a fork that is gone or hides who pushed, stays as it is.
    """
    if pull_request.is_too_large or pull_request.head_repository_id is None:
        return False
    is_fork = pull_request.head_repository_id != pull_request.base_repository_id
    if is_fork and pull_request.incomplete_because == _HIDDEN:
        return False
    head = pull_request.head_sha
    return not pull_request.complete or all(item.sha != head for item in pull_request.commits)


def is_merged_into(branch: str, repository_id: int, value: Any) -> int | None:
    """The number of a listed pull request if it was merged into that branch, otherwise None."""

    def merged_pull_request(item: Any) -> int | None:
        base = item["base"]
        here = base["ref"] == branch and wire.number(base["repo"]["id"]) == repository_id
        return wire.number(item["number"]) if item["merged_at"] and here else None

    return wire.read(merged_pull_request, value)


def _read_lists(transport: Transport, settings: GitHubSettings, number: int, pull: Any) -> _Lists:
    path = f"/repos/{settings.full_name}/pulls/{number}"
    limit = wire.read(_past_limits, pull)
    # Nothing may be decided on what is too large: its long lists are not asked for.
    asked = transport.pages if not limit else _no_pages
    files = wire.read_all(wire.changed_file, asked(f"{path}/files"))
    commits = wire.read_all(wire.commit, asked(f"{path}/commits"))
    co_authors = find_co_authors(transport, settings, commits, files)
    merged_at = wire.read(lambda value: wire.optional(wire.instant, value["merged_at"]), pull)
    listed, many_reviews = _some(asked(f"{path}/reviews"), "submitted_at", merged_at, "reviews")
    reviews = wire.read_all(wire.review, listed)
    record = _pushes(transport, pull) if not limit else PushRecord((), limit)
    timeline = asked(f"/repos/{settings.full_name}/issues/{number}/events")
    events, many_events = _some(timeline, "created_at", merged_at, "events")
    base_changes = [item for item in wire.read_all(_base_change, events) if item is not None]
    too_large = limit or many_reviews or many_events
    return _Lists(
        files=files,
        commits=commits,
        co_authors=co_authors,
        reviews=reviews,
        record=record,
        base_changed_at=max(base_changes, default=None),
        untold_merge=_untold_merge(merged_at, events),
        dismissals=_dismissals(number, reviews, events) if not too_large else (),
        too_large=too_large,
    )


def _pull_request(value: Any, lists: _Lists) -> PullRequest:
    """The pull request of an answer and of its lists. Raises KeyError and its like."""
    changed = _changed(value, len(lists.files), len(lists.commits))
    gap = lists.too_large or changed or lists.record.gap or lists.untold_merge
    head, base = value["head"], value["base"]
    repo = head["repo"]
    return PullRequest(
        number=wire.number(value["number"]),
        url=wire.text(value["html_url"]),
        author=wire.account(value["user"]),
        base_repository_id=wire.number(base["repo"]["id"]),
        base_ref=wire.text(base["ref"]),
        base_sha=wire.sha(base["sha"]),
        head_repository_id=wire.number(repo["id"]) if repo else None,
        head_ref=wire.text(head["ref"]),
        head_sha=wire.sha(head["sha"]),
        open=value["state"] == "open",
        merged_at=wire.optional(wire.instant, value["merged_at"]),
        merge_commit_sha=wire.optional(wire.sha, value["merge_commit_sha"]),
        merged_by=wire.account(value["merged_by"]),
        files=lists.files,
        commits=lists.commits,
        pushes=lists.record.pushes,
        reviews=lists.reviews,
        complete=not gap,
        incomplete_because=gap,
        is_too_large=bool(lists.too_large),
        base_changed_at=lists.base_changed_at,
        dismissals=lists.dismissals,
        commit_authors=lists.co_authors.answered,
        co_authors_unknown_because=lists.co_authors.unknown_because,
    )


def _past_limits(value: Any) -> str:
    """Why the lists of files and commits cannot be whole; empty when they can."""
    if wire.number(value["commits"]) > _MOST_COMMITS:
        return f"it has more than {_MOST_COMMITS} commits, which is all that GitHub lists"
    if wire.number(value["changed_files"]) > _MOST_FILES:
        return f"it changes more than {_MOST_FILES} files, which is all that GitHub lists"
    return ""


def _changed(value: Any, files: int, commits: int) -> str:
    """Why the lists of files and commits are not whole; empty when they are."""
    if commits != value["commits"] or files != value["changed_files"]:
        return "it changed while it was read"
    return ""


def _untold_merge(merged_at: Instant | None, events: list[Any]) -> str:
    """Why the list of events is not whole; empty when it may be.

    GitHub records the merge among a pull request's events, oldest first. A list without it may lack
    a change of the base too, and approvals of before that change would count.
    """
    told = (wire.read(lambda value: wire.text(value["event"]), item) for item in events)
    if merged_at is None or _MERGED in told:
        return ""
    return "GitHub's list of its events does not hold its merge"


def _no_pages(_path: str) -> Iterator[Any]:
    return iter(())


def _some(
    values: Iterator[Any], time: str, merged_at: Instant | None, what: str
) -> tuple[list[Any], str]:
    """Reads a list that any user can make long, oldest first; and says why it is not whole.

    Entries after the merge are ignored, so that later ones cannot undo a proof.
    """
    found = list(itertools.islice(values, _MOST_ACTIVITIES + 1))
    if len(found) <= _MOST_ACTIVITIES:
        return found, ""
    last = wire.read(lambda value: wire.optional(wire.instant, value.get(time)), found.pop())
    if merged_at is not None and last is not None and last > merged_at:
        return found, ""
    return found, f"it has more than {_MOST_ACTIVITIES} {what}"


def _pushes(transport: Transport, pull: Any) -> PushRecord:
    span, repository = wire.read(_span, pull)
    if repository is None:
        return PushRecord(
            (), "the fork that it came from is gone, and the record of pushes with it"
        )
    activities = transport.pages(
        f"/repos/{repository}/activity", {"ref": span.ref, "direction": "desc"}
    )
    try:
        return pushes_of(span, itertools.islice(activities, _MOST_ACTIVITIES))
    except ForgeRefusedError:
        return PushRecord((), _HIDDEN)


def _base_change(value: Any) -> Instant | None:
    """When the event changed the base; None for every other event."""
    if wire.text(value["event"]) not in _BASE_CHANGES:
        return None
    return wire.instant(value["created_at"])


def _dismissals(
    number: int, reviews: tuple[Review, ...], events: list[Any]
) -> tuple[Dismissal, ...]:
    """The dismissals of reviews; each dismissed one has its own, or GitHub is asked again."""
    found = tuple(item for item in wire.read_all(wire.dismissal, events) if item is not None)
    told = {item.review for item in found}
    untold = [
        item.id for item in reviews if item.state is ReviewState.DISMISSED and item.id not in told
    ]
    if untold:
        raise ForgeUnavailableError(
            f"GitHub does not tell yet who dismissed review {untold[0]} of #{number}",
            remedy="Nothing to mend: the next run asks again. If it stays so, its reviewer reviews "
            "again.",
        )
    return found


def _span(value: Any) -> tuple[Span, str | None]:
    head = value["head"]
    span = Span(
        ref=f"refs/heads/{wire.text(head['ref'])}",
        head=wire.sha(head["sha"]),
        opened_at=wire.instant(value["created_at"]),
        merged_at=wire.optional(wire.instant, value["merged_at"]),
    )
    return span, wire.text(head["repo"]["full_name"]) if head["repo"] else None
