"""HTTP/1.1 with keep-alive on 127.0.0.1: from bytes to calls of the API, of git and of OIDC."""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from daypass.errors import SandboxError
from daypass.sandbox.github import (
    git_http,
    graphql,
    guards_api,
    issues_api,
    people_api,
    pulls_api,
    repository_api,
)
from daypass.sandbox.github.faults import Fault, Faults, Recorded
from daypass.sandbox.github.routing import Answer, Call, RefusalError, authorise

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daypass.sandbox.github.accounts import Credential
    from daypass.sandbox.github.hub import Hub

_API: Final = "/api/v3"
_OIDC: Final = "/_services/token"
TABLES: Final = (
    pulls_api.routes,
    issues_api.routes,
    repository_api.routes,
    guards_api.routes,
    people_api.routes,
)
_JWT_DOTS: Final = 2
_LIMIT: Final = 15_000  # requests an hour; told, not enforced: faults do that


class WebServer(ThreadingHTTPServer):
    """Threads for connections; `close` ends them all."""

    daemon_threads = False
    block_on_close = True
    request_queue_size = 128

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.faults = Faults()
        self.requests: list[Recorded] = []
        self.hub: Hub
        self._connections: set[socket.socket] = set()
        self._guard = threading.Lock()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Keep sight of the connection, so that `close` can end it."""
        with self._guard:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """The connection is over."""
        with self._guard:
            self._connections.discard(request)
        super().shutdown_request(request)

    def close(self) -> None:
        """Stop listening, end every connection, wait for the threads."""
        self.shutdown()
        with self._guard:
            open_connections = list(self._connections)
        for connection in open_connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "daypass-sandbox"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = -1
    server: WebServer

    def _serve(self) -> None:
        started = time.monotonic()
        body = self._read_body()
        target = urlsplit(self.path)
        path, query = unquote(target.path), target.query
        if self.server.faults.latency:
            time.sleep(self.server.faults.latency)
        exchange = _Exchange(
            self.server.hub, {key.lower(): value for key, value in self.headers.items()}
        )
        fault = self.server.faults.take(self.command, path)
        if fault is not None and not fault.after:
            status, headers, content = _failed(fault)
        else:
            status, headers, content = exchange.answer(self.command, path, query, body)
            if fault is not None:
                status, headers, content = _failed(fault)
        # Recorded before it is sent: who has the answer finds it in the record.
        spent = (time.monotonic() - started) * 1000
        self.server.requests.append(Recorded(self.command, path, status, exchange.actor, spent))
        self._send(status, headers, content)

    do_GET = do_HEAD = do_POST = _serve  # noqa: N815  -- the base class's names
    do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815  -- as above

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  -- the base class's name
        """Nothing: `requests` is the log, and it holds no query."""

    def _read_body(self) -> bytes:
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        parts = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(parts)

    def _send(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:  # noqa: PLR2004  -- No Content has no length
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD" and status != 204:  # noqa: PLR2004  -- as above
            self.wfile.write(content)
        self.wfile.flush()


class _Exchange:
    """One request's way through log-in, routes and answers."""

    def __init__(self, hub: Hub, headers: Mapping[str, str]) -> None:
        self.actor: str | None = None
        self._hub = hub
        self._headers = headers

    def answer(
        self, method: str, path: str, query: str, body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and content."""
        try:
            if path.startswith(_OIDC):
                return _whole(Answer(self._oidc(path.removeprefix(_OIDC), query)))
            if path.startswith(f"{_API}/") or path == _API:
                return _whole(self._api(method, path.removeprefix(_API), query, body))
            if path == graphql.PATH and method == "POST":
                return _whole(Answer(graphql.answer(self._hub, self._credential(), _parse(body))))
            given = git_http.serve(
                self._hub, method, path, query, self._headers, body, self._credential()
            )
        except RefusalError as refusal:
            if refusal.status == 401:  # noqa: PLR2004  -- what makes git ask for a log-in
                refusal.headers["WWW-Authenticate"] = 'Basic realm="GitHub"'
            shown = {
                "message": refusal.message,
                "documentation_url": "https://docs.github.com/rest",
            }
            return _whole(Answer(shown, refusal.status, refusal.headers))
        except SandboxError as error:  # git failed: the box is at fault, not the caller
            return _whole(Answer({"message": error.message}, 500))
        return given.status, given.headers, given.body

    def _api(self, method: str, path: str, query: str, body: bytes) -> Answer:
        token = self._token()
        jwt = token is not None and token.count(".") == _JWT_DOTS
        if jwt and token is not None:
            self._hub.app.authenticate(token)
            self.actor = self._hub.app.bot.login
        for table in TABLES:
            try:
                route, parameters = table.find("GET" if method == "HEAD" else method, path)
                break
            except RefusalError:
                continue
        else:
            raise RefusalError(404, "Not Found")
        call = Call(
            hub=self._hub,
            path=path,
            parameters=parameters,
            query=dict(parse_qsl(query)),
            body=_parse(body),
            credential=None if jwt else self._credential(),
            app_authenticated=jwt,
        )
        authorise(call, route)
        return route.handler(call)

    def _oidc(self, path: str, query: str) -> dict[str, Any]:
        if path == "/.well-known/openid-configuration":
            return self._hub.issuer.configuration()
        if path == "/.well-known/jwks":
            return self._hub.issuer.keys()
        if path == "/request":
            audience = dict(parse_qsl(query)).get("audience")
            return self._hub.issuer.token_for(self._token(), audience)
        raise RefusalError(404, "Not Found")

    def _credential(self) -> Credential | None:
        token = self._token()
        if token is None:
            return None
        credential = self._hub.directory.resolve(token)
        if credential is None:
            raise RefusalError(401, "Bad credentials")
        self.actor = credential.account.login
        return credential

    def _token(self) -> str | None:
        kind, _, value = self._headers.get("authorization", "").partition(" ")
        if kind.lower() in ("token", "bearer"):
            return value.strip()
        if kind.lower() != "basic":
            return None
        try:
            return base64.b64decode(value).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            raise RefusalError(401, "Bad credentials") from None


def _failed(fault: Fault) -> tuple[int, dict[str, str], bytes]:
    headers = {"Content-Type": "application/json; charset=utf-8", **fault.headers}
    body = _json({"message": "made to fail"}) if fault.body is None else fault.body
    return fault.status, headers, body


def _parse(body: bytes) -> Any:
    if not body:
        return {}
    try:
        return json.loads(body)
    except ValueError:
        raise RefusalError(400, "Problems parsing JSON") from None


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _whole(answer: Answer) -> tuple[int, dict[str, str], bytes]:
    reset = int(time.time()) // 3600 * 3600 + 3600
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "X-RateLimit-Limit": str(_LIMIT),
        "X-RateLimit-Remaining": str(_LIMIT - 1),
        "X-RateLimit-Used": "1",
        "X-RateLimit-Reset": str(reset),
        "X-RateLimit-Resource": "core",
        **answer.headers,
    }
    return answer.status, headers, b"" if answer.body is None else _json(answer.body)
