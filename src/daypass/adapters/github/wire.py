"""GitHub's JSON → values of the model. What is missing or of another type is an error, no default.

A field that GitHub's description calls nullable becomes None; any other must be there. The readers
here raise KeyError, TypeError or ValueError; `read` turns these into one clear error.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, TypeVar

from daypass.adapters.github import failure
from daypass.model.co_authors import co_authors_of
from daypass.model.instant import Instant
from daypass.model.pullrequest import (
    Account,
    AccountType,
    ChangedFile,
    ClosedPullRequest,
    Comment,
    Dismissal,
    OpenPullRequest,
    PullRequestCommit,
    Review,
    ReviewState,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

T = TypeVar("T")
# The account at github.com that deleted ones are shown as. Whoever it was may have another one.
_GHOST: Final = (10137, "ghost")
_SHA: Final = re.compile(r"[0-9a-f]{40}")


def read(reader: Callable[[Any], T], value: Any) -> T:
    """What the reader makes of GitHub's value.

    Raises:
        ForgeUnavailableError: a field is missing, or is not what GitHub's description says.
    """
    try:
        return reader(value)
    except (KeyError, TypeError, ValueError, AttributeError):
        # Not chained: these errors quote the value that they stumbled over.
        raise failure.unexpected(reader.__name__.strip("_").replace("_", " ")) from None


def read_all(reader: Callable[[Any], T], values: Iterable[Any]) -> tuple[T, ...]:
    """`read` for each item of a list."""
    return tuple(read(reader, value) for value in values)


def number(value: Any) -> int:
    """An integer, and no boolean."""
    if type(value) is not int:
        raise TypeError("not an integer")
    return value


def text(value: Any) -> str:
    """A string."""
    if not isinstance(value, str):
        raise TypeError("not a string")
    return value


def sha(value: Any) -> str:
    """An object id."""
    if _SHA.fullmatch(text(value)) is None:
        raise ValueError("not an object id")
    return str(value)


def optional(reader: Callable[[Any], T], value: Any) -> T | None:
    """The reader's value, or None for null."""
    return None if value is None else reader(value)


def instant(value: Any) -> Instant:
    """A time."""
    return Instant.parse(text(value))


def account(value: Any) -> Account | None:
    """An account; None for null, for the `{}` of a commit's unknown address, and for `ghost`."""
    if not value or (value["id"], value["login"]) == _GHOST:
        return None
    try:
        kind = AccountType(text(value["type"]))
    except ValueError:
        kind = AccountType.OTHER
    return Account(number(value["id"]), text(value["login"]), kind)


def review(value: Any) -> Review:
    """A review. A state that is unheard of is an error: it could take an approval back."""
    return Review(
        id=number(value["id"]),
        reviewer=account(value["user"]),
        state=ReviewState(value["state"]),
        commit=optional(sha, value["commit_id"]),
        submitted_at=optional(instant, value.get("submitted_at")),
    )


def dismissal(value: Any) -> Dismissal | None:
    """The dismissal that an issue's event tells; None for every other event."""
    if text(value["event"]) != "review_dismissed":
        return None
    dismissed = value["dismissed_review"]
    return Dismissal(
        review=number(dismissed["review_id"]),
        was=ReviewState(text(dismissed["state"]).upper()),
        actor=account(value["actor"]),
        at=instant(value["created_at"]),
    )


def commit(value: Any) -> PullRequestCommit:
    """A commit of a pull request, with the co-authors that its message names."""
    message = text(value["commit"]["message"])
    return PullRequestCommit(
        sha=sha(value["sha"]),
        author=account(value["author"]),
        committer=account(value["committer"]),
        co_authors=co_authors_of(message),
    )


def changed_file(value: Any) -> ChangedFile:
    """A file that a pull request changes. One that was renamed had another name before."""
    status, before = text(value["status"]), value.get("previous_filename")
    return ChangedFile(
        path=text(value["filename"]),
        status=status,
        blob=optional(sha, value["sha"]),
        previous_path=text(before) if status == "renamed" else optional(text, before),
    )


def comment(value: Any) -> Comment:
    """A comment. GitHub says that it was edited by showing another time of update."""
    author = account(value["user"])
    return Comment(
        id=number(value["id"]),
        url=text(value["html_url"]),
        author_id=author.id if author else None,
        body=value.get("body") or "",
        created_at=instant(value["created_at"]),
        edited=value["updated_at"] != value["created_at"],
    )


def key(value: Any) -> str:
    """A public SSH key."""
    return text(value["key"])


def member(value: Any) -> int:
    """A member's numeric id."""
    return number(value["id"])


def issue(value: Any) -> tuple[int, int, str]:
    """An issue's number, its author's numeric id (0 when the account is gone), and its body."""
    author = value["user"]
    return number(value["number"]), number(author["id"]) if author else 0, value["body"] or ""


def closed_pull_request(value: Any) -> tuple[Instant, ClosedPullRequest | None]:
    """When a listed pull request was last changed; and it, if it was closed unmerged."""
    updated, closed_at = instant(value["updated_at"]), optional(instant, value["closed_at"])
    if closed_at is None or value["merged_at"] is not None:
        return updated, None
    head, repository = value["head"], value["head"]["repo"]
    return updated, ClosedPullRequest(
        number=number(value["number"]),
        author=account(value["user"]),
        head_sha=sha(head["sha"]),
        head_repository_id=number(repository["id"]) if repository else None,
        closed_at=closed_at,
    )


def open_pull_request(value: Any) -> OpenPullRequest:
    """A listed pull request that is open."""
    author, head = account(value["user"]), value["head"]
    return OpenPullRequest(
        number(value["number"]), author.id if author else 0, text(head["ref"]), sha(head["sha"])
    )


def number_and_address(value: Any) -> tuple[int, str]:
    """A pull request's number, and where people see it."""
    return number(value["number"]), text(value["html_url"])
