"""The one funnel: no redirect is followed, every failure has its sentence, nothing leaks."""

from __future__ import annotations

import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from vault_house import House, order, settings_for

from daypass.adapters.vault import client as client_module
from daypass.adapters.vault.claim import wrapping_lookup
from daypass.adapters.vault.client import Client
from daypass.adapters.vault.issuer import VaultIssuer
from daypass.adapters.vault.session import login_jwt, login_token
from daypass.errors import DaypassError, VaultRefusedError, VaultUnavailableError
from daypass.model.secret import Secret
from daypass.sandbox.openbao import OpenBao

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration
CANARY = "s.CANARYcanaryCANARYcanary01"


class Impostor:
    """Something that answers in Vault's stead, always the same, and notes what it was sent."""

    def __init__(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.seen: list[tuple[str, dict[str, str]]] = []
        impostor = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                self.rfile.read(length)
                impostor.seen.append((self.path, dict(self.headers)))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET  # noqa: N815  -- the name that http.server looks for

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def impostor() -> Iterator[Callable[..., Impostor]]:
    made: list[Impostor] = []

    def make(status: int, body: bytes = b"", **headers: str) -> Impostor:
        made.append(Impostor(status, body, {k.replace("_", "-"): v for k, v in headers.items()}))
        return made[-1]

    yield make
    for item in made:
        item.close()


def told(error: BaseException) -> str:
    """All that an error can show of itself and of its causes, and of the frames' source lines."""
    parts = ["".join(traceback.format_exception(error)), repr(error), str(error)]
    if isinstance(error, DaypassError):
        parts.append(error.remedy)
    seen: BaseException | None = error
    while seen is not None:
        parts += [repr(seen), str(seen), repr(seen.args), repr(vars(seen))]
        seen = seen.__cause__ or seen.__context__
    return "\n".join(parts)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_refused_and_the_token_stays_here(
    status: int, impostor: Callable[..., Impostor]
) -> None:
    thief = impostor(200, b'{"data": {"ok": true}}')
    standby = impostor(status, Location=f"{thief.url}/v1/x")
    with Client(settings_for(standby.url, "http://x").vault, token=Secret(CANARY)) as client:
        for method in ("GET", "POST", "LIST"):
            with pytest.raises(VaultUnavailableError, match="redirect"):
                client.call(method, "x", {} if method == "POST" else None)
        with pytest.raises(VaultUnavailableError, match="redirect"):
            client.now()
    assert thief.seen == []


def test_no_token_of_the_environment_is_sent(
    impostor: Callable[..., Impostor], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".vault-token").write_text(CANARY)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("VAULT_TOKEN", CANARY)
    monkeypatch.setenv("VAULT_ADDR", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    server = impostor(200, b'{"data": {}}')
    with Client(settings_for(server.url, "http://x").vault) as client:
        client.call("GET", "x")
    assert CANARY not in str(server.seen)


ANSWERS: dict[str, tuple[int, bytes, type[DaypassError], str]] = {
    "sealed": (503, b'{"errors": ["Vault is sealed"]}', VaultUnavailableError, "is sealed"),
    "standby": (
        500,
        b'{"errors": ["local node not active but active cluster node not found"]}',
        VaultUnavailableError,
        "standby",
    ),
    "uninitialised": (501, b"{}", VaultUnavailableError, "not initialised"),
    "rate": (429, b'{"errors": ["rate limit"]}', VaultUnavailableError, "limits the rate"),
    "broken": (500, b'{"errors": ["CANARY"]}', VaultUnavailableError, "failed"),
    "gateway": (502, b"<html>CANARY</html>", VaultUnavailableError, "failed"),
    "portal": (200, b"<html>CANARY</html>", VaultUnavailableError, "does not speak"),
    "list": (200, b'["CANARY"]', VaultUnavailableError, "does not speak"),
    "forbidden": (403, b'{"errors": ["CANARY"]}', VaultRefusedError, "403"),
    "missing": (404, b'{"errors": ["CANARY"]}', VaultRefusedError, "nothing at"),
    "bad": (400, b'{"errors": ["CANARY"]}', VaultRefusedError, "400"),
}


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_every_failure_has_its_sentence_and_no_body(
    name: str, impostor: Callable[..., Impostor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "_PATIENCE", 0.2)
    status, body, kind, sentence = ANSWERS[name]
    server = impostor(status, body, Content_Type="application/json")
    vault = settings_for(server.url, "http://x").vault
    with Client(vault, token=Secret("s.token")) as client:
        with pytest.raises(kind, match=sentence) as error:
            client.call("GET", "some/path")
        assert "CANARY" not in told(error.value)
        assert error.value.remedy


def test_a_sealed_and_a_stopped_server_are_told_apart(tmp_path: Path) -> None:
    with OpenBao.start(tmp_path / "bao") as server:
        vault = settings_for(server.address, "http://x").vault
        with login_token(vault, server.root_token) as session:
            server.seal()
            for act in (lambda: session.call("GET", "sys/mounts"), session.now):
                with pytest.raises(VaultUnavailableError, match="is sealed"):
                    act()
            server.stop()
            for act in (lambda: session.call("GET", "sys/mounts"), session.now):
                with pytest.raises(VaultUnavailableError, match="cannot be reached") as error:
                    act()
                assert server.root_token.reveal() not in told(error.value)
            server.restart()
            assert session.call("GET", "sys/mounts").data


def test_no_secret_shows_in_any_error(house: House) -> None:
    vault = house.settings.vault
    token = house.jwt().reveal()
    attempts: list[Callable[[], object]] = [
        lambda: login_jwt(vault, lambda: Secret(CANARY)),
        lambda: login_jwt(vault, lambda: house.jwt(repository_id="1")),
        lambda: login_token(vault, Secret(CANARY)).call("GET", "sys/mounts"),
        lambda: login_token(vault, Secret(f"{CANARY}\n")),
        lambda: login_token(vault, Secret(f" {CANARY}")),
        lambda: login_token(vault, Secret(CANARY)).call("POST", "sys/x", {"password": CANARY}),
        lambda: VaultIssuer(login_token(vault, Secret(CANARY))).mint(order("canary")),
        lambda: VaultIssuer(login_token(vault, Secret(CANARY))).lookup(CANARY),
        lambda: VaultIssuer(login_token(vault, Secret(CANARY))).revoke_lease(f"a/{CANARY}"),
    ]
    for attempt in attempts:
        with pytest.raises(VaultRefusedError) as error:
            attempt()
        shown = told(error.value)
        assert CANARY not in shown.replace(f'"{CANARY}', ""), shown
        assert token not in shown
    with Client(vault) as client:
        assert wrapping_lookup(client, Secret(CANARY)) is None


def test_minted_values_show_no_secret(house: House) -> None:
    issuer = VaultIssuer(house.root)
    minted = issuer.mint(order("shy"))
    assert minted.token.reveal() not in f"{minted} {minted!r}"
    answer = house.root.call("GET", "sys/wrapping/lookup", accept=range(400, 600))
    assert "errors" not in repr(answer)
    issuer.revoke(minted.accessor)


def test_connections_are_kept_alive_and_shared(house: House) -> None:
    with Client(house.settings.vault) as client:
        for _ in range(20):
            client.now()
        (way,) = client._session._ways.values()
        pools = way.poolmanager.pools
        assert [pools[key].num_connections for key in pools.keys()] == [1]  # noqa: SIM118  -- no dict
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda _: client.now(), range(200)))
        assert [pools[key].num_connections <= 8 for key in pools.keys()] == [True]  # noqa: SIM118  -- no dict
