"""What GitHub's API says of a pull request, as values: the ground that approvals are counted on.

Accounts are known by their numeric id: logins are renamed, and taken by somebody else.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from daypass.model.instant import Instant


class AccountType(StrEnum):
    """What GitHub says an account is. Anything unheard of counts as a bot: it approves nothing."""

    USER = "User"
    BOT = "Bot"
    ORGANIZATION = "Organization"
    OTHER = "Other"


@dataclass(frozen=True, slots=True)
class Account:
    """A GitHub account. `login` is for people to read, never for a decision."""

    id: int
    login: str
    type: AccountType


@dataclass(frozen=True, slots=True)
class Team:
    """A team of the organisation. Another team can take its slug after a rename, never its id."""

    id: int
    slug: str


class ReviewState(StrEnum):
    """The states that a submitted review can have."""

    APPROVED = "APPROVED"
    CHANGES_REQUESTED = "CHANGES_REQUESTED"
    COMMENTED = "COMMENTED"
    DISMISSED = "DISMISSED"
    PENDING = "PENDING"


@dataclass(frozen=True, slots=True)
class Review:
    """One review. `reviewer` is None when the account is gone, `commit` when GitHub forgot it."""

    id: int
    reviewer: Account | None
    state: ReviewState
    commit: str | None
    submitted_at: Instant | None


@dataclass(frozen=True, slots=True)
class Dismissal:
    """The dismissal of a review, by GitHub's record of events. `actor` is None when it is gone."""

    review: int
    was: ReviewState  # what the review said until then
    actor: Account | None
    at: Instant


@dataclass(frozen=True, slots=True)
class PullRequestCommit:
    """A commit of the pull request. None: its e-mail address belongs to no account."""

    sha: str
    author: Account | None
    committer: Account | None
    co_authors: tuple[str, ...] = ()  # e-mail addresses named in `Co-authored-by` lines


@dataclass(frozen=True, slots=True)
class CoAuthor:
    """An author that GitHub shows for a commit, the git author included.

    `address` is in lower case, and empty where GitHub hides it. `account_id` is None where the
    address belongs to no account.
    """

    address: str
    account_id: int | None


@dataclass(frozen=True, slots=True)
class CommitAuthors:
    """All authors of one commit, as GitHub reads its message."""

    sha: str
    authors: tuple[CoAuthor, ...]


@dataclass(frozen=True, slots=True)
class Push:
    """A push to the pull request's branch, by GitHub's own record of who pushed."""

    actor: Account | None
    before: str
    after: str
    at: Instant


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """A file that the pull request changes. `previous_path` is set for renames."""

    path: str
    status: str  # added | modified | removed | renamed | copied | changed | unchanged
    blob: str | None
    previous_path: str | None = None

    @property
    def paths(self) -> tuple[str, ...]:
        """The names that it had and has: a file that is moved is gone from where it was."""
        return (self.path,) if self.previous_path is None else (self.path, self.previous_path)


@dataclass(frozen=True, slots=True)
class PullRequest:
    """Everything that is asked of GitHub about one pull request, fetched together.

    `complete` is False when GitHub's limits cut a list (250 commits, 3,000 files) or a list could
    not be had whole (pushes of a deleted fork): then nothing may be decided on it.
    """

    number: int
    url: str
    author: Account | None
    base_repository_id: int
    base_ref: str
    base_sha: str
    head_repository_id: int | None
    head_ref: str
    head_sha: str
    open: bool
    merged_at: Instant | None
    merge_commit_sha: str | None
    merged_by: Account | None
    files: tuple[ChangedFile, ...]
    commits: tuple[PullRequestCommit, ...]
    pushes: tuple[Push, ...]
    reviews: tuple[Review, ...]
    complete: bool
    incomplete_because: str = ""
    is_too_large: bool = False  # past GitHub's limits: to ask again later cannot help
    base_changed_at: Instant | None = None  # when it was last aimed at another branch
    dismissals: tuple[Dismissal, ...] = ()  # of every review whose state is DISMISSED
    # Of the commits that GitHub was asked about: those whose message names an address that says no
    # account. A commit that is not here was not asked about, or not answered: its co-authors are
    # not known.
    commit_authors: tuple[CommitAuthors, ...] = ()
    co_authors_unknown_because: str = ""  # why GitHub did not answer for one; empty when it did


@dataclass(frozen=True, slots=True)
class OpenPullRequest:
    """A pull request that is open, as a list shows it."""

    number: int
    author_id: int  # 0: the account is gone
    head_ref: str
    head_sha: str


@dataclass(frozen=True, slots=True)
class OpenPart:
    """The list of open pull requests, newest first, as far as it is read."""

    found: tuple[OpenPullRequest, ...]
    is_cut: bool = False  # there are more, which are older


@dataclass(frozen=True, slots=True)
class ClosedPullRequest:
    """A pull request that was closed and never merged, as a list shows it."""

    number: int
    author: Account | None
    head_sha: str
    head_repository_id: int | None
    closed_at: Instant


@dataclass(frozen=True, slots=True)
class ClosedPart:
    """A part of the list of closed pull requests: those closed unmerged, newest change first.

    The list moves down as others change, so that a look that goes on at `next_page` leaves none
    out as long as the first one listed there is no older than the last one listed before.
    """

    found: tuple[ClosedPullRequest, ...]
    newest: Instant | None = None  # the last change of the first one listed; None: none was
    oldest: Instant | None = None  # the last change of the last one listed
    next_page: int | None = None  # where it goes on; None: it was read to its end


@dataclass(frozen=True, slots=True)
class Closing:
    """Who closed a pull request (None: GitHub does not tell), and what it would have changed."""

    closer: Account | None
    files: tuple[ChangedFile, ...]
    is_cut: bool = False  # it changes more files, which were not asked for


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment on a pull request or an issue."""

    id: int
    url: str
    author_id: int | None
    body: str
    created_at: Instant
    edited: bool
