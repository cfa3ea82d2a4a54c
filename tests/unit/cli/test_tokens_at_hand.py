"""Tokens that lie at hand: those that README names, in its order, for every verb."""

from __future__ import annotations

from pathlib import Path

import pytest

from daypass.adapters.github import failure
from daypass.adapters.github.person import person_token
from daypass.adapters.github.refused import (
    Speaker,
    how_to_log_in,
    log_in_command,
    no_token,
    token_source,
)
from daypass.cli import wiring
from daypass.errors import IndeterminateError, UsageError

ALL = ("BAO_TOKEN", "VAULT_TOKEN", "GH_TOKEN", "GITHUB_TOKEN", "GH_HOST", "GITHUB_ACTIONS")
GITHUB = "https://github.test"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    for name in ALL:
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_an_operators_token_is_baos_then_vaults_then_that_of_the_last_log_in(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError):
        wiring.operator_token()
    (home / ".vault-token").write_text("of-the-log-in\n")
    assert wiring.operator_token().secret.reveal() == "of-the-log-in"
    monkeypatch.setenv("VAULT_TOKEN", "vaults")
    assert wiring.operator_token().secret.reveal() == "vaults"
    monkeypatch.setenv("BAO_TOKEN", " \n")  # says nothing
    assert wiring.operator_token().secret.reveal() == "vaults"
    monkeypatch.setenv("BAO_TOKEN", "baos\n")
    assert wiring.operator_token().secret.reveal() == "baos"


def test_a_persons_token_is_of_the_environment_or_ghs(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert person_token(GITHUB) is None
    gh = home / "bin" / "gh"
    gh.parent.mkdir()
    gh.write_text('#!/bin/sh\n[ "$*" = "auth token --hostname github.test" ] && echo of-gh\n')
    gh.chmod(0o755)
    shown = []
    for name in ("", "GITHUB_TOKEN", "GH_TOKEN"):
        if name:
            monkeypatch.setenv(name, name.lower())
        token = person_token(GITHUB)
        assert token is not None
        shown.append(token.reveal())
        monkeypatch.setenv("GH_HOST", "github.test")  # a variable does not say where it belongs
    assert shown == ["of-gh", "github_token", "gh_token"]


def test_readme_names_them_in_that_order() -> None:
    text = " ".join((Path(__file__).parents[3] / "README.md").read_text().split())
    assert "is `GH_TOKEN`, `GITHUB_TOKEN`, or what `gh auth token` says" in text
    assert "is `BAO_TOKEN`, `VAULT_TOKEN`, or that of the last log-in" in text


def test_other_servers_have_variables_of_their_own_as_gh_has_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GH_TOKEN", "of-github")
    monkeypatch.setenv("GITHUB_ENTERPRISE_TOKEN", "of-theirs")
    monkeypatch.delenv("GH_ENTERPRISE_TOKEN", raising=False)

    def at(server: str) -> str | None:
        token = person_token(server)
        return token.reveal() if token is not None else None

    for server in ("https://github.com", "https://octo.ghe.com"):
        assert at(server) == "of-github"
    for server in ("https://github.test", "http://127.0.0.1:9", "http://github.com"):
        assert at(server) is None  # not known, not named, not private
    monkeypatch.setenv("GH_HOST", "127.0.0.1:9")
    assert at("http://127.0.0.1:9") == "of-theirs"
    monkeypatch.setenv("GH_HOST", "github.test")
    assert at("https://github.test") == "of-theirs"
    assert token_source("https://github.test") == "GITHUB_ENTERPRISE_TOKEN"
    monkeypatch.delenv("GITHUB_ENTERPRISE_TOKEN")
    assert at("https://github.test") == "of-github"
    for server in ("https://github.test.evil.example", "https://github.com"):
        with pytest.raises(IndeterminateError, match="GH_HOST is"):
            at(server)


def test_a_jobs_token_goes_to_the_server_that_the_runner_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GH_TOKEN", "of-the-job")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://github.test")
    assert person_token("https://github.test") is not None
    assert person_token("https://github.com") is None


@pytest.mark.parametrize(
    ("server", "command"),
    [
        ("https://github.com", "gh auth login"),
        ("https://api.github.com", "gh auth login"),
        ("https://github.test/api/v3", "gh auth login --hostname github.test"),
        ("https://api.octo.ghe.com", "gh auth login --hostname octo.ghe.com"),
        ("https://[::1", "gh auth login"),
    ],
)
def test_a_log_in_names_the_server_that_is_not_github_com(
    monkeypatch: pytest.MonkeyPatch, server: str, command: str
) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    assert log_in_command(server) == command
    assert f"`{command}`" in how_to_log_in(server)
    assert f"`{command}`" in no_token(server)
    monkeypatch.setenv("GH_TOKEN", "x")
    assert f"unset GH_TOKEN; {command}`" in how_to_log_in(server)
    told = failure.refusal("GET", "/user", 401, {}, "", Speaker.PERSON, server)
    assert command in told.remedy
