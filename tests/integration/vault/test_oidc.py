"""GitHub's OIDC token, from a service of the same shape on this machine."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from daypass.adapters.oidc import github_oidc
from daypass.errors import DaypassError, ForgeRefusedError, ForgeUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration
BEARER = "CANARY-bearer"


class Service:
    def __init__(self) -> None:
        self.answer: tuple[int, dict[str, str], bytes] = (200, {}, b'{"value": "a.b.c"}')
        self.seen: list[tuple[str, str | None]] = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                service.seen.append((self.path, self.headers.get("Authorization")))
                status, headers, body = service.answer
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()
    thread = threading.Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def environment(service: Service) -> dict[str, str]:
    return {
        "ACTIONS_ID_TOKEN_REQUEST_URL": f"{service.url}/token?api-version=2.0",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": BEARER,
    }


def test_a_fresh_token_for_that_audience_each_time(service: Service) -> None:
    fetch = github_oidc("https://vault.example/?a=b&c", environment(service))
    assert fetch().reveal() == "a.b.c"
    service.answer = (200, {}, json.dumps({"value": "d.e.f"}).encode())
    assert fetch().reveal() == "d.e.f"
    path, authorization = service.seen[0]
    assert parse_qs(urlsplit(path).query) == {
        "api-version": ["2.0"],
        "audience": ["https://vault.example/?a=b&c"],
    }
    assert authorization == f"Bearer {BEARER}"


@pytest.mark.parametrize(
    "missing", ["ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"]
)
def test_a_job_without_the_permission_is_told_which(missing: str, service: Service) -> None:
    variables = environment(service)
    del variables[missing]
    with pytest.raises(ForgeRefusedError, match="id-token: write is missing"):
        github_oidc("a", variables)


def test_a_redirect_is_not_followed(service: Service) -> None:
    service.answer = (302, {"Location": f"{service.url}/thief"}, b"")
    with pytest.raises(ForgeRefusedError):
        github_oidc("a", environment(service))()
    assert len(service.seen) == 1


def test_no_proxy_sees_the_bearer_token(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert github_oidc("a", environment(service))().reveal() == "a.b.c"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ((500, {}, b"CANARY"), ForgeUnavailableError),
        ((403, {}, b"CANARY"), ForgeRefusedError),
        ((200, {}, b"CANARY"), ForgeRefusedError),
        ((200, {}, b'{"value": "CANARY"}'), ForgeRefusedError),
        ((200, {}, b'["CANARY"]'), ForgeRefusedError),
        ((200, {}, b""), ForgeRefusedError),
    ],
)
def test_every_other_answer_is_an_error_without_its_text(
    answer: tuple[int, dict[str, str], bytes], kind: type[DaypassError], service: Service
) -> None:
    service.answer = answer
    with pytest.raises(kind) as error:
        github_oidc("a", environment(service))()
    assert "CANARY" not in f"{error.value!r} {error.value.remedy}"
    assert error.value.__cause__ is None
    assert error.value.__context__ is None


def test_a_service_that_is_gone_is_temporary(service: Service) -> None:
    variables = environment(service)
    variables["ACTIONS_ID_TOKEN_REQUEST_URL"] = "http://127.0.0.1:9/"
    with pytest.raises(ForgeUnavailableError):
        github_oidc("a", variables)()


def test_a_file_address_is_refused(service: Service) -> None:
    variables = environment(service)
    variables["ACTIONS_ID_TOKEN_REQUEST_URL"] = "file:///etc/passwd"
    with pytest.raises(ForgeRefusedError, match="http"):
        github_oidc("a", variables)()
