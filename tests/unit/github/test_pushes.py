"""Threat 32: whoever pushed to a pull request is known, or nothing is decided on it."""

from __future__ import annotations

from typing import Any

import pytest
from github_answers import FIRST, HEAD, MERGED, NOTHING, OPENED, activity, user

from daypass.adapters.github.pushes import Span, pushes_of
from daypass.errors import ForgeUnavailableError
from daypass.model.instant import Instant

SPAN = Span("refs/heads/ask", HEAD, Instant.parse(OPENED), Instant.parse(MERGED))
BEFORE_MERGE = "2026-11-22T10:40:00Z"
LATER = "2026-11-22T11:30:00Z"
CREATION = activity(after=FIRST)
AMENDMENT = activity(
    before=FIRST, after=HEAD, timestamp=BEFORE_MERGE, activity_type="force_push", actor=user(12)
)
AFTERWARDS = activity(before=HEAD, after=NOTHING, timestamp=LATER, activity_type="branch_deletion")


def actors(*activities: dict[str, Any]) -> tuple[list[int | None], str]:
    record = pushes_of(SPAN, activities)
    return [push.actor.id if push.actor else None for push in record.pushes], record.gap


def test_who_amended_is_found_though_the_commit_bears_another_name() -> None:
    assert actors(AMENDMENT, CREATION) == ([12, 11], "")


def test_the_branch_may_be_deleted_and_reused_after_the_merge() -> None:
    reused = activity(before=NOTHING, after=FIRST, timestamp=LATER, actor=user(13))
    assert actors(reused, AFTERWARDS, AMENDMENT, CREATION) == ([12, 11], "")


def test_a_branch_deleted_and_restored_does_not_hide_who_pushed_before() -> None:
    deleted = activity(
        before=HEAD, after=NOTHING, timestamp=BEFORE_MERGE, activity_type="branch_deletion"
    )
    restored = activity(before=NOTHING, after=HEAD, timestamp=BEFORE_MERGE, actor=user(11))
    assert actors(restored, deleted, AMENDMENT, CREATION) == ([11, 12, 11], "")


def test_other_branches_do_not_count() -> None:
    other = activity(ref="refs/heads/ask2", before=HEAD, after=FIRST, actor=user(13))
    assert actors(AMENDMENT, other, CREATION) == ([12, 11], "")


@pytest.mark.parametrize(
    ("activities", "gap"),
    [
        ([], "creation"),
        ([AMENDMENT], "creation"),
        ([CREATION], "is not its head"),
        ([AMENDMENT, activity(after="e" * 40)], "gap"),
        (
            [activity(before=HEAD, after=FIRST, timestamp=BEFORE_MERGE), AMENDMENT, CREATION],
            "is not its head",
        ),
        ([AMENDMENT, CREATION | {"timestamp": "2026-11-22T10:10:00Z"}], "creation"),
    ],
)
def test_a_record_that_is_not_whole_says_so(activities: list[dict[str, Any]], gap: str) -> None:
    assert gap in actors(*activities)[1]


def test_a_gone_actor_is_kept_as_unknown() -> None:
    assert actors(AMENDMENT | {"actor": None}, CREATION) == ([None, 11], "")


def test_an_unreadable_time_is_an_error() -> None:
    with pytest.raises(ForgeUnavailableError):
        actors(AMENDMENT | {"timestamp": "yesterday"}, CREATION)
