"""Whom a job believes must be known from outside of the repository that it reads."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from daypass.cli.pinning import assert_pinned
from daypass.documents.document import read_document
from daypass.errors import IndeterminateError
from daypass.model.settings import Settings
from support.doc_pages import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PATH = "access/daypass.yaml"


@pytest.fixture
def settings() -> Settings:
    found = read_document(PATH, (ROOT / PATH).read_bytes()).model
    assert isinstance(found, Settings)
    return found


def job(settings: Settings) -> dict[str, str]:
    return {
        "DAYPASS_VAULT_ADDRESS": settings.vault.address,
        "GITHUB_API_URL": settings.github.api_url,
        "GITHUB_SERVER_URL": settings.github.server_url,
        "GITHUB_REPOSITORY_ID": str(settings.github.repository_id),
        "GITHUB_REF": f"refs/heads/{settings.github.default_branch}",
    }


def test_settings_that_say_what_is_known_are_taken(settings: Settings, tmp_path: Path) -> None:
    assert_pinned(settings, tmp_path, job(settings))


@pytest.mark.parametrize(
    "name",
    [
        "DAYPASS_VAULT_ADDRESS",
        "GITHUB_API_URL",
        "GITHUB_SERVER_URL",
        "GITHUB_REPOSITORY_ID",
        "GITHUB_REF",
    ],
)
@pytest.mark.parametrize("known", ["", "https://elsewhere.example"])
def test_what_differs_or_is_not_known_is_refused(
    settings: Settings, tmp_path: Path, name: str, known: str
) -> None:
    with pytest.raises(IndeterminateError, match=name):
        assert_pinned(settings, tmp_path, job(settings) | {name: known})


def test_the_authorities_are_pinned_by_their_digest(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "access").mkdir()
    (tmp_path / "access" / "vault.pem").write_bytes(b"authorities")
    with_ca = replace(settings, vault=replace(settings.vault, ca_file="access/vault.pem"))
    known = {"DAYPASS_VAULT_CA": hashlib.sha256(b"authorities").hexdigest()}
    assert_pinned(with_ca, tmp_path, job(settings) | known)
    (tmp_path / "access" / "vault.pem").write_bytes(b"others")
    with pytest.raises(IndeterminateError, match="DAYPASS_VAULT_CA"):
        assert_pinned(with_ca, tmp_path, job(settings) | known)
