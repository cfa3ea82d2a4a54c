"""Context from servers: one GET of a JSON document, and nothing that a server could make of it.

No redirect, no proxy, no cookie, no retry; TLS but on this machine; a limit on the size, and on the
time of the whole exchange, however slowly the bytes come. An error tells the source and what kind
of failure it was: never a header, a body, or an address with a name of the request in it.
"""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import threading
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self
from urllib.parse import urlsplit

from daypass.errors import ContextError
from daypass.model.json_text import DeepError, read_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daypass.model.context import ContextSource

MAX_BYTES: Final = 1024 * 1024
_OK: Final = 200
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost"})
_HEADER_VALUE: Final = re.compile(r"[!-~]([ -~]{0,4094}[!-~])?")
_REMEDY: Final = (
    "While it is unknown, what needs it is denied, and live grants have a grace. Ask those who run "
    "the source, or correct it in access/daypass.yaml."
)


def fetch(source: ContextSource, address: str, environment: Mapping[str, str]) -> Any:
    """The JSON document at a URL.

    Args:
        source: as the settings declare it.
        address: its URL, with the names of the request filled in.
        environment: of the run, where the value of the header lies.

    Raises:
        ContextError: no answer, an answer that is not 200, too slow, too large, or no JSON.
    """
    headers = {"Accept": "application/json", "User-Agent": "daypass"}
    if source.header is not None:
        value = environment.get(source.header.variable, "")
        if _HEADER_VALUE.fullmatch(value) is None:
            refuse(source, f"{source.header.variable} holds nothing that a header could carry")
        headers[source.header.name] = value
    deadline = time.monotonic() + source.timeout
    try:
        with closing(_connection(source, address)) as connection:
            parts = urlsplit(address)
            connection.connect()
            with _Deadline(connection.sock, deadline) as watch:
                path = parts.path or "/"
                connection.request(
                    "GET", f"{path}?{parts.query}" if parts.query else path, headers=headers
                )
                with closing(connection.getresponse()) as response:
                    body = _read(source, response)
                if watch.passed:
                    refuse(source, "it is too slow")
    except (OSError, http.client.HTTPException, ValueError) as error:
        refuse(source, "it is too slow" if time.monotonic() >= deadline else type(error).__name__)
    return parse(source, body)


def parse(source: ContextSource, body: bytes) -> Any:
    """Reads strict JSON: UTF-8, no key twice in one object, no NaN, and no deep nesting.

    Raises:
        ContextError: it is anything else.
    """
    try:
        return read_json(body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_number)
    except DeepError as error:
        refuse(source, str(error))
    except ValueError:
        refuse(source, "what it gives is no JSON")


def refuse(source: ContextSource, why: str) -> NoReturn:
    """Raise the ContextError of a source, without what caused it: that could hold a secret."""
    raise ContextError(f"the context source {source.name}: {why}", remedy=_REMEDY) from None


def _connection(source: ContextSource, address: str) -> http.client.HTTPConnection:
    parts = urlsplit(address)
    host = parts.hostname or ""
    if parts.scheme == "https":
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(
            host, parts.port, timeout=source.timeout, context=context
        )
    if parts.scheme != "http" or host not in _LOOPBACK:
        refuse(source, "its URL is not https")
    return http.client.HTTPConnection(host, parts.port, timeout=source.timeout)


def _read(source: ContextSource, response: http.client.HTTPResponse) -> bytes:
    if response.status != _OK:
        refuse(source, f"it answers {response.status}")
    body = response.read(MAX_BYTES + 1)
    if len(body) > MAX_BYTES:
        refuse(source, f"its answer is larger than {MAX_BYTES} bytes")
    if response.length:
        refuse(source, "its answer is cut off")
    return body


class _Deadline:
    """Cuts a connection off when the time is up: a socket's own timeout is for each byte anew."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self.passed = False
        self._sock = sock
        self._timer = threading.Timer(max(0.0, deadline - time.monotonic()), self._cut)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._timer.join()

    def _cut(self) -> None:
        self.passed = True
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError
    return value


def _no_number(_: str) -> NoReturn:
    raise ValueError
