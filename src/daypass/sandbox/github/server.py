"""The box's GitHub as one thing: started, asked, made to fail, stopped."""

from __future__ import annotations

import re
import threading
import time
from typing import TYPE_CHECKING, Self

from daypass.sandbox.github.faults import Fault, Recorded
from daypass.sandbox.github.hub import Hub
from daypass.sandbox.github.web import WebServer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType


class GitHub(Hub):
    """A GitHub on 127.0.0.1 over real bare repositories. State lives in memory, objects in git.

    `api_url` ends in `/api/v3`, as that of GitHub Enterprise Server; `server_url` serves git.
    """

    def __init__(self, directory: Path, owner: str, port: int) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._web = WebServer(port)
        super().__init__(directory, f"http://127.0.0.1:{self._web.server_port}", owner)
        self._web.hub = self
        self._thread = threading.Thread(
            target=self._web.serve_forever, kwargs={"poll_interval": 0.05}, name="github"
        )
        self._thread.start()

    @classmethod
    def start(cls, directory: Path, *, owner: str = "acme", port: int = 0) -> Self:
        """Serve on `port` (a free one when 0), with an organisation `owner` and nobody in it."""
        return cls(directory, owner, port)

    @property
    def requests(self) -> list[Recorded]:
        """What it was asked so far: methods, paths, statuses; no token, query or body."""
        return self._web.requests

    @property
    def latency(self) -> float:
        """Seconds that every answer is held back."""
        return self._web.faults.latency

    @latency.setter
    def latency(self, seconds: float) -> None:
        self._web.faults.latency = seconds

    def fail_next(
        self,
        method: str,
        path_regex: str,
        status: int = 500,
        times: int = 1,
        *,
        headers: Mapping[str, str] | None = None,
        after: bool = False,
        body: bytes | None = None,
    ) -> None:
        """Answer the next requests that fit with `status`.

        Args:
            method: GET, POST, … or `*`.
            path_regex: searched for in the path, `/api/v3` included.
            status: what is answered.
            times: how many requests fail.
            headers: `Retry-After` and the like.
            after: let the call take effect, and lose only its answer.
            body: what is answered; without it, the message of an error.
        """
        pattern = re.compile(path_regex)
        self._web.faults.add(Fault(method, pattern, status, times, headers or {}, after, body))

    def limit_rate(self, times: int = 1, *, seconds: int = 60, secondary: bool = False) -> None:
        """Answer the next API requests as GitHub does when the rate limit is met.

        The primary limit is a 403 with `X-RateLimit-Remaining: 0`, the secondary one a 429 with
        `Retry-After`.
        """
        reset = str(int(time.time()) + seconds)
        headers = (
            {"Retry-After": str(seconds)}
            if secondary
            else {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}
        )
        self.fail_next("*", "^/api/v3/", 429 if secondary else 403, times, headers=headers)

    def heal(self) -> None:
        """Forget all faults and the latency."""
        self._web.faults.clear()

    def stop(self) -> None:
        """Stop serving. Idempotent."""
        if self._thread.is_alive():
            self._web.close()
            self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
