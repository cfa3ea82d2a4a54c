"""A small HTTP server that gives context, and misbehaves in every way that is asked of it."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterator


class ContextServer(ThreadingHTTPServer):
    """What it answers is in its attributes; what it was asked is in `asked`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 200
        self.body = b"{}"
        self.headers: dict[str, str] = {}
        self.drip = 0.0  # seconds between the bytes of the body
        self.dripped = 0  # bytes that were sent so
        self.announce: int | None = None  # Content-Length, when it is a lie
        self.asked: list[tuple[str, dict[str, str]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def say(self, document: Any) -> None:
        self.status, self.body = 200, json.dumps(document).encode()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is what these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"
    server: ContextServer
    quiet: ClassVar[bool] = True

    def do_GET(self) -> None:
        server = self.server
        server.asked.append((self.path, dict(self.headers)))
        self.send_response(server.status)
        for name, value in server.headers.items():
            self.send_header(name, value)
        if server.announce is not None:
            self.send_header("Content-Length", str(server.announce))
        self.end_headers()
        if not server.drip:
            self.wfile.write(server.body)
            return
        for byte in server.body:
            server.dripped += 1
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            time.sleep(server.drip)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def context_server() -> Iterator[ContextServer]:
    server = ContextServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
