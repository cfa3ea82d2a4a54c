"""A mint or a signature is sent once, whatever comes of it: only a rate limit has refused it."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from daypass.adapters.vault import client as client_module
from daypass.adapters.vault.session import login_token
from daypass.adapters.vault.transit import TransitSigner
from daypass.errors import DaypassError
from daypass.model.secret import Secret
from daypass.model.settings import VaultSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daypass.adapters.vault.session import Session

MINT = "auth/token/create/daypass-orders-read-1h"
SIGN = "daypass-transit/sign/evidence"


class Proxy:
    """Carries each request out, as it counts them, and then answers as it is told to."""

    def __init__(self, how: int | str) -> None:
        self.how = how
        self.carried_out: list[str] = []
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                proxy.carried_out.append(self.path.removeprefix("/v1/"))
                first = len(proxy.carried_out) == 1
                if proxy.how == "drop" or (proxy.how == "second dropped" and not first):
                    self.close_connection = True
                elif proxy.how == "half":
                    self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{")
                    self.close_connection = True
                else:
                    status = proxy.how if isinstance(proxy.how, int) else 200
                    limited = status == 429 and len(proxy.carried_out) > 2  # then it is over
                    self.send_response(200 if limited else status)
                    self.send_header("Location", "/v1/elsewhere")
                    self.send_header("Content-Length", "12")
                    self.end_headers()
                    self.wfile.write(b'{"data": {}}')

            do_GET = do_LIST = do_POST  # noqa: N815  -- the names that http.server looks for

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True


@contextmanager
def session_by(how: int | str) -> Iterator[tuple[Proxy, Session]]:
    proxy = Proxy(how)
    thread = threading.Thread(target=proxy.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{proxy.server.server_address[1]}"
    vault = VaultSettings(address=address, ca_file=None, audience="x", namespace=None)
    try:
        with login_token(vault, Secret("s.token")) as session:
            yield proxy, session
    finally:
        proxy.server.shutdown()
        thread.join()
        proxy.server.server_close()


@pytest.mark.parametrize(
    "how", ["drop", "half", 301, 307, 308, 400, 403, 408, 412, 425, 472, 473, 500, 502, 503, 504]
)
def test_what_may_have_been_carried_out_is_not_sent_again(how: int | str) -> None:
    with session_by(how) as (proxy, session):
        with pytest.raises(DaypassError):
            session.call("POST", MINT, {"ttl": "1h"}, wrap_ttl=60)
        with pytest.raises(DaypassError):
            TransitSigner(session, "daypass-transit", "evidence").sign(b"x")
    assert [path for path in proxy.carried_out if path == MINT] == [MINT]
    assert len([path for path in proxy.carried_out if path.startswith(SIGN)]) <= 1


def test_nor_is_it_on_a_kept_connection_that_breaks() -> None:
    with session_by("second dropped") as (proxy, session):
        session.call("POST", "first", {})
        with pytest.raises(DaypassError):
            session.call("POST", MINT, {"ttl": "1h"})
    assert proxy.carried_out == ["first", MINT]


def test_what_a_rate_limit_refused_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "_PATIENCE", 60.0)
    with session_by(429) as (proxy, session):
        session.call("POST", MINT, {"ttl": "1h"})
    assert proxy.carried_out == [MINT] * 3
