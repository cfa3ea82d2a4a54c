"""Who holds what, until when."""

from __future__ import annotations

from dataclasses import replace

import pytest
from claim_world import a_grant

from daypass.model.instant import Instant
from daypass.report.status import doubt_clock, holdings, render_table, time_left

NOW = Instant.parse("2026-11-22T10:30:00Z")
LIVE = a_grant("live")
OVER = replace(a_grant("over"), not_after=Instant.parse("2026-11-22T10:29:59Z"))
LATER = replace(a_grant("later"), not_after=Instant.parse("2026-11-24T13:30:00Z"))
FAILED = replace(a_grant("failed"), not_after=Instant.parse("2026-11-22T10:00:00Z")).failed(
    "unconfirmed", Instant.parse("2026-11-22T10:01:00Z")
)


def test_the_table() -> None:
    table = render_table(holdings([LATER, FAILED, LIVE, OVER], NOW), lambda line: f"!{line}!")
    assert table == (
        "GRANT   SUBJECT  RESOURCE   ACCESS  SINCE              UNTIL              LEFT   STATE\n"
        "!failed  alice    orders-db  read    2026-11-22 10:00Z  2026-11-22 10:00Z  -      "
        "revoke-failed: it may still work since 2026-11-22T10:01:00Z (unconfirmed)!\n"
        "over    alice    orders-db  read    2026-11-22 10:00Z  2026-11-22 10:29Z  -      "
        "time is up, waiting for the next run\n"
        "live    alice    orders-db  read    2026-11-22 10:00Z  2026-11-22 11:00Z  30m    active\n"
        "later   alice    orders-db  read    2026-11-22 10:00Z  2026-11-24 13:30Z  2d 3h  active"
    )


def test_a_clock_that_may_be_wrong_is_said() -> None:
    """Claims go by Vault's time; what is shown here goes by the machine's."""
    assert doubt_clock(holdings([LIVE, LATER], NOW), NOW) is None
    assert doubt_clock((), NOW) is None
    behind = NOW.plus(-86400)
    said = doubt_clock(holdings([LIVE], behind), behind)
    assert said is not None
    assert "clock (2026-11-21 10:30Z) is behind Vault's" in said
    assert "issued at 2026-11-22 10:00Z" in said
    ahead = NOW.plus(86400)
    assert "by this machine's clock (2026-11-23 10:30Z)" in str(
        doubt_clock(holdings([LIVE, LATER], ahead), ahead)
    )


def test_nobody() -> None:
    assert render_table((), str) == "nobody holds anything"


def test_a_program_reads_states_and_seconds() -> None:
    found = [row.to_json() for row in holdings([LIVE, OVER, FAILED], NOW)]
    assert [(item["grant"], item["state"], item["leftSeconds"]) for item in found] == [
        ("failed", "revoke-failed", -1800),
        ("over", "over", -1),
        ("live", "active", 1800),
    ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "-"), (-5, "-"), (0.4, "0s"), (59, "59s"), (60, "1m"), (3660, "1h 01m"), (90000, "1d 1h")],
)
def test_time_left(seconds: float, words: str) -> None:
    assert time_left(seconds) == words
