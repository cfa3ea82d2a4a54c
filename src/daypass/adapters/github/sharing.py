"""Answers that threads share: what is asked once in a run, and what must be as it is now."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

T = TypeVar("T")


class Patience:
    """The seconds that one run waits in all for GitHub to agree with itself. Threads share it."""

    def __init__(self, seconds: float) -> None:
        self._left = seconds
        self._lock = threading.Lock()

    def take(self, seconds: float) -> bool:
        """Whether so many seconds are left; they are used up then."""
        with self._lock:
            if self._left < seconds:
                return False
            self._left -= seconds
            return True


class Once:
    """Answers kept for a run. Threads that ask for the same thing at once wait for one answer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._locks: dict[Hashable, threading.Lock] = {}
        self._answers: dict[Hashable, Any] = {}

    def get(self, key: Hashable, ask: Callable[[], T]) -> T:
        """The answer to that key; an error is not kept."""
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self._answers:
                self._answers[key] = ask()
            answer: T = self._answers[key]
            return answer


class Latest(Generic[T]):
    """An answer that changes. Threads that wait while one asks share the next answer."""

    def __init__(self, ask: Callable[[], T]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._asked = 0  # questions that went out
        self._answer: tuple[int, T] | None = None  # the number of its question, and the answer

    def now(self) -> T:
        """The answer to a question that went out after this call began; an error is not kept."""
        wanted = self._asked + 1
        with self._lock:
            if self._answer is None or self._answer[0] < wanted:
                self._asked += 1
                number = self._asked
                self._answer = (number, self._ask())
            return self._answer[1]

    def at_some_time(self) -> T:
        """Any answer of before; the first one is asked for."""
        answer = self._answer
        return answer[1] if answer is not None else self.now()
