"""Answers that threads share: never one from before the question."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from daypass.adapters.github.sharing import Latest


def test_the_latest_answer_is_never_from_before_the_question() -> None:
    written = []

    def read() -> int:
        seen = len(written)
        time.sleep(0.002)
        return seen

    latest = Latest(read)

    def write_then_read(number: int) -> tuple[int, int]:
        written.append(number)
        mine = len(written)
        return mine, latest.now()

    with ThreadPoolExecutor(16) as pool:
        for mine, seen in pool.map(write_then_read, range(200)):
            assert seen >= mine


class Counted:
    """A lock that counts the threads that came to it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.came: list[int] = []

    def __enter__(self) -> None:
        self.came.append(1)
        self.lock.acquire()

    def __exit__(self, *_: object) -> None:
        self.lock.release()


def test_threads_that_wait_share_one_answer() -> None:
    begun, go_on = threading.Event(), threading.Event()
    asked = []

    def read() -> int:
        asked.append(1)
        begun.set()
        assert go_on.wait(60)
        return len(asked)

    latest = Latest(read)
    latest._lock = lock = Counted()
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(latest.now)
        assert begun.wait(60)
        rest = [pool.submit(latest.now) for _ in range(8)]
        while len(lock.came) < 9:  # the eight have said that they want an answer
            time.sleep(0.001)
        go_on.set()
        assert first.result() == 1
        assert {item.result() for item in rest} == {2}
    assert len(asked) == 2


def test_an_answer_of_before_is_given_again_and_an_error_is_not_kept() -> None:
    answers = iter((ValueError("down"), "up", "later"))

    def read() -> str:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    latest = Latest(read)
    with pytest.raises(ValueError, match="down"):
        latest.at_some_time()
    assert latest.at_some_time() == "up"
    assert latest.at_some_time() == "up"
    assert latest.now() == "later"
    assert latest.at_some_time() == "later"
