"""Several requests at once: told in order, and none begun after the first that fails."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from daypass.adapters.vault.in_flight import in_flight


def test_eight_are_under_way_at_once_and_told_in_order() -> None:
    together = threading.Barrier(8)

    def act(number: int) -> int:
        together.wait(timeout=30)
        return number * 2

    assert list(in_flight(act, range(24))) == [number * 2 for number in range(24)]


def test_nothing_is_begun_after_a_failure_and_what_was_done_is_told() -> None:
    begun = []
    failing = threading.Barrier(8)
    failed = threading.Event()

    def act(number: int) -> int:
        begun.append(number)
        if number < 8:
            failing.wait(timeout=30)  # all eight are under way
        else:
            failed.wait(timeout=30)  # begun before the failure: each of seven threads one
        if number == 3:
            raise ValueError(number)
        return number

    told: list[int] = []

    def tell() -> None:
        for number in in_flight(act, range(1000)):
            told.append(number)  # what came before is kept
            if number == 4:  # told in order: the third has failed by now
                failed.set()

    with pytest.raises(ValueError, match="3"):
        tell()
    assert sorted(begun) == sorted([*told, 3])
    assert {0, 1, 2, 4, 5, 6, 7} <= set(told)
    assert len(begun) <= 8 + 7


def test_of_several_failures_the_first_in_order_is_raised() -> None:
    all_under_way = threading.Barrier(8)

    def act(number: int) -> int:
        all_under_way.wait(timeout=30)
        raise ValueError(number)

    with pytest.raises(ValueError, match=r"^0$"):
        list(in_flight(act, range(8)))


def test_a_caller_that_stops_begins_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = []
    go_on = threading.Event()

    class Pool(ThreadPoolExecutor):
        def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
            go_on.set()  # those under way end while they are waited for
            super().shutdown(wait, cancel_futures=cancel_futures)

    monkeypatch.setattr("daypass.adapters.vault.in_flight.ThreadPoolExecutor", Pool)

    def act(number: int) -> int:
        begun.append(number)
        if number:
            go_on.wait(timeout=30)
        return number

    found = in_flight(act, range(1000))
    assert next(found) == 0
    found.close()  # as an interrupt does
    assert len(begun) <= 9


def test_there_may_be_nothing_to_do() -> None:
    assert list(in_flight(str, ())) == []


def test_one_that_is_to_stop_tells_all_that_was_done_and_begins_no_other() -> None:
    stop = threading.Event()
    under_way = threading.Barrier(8)
    done = []

    def act(number: int) -> int:
        under_way.wait(timeout=30)
        stop.set()
        done.append(number)
        return number

    told: list[int] = []

    def tell() -> None:
        for number in in_flight(act, range(1000), stop):
            told.append(number)  # noqa: PERF402  -- what came before is kept

    with pytest.raises(KeyboardInterrupt):
        tell()
    assert told == list(range(8)) == sorted(done)
    with pytest.raises(KeyboardInterrupt):  # the next stage does not begin
        list(in_flight(act, (), stop))


def test_one_that_fails_while_it_is_to_stop_says_why() -> None:
    stop = threading.Event()

    def act(number: int) -> int:
        stop.set()
        raise ValueError(number)

    with pytest.raises(ValueError, match="0"):
        list(in_flight(act, range(1), stop))
