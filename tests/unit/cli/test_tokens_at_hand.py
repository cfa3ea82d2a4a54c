"""Tokens that lie at hand: those that README names, in its order, for every verb."""

from __future__ import annotations

from pathlib import Path

import pytest

from daypass.adapters.github.person import person_token
from daypass.cli import wiring
from daypass.errors import UsageError

ALL = ("BAO_TOKEN", "VAULT_TOKEN", "GH_TOKEN", "GITHUB_TOKEN")
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
    assert shown == ["of-gh", "github_token", "gh_token"]


def test_readme_names_them_in_that_order() -> None:
    text = " ".join((Path(__file__).parents[3] / "README.md").read_text().split())
    assert "is `GH_TOKEN`, `GITHUB_TOKEN`, or what `gh auth token` says" in text
    assert "is `BAO_TOKEN`, `VAULT_TOKEN`, or that of the last log-in" in text
