"""Context sources as they fail in life: down, slow, huge, redirected, stale, forged, put back."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest
from context_server import ContextServer, context_server

from daypass.adapters.attestation import SourceReader
from daypass.adapters.context_http import MAX_BYTES
from daypass.errors import ContextError
from daypass.lifecycle.inquiry import Inquiry
from daypass.model.catalogue import Catalogue
from daypass.model.instant import Instant
from daypass.model.request import AccessRequest
from daypass.model.settings import Settings
from daypass.policy.facts import Status

NOW = Instant.parse("2026-11-23T10:00:00Z")
CANARY = "canary-7d1f0c"
DEVICES = {"alice": {"alice-laptop": {"state": "healthy"}}, "bob": {"bob-phone": {"state": "bad"}}}


@pytest.fixture
def server():
    with context_server() as found:
        found.say({"asOf": str(NOW.plus(-120)), "devices": DEVICES})
        yield found


def catalogue(**sources) -> Catalogue:
    github = dict.fromkeys(
        ("ownerId", "repositoryId", "appId", "appUserId", "installationId"), 1
    ) | {"owner": "example", "repository": "access"}
    settings = Settings.from_document(
        {
            "spec": {
                "github": github,
                "vault": {"address": "https://vault.example.com", "audience": "vault"},
                "evidence": {"email": "bot@example.com"},
                "foundation": {"owners": ["security"]},
                "context": {"sources": sources},
            }
        }
    )
    return Catalogue(settings, {}, {}, {}, "")


def posture(server: ContextServer, **changes) -> Catalogue:
    source = {
        "url": f"{server.url}/devices.json",
        "pointer": "/devices/{subject}/{device}/state",
        "issuedAt": "/asOf",
        "maxAge": "15m",
        "timeout": 1,
        **changes,
    }
    return catalogue(posture={key: item for key, item in source.items() if item is not None})


def request(device: str | None = "alice-laptop", subject: str = "alice") -> AccessRequest:
    spec = {"subject": subject, "resource": "orders-db", "access": "read", "duration": "1h"}
    return AccessRequest.from_document(
        {"metadata": {"id": "x-1"}, "spec": {**spec, "reason": "because", "device": device}}
    )


def inquiry(tmp_path, **environment: str) -> Inquiry:
    return Inquiry(SourceReader(tmp_path, environment))


def ask(given: Inquiry, world: Catalogue, asked: AccessRequest | None = None, now=NOW):
    return given.about(asked or request(), world, now)["posture"]


def test_an_answer_says_where_it_is_from_and_how_old_it_is(server, tmp_path):
    found = ask(inquiry(tmp_path), posture(server, required=True))
    assert found.to_json() == {
        "status": "known",
        "value": "healthy",
        "source": f"{server.url}/devices.json",
        "ageSeconds": 120,
        "required": True,
    }


def test_a_source_is_asked_once_a_run_whoever_asks(server, tmp_path):
    given, world = inquiry(tmp_path), posture(server)
    given.prepare([request(), request("bob-phone", "bob")], world)
    assert ask(given, world).value == "healthy"
    assert ask(given, world, request("bob-phone", "bob")).value == "bad"
    assert len(server.asked) == 1


def test_a_source_for_each_subject_is_asked_for_each(server, tmp_path):
    server.say("healthy")
    given = inquiry(tmp_path)
    url = f"{server.url}/of/{{subject}}?device={{device}}"
    world = posture(server, url=url, pointer="", issuedAt=None)
    for _ in range(2):
        assert ask(given, world).value == "healthy"
        assert ask(given, world, request("bob-phone", "bob")).value == "healthy"
    paths = [path for path, _ in server.asked]
    assert paths == ["/of/alice?device=alice-laptop", "/of/bob?device=bob-phone"]
    assert ask(given, world).source == url  # a record names the template


@pytest.mark.parametrize(
    "device", [None, "bob-phone", "unheard-of"], ids=["none", "of-somebody-else", "unheard-of"]
)
def test_a_device_that_is_not_the_subjects_is_unknown(server, tmp_path, device):
    found = ask(inquiry(tmp_path), posture(server), request(device))
    assert (found.status, found.value) == (Status.UNKNOWN, None)


@pytest.mark.parametrize("name", ["../admin", "a/b", "a~1b", "a?x=1", "a b", "{resource}", "", "A"])
def test_what_is_no_name_reaches_no_server(server, tmp_path, name):
    """The schema refuses such a device; were it to come by another way, nothing is asked."""
    world = posture(server, url=f"{server.url}/of/{{device}}", pointer="", issuedAt=None)
    assert ask(inquiry(tmp_path), world, request(name)).status == Status.UNKNOWN
    assert server.asked == []


def test_an_old_answer_is_stale(server, tmp_path):
    found = ask(inquiry(tmp_path), posture(server), now=NOW.plus(781))
    assert (found.status, found.value, found.age_seconds) == (Status.STALE, None, 901)


@pytest.mark.parametrize("when", [str(NOW.plus(61)), "yesterday", 1763892000, None, "9999-99-99"])
def test_a_time_that_cannot_be_is_unknown(server, tmp_path, when):
    server.say({"asOf": when, "devices": DEVICES})
    assert ask(inquiry(tmp_path), posture(server)).status == Status.UNKNOWN


@pytest.mark.parametrize("status", [204, 301, 302, 307, 401, 404, 500, 503])
def test_whatever_is_not_200_is_unknown(server, tmp_path, status):
    server.status = status
    given = inquiry(tmp_path)
    assert ask(given, posture(server)).status == Status.UNKNOWN
    assert given.faults == {"posture": f"the context source posture: it answers {status}"}


def test_a_redirect_is_not_followed_and_no_header_goes_along(server, tmp_path):
    with context_server() as elsewhere:
        elsewhere.say({"asOf": str(NOW), "devices": DEVICES})
        server.status, server.headers = 302, {"Location": f"{elsewhere.url}/devices.json"}
        header = {"name": "Authorization", "fromEnvironment": "DAYPASS_CONTEXT_MDM"}
        given = inquiry(tmp_path, DAYPASS_CONTEXT_MDM=f"Bearer {CANARY}")
        assert ask(given, posture(server, header=header)).status == Status.UNKNOWN
        assert elsewhere.asked == []
    assert server.asked[0][1]["Authorization"] == f"Bearer {CANARY}"


@pytest.mark.parametrize("value", ["", "x\r\nX-Evil: 1", "x\ny", "\u20ac"])
def test_a_secret_that_no_header_can_carry_is_not_told(server, tmp_path, value):
    header = {"name": "Authorization", "fromEnvironment": "DAYPASS_CONTEXT_MDM"}
    given = inquiry(tmp_path, DAYPASS_CONTEXT_MDM=value and f"{CANARY}{value}")
    assert ask(given, posture(server, header=header)).status == Status.UNKNOWN
    assert CANARY not in str(given.faults)
    assert server.asked == []


def test_no_error_carries_a_body_a_header_or_a_name(server, tmp_path):
    server.status, server.body = 500, CANARY.encode()
    server.headers = {"X-Debug": CANARY}
    world = posture(server, url=f"{server.url}/of/{{subject}}")
    reader = SourceReader(tmp_path, {})
    with pytest.raises(ContextError) as caught:
        reader.read(world.settings.context["posture"], f"{server.url}/of/alice")
    error: BaseException | None = caught.value
    told = f"{caught.value} {caught.value.remedy}"
    while error is not None and not error.__suppress_context__:
        error = error.__cause__ or error.__context__
        told += repr(error)
    assert CANARY not in told
    assert "alice" not in told


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"asOf": "2026-11-23T10:00:00Z", "devices": NaN}',
        b'{"devices": {}, "devices": {"alice": {"alice-laptop": {"state": "healthy"}}}}',
        b"[" * 200_000,
        b"9" * 5000,
        b'"\xff"',
        b'\xef\xbb\xbf"x"',
        b"<html>",
    ],
    ids=["empty", "cut", "nan", "key twice", "deep", "digits", "latin-1", "mark", "html"],
)
def test_what_is_no_strict_json_is_unknown(server, tmp_path, body):
    server.body = body
    assert ask(inquiry(tmp_path), posture(server)).status == Status.UNKNOWN


@pytest.mark.parametrize(
    "value",
    ["x" * 1100, [0] * 900, 2**60, 1e400, {"a": "\ud800"}],
    ids=["text", "list", "integer", "infinity", "half"],
)
def test_a_value_that_no_record_could_keep_is_unknown(server, tmp_path, value):
    server.say({"asOf": str(NOW), "devices": {"alice": {"alice-laptop": {"state": value}}}})
    assert ask(inquiry(tmp_path), posture(server)).status == Status.UNKNOWN


def test_a_giant_is_not_read_to_its_end(server, tmp_path):
    server.body = b" " * (MAX_BYTES + 2) + b"{}"
    given = inquiry(tmp_path)
    assert ask(given, posture(server)).status == Status.UNKNOWN
    assert "larger than" in given.faults["posture"]


def test_an_answer_that_is_cut_off_is_unknown(server, tmp_path):
    server.announce = len(server.body) + 100
    assert ask(inquiry(tmp_path), posture(server)).status == Status.UNKNOWN


def test_slow_bytes_do_not_hold_a_run_up(server, tmp_path):
    """Each byte comes in time, and all of them would take ten minutes."""
    server.drip = 0.2
    server.body = b" " * 3000 + server.body
    given = inquiry(tmp_path)
    assert ask(given, posture(server)).status == Status.UNKNOWN
    assert server.dripped < 300  # a minute's
    assert given.faults == {"posture": "the context source posture: it is too slow"}


def test_a_drip_that_would_be_json_when_cut_is_not_taken_for_an_answer(server, tmp_path):
    server.drip, server.body = 0.2, b"1" + b"1" * 30
    world = posture(server, pointer="", issuedAt=None)
    assert ask(inquiry(tmp_path), world).status == Status.UNKNOWN


def test_a_source_that_is_down_is_not_waited_for_by_everybody(server, tmp_path):
    server.status = 503
    world = posture(server, url=f"{server.url}/of/{{subject}}")
    given = inquiry(tmp_path)
    for number in range(20):
        assert ask(given, world, request(subject=f"p-{number}")).status == Status.UNKNOWN
    assert len(server.asked) == 3


def test_nobody_listens(server, tmp_path):
    gone = server.url
    world = posture(server, url=f"{gone[:-5]}1/x")
    assert ask(inquiry(tmp_path), world).status == Status.UNKNOWN


def test_plain_http_goes_nowhere_but_to_this_machine(server, tmp_path):
    world = posture(server, url="http://192.0.2.1/devices.json")
    given = inquiry(tmp_path)
    assert ask(given, world).status == Status.UNKNOWN
    assert given.faults == {"posture": "the context source posture: its URL is not https"}


# Attestations: a file, and a signature that stock ssh-keygen made.


class Attester:
    def __init__(self, tmp_path) -> None:
        self.tree = tmp_path / "tree"
        self.file = self.tree / "attestations" / "posture.json"
        self.file.parent.mkdir(parents=True)
        self.keys = {name: self._key(tmp_path / name) for name in ("good", "other")}
        self.where = tmp_path

    def _key(self, path) -> str:
        keygen = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path))
        subprocess.run(keygen, check=True)
        return path.with_suffix(".pub").read_text().strip()

    def attest(self, document, *, by: str = "good", namespace: str = "daypass-context-posture"):
        self.file.write_text(json.dumps(document))
        signature = self.file.with_name("posture.json.sig")
        signature.unlink(missing_ok=True)
        sign = ("ssh-keygen", "-q", "-Y", "sign", "-n", namespace, "-f", str(self.where / by))
        subprocess.run([*sign, str(self.file)], check=True, stderr=subprocess.DEVNULL)

    def world(self) -> Catalogue:
        return catalogue(
            posture={
                "file": "attestations/posture.json",
                "keys": [self.keys["good"]],
                "pointer": "/devices/{subject}/{device}/state",
                "issuedAt": "/asOf",
                "maxAge": "1h",
            }
        )

    def status(self, now=NOW) -> str:
        return ask(inquiry(self.tree), self.world(), now=now).status


@pytest.fixture
def attester(tmp_path) -> Attester:
    found = Attester(tmp_path)
    found.attest({"asOf": str(NOW), "devices": DEVICES})
    return found


def test_a_signed_attestation_is_known(attester):
    found = ask(inquiry(attester.tree), attester.world())
    assert (found.status, found.value) == (Status.KNOWN, "healthy")
    assert found.source == "attestations/posture.json"


def test_another_key_may_not_sign(attester):
    attester.attest({"asOf": str(NOW), "devices": DEVICES}, by="other")
    assert attester.status() == Status.UNKNOWN


@pytest.mark.parametrize("namespace", ["git", "daypass-context-onCall", "file"])
def test_what_was_signed_for_something_else_does_not_speak(attester, namespace):
    attester.attest({"asOf": str(NOW), "devices": DEVICES}, namespace=namespace)
    assert attester.status() == Status.UNKNOWN


def test_a_changed_attestation_is_unknown(attester):
    attester.file.write_text(attester.file.read_text().replace("bad", "good"))
    assert attester.status() == Status.UNKNOWN


def test_an_old_attestation_put_back_is_stale(attester):
    kept = attester.tree.parent / "kept"
    shutil.copytree(attester.file.parent, kept)
    broken = {"alice": {"alice-laptop": {"state": "lost"}}}
    attester.attest({"asOf": str(NOW.plus(3000)), "devices": broken})
    shutil.copytree(kept, attester.file.parent, dirs_exist_ok=True)
    assert attester.status(NOW.plus(3601)) == Status.STALE


@pytest.mark.parametrize("name", ["posture.json", "posture.json.sig"])
def test_a_missing_part_is_unknown(attester, name):
    (attester.file.parent / name).unlink()
    assert attester.status() == Status.UNKNOWN


@pytest.mark.parametrize("linked", ["file", "folder"])
def test_links_are_not_followed(attester, linked):
    target = attester.file if linked == "file" else attester.file.parent
    moved = attester.tree / "elsewhere"
    target.rename(moved)
    target.symlink_to(moved)
    assert attester.status() == Status.UNKNOWN


def test_a_fifo_holds_nobody_up(attester):
    attester.file.unlink()
    subprocess.run(["mkfifo", str(attester.file)], check=True)
    assert attester.status() == Status.UNKNOWN


def test_a_run_that_checks_nothing_out_reads_the_attestation_of_head(attester, tmp_path):
    files = {
        f"attestations/{path.name}": path.read_bytes() for path in attester.file.parent.iterdir()
    }
    empty = tmp_path / "empty"
    empty.mkdir()
    here = Inquiry(SourceReader(empty, {}, files.get))
    assert ask(here, attester.world()).value == "healthy"
    files["attestations/posture.json"] += b" "
    changed = Inquiry(SourceReader(empty, {}, files.get))
    assert ask(changed, attester.world()).status == Status.UNKNOWN
    without = Inquiry(SourceReader(empty, {}, lambda _path: None))
    assert ask(without, attester.world()).status == Status.UNKNOWN
