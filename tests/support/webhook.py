"""A webhook of the organisation's own, as Slack has them, and whether it hears."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daypass.sandbox.box import Box


class Hook(ThreadingHTTPServer):
    """A webhook as Slack has them, whose owner checks signatures."""

    daemon_threads = True
    key = "a key of both"

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Hearing)
        self.status = 200
        self.heard: list[dict[str, str]] = []
        self.forged = 0


class Hearing(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        signature = hmac.new(Hook.key.encode(), body, hashlib.sha256).hexdigest()
        self.server.forged += self.headers["X-Daypass-Signature"] != f"sha256={signature}"
        self.server.heard.append(json.loads(body))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing on standard error."""


@contextmanager
def hooked(box: Box) -> Iterator[Hook]:
    with Hook() as hook:
        threading.Thread(target=hook.serve_forever, daemon=True).start()
        note = {"url": f"http://127.0.0.1:{hook.server_port}/x", "key": Hook.key}
        box.bao.client.write("daypass/data/daypass/notes/webhook", {"data": note})
        try:
            yield hook
        finally:
            box.bao.client.delete("daypass/metadata/daypass/notes/webhook")
            hook.shutdown()
