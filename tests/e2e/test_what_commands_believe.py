"""What a person's command believes: main as its server has it, and what was pinned; no checkout."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from daypass.sandbox.box import Box
from support import acting
from support.town import Town

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from daypass.sandbox.person import Person

SETTINGS = "access/daypass.yaml"
SIGNERS = "access/allowed_signers"


class Sink(ThreadingHTTPServer):
    """A server of an attacker: it keeps all that it is sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Keeping)
        self.got: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Keeping(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode("latin1")
        pairs = re.findall(r"Basic ([A-Za-z0-9+/=]+)", str(self.headers))
        plain = "".join(base64.b64decode(pair).decode("latin1") for pair in pairs)
        assert isinstance(self.server, Sink)
        self.server.got.append(f"{self.command} {self.path} {self.headers}{body}{plain}")
        self.send_response(404)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_POST = do_PUT = do_PATCH = do_CONNECT = do_GET  # noqa: N815  -- the names of the base class

    def log_message(self, *_words: object) -> None:
        pass


@contextmanager
def listening() -> Iterator[Sink]:
    with Sink() as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """A box of this file alone: people are led elsewhere, and one takes an emergency."""
    with Box.create(tmp_path_factory.mktemp("box")) as box:
        box.vault_bootstrap()
        yield Town(box)


@pytest.fixture
def sink() -> Iterator[Sink]:
    with listening() as server:
        yield server


def main_text(town: Town, path: str) -> str:
    return town.store.git("show", f"main:{path}")


def check_out(person: Person, branch: str) -> None:
    person.git("fetch", "-q", "origin")
    person.git("checkout", "-q", f"origin/{branch}")


def on_vault(text: str, address: str) -> str:
    return re.sub(r"(?m)^(    address: ).*$", rf"\g<1>{address}", text)


def pins_of(person: Person) -> Path:
    return person.home / ".local/state/daypass/known_repositories.json"


def edit_pin(person: Person, **fields: Any) -> None:
    path = pins_of(person)
    value = json.loads(path.read_text())
    for pin in value["repositories"].values():
        pin.update(fields)
    path.write_text(json.dumps(value))


def forge(town: Town, person: Person, grant_id: str, sink: Sink, folder: Path) -> None:
    """A branch that looks like main, issued by a key and for a Vault of its author."""
    key = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    words = key.with_suffix(".pub").read_text().split()[:2]
    shown = subprocess.run(
        ["ssh-keygen", "-lf", key.with_suffix(".pub")], check=True, capture_output=True, text=True
    )
    person.git("fetch", "-q", "origin")
    issued = person.git(
        *("log", "-1", "--format=%H", f"--grep=^Daypass-Grant: {grant_id}$", "origin/main")
    ).strip()
    person.git("checkout", "-q", "-B", "evilmain", f"{issued}^")
    settings = on_vault(main_text(town, SETTINGS), sink.url)
    settings = re.sub(r"SHA256:[A-Za-z0-9+/]{43}", shown.stdout.split()[1], settings)
    (person.clone / SETTINGS).write_text(settings)
    before, _, _ = main_text(town, SIGNERS).partition("ssh-ed25519")
    (person.clone / SIGNERS).write_text(f"{before}{' '.join(words)}\n")
    person.git("commit", "-qam", "Tidy")
    record = person.git("show", f"{issued}:access/grants/{grant_id}.json")
    (person.clone / "access/grants").mkdir(exist_ok=True)
    (person.clone / f"access/grants/{grant_id}.json").write_text(record)
    person.git("add", "-A")
    name, email = person.git("log", "-1", "--format=%an%n%ae", issued).splitlines()
    body = person.git("log", "-1", "--format=%B", issued).encode()
    person.git(
        *("-c", "gpg.format=ssh", "-c", f"user.signingKey={key}"),
        *("-c", f"user.name={name}", "-c", f"user.email={email}"),
        *("commit", "-q", "-S", "-F", "-"),
        data=body,
    )
    person.git("push", "-q", "origin", "evilmain")


def test_a_claim_goes_by_the_servers_main_whatever_is_checked_out(
    town: Town, sink: Sink, tmp_path: Path
) -> None:
    held = town.grant("believes-claim", duration="1h")
    assert town.apply().code == 0
    carol = town.box.person("carol")
    forge(town, carol, held.id, sink, tmp_path)
    text = main_text(town, SETTINGS)
    branched = text.replace("  github:\n", "  github:\n    defaultBranch: evilmain\n")
    assert branched != text
    carol.propose("nice-settings", {SETTINGS: branched.encode()}, "Settings")
    alice = town.box.person("alice")
    check_out(alice, "nice-settings")
    claimed = town.claim(held)
    assert claimed.code == 0, claimed.said
    assert sink.got == []
    assert "evilmain" not in claimed.said
    # what is pinned is shown once, and then no more
    assert "first use of acme/access here" in claimed.stderr
    assert f"  Vault       {town.box.bao.address}" in claimed.stderr
    assert town.box.evidence_fingerprint in claimed.stderr
    assert max(map(len, claimed.stderr.split("Compare it")[0].splitlines()[:5])) <= 80
    again = acting.daypass(alice, "status")
    assert (again.code, "first use" in again.said) == (0, False)
    assert pins_of(alice).stat().st_mode & 0o777 == 0o600


def test_no_token_goes_where_a_checkout_says(town: Town, sink: Sink) -> None:
    carol, bob = town.box.person("carol"), town.box.person("bob")
    text = on_vault(main_text(town, SETTINGS), sink.url)
    text = re.sub(r"apiUrl: .*", f"apiUrl: {sink.url}/api", text)
    text = re.sub(r"serverUrl: .*", f"serverUrl: {sink.url}", text)
    number = carol.propose("evil-places", {SETTINGS: text.encode()}, "Tidy settings")
    check_out(bob, "evil-places")
    root = town.box.bao.root_token.reveal()
    for words in (
        "validate --online",
        f"plan --pr {number}",
        "status",
        "teams",
        "doctor",
        "vault doctor",
        "vault apply --dry-run",
        "audit anchor --output anchor.txt",
        "break-glass --offline orders-db read --incident INC-1 --format json",
        "halt --subject nobody-known --yes",
        "done no-such-grant --wait 0",
        "request orders-db read --duration 1m --reason because",
    ):
        done = acting.daypass(bob, *words.split(), VAULT_TOKEN=root, VAULT_ADDR="")
        assert sink.got == [], (words, done.said)
        assert "Traceback" not in done.said
    bob.git("checkout", "-q", "--detach", "origin/main")


def test_a_change_of_what_is_pinned_is_refused_until_it_is_accepted(town: Town, sink: Sink) -> None:
    held = town.grant("believes-pins", duration="1h")
    assert town.apply().code == 0
    alice = town.box.person("alice")
    assert acting.daypass(alice, "status").code == 0
    real = json.loads(pins_of(alice).read_text())
    changes: dict[str, Any] = {
        "repository_id": 1,
        "api_url": f"{sink.url}/api",
        "fingerprint": "SHA256:" + "A" * 43,
        "vault_address": sink.url,
        "vault_namespace": "theirs",
    }
    for name, value in changes.items():
        edit_pin(alice, **{name: value})
        for words in (["status"], ["claim", held.id, "--format", "json"]):
            done = acting.daypass(alice, *words)
            assert (done.code, done.stdout) == (7, ""), (name, done.said)
            assert f"{str(value)!a} is pinned" in done.stderr
            assert "accept it: `daypass trust`" in done.stderr
        pins_of(alice).write_text(json.dumps(real))
    edit_pin(alice, fingerprint=changes["fingerprint"])
    wrong = acting.daypass(alice, "trust", "--yes", "--fingerprint", changes["fingerprint"])
    assert wrong.code == 6, wrong.said
    unasked = acting.daypass(alice, "trust")
    assert unasked.code == 7, unasked.said
    assert f"  pinned      {changes['fingerprint']}" in unasked.stdout
    assert f"  main says   {town.box.evidence_fingerprint}" in unasked.stdout
    key = town.box.evidence_fingerprint
    named = acting.daypass(alice, "claim", held.id, "--format", "json", "--fingerprint", key)
    assert named.code == 0, named.said
    assert json.loads(pins_of(alice).read_text()) == real
    edit_pin(alice, vault_address=sink.url)
    assert acting.daypass(alice, "trust", "--yes").code == 0
    edit_pin(alice, is_confirmed=False)  # which accepting has made it
    assert json.loads(pins_of(alice).read_text()) == real
    pins_of(alice).write_text("[]")
    odd = acting.daypass(alice, "status")
    assert odd.code == 7
    assert f"mv {pins_of(alice)}" in odd.stderr
    pins_of(alice).unlink()
    assert sink.got == []


def test_a_main_that_leads_elsewhere_stops_what_sends_and_no_end(town: Town, sink: Sink) -> None:
    held = town.grant("believes-main", duration="1h")
    assert town.apply().code == 0
    alice, text = town.box.person("alice"), main_text(town, SETTINGS)
    good = town.store.git("rev-parse", "main").strip()
    root = town.box.bao.root_token.reveal()
    assert acting.daypass(alice, "status").code == 0
    before = pins_of(alice).read_bytes()
    server = re.sub(r"serverUrl: .*", "serverUrl: https://evil.example", text)
    server = re.sub(r"apiUrl: .*", "apiUrl: https://evil.example/api/v3", server)
    town.push_straight({SETTINGS: on_vault(server, sink.url).encode()})
    refused = acting.daypass(alice, "claim", held.id, "--format", "json")
    assert (refused.code, refused.stdout) == (7, ""), refused.said
    assert "the server is 'https://evil.example'" in refused.stderr
    where = text.replace("audience:", "namespace: theirs\n    audience:", 1)
    assert where != text
    town.push_straight({SETTINGS: where.encode()})
    check_out(alice, "main")
    for words in ("status", f"claim {held.id} --format json", "vault doctor"):
        refused = acting.daypass(alice, *words.split(), VAULT_TOKEN=root, VAULT_ADDR="")
        assert refused.code == 7, (words, refused.said)
        assert "the Vault namespace is 'theirs'" in refused.stderr
    for words in ("halt --subject alice --yes", f"revoke {held.id} --yes --wait 0"):
        asked = acting.daypass(alice, *words.split())
        assert asked.code == 0, (words, asked.said)
    pins_of(alice).write_text("[]")
    odd = acting.daypass(alice, "done", held.id, "--wait", "0")
    assert odd.code == 0, odd.said
    assert "cannot be used" in odd.stderr
    pins_of(alice).write_bytes(before)
    town.store.git("update-ref", "refs/heads/main", good)
    check_out(alice, "main")
    assert sink.got == []


def test_in_doubt_of_a_clone_a_claim_opens_nothing(town: Town) -> None:
    """A remote that is a folder may be anything: nothing is pinned by it, and nothing opened."""
    held = town.grant("believes-doubt", duration="1h")
    assert town.apply().code == 0
    alice = town.box.person("alice")
    url = alice.git("remote", "get-url", "origin").strip()
    alice.git("remote", "set-url", "origin", str(town.store.path))
    fresh = {"XDG_STATE_HOME": str(alice.home / "fresh"), "VAULT_ADDR": town.box.bao.address}
    claim = ("claim", held.id, "--format", "json")
    doubted = acting.daypass(alice, *claim, **fresh)
    assert (doubted.code, doubted.stdout) == (7, ""), doubted.said
    assert f"evidence    {town.box.evidence_fingerprint}" in doubted.stderr
    assert "`--fingerprint SHA256:" in doubted.stderr
    unaccepted = acting.daypass(alice, "trust", "--yes", **fresh)
    assert unaccepted.code == 7, unaccepted.said
    assert not (alice.home / "fresh/daypass/known_repositories.json").exists()
    named = acting.daypass(alice, *claim, "--fingerprint", town.box.evidence_fingerprint, **fresh)
    assert named.code == 0, named.said
    alice.git("remote", "set-url", "origin", url)


def test_what_the_environment_names_must_agree(town: Town, sink: Sink) -> None:
    dave, root = town.box.person("dave"), town.box.bao.root_token.reveal()
    here = town.box.bao.address
    for variables in (
        {"VAULT_ADDR": sink.url},
        {"VAULT_ADDR": here, "BAO_ADDR": sink.url},
        {"VAULT_ADDR": here, "VAULT_NAMESPACE": "theirs"},
    ):
        done = acting.daypass(dave, "doctor", "runs", VAULT_TOKEN=root, **variables)
        assert done.code == 7, done.said
        assert "nothing was sent to either" in done.stderr
    # At the first use, nothing but a file says that this is the operator's Vault.
    fresh = {"XDG_STATE_HOME": str(dave.home / "fresh"), "VAULT_TOKEN": root, "VAULT_ADDR": ""}
    first = acting.daypass(dave, "doctor", "runs", **fresh)
    assert first.code == 7, first.said
    assert f"`export VAULT_ADDR={here}`" in first.stderr
    second = acting.daypass(dave, "doctor", "runs", **fresh)
    assert second.code == 7, second.said  # shown and pinned by the first, and by no person
    named = acting.daypass(dave, "doctor", "runs", **{**fresh, "VAULT_ADDR": here})
    assert named.code in (0, 1), named.said
    third = acting.daypass(dave, "doctor", "runs", **fresh)  # named once
    assert third.code in (0, 1), third.said
    elsewhere = acting.daypass(dave, "status", GH_HOST="github.example")
    assert elsewhere.code == 7, elsewhere.said
    assert "`unset GH_HOST`" in elsewhere.stderr
    unnamed = acting.daypass(dave, "status", GH_HOST="", XDG_STATE_HOME=str(dave.home / "other"))
    assert unnamed.code == 1, unnamed.said
    assert "export GH_HOST=127.0.0.1" in unnamed.stderr
    assert sink.got == []


def test_a_clone_that_somebody_prepared_gets_nothing(town: Town, sink: Sink) -> None:
    dave = town.box.person("dave")
    assert acting.daypass(dave, "status").code == 0
    url = dave.git("remote", "get-url", "origin").strip()
    root = town.box.bao.root_token.reveal()
    for key, value in (
        ("remote.origin.url", f"{sink.url}/acme/access.git"),
        ("remote.origin.pushurl", f"{sink.url}/acme/access.git"),
        (f"url.{sink.url}/.insteadOf", url.partition("acme")[0]),
        ("http.proxy", sink.url),
    ):
        dave.git("config", key, value)
        for words in ("status", "doctor", "halt --subject dave --yes", "audit verify"):
            acting.daypass(dave, *words.split(), VAULT_TOKEN=root, VAULT_ADDR="")
        dave.git("config", "--unset-all", key)
        if key == "remote.origin.url":
            dave.git("config", key, url)
        told = "".join(sink.got)
        assert dave.token.reveal() not in told, key
        assert root not in told, key


def test_what_is_taken_offline_leads_where_the_evidence_key_signed(town: Town) -> None:
    """A push to main that no run has judged moves the database; GitHub is away.

    It is the last test here: the next run alarms, and calls for its review.
    """
    alice, path = town.box.person("alice"), "access/resources/orders-db.yaml"
    assert acting.daypass(alice, "status").code == 0
    good, text = town.store.git("rev-parse", "main").strip(), main_text(town, path)
    moved = re.sub(r"port: .*", "port: '1'", text)
    assert moved != text
    town.push_straight({path: moved.encode()})
    check_out(alice, "main")
    variables = {
        "VAULT_TOKEN": town.box.vault_people.log_in("alice", lasts="8h").reveal(),
        "VAULT_ADDR": town.box.bao.address,
    }
    words = "break-glass orders-db read --incident INC-7 --reason down --offline --format json"
    taken = acting.daypass(alice, *words.split(), **variables)
    assert taken.code == 0, taken.said
    assert json.loads(taken.stdout)["connection"]["port"] != "1"
    assert "as its evidence key signed it last" in taken.stderr
    assert "main has changed access/ since then" in taken.stderr
    town.store.git("update-ref", "refs/heads/main", good)
    check_out(alice, "main")
