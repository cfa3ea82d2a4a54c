"""Which words count as the review of an emergency, by when they were said."""

from __future__ import annotations

import pytest

from daypass.lifecycle.reviewing import why_not_as_said
from daypass.model.instant import Instant
from daypass.model.pullrequest import Comment

SAID_AT = Instant.parse("2026-11-23T09:00:10Z")


def said(*, edited: bool = False) -> Comment:
    return Comment(1, "", 3, "/review bg-1", SAID_AT, edited)


@pytest.mark.parametrize(
    "ended_at",
    [
        "2026-11-23T09:00:10Z",  # the same second: GitHub rounds down, and so does Vault
        "2026-11-23T09:00:10.999Z",
        "2026-11-23T09:00:11Z",
        "9999-12-31T23:59:59Z",
    ],
)
def test_what_may_have_been_said_before_the_end_does_not_count(ended_at: str) -> None:
    assert "before the access had ended" in (why_not_as_said(said(), Instant.parse(ended_at)) or "")


def test_what_was_said_after_the_end_counts_unless_it_was_edited() -> None:
    ended_at = Instant.parse("2026-11-23T09:00:09.999Z")
    assert why_not_as_said(said(), ended_at) is None
    assert "edited" in (why_not_as_said(said(edited=True), ended_at) or "")
