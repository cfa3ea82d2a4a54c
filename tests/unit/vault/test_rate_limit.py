"""Patience with a rate limit: it waits for what is over in a second, and not for minutes."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from daypass.adapters import rate_limit
from daypass.adapters.rate_limit import RateLimit


class Clock:
    def __init__(self) -> None:
        self.now = 50.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(rate_limit, "time", made)
    return made


def test_a_server_that_names_no_time_is_asked_again_soon_and_then_less_often(clock: Clock) -> None:
    limit = RateLimit(30)
    pauses = []
    for tries in range(8):
        before = clock.now
        assert limit.wait(tries)
        pauses.append(clock.now - before)
    assert pauses[0] <= 0.1
    assert max(pauses) <= 1.0
    assert min(pauses[4:]) >= 0.5


def test_the_time_that_it_names_is_waited_for(clock: Clock) -> None:
    assert RateLimit(30).wait(0, 2.0)
    assert 52.0 <= clock.now <= 52.25


def test_one_that_answers_nothing_else_is_given_up(clock: Clock) -> None:
    limit = RateLimit(30)
    tries = 0
    while limit.wait(tries):
        tries += 1
    assert 28 <= clock.now - 50 <= 30
    assert not limit.wait(0)  # the next call does not begin anew
    limit.answered()
    assert limit.wait(0)


def test_a_longer_time_than_there_is_patience_for_is_not_waited_for(clock: Clock) -> None:
    assert not RateLimit(30).wait(0, 31.0)
    assert not RateLimit(30).wait(0, float("inf"))
    assert clock.now == 50.0


@pytest.mark.usefixtures("clock")
def test_there_is_an_end_to_what_is_waited_in_all() -> None:
    limit = RateLimit(20, 60)
    waited = 0
    while limit.wait(0, 5.0):
        limit.answered()
        waited += 1
    assert waited in (11, 12)


def test_threads_that_wait_at_once_count_once(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "sleep", lambda _: None)
    monkeypatch.setattr(rate_limit, "random", SimpleNamespace(uniform=lambda *_: 0.0))
    limit = RateLimit(20, 10)
    assert all(limit.wait(0, 5.0) for _ in range(8))
    clock.now += 5
    limit.answered()
    assert limit.wait(0, 5.0)
    clock.now += 5
    limit.answered()
    assert not limit.wait(0, 5.0)


def test_one_call_has_an_end_although_others_are_answered(clock: Clock) -> None:
    limit = RateLimit(30, one_call=60)
    tries = 0
    while tries < 100 and limit.wait(tries, 1.0, clock.now - 50):
        limit.answered()  # of another thread
        tries += 1
    assert 57 <= clock.now - 50 <= 60
    assert limit.wait(0, 1.0)  # another call goes on: thousands of writes get through
