"""A clone whose files lead git elsewhere: no file is written, nothing sent, no program run."""

from __future__ import annotations

import base64
import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from daypass.adapters.git import process, proposing
from daypass.adapters.git.lending import Loan
from daypass.adapters.git.process import Git
from daypass.adapters.git.push_target import read_ssh
from daypass.adapters.git.repository import GitRepository
from daypass.errors import DaypassError, ForgeRefusedError, GitError
from daypass.model.instant import Instant
from daypass.model.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Server(ThreadingHTTPServer):
    """A server, or proxy, that sets a cookie and keeps what it is shown."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.seen: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Server)
        self.server.seen.append(self.headers.get("Authorization", ""))
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="x"')
        self.send_header("Set-Cookie", "x=$(touch${IFS}ran); Path=/; Max-Age=99999")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_CONNECT = do_GET  # noqa: N815  -- http.server has it so

    def log_message(self, *_words: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    made = Server()
    thread = threading.Thread(target=made.serve_forever, args=(0.02,))
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    command = ["git", "-C", str(folder), *who, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "-b", "main", "clone")
    git(tmp_path / "clone", "commit", "-q", "--allow-empty", "-m", "one")
    return tmp_path / "clone"


def fetched(clone: Path, address: str, loan: Loan | None = None) -> DaypassError | None:
    """What a fetch says; None if it went well."""
    git(clone, "config", "remote.origin.url", address)
    with GitRepository(
        clone, remote="origin", branch="main", author=("", ""), token=loan
    ) as repository:
        try:
            repository.fetch()
        except DaypassError as error:
            return error
    return None


@pytest.mark.parametrize(
    "key",
    [
        *("http.cookieFile", "http.saveCookies", "http.{url}.cookieFile", "http.proxy"),
        *("http.{url}/.proxy", "http.sslCAInfo", "http.sslCert", "http.curloptResolve"),
        *("http.followRedirects", "http.delegation", "http.someNewKey", "remote.origin.proxy"),
    ],
)
def test_a_clone_that_sets_http_speaks_no_http(
    clone: Path, tmp_path: Path, server: Server, key: str
) -> None:
    victim = tmp_path / "bashrc"
    victim.write_text("mine\n")
    key = key.format(url=server.url)
    git(clone, "config", "http.saveCookies", "true")
    git(clone, "config", key, "true" if key.endswith("saveCookies") else str(victim))
    error = fetched(clone, f"{server.url}/acme/access")
    assert isinstance(error, GitError)
    assert f"sets {'http.savecookies' if key.startswith('remote') else 'http.'}" in error.message
    assert "git config --global http." in error.remedy
    assert "git config --unset-all http." in error.remedy
    assert not server.seen
    assert victim.read_text() == "mine\n"


def test_a_file_that_is_included_sets_nothing_either(clone: Path, server: Server) -> None:
    (clone / ".git/more").write_text('[remote "origin"]\n\tproxy = http://127.0.0.1:9\n')
    git(clone, "config", "include.path", "more")
    error = fetched(clone, f"{server.url}/acme/access")
    assert error is not None
    assert "sets remote.origin.proxy" in error.message
    assert "git config --global http.proxy" in error.remedy
    assert not server.seen


def test_what_a_checkout_leaves_is_let_be(clone: Path, server: Server) -> None:
    git(clone, "config", f"http.{server.url}/.extraheader", "Authorization: Basic mine")
    git(clone, "config", "http.postBuffer", "1000000")
    assert fetched(clone, f"{server.url}/acme/access") is not None
    assert server.seen[0] == "Basic mine"


def test_the_proxy_of_the_users_own_configuration_is_used(
    clone: Path, tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").write_text(f"[http]\n\tproxy = {server.url}\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "mine"))
    assert fetched(clone, "https://github.com/acme/access") is not None
    assert server.seen


def test_plain_http_is_for_this_machine_alone(clone: Path, server: Server) -> None:
    for key, value in (
        ("remote.other.url", "http://github.com/acme/access"),
        ("remote.other.url", "HTTP://127.0.0.1@github.com/acme/access"),
        ("url.http://evil.example/.insteadOf", "x:"),
    ):
        git(clone, "config", key, value)
        error = fetched(clone, f"{server.url}/acme/access")
        assert error is not None
        assert "begins with http://" in error.message
        git(clone, "config", "--unset", key)
    assert not server.seen
    assert fetched(clone, f"{server.url}/acme/access") is not None
    assert server.seen


def test_the_passwords_of_netrc_are_shown_to_no_host(
    clone: Path, tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login alice password ghp_canary\n")
    netrc.chmod(0o600)
    error = fetched(clone, f"{server.url}/acme/access")
    assert isinstance(error, ForgeRefusedError)
    assert "`~/.netrc` is not read" in error.remedy
    subprocess.run(
        ["git", "-C", clone, "ls-remote", "origin"],
        check=False,
        capture_output=True,
        env={**os.environ, "GIT_TERMINAL_PROMPT": "0", "no_proxy": "*"},
    )
    shown = [base64.b64decode(found.split()[1]).decode() for found in server.seen if found]
    assert shown == ["alice:ghp_canary"]  # by stock git, and by nothing else


def test_ssh_and_the_users_log_in_helper_have_the_users_home(
    clone: Path, tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("GIT_CONFIG_GLOBAL", raising=False)
    monkeypatch.setenv("GIT_SSH_COMMAND", "~/program --ssh")
    program = tmp_path / "program"
    program.write_text('#!/bin/sh\necho "$HOME $*" >> ~/ran\n')
    program.chmod(0o755)
    (tmp_path / ".gitconfig").write_text('[credential]\n\thelper = "!~/program --helper"\n')
    fetched(clone, "git@127.0.0.1:acme/access.git")
    git(clone, "config", "remote.origin.url", f"{server.url}/acme/access")
    Git(clone, helpers=True).try_run("fetch", "origin", "main")
    ran = (tmp_path / "ran").read_text()
    assert f"{tmp_path} --ssh " in ran
    assert f"{tmp_path} --helper get" in ran


@pytest.fixture
def trapped(tmp_path: Path, clone: Path) -> Path:
    """A repository in the clone, each hook of which, and its configuration, leaves `ran`."""
    folder = clone / ".git/evil.git"
    git(clone, "clone", "-q", "--bare", str(clone), str(folder))
    for hook in ("pre-receive", "update", "post-receive", "reference-transaction"):
        (folder / "hooks" / hook).write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
        (folder / "hooks" / hook).chmod(0o755)
    program = f"touch {tmp_path}/ran; false"
    for key in ("uploadpack.packObjectsHook", "core.alternateRefsCommand", "core.fsmonitor"):
        git(folder, "config", key, program)
    for key, value in (
        ("extensions.partialClone", "origin"),
        ("core.repositoryFormatVersion", "1"),
        ("remote.origin.url", "ssh://x.invalid/y"),
        ("remote.origin.uploadpack", program),
        ("core.sshCommand", program),
    ):
        git(folder, "config", key, value)
    return folder


@pytest.mark.parametrize(
    "keys",
    [
        {"remote.origin.pushurl": "{evil}"},
        {"remote.origin.pushurl": ".git/evil.git"},
        {"url.{evil}.pushInsteadOf": "https://github.com/acme/access"},
        {"url.{evil}.insteadOf": "https://github.com/acme/access"},
        {"remote.origin.url": "file://{evil}"},
        {"remote.origin.pushurl": "https://github.com/mallory/access"},
        {"remote.origin.pushurl": "http://github.com/acme/access"},
        {"remote.origin.pushurl": "git@evil.example:acme/access"},
    ],
    ids=lambda keys: "-".join(next(iter(keys.items()))),
)
def test_a_person_pushes_to_the_governed_repository_alone(
    clone: Path, tmp_path: Path, trapped: Path, keys: dict[str, str]
) -> None:
    git(clone, "config", "remote.origin.url", "https://github.com/acme/access")
    for key, value in keys.items():
        git(clone, "config", key.format(evil=trapped), value.format(evil=trapped))
    loan = Loan("https://github.com", "acme/access", lambda: Secret("theirs"))
    head = git(clone, "rev-parse", "HEAD")
    proposal = proposing.Proposal("request/x", "access/x", b"x", "x", ("x", "x@x"))
    with pytest.raises(GitError, match="nothing was pushed") as caught:
        proposing.push(clone, "origin", loan, proposal, onto=head, when=Instant(0))
    assert "https://github.com/acme/access" in caught.value.remedy
    with (
        GitRepository(
            clone, remote="origin", branch="main", author=("", ""), token=loan
        ) as repository,
        pytest.raises(GitError, match="nothing was pushed"),
    ):
        repository.push_tag("x", f"object {head}\ntype commit\ntag x\n\nx\n".encode())
    assert not (tmp_path / "ran").exists()


def test_a_folder_is_read_and_runs_nothing(clone: Path, tmp_path: Path, trapped: Path) -> None:
    git(trapped, "-c", "core.fsmonitor=false", "update-ref", "refs/heads/gone", "HEAD")
    (trapped / "refs/heads/gone").write_text(f"{'1' * 40}\n")
    loan = Loan("https://github.com", "acme/access", lambda: Secret("theirs"))
    (tmp_path / "ran").unlink(missing_ok=True)  # of setting it up
    fetched(clone, str(trapped), loan)
    git(clone, "config", "remote.origin.promisor", "true")
    with pytest.raises(DaypassError):
        Git(clone).run("cat-file", "blob", "1" * 40)
    assert not (tmp_path / "ran").exists()


def test_what_a_partial_clone_lacks_comes_from_the_governed_repository_alone(
    clone: Path, server: Server
) -> None:
    git(clone, "config", "remote.origin.url", "https://github.com/acme/access")
    git(clone, "config", "remote.origin.promisor", "true")
    git(clone, "config", "remote.more.url", f"{server.url}/acme/access")
    git(clone, "config", "remote.more.promisor", "true")
    git(clone, "config", "url.https://127.0.0.1:9/.insteadOf", "https://github.com/")
    loan = Loan("https://github.com", "acme/access", lambda: Secret("theirs"))
    with (
        GitRepository(
            clone, remote="origin", branch="main", author=("", ""), token=loan
        ) as repository,
        pytest.raises(GitError),
    ):
        repository.touching(None, "1" * 40, ["access"])
    assert not server.seen


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("git@github.com:acme/access.git", ("github.com", "acme/access.git")),
        ("ssh://git@SSH.github.com:443/acme/access", ("github.com", "acme/access")),
        ("work:acme/access", ("work", "acme/access")),
        ("git@github.com/acme/access", None),
        (".git/evil.git", None),
        ("./x:acme/access", None),
        ("https://github.com/acme/access", None),
        ("file:///x", None),
    ],
)
def test_an_ssh_address_is_what_git_takes_for_one(url: str, found: tuple[str, str] | None) -> None:
    assert read_ssh(url) == found


def test_a_configuration_that_gives_no_answer_is_named(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_LISTING_SECONDS", 0.3)
    os.mkfifo(clone / ".git/pipe")
    with (clone / ".git/config").open("a") as file:
        file.write("[include]\n\tpath = pipe\n")
    with pytest.raises(GitError, match="did not end within") as caught:
        Git(clone).run("rev-parse", "HEAD")
    assert "find .git -type p" in caught.value.remedy


def test_a_file_that_gives_no_answer_ends_a_local_command(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_LOCAL_SECONDS", 0.3)
    os.mkfifo(clone / ".git/packed-refs")
    with pytest.raises(GitError, match="`git rev-parse` did not end"):
        Git(clone).run("rev-parse", "refs/heads/none")
