"""Rate limits: a request that was refused by one is sent again, for a bounded time.

A server that answers 429 has not carried the request out, so even a token is minted once. What is
over in a second must fail no run; what lasts is the next run's.
"""

from __future__ import annotations

import math
import random
import threading
import time
from typing import Final

_FIRST: Final = 0.1  # seconds before the first new try, where the server names no time
_LONGEST: Final = 1.0  # seconds between two such tries
_SPREAD: Final = 0.25  # seconds, at the most, by which threads that wait for one time come apart


class RateLimit:
    """The patience of one client with one server. Usable from several threads."""

    def __init__(
        self, patience: float, total: float = math.inf, one_call: float = math.inf
    ) -> None:
        """Start with all of it.

        Args:
            patience: seconds without any other answer than a rate limit, after which it is over;
                another answer to any thread restores it.
            total: seconds that are waited in all, those of several threads counted once.
            one_call: seconds that one call waits in all, whatever others are answered.
        """
        self._patience = patience
        self._one_call = one_call
        self._left = total
        self._lock = threading.Lock()
        self._since: float | None = None  # the first refusal after the last answer, monotonic
        self._until = 0.0  # waited for, and taken off `_left`, until then

    def answered(self) -> None:
        """Note an answer that is no rate limit."""
        self._since = None

    def wait(self, tries: int, asked: float | None = None, waited: float = 0.0) -> bool:
        """Wait before the request is sent again.

        Args:
            tries: how often it was refused before.
            asked: seconds that the server asks for; None when it names none.
            waited: seconds since this call was refused first.

        Returns:
            False, at once, when that is longer than there is patience for.
        """
        if asked is None:
            pause = min(_LONGEST, _FIRST * 2 ** min(tries, 10)) * random.uniform(0.5, 1.0)  # noqa: S311  -- no secret
        else:
            pause = asked + random.uniform(0.0, _SPREAD)  # noqa: S311  -- no secret
        if waited + pause > self._one_call or not self._takes(pause):
            return False
        time.sleep(pause)
        return True

    def _takes(self, pause: float) -> bool:
        now = time.monotonic()
        with self._lock:
            if self._since is None:
                self._since = now
            more = max(0.0, now + pause - max(now, self._until))
            if now + pause - self._since > self._patience or more > self._left:
                self._since = -math.inf  # other calls do not begin anew, until one is answered
                return False
            self._left -= more
            self._until = max(self._until, now + pause)
            return True
