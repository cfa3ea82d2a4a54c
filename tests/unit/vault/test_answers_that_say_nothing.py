"""An answer that Vault would not give is an error: never "nothing", never "done"."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

import pytest

from daypass.adapters.vault import offline, session, transit
from daypass.adapters.vault.claim import open_delivery
from daypass.adapters.vault.compare import look as look_at_step
from daypass.adapters.vault.compare import superfluous
from daypass.adapters.vault.issuer import VaultIssuer, irrevocable_leases
from daypass.adapters.vault.look import look
from daypass.adapters.vault.neighbours import refuse_neighbours
from daypass.adapters.vault.registry import VaultRegistry
from daypass.adapters.vault.steps import Document, Mount, Policy, Setup, TransitKey
from daypass.errors import DaypassError, VaultUnavailableError
from daypass.lifecycle.ports import MintOrder, SlotState
from daypass.model.instant import Instant
from daypass.model.intent import Intent, IntentKind
from daypass.model.resource import IssueMode
from daypass.model.secret import Secret
from daypass.model.settings import VaultSettings
from support.evidence_bot import a_grant
from support.settings import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from daypass.adapters.vault.session import Session

CANARY: Final = "s.CANARYcanaryCANARYcanary01"
ACCESSOR: Final = "accessor0accessor0"
PAGE: Final = f"<html>{CANARY}</html>".encode()
# What a proxy, a portal, a cache or half a server says in Vault's stead.
NOTHINGS: Final[dict[str, tuple[int, bytes]]] = {
    "empty": (200, b""),
    "no content": (204, b""),
    "accepted": (202, b""),
    "null": (200, b"null"),
    "page": (200, PAGE),
    "list": (200, b"[]"),
    "number": (200, b"7"),
    "cut": (200, b'{"data": {"keys": ['),
    "not UTF-8": (200, b'{"data": "\xff\xfe"}'),
    "deep": (200, b"[" * 100_000),
    "object": (200, b"{}"),
    "other": (200, b'{"status": "ok"}'),
    "null data": (200, b'{"data": null}'),
    "text as data": (200, b'{"data": "x"}'),
    "list as data": (200, b'{"data": []}'),
    "no fields": (200, b'{"data": {}}'),
    "null fields": (200, b'{"data": {"keys": null, "data": null, "metadata": null, "ttl": null}}'),
    "odd fields": (200, b'{"data": {"keys": {"a": 1}, "data": [], "metadata": {"version": "x"}}}'),
    "odd envelope": (200, b'{"data": {}, "auth": 7, "warnings": 7, "lease_duration": "x"}'),
    "page of a 404": (404, PAGE),
    "empty 404": (404, b""),
    "object of a 404": (404, b"{}"),
    "page of a 403": (403, PAGE),
    "empty 400": (400, b""),
    "400 without a reason": (400, b'{"errors": []}'),
}
# Of these answers a write says no less than Vault does, where it gives nothing back.
_OF_A_WRITE: Final = {"no content", "null data", "no fields", "null fields", "odd fields"}


class Quiet(ThreadingHTTPServer):
    """One that says nothing of clients that hang up."""

    def handle_error(self, *_: Any) -> None:
        pass


class Server:
    """Says the same to everything."""

    def __init__(self) -> None:
        self.status, self.body = 200, b""
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # one packet an answer

            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self.send_response(server.status)
                if server.status != 204:
                    self.send_header("Content-Length", str(len(server.body)))
                self.end_headers()
                self.wfile.write(server.body)

            do_POST = do_LIST = do_DELETE = do_GET  # noqa: N815  -- names that http.server looks for

            def log_message(self, *_: Any) -> None:
                pass

        self.http = Quiet(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.http.shutdown()
    made.http.server_close()


@pytest.fixture
def vault(server: Server) -> VaultSettings:
    return VaultSettings(server.url, None, None, "daypass")


@pytest.fixture
def logged_in(vault: VaultSettings) -> Iterator[Session]:
    with session.login_token(vault, Secret("s.token")) as made:
        yield made


def an_order(issue: IssueMode) -> MintOrder:
    return MintOrder("a1", "daypass-a", "database", "database", "a", 60, issue, 60, {})


INTENT: Final = Intent("a1", IntentKind.REVOKE, 1, Instant.parse("2026-12-01T00:00:00Z"))
OFFLINE: Final = offline.OfflineOrder("a1", "daypass-a", "database/creds/a", 60, {})
STEPS: Final = {
    "mount": Mount("sys/mounts", "kv", "kv", {"version": "2"}),
    "key": TransitKey("transit", "evidence", ("ed25519",), imported=False),
    "policy": Policy("daypass-a", "path"),
    "document": Document("role", "auth/token/roles/a", {"orphan": True}),
}
# Every look: what comes of it decides what a run does.
READS: Final[dict[str, Callable[[Session], object]]] = {
    "slot": lambda it: VaultRegistry(it, "kv").read("a1"),
    "pending": lambda it: VaultRegistry(it, "kv").pending(),
    "note": lambda it: VaultRegistry(it, "kv").read_note("trust"),
    "intents": lambda it: VaultRegistry(it, "kv").intents(),
    "offline notes": lambda it: VaultRegistry(it, "kv").offline_notes(),
    "done note": lambda it: VaultRegistry(it, "kv").done_note(ACCESSOR),
    "token": lambda it: VaultIssuer(it).lookup(ACCESSOR),
    "tokens": lambda it: VaultIssuer(it).live_accessors(),
    "leases": lambda it: VaultIssuer(it).overdue_leases("database", "a"),
    "lease": lambda it: VaultIssuer(it)._due("database/creds/a/x"),
    "irrevocable": irrevocable_leases,
    "target": lambda it: look(it, "database", "look"),
    "public keys": lambda it: transit.public_keys(it, "transit", "evidence"),
    "evidence key": lambda it: transit.TransitSigner(it, "transit", "evidence").public_key(),
    "signature of a JWT": lambda it: transit.app_jwt_signer(it, "transit", "app")(
        {"iat": 0, "exp": 1}
    ),
    "who": offline.who_is_logged_in,
    "superfluous": lambda it: superfluous(it, Setup(SETTINGS, (), ())),
    "neighbours": lambda it: refuse_neighbours(it, Setup(SETTINGS, (), ()), pruning=False),
    **{
        f"step: {name}": lambda it, step=step: look_at_step(it, step)
        for name, step in STEPS.items()
    },
}
# What Vault gives something back for: without it the write may not have been made.
WRITES: Final[dict[str, Callable[[Session], object]]] = {
    "slot": lambda it: VaultRegistry(it, "kv").write("a1", SlotState.RESERVED, {}, 0),
    "pending": lambda it: VaultRegistry(it, "kv").add_pending("a1"),
    "note": lambda it: VaultRegistry(it, "kv").write_note("trust", {"commit": "x"}),
    "changed note": lambda it: VaultRegistry(it, "kv").update_note("tip", lambda _: {"a": "b"}),
    "intent": lambda it: VaultRegistry(it, "kv").write_intent(INTENT),
    "intents": lambda it: VaultRegistry(it, "kv").write_intents([INTENT]),
    "mint on merge": lambda it: VaultIssuer(it).mint(an_order(IssueMode.ON_MERGE)),
    "mint on claim": lambda it: VaultIssuer(it).mint(an_order(IssueMode.ON_CLAIM)),
    "offline mint": lambda it: offline.mint(it, "kv", OFFLINE),
    "offline done": lambda it: offline.leave_done(it, "kv", "a1"),
    "delivery": lambda it: open_delivery(it.client, Secret("s.wrapping"), a_grant("a1")),
}
# What Vault may answer with nothing. Each is looked at afterwards.
SILENT_WRITES: Final[dict[str, Callable[[Session], object]]] = {
    "revoke": lambda it: VaultIssuer(it).revoke(ACCESSOR),
    "revoke a lease": lambda it: VaultIssuer(it).revoke_lease("database/creds/a/x"),
    "remove an intent": lambda it: VaultRegistry(it, "kv").remove_intent("a1"),
    "remove a done note": lambda it: VaultRegistry(it, "kv").remove_done_note(ACCESSOR),
}


def assert_refused(server: Server, names: Iterable[str], act: Callable[[], object]) -> None:
    for name in names:
        server.status, server.body = NOTHINGS[name]
        with pytest.raises(DaypassError) as error:
            pytest.fail(f"{name} was taken for {act()!r}")
        assert error.value.remedy, name
        assert CANARY not in f"{error.value} {error.value.remedy} {error.value!r}", name


@pytest.mark.parametrize("what", READS)
def test_no_look_takes_it_for_nothing(what: str, server: Server, logged_in: Session) -> None:
    # A document of other fields differs, and is written anew.
    left = {"null fields", "odd fields"} if what == "step: document" else set()
    assert_refused(server, NOTHINGS.keys() - left, lambda: READS[what](logged_in))


@pytest.mark.parametrize("what", WRITES)
def test_no_write_takes_it_for_done(what: str, server: Server, logged_in: Session) -> None:
    assert_refused(server, NOTHINGS, lambda: WRITES[what](logged_in))


@pytest.mark.parametrize("what", SILENT_WRITES)
def test_nor_does_one_for_which_vault_gives_nothing_back(
    what: str, server: Server, logged_in: Session
) -> None:
    names = NOTHINGS.keys() - _OF_A_WRITE
    assert_refused(server, names, lambda: SILENT_WRITES[what](logged_in))


def test_it_is_no_log_in(server: Server, vault: VaultSettings) -> None:
    assert_refused(server, NOTHINGS, lambda: session.login_jwt(vault, lambda: Secret("jwt")))


def test_it_is_the_machines_error_and_says_where_to_look(
    server: Server, logged_in: Session
) -> None:
    server.status, server.body = 200, b""
    with pytest.raises(VaultUnavailableError, match="its body is empty") as error:
        VaultRegistry(logged_in, "kv").read_note("trust")
    assert "GET daypass" not in error.value.message
    assert "GET kv/data/daypass/notes/trust" in error.value.message
    assert "proxy" in error.value.remedy


def test_what_vault_answers_of_nothing_is_nothing(server: Server, logged_in: Session) -> None:
    server.status, server.body = 404, json.dumps({"errors": []}).encode()
    registry = VaultRegistry(logged_in, "kv")
    assert registry.read("a1") is None
    assert registry.read_note("trust") is None
    assert registry.pending() == ()
    assert registry.intents() == ()
    assert VaultIssuer(logged_in).live_accessors() == frozenset()
