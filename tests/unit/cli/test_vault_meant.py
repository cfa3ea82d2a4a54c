"""Which Vault a token is meant for, by what a person's or a job's environment names."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from daypass.adapters.known_repositories import Pin, change_pins, find_pin, key_of
from daypass.adapters.vault.own_token import OwnToken
from daypass.cli.vault_access import operator_session
from daypass.errors import IndeterminateError
from daypass.model.secret import Secret
from support.settings import SETTINGS

if TYPE_CHECKING:
    from pathlib import Path

VAULT = SETTINGS.vault.address
TOKEN = OwnToken(Secret("hvs.root"), "VAULT_TOKEN")


def log_in(folder: Path, *, is_job: bool) -> Any:
    return operator_session(folder, SETTINGS, TOKEN, folder, is_job=is_job)


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that a token was sent to."""
    found: list[str] = []
    monkeypatch.setattr(
        "daypass.adapters.vault.session.login_token",
        lambda vault, *_words: found.append(vault.address),
    )
    for name in ("VAULT_ADDR", "BAO_ADDR", "VAULT_NAMESPACE", "BAO_NAMESPACE"):
        monkeypatch.delenv(name, raising=False)
    return found


@pytest.mark.parametrize("is_job", [True, False])
def test_what_is_named_must_agree_in_a_job_too(
    is_job: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: list[str]
) -> None:
    change_pins(lambda _: {key_of(SETTINGS.github): Pin.of(SETTINGS)})
    monkeypatch.setenv("VAULT_ADDR", "https://other.example")
    with pytest.raises(IndeterminateError, match="nothing was sent to either"):
        log_in(tmp_path, is_job=is_job)
    monkeypatch.setenv("VAULT_ADDR", VAULT)
    monkeypatch.setenv("VAULT_NAMESPACE", "theirs")
    with pytest.raises(IndeterminateError, match="nothing was sent to either"):
        log_in(tmp_path, is_job=is_job)
    assert sent == []
    monkeypatch.delenv("VAULT_NAMESPACE")
    log_in(tmp_path, is_job=is_job)
    assert sent == [VAULT]


def test_a_job_with_a_token_names_its_vault(tmp_path: Path, sent: list[str]) -> None:
    confirmed = replace(Pin.of(SETTINGS), is_confirmed=True)
    change_pins(lambda _: {key_of(SETTINGS.github): confirmed})
    with pytest.raises(IndeterminateError, match="names no Vault") as caught:
        log_in(tmp_path, is_job=True)
    assert "VAULT_ADDR" in caught.value.remedy
    assert "trust" not in caught.value.remedy
    assert sent == []


def test_a_vault_counts_for_an_operator_once_a_person_named_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: list[str]
) -> None:
    change_pins(lambda _: {key_of(SETTINGS.github): Pin.of(SETTINGS)})
    for _ in range(2):
        with pytest.raises(IndeterminateError, match="nothing but the settings says"):
            log_in(tmp_path, is_job=False)
    monkeypatch.setenv("BAO_ADDR", VAULT)
    log_in(tmp_path, is_job=False)
    monkeypatch.delenv("BAO_ADDR")
    log_in(tmp_path, is_job=False)
    assert sent == [VAULT, VAULT]
    pin = find_pin(SETTINGS.github)
    assert pin is not None
    assert pin.is_confirmed
