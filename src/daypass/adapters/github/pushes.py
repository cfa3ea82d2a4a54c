"""Who pushed to a pull request's branch, by GitHub's own record, and whether that record is whole.

Names and addresses in commits can be forged; the account that pushed cannot. The record is a chain:
each activity on a branch begins where the one before it ended. A link that is missing, a beginning
that is not the branch's creation, an end that is not the pull request's head: the record is not
whole, and nothing may be decided on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from daypass.adapters.github import wire
from daypass.model.pullrequest import Push

if TYPE_CHECKING:
    from collections.abc import Iterable

    from daypass.model.instant import Instant

_NOTHING: Final = "0" * 40
_DELETION: Final = "branch_deletion"


@dataclass(frozen=True, slots=True)
class Span:
    """Which part of a branch's record concerns a pull request."""

    ref: str  # refs/heads/…
    head: str
    opened_at: Instant
    merged_at: Instant | None


@dataclass(frozen=True, slots=True)
class PushRecord:
    """The pushes, newest first; `gap` says why they are not all, and is empty when they are."""

    pushes: tuple[Push, ...]
    gap: str


def pushes_of(span: Span, activities: Iterable[Any]) -> PushRecord:
    """Read a branch's activities, newest first, no further back than the pull request reaches.

    That is back to a creation of the branch that is no later than the pull request: a branch that
    was deleted and restored meanwhile does not hide who pushed to it before.
    """
    found: list[Push] = []
    for item in activities:
        kind, ref, push = wire.read(_activity, item)
        if ref != span.ref:
            continue
        if not found and push.after != span.head:
            if kind == _DELETION or (span.merged_at is not None and push.at >= span.merged_at):
                continue  # what happened to the branch after the merge
            return PushRecord((), "the newest push to its branch is not its head")
        if found and found[-1].before != push.after:
            return PushRecord(tuple(found), "GitHub's record of pushes to its branch has a gap")
        found.append(push)
        if push.before == _NOTHING and push.at <= span.opened_at:
            return PushRecord(tuple(push for push in found if push.after != _NOTHING), "")
    return PushRecord(
        tuple(found), "GitHub's record of pushes does not reach back to its branch's creation"
    )


def _activity(value: Any) -> tuple[str, str, Push]:
    push = Push(
        actor=wire.account(value["actor"]),
        before=wire.sha(value["before"]),
        after=wire.sha(value["after"]),
        at=wire.instant(value["timestamp"]),
    )
    return wire.text(value["activity_type"]), wire.text(value["ref"]), push
