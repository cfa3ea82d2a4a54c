"""What a repository of the box's GitHub remembers besides git: pull requests, reviews, comments."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from daypass.sandbox.github.accounts import Account
    from daypass.sandbox.github.git_store import GitStore


@dataclass(eq=False, slots=True)
class Review:
    """One review, in the order in which they were given."""

    id: int
    author: Account
    state: str  # APPROVED | CHANGES_REQUESTED | COMMENTED | DISMISSED | PENDING
    body: str
    commit_id: str
    submitted_at: str


@dataclass(eq=False, slots=True)
class Comment:
    """A comment on an issue or a pull request."""

    id: int
    number: int
    author: Account
    body: str
    created_at: str
    updated_at: str


@dataclass(eq=False, slots=True)
class Issue:
    """An issue; every pull request has one, under the same number."""

    id: int
    number: int
    author: Account
    title: str
    body: str | None
    created_at: str
    updated_at: str
    state: str = "open"
    closed_at: str | None = None
    closed_by: Account | None = None
    labels: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class IssueEvent:
    """Something that happened to an issue or a pull request."""

    id: int
    actor: Account
    event: str  # base_ref_changed | review_dismissed | merged | closed | reopened
    at: str
    details: dict[str, Any] = field(default_factory=dict)  # what this kind of event has beside
    commit: str | None = None  # merged: the commit that brought it


@dataclass(eq=False, slots=True)
class PullRequest:
    """What is a pull request's own, beyond its issue."""

    id: int
    issue: Issue
    head_repository: Repository | None  # None when the fork was deleted
    head_owner: Account
    head_ref: str
    head_sha: str
    base_ref: str
    base_sha: str
    draft: bool = False
    merged_at: str | None = None
    merged_by: Account | None = None
    merge_commit_sha: str | None = None
    reviews: list[Review] = field(default_factory=list)
    events: list[IssueEvent] = field(default_factory=list)

    @property
    def number(self) -> int:
        """The number that people call it by."""
        return self.issue.number

    @property
    def open(self) -> bool:
        """Whether it can still be merged."""
        return self.issue.state == "open"


@dataclass(frozen=True, slots=True)
class Activity:
    """One entry of the record of pushes."""

    id: int
    actor: Account
    ref: str
    before: str
    after: str
    type: str  # push | force_push | branch_creation | branch_deletion | pr_merge
    at: str


@dataclass(eq=False, slots=True)
class Rules:
    """The two rulesets of the default branch: pull requests, and history.

    `bypass` holds the accounts that may push past the first; none passes by the second. What the
    API shows of reviews is enforced only with `enforces_reviews`: daypass must not rely on it, so
    tests merge as an administrator could.
    """

    id: int
    history_id: int
    protected: bool = True
    bypass: set[int] = field(default_factory=set)
    required_approvals: int = 1
    code_owners: bool = True
    dismiss_stale: bool = True
    last_push: bool = True
    enforces_reviews: bool = False


@dataclass(eq=False, slots=True)
class Ruleset:
    """A ruleset that a test adds, as it is shown; nothing enforces it."""

    id: int
    name: str
    rules: list[dict[str, Any]]
    bypass: list[dict[str, Any]] = field(default_factory=list)
    organisation: bool = False  # of the organisation: repository administrators see no bypass


@dataclass(eq=False, slots=True)
class Environment:
    """A deployment environment. Its variables come before those of the repository."""

    id: int
    name: str
    # (name, branch | tag) of what may deploy; "protected": any protected branch; None: every ref.
    branches: list[tuple[str, str]] | Literal["protected"] | None
    variables: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Dispatch:
    """A workflow run that somebody asked for."""

    workflow: str
    ref: str
    inputs: dict[str, str]
    actor: Account


@dataclass(eq=False, slots=True)
class Repository:
    """One repository. Whoever changes it holds `lock`."""

    id: int
    owner: Account
    name: str
    store: GitStore
    rules: Rules
    created_at: str
    private: bool = True
    default_branch: str = "main"
    app_installed: bool = True
    parent: Repository | None = None
    roles: dict[int, str] = field(default_factory=dict)  # account id → read | write | admin
    issues: dict[int, Issue] = field(default_factory=dict)
    pulls: dict[int, PullRequest] = field(default_factory=dict)
    comments: dict[int, Comment] = field(default_factory=dict)
    activities: list[Activity] = field(default_factory=list)
    brought_by: dict[str, list[int]] = field(default_factory=dict)  # commit → merged pull requests
    statuses: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    dispatches: list[Dispatch] = field(default_factory=list)
    rulesets: list[Ruleset] = field(default_factory=list)
    protection: dict[str, Any] | None = None  # the older branch protection of the default branch
    environments: dict[str, Environment] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def full_name(self) -> str:
        """`owner/name`, with the owner's login of today."""
        return f"{self.owner.login}/{self.name}"

    def role(self, account: Account | None) -> str:
        """`none`, `read`, `write` or `admin`."""
        if account is not None and account is self.owner:
            return "admin"
        held = self.roles.get(account.id) if account is not None else None
        return held or ("none" if self.private else "read")

    def next_number(self) -> int:
        """The number of the next issue or pull request."""
        return len(self.issues) + 1
