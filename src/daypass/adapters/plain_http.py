"""HTTP over `requests`' own transport, without what a `requests.Session` does around each call.

Cookies, `.netrc`, the environment, redirects and hooks are looked at by a session for every call,
and are nothing that a bot wants; its adapter finds anew for every call how a server is reached.
Together they cost two thirds of a call's processor time (measured: 0.43 ms against 0.15), and a run
over a hundred grants makes two thousand calls. TLS, proxies, pooling and the exceptions are those
of `requests` all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers, requote_uri

if TYPE_CHECKING:
    from collections.abc import Mapping

    from urllib3 import Retry
    from urllib3.connectionpool import ConnectionPool

_NO_BODY_NEEDED: Final = frozenset({"GET", "HEAD", "LIST"})


class PlainHttp:
    """Kept-alive connections for several threads. Follows no redirect, keeps no cookie."""

    def __init__(
        self,
        *,
        connections: int,
        retries: Retry | int = 0,
        verify: str | bool = True,
        environment: bool = False,
    ) -> None:
        """Prepare; nothing is sent yet.

        Args:
            connections: how many are kept alive.
            retries: what is tried again; 0 is nothing.
            verify: a file of authorities, or True for the system's.
            environment: whether proxies and authorities of the environment count.
        """
        self.verify = verify
        self._connections = connections
        self._retries = retries
        self._environment = environment
        self._ways: dict[str, _Way] = {}  # by origin

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | str | None = None,
        timeout: Any = None,
    ) -> requests.Response:
        """Send one request and read the whole answer.

        Raises:
            requests.RequestException: no answer came, or the request could not be sent.
        """
        data = body.encode() if isinstance(body, str) else body
        prepared = requests.PreparedRequest()
        prepared.method = method.upper()
        prepared.url = requote_uri(url)
        prepared.headers = CaseInsensitiveDict(headers)
        prepared.headers.setdefault("Accept-Encoding", "gzip, deflate")
        prepared.body = data
        if data is not None or prepared.method not in _NO_BODY_NEEDED:
            prepared.headers["Content-Length"] = str(len(data or b""))
        way = self._way(url)
        try:
            response = way.send(prepared, timeout=timeout, **way.settings)
            response.content  # noqa: B018  -- read here, so that the connection is free again
        except requests.RequestException:
            raise
        except ValueError:
            pass  # a header that HTTP cannot carry; the error quotes it, and it can be a token
        else:
            return response
        raise requests.exceptions.InvalidHeader("a header holds what HTTP cannot carry")

    def close(self) -> None:
        """Close the connections."""
        for way in self._ways.values():
            way.close()

    def _way(self, url: str) -> _Way:
        """The way to a server, with what `Session.merge_environment_settings` says of it."""
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        known = self._ways.get(origin)
        if known is None:
            with requests.Session() as session:
                session.trust_env = self._environment
                settings = session.merge_environment_settings(origin, {}, None, self.verify, None)
            # Of two threads that come first at once, both go by the one that is kept.
            known = self._ways.setdefault(
                origin, _Way(self._connections, self._retries, dict(settings))
            )
        return known


class _Way(HTTPAdapter):
    """The way to one server: its connections, and what is found out about it once."""

    def __init__(self, connections: int, retries: Retry | int, settings: Mapping[str, Any]) -> None:
        super().__init__(1, connections, max_retries=retries)
        self.settings = settings  # proxies and authorities
        self._found: ConnectionPool | None = None

    def get_connection_with_tls_context(
        self,
        request: requests.PreparedRequest,
        verify: Any,
        proxies: Any = None,
        cert: Any = None,
    ) -> ConnectionPool:
        """The connections, with their authorities."""
        if self._found is None:
            found = super().get_connection_with_tls_context(request, verify, proxies, cert)
            super().cert_verify(found, request.url or "", verify, cert)  # type: ignore[no-untyped-call]  # no types
            self._found = found
        return self._found

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Nothing more: the authorities were named when the connections were found."""

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        super().close()
        self._found = None

    def request_url(self, request: requests.PreparedRequest, proxies: Any) -> str:
        """What stands in the first line of the request: a proxy of plain HTTP wants all of it."""
        return super().request_url(request, proxies) if proxies else request.path_url

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        """The answer, without a jar for cookies that nobody keeps."""
        response = requests.Response()
        response.status_code = resp.status
        response.headers = CaseInsensitiveDict(resp.headers)
        response.encoding = get_encoding_from_headers(response.headers)
        response.raw = resp
        response.reason = resp.reason
        response.url = req.url or ""
        response.request = req
        return response
