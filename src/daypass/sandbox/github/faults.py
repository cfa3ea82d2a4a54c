"""What can be made to go wrong on the box's GitHub, and what it was asked."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import re
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Recorded:
    """One request that was answered. Neither tokens, bodies nor queries are kept."""

    method: str
    path: str
    status: int
    actor: str | None
    milliseconds: float


@dataclass(slots=True)
class Fault:
    """An answer that is given instead of the true one, a number of times."""

    method: str
    pattern: re.Pattern[str]
    status: int
    times: int
    headers: Mapping[str, str]
    after: bool  # the call takes effect, and only its answer is lost
    body: bytes | None = None  # what is answered; None: an error's message


@dataclass(slots=True)
class Faults:
    """The faults that are waiting, and a latency that every answer has."""

    latency: float = 0.0  # seconds
    _waiting: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, fault: Fault) -> None:
        """Wait for the next requests that fit."""
        with self._lock:
            self._waiting.append(fault)

    def clear(self) -> None:
        """Forget all faults and the latency."""
        with self._lock:
            self._waiting.clear()
        self.latency = 0.0

    def take(self, method: str, path: str) -> Fault | None:
        """The first fault that fits a request, used up once."""
        if not self._waiting:
            return None
        with self._lock:
            for fault in self._waiting:
                if fault.method in ("*", method) and fault.pattern.search(path):
                    fault.times -= 1
                    if fault.times <= 0:
                        self._waiting.remove(fault)
                    return fault
        return None
