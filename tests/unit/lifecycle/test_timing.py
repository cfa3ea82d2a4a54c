"""Too early, too late, in time."""

from __future__ import annotations

import pytest

from daypass.errors import TemporaryError
from daypass.lifecycle.timing import Late, Wait, left_at, untimely
from daypass.model.event import EventKind, Reason
from daypass.model.grant import Lane
from daypass.model.instant import Instant
from daypass.model.request import AccessRequest

MERGED = Instant.parse("2026-11-23T09:00:00Z")
HOUR, DAY = 3600, 24 * 3600


def request(begins: float | None) -> AccessRequest:
    """A request for two hours, which begins that many seconds after its merge."""
    spec = {"subject": "alice", "resource": "orders-db", "access": "read", "duration": "2h"}
    window = {} if begins is None else {"notBefore": str(MERGED.plus(begins))}
    return AccessRequest.from_document(
        {"metadata": {"id": "x-1"}, "spec": {**spec, "reason": "because", **window}}
    )


@pytest.mark.parametrize(
    ("begins", "now", "found"),
    [
        (None, 0, None),
        (None, DAY, None),
        (None, DAY + 1, EventKind.LAPSED),
        (HOUR, HOUR - 1, "wait"),
        (HOUR, HOUR, None),
        (HOUR, HOUR + DAY, None),  # the first run after it gives it, however late that comes
        (HOUR, HOUR + DAY + 1, EventKind.LAPSED),
        (-HOUR, 1, None),  # merged while its window was open
        (-2 * HOUR + 1, 1, None),
        (-2 * HOUR, 1, EventKind.DENIED),  # merged when it was over
        (-30 * DAY, 1, EventKind.DENIED),
        (30 * DAY, 1, "wait"),
        (30 * DAY + 1, 1, EventKind.DENIED),
    ],
)
def test_a_window(begins: float | None, now: float, found: object) -> None:
    said = untimely(request(begins), Lane.ROUTINE, MERGED, MERGED.plus(now))
    if isinstance(said, Wait):
        assert found == "wait"
        assert said.until == MERGED.plus(begins or 0)
    elif isinstance(said, Late):
        assert said.kind is found
        assert said.reason is (Reason.INVALID if found is EventKind.DENIED else Reason.LAPSED)
    else:
        assert found is None


def test_an_emergency_waits_an_hour_and_for_no_window() -> None:
    for now, late in ((HOUR, False), (HOUR + 1, True)):
        said = untimely(request(None), Lane.BREAK_GLASS, MERGED, MERGED.plus(now))
        assert isinstance(said, Late) is late


def test_what_is_minted_later_than_decided_outlives_nothing_that_it_rests_on() -> None:
    ends = {"the contract of mallory": MERGED.plus(600), "the exception night": MERGED.plus(7200)}
    assert left_at(MERGED, HOUR, {}) == HOUR
    assert left_at(MERGED, 60, ends) == 60
    assert left_at(MERGED.plus(5), HOUR, ends) == 594  # a second less: Vault's are whole ones
    with pytest.raises(TemporaryError, match="the contract of mallory ended while it was issued"):
        left_at(MERGED.plus(599), HOUR, ends)


def test_whatever_the_time_a_later_one_never_leaves_more() -> None:
    ends = {"x": MERGED.plus(30)}
    left = [left_at(MERGED.plus(at / 4), 20, ends) for at in range(112)]
    assert left == sorted(left, reverse=True)
    assert all(at / 4 + lasts <= 30 for at, lasts in enumerate(left))
