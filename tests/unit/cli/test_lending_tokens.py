"""Whom a person's GitHub token goes to: the governed repository, whatever a clone's files say."""

from __future__ import annotations

import base64
import subprocess
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from daypass.adapters.git import proposing
from daypass.adapters.git.lending import Loan, read_address
from daypass.adapters.git.process import Git
from daypass.cli import wiring
from daypass.cli.clones import any_clone
from daypass.cli.remotes import loan_of
from daypass.cli.settings_in_force import settings_of
from daypass.errors import DaypassError, ForgeRefusedError
from daypass.model.instant import Instant
from daypass.model.secret import Secret
from unit.documents.documents_world import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKEN = "ghp_canary"
ABSENT = "1" * 40


class Listener(ThreadingHTTPServer):
    """A server that has nothing, and remembers who showed it a token."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.asked = 0
        self.tokens = 0
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.thread = threading.Thread(target=self.serve_forever, args=(0.02,))
        self.thread.start()

    def end(self) -> None:
        self.shutdown()
        self.thread.join()
        self.server_close()


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Listener)
        pair = base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()
        self.server.asked += 1
        self.server.tokens += any(pair in value for value in self.headers.values())
        self.send_response(404 if "Authorization" in self.headers else 401)
        self.send_header("WWW-Authenticate", "Basic")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_words: object) -> None:
        pass


@pytest.fixture
def listeners(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Listener, Listener]]:
    """GitHub, and another server."""
    monkeypatch.setenv("GH_TOKEN", TOKEN)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    both = Listener(), Listener()
    monkeypatch.setenv("GH_HOST", f"127.0.0.1:{both[0].server_port}")
    yield both
    for listener in both:
        listener.end()


def git(folder: Path, *words: str) -> None:
    mine = ("-c", "user.name=x", "-c", "user.email=x@x")
    subprocess.run(["git", "-C", str(folder), *mine, *words], check=True, capture_output=True)


@pytest.fixture
def clone(tmp_path: Path, listeners: tuple[Listener, Listener]) -> Path:
    """A partial clone of the governed repository, which holds the settings of HEAD."""
    folder, url = tmp_path / "clone", listeners[0].url
    git(tmp_path, "init", "-q", "clone")
    (folder / "access").mkdir()
    text = SETTINGS.replace("{owner: acme", f'{{serverUrl: "{url}", apiUrl: "{url}", owner: acme')
    (folder / "access/daypass.yaml").write_text(text)
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "x")
    git(folder, "remote", "add", "origin", f"{url}/acme/access.git")
    git(folder, "config", "remote.origin.promisor", "true")
    git(folder, "config", "remote.origin.partialclonefilter", "tree:0")
    return folder


def read_lacking(folder: Path) -> DaypassError | None:
    """What `audit` and `explain` do in it: read something that a partial clone lacks."""
    with suppress(DaypassError), any_clone(folder) as repository:
        repository.blobs([ABSENT])
    try:
        with any_clone(folder) as repository:
            repository.touching(None, ABSENT, ["access"])
    except DaypassError as error:
        return error
    return None


def act(folder: Path) -> None:
    """Read, fetch and push, as the verbs of a person do."""
    settings = settings_of((folder / "access/daypass.yaml").read_bytes())
    read_lacking(folder)
    with suppress(DaypassError), wiring.person_repository(folder, settings) as repository:
        repository.fetch()
    loan, _ = loan_of(settings.github)
    proposal = proposing.Proposal("request/x", "access/x", b"x", "x", ("x", "x@x"))
    head = Git(folder).run("rev-parse", "HEAD").decode().strip()
    with suppress(DaypassError):
        proposing.push(folder, "origin", loan, proposal, onto=head, when=Instant(0))


def test_the_governed_repository_is_shown_it(
    clone: Path, listeners: tuple[Listener, Listener]
) -> None:
    act(clone)
    github, other = listeners
    assert github.tokens == github.asked >= 4
    assert other.asked == 0


@pytest.mark.parametrize(
    "keys",
    [
        {"remote.origin.url": "{other}/acme/access.git"},
        {"remote.origin.url": "{github}/mallory/access.git"},
        {"url.{other}/.insteadOf": "{github}/"},
        {"url.{other}/.pushInsteadOf": "{github}/"},
        {"http.proxy": "{other}"},
        {"http.{github}.proxy": "{other}"},
        {"http.{github}.sslVerify": "false"},
        {"http.sslCAInfo": "mine.pem"},
        {"http.{github}.followRedirects": "true"},
        {"http.curloptResolve": "github.com:443:127.0.0.1"},
        {"http.cookieFile": "cookies"},
        {"remote.origin.proxy": "{other}"},
        {"include.path": "more"},
    ],
    ids=lambda keys: next(iter(keys)),
)
def test_a_clone_that_leads_elsewhere_is_lent_nothing(
    clone: Path, listeners: tuple[Listener, Listener], keys: dict[str, str]
) -> None:
    github, other = listeners
    (clone / ".git/more").write_text(f"[http]\n\tproxy = {other.url}\n")
    for key, value in keys.items():
        places = {"github": github.url, "other": other.url}
        git(clone, "config", key.format(**places), value.format(**places))
    act(clone)
    assert (github.tokens, other.tokens) == (0, 0)


@pytest.mark.parametrize(
    "keys",
    [
        {"remote.extra.url": "{other}/acme/access.git", "remote.extra.promisor": "true"},
        {"remote.aa.url": "{other}/acme/access.git"},
        {"remote.origin.pushurl": "{other}/acme/access.git"},
        {"remote.origin.promisor": "false", "extensions.partialClone": "extra"},
    ],
    ids=lambda keys: next(iter(keys)),
)
def test_what_stands_beside_the_governed_repository_is_shown_none(
    clone: Path, listeners: tuple[Listener, Listener], keys: dict[str, str]
) -> None:
    for key, value in keys.items():
        git(clone, "config", key, value.format(other=listeners[1].url))
    act(clone)
    assert listeners[0].tokens
    assert listeners[1].tokens == 0


def test_what_changes_no_address_is_let_be(
    clone: Path, listeners: tuple[Listener, Listener]
) -> None:
    git(clone, "config", f"http.{listeners[0].url}/.extraheader", "X-Trace: 1")
    git(clone, "config", "http.postBuffer", "1000000")
    act(clone)
    assert listeners[0].tokens


def test_why_it_was_withheld_is_said_with_the_key_and_without_its_value(
    clone: Path, listeners: tuple[Listener, Listener]
) -> None:
    git(clone, "config", "http.proxy", "http://me:hunter2@127.0.0.1:9")
    loan = Loan(listeners[0].url, "acme/access", lambda: Secret(TOKEN))
    assert loan.settings(Git(clone), f"{listeners[0].url}/acme/access") == ()
    assert "sets http.proxy" in loan.withheld
    assert "hunter2" not in loan.withheld
    assert loan.settings(Git(clone), "https://elsewhere.example/acme/access") == ()
    assert "goes to the governed repository alone" in loan.withheld


def test_it_does_not_go_over_http(clone: Path) -> None:
    loan = Loan("http://github.example", "acme/access", lambda: Secret(TOKEN))
    assert loan.settings(Git(clone), "http://github.example/acme/access") == ()
    assert "does not go over http" in loan.withheld


def test_a_clone_that_lacks_its_own_settings_is_lent_none_and_completed_by_hand(
    clone: Path, listeners: tuple[Listener, Listener]
) -> None:
    blob = Git(clone).run("rev-parse", "HEAD:access/daypass.yaml").decode().strip()
    place = clone / ".git/objects" / blob[:2] / blob[2:]
    place.unlink()
    with pytest.raises(ForgeRefusedError) as caught:
        wiring.head_settings(clone)
    assert "lacks access/daypass.yaml of HEAD" in caught.value.remedy
    assert "`git fetch --refetch --no-filter`" in caught.value.remedy
    assert listeners[0].asked
    assert listeners[0].tokens == 0


def test_a_whole_clone_asks_nobody(clone: Path, listeners: tuple[Listener, Listener]) -> None:
    for key in ("promisor", "partialclonefilter"):
        git(clone, "config", "--unset", f"remote.origin.{key}")
    read_lacking(clone)
    assert listeners[0].asked == 0


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com\\@evil.example/acme/access",
        "https://github.com:99999/acme/access",
        "https://github.com:abc/acme/access",
        "https://[::1/acme/access",
        "https://user:s3cr/et@host/acme/access\n",
        "https://github.com /acme/access",
        "ftp://github.com/acme/access",
        "https://*/acme/access",
    ],
)
def test_an_odd_address_is_none(url: str) -> None:
    assert read_address(url) is None


def test_the_ports_of_schemes_need_not_be_said() -> None:
    assert read_address("https://GitHub.com:443/a/b") == read_address("https://github.com/a/b")
    assert read_address("http://github.com:443/a/b") != read_address("https://github.com/a/b")
