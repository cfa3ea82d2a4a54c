"""The connection that a PyGithub client sends through: see `daypass.adapters.plain_http`."""

from __future__ import annotations

from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import github
from github.Requester import Requester, RequestsResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daypass.adapters.plain_http import PlainHttp

_PORTS: Final = {"http": 80, "https": 443}
_MAKING = Lock()


class Connection:
    """What PyGithub asks of a connection, as its own `HTTPSRequestsConnectionClass` offers it.

    It remembers one request and sends it: for one thread at a time.
    """

    def __init__(
        self,
        host: str,
        port: int | None = None,
        *,
        http: PlainHttp,
        scheme: str,
        timeout: float | None = None,
        **_settled: Any,  # retries, authorities and the size of the pool are those of `http`
    ) -> None:
        self.host = host
        self._origin = f"{scheme}://{host}:{port or _PORTS[scheme]}"
        self._http = http
        self._timeout = timeout
        self._request: tuple[str, str, Any, Mapping[str, str]] = ("", "", None, {})

    def request(
        self, verb: str, url: str, body: Any, headers: Mapping[str, str], *_stream: Any
    ) -> None:
        """Remember what to send."""
        self._request = (verb, url, body, headers)

    def getresponse(self) -> RequestsResponse:
        """Send it. Raises requests.RequestException."""
        verb, url, body, headers = self._request
        return RequestsResponse(
            self._http.send(
                verb, self._origin + url, headers=headers, body=body, timeout=self._timeout
            )
        )

    def close(self) -> None:
        """Nothing is open that belongs to it alone."""


def client_over(http: PlainHttp, **options: Any) -> github.Github:
    """A PyGithub client that sends through these connections."""
    # PyGithub takes the classes of its connections from a global, at the time a client is made.
    with _MAKING:
        Requester.injectConnectionClasses(
            partial(Connection, http=http, scheme="http"),  # type: ignore[arg-type]
            partial(Connection, http=http, scheme="https"),  # type: ignore[arg-type]
        )
        try:
            return github.Github(**options)
        finally:
            Requester.resetConnectionClasses()
