"""What commands remember of a repository: one file, whole or not at all, and never ignored."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from daypass.adapters.known_repositories import (
    Pin,
    find_pin,
    is_known_server,
    normal_url,
    pins,
    pins_path,
    write_pin,
)
from daypass.cli import pins as comparing
from daypass.cli.pins import agrees, compare_and_pin, differences
from daypass.errors import ChangedPinError, IndeterminateError
from daypass.ledger.allowed_signers import AllowedSigner, Signers
from support.settings import SETTINGS

if TYPE_CHECKING:
    from pathlib import Path

GITHUB = SETTINGS.github
OLD, NEW = (f"SHA256:{letter * 43}" for letter in "AB")
NO_CLONE: Any = None


@pytest.fixture(autouse=True)
def no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key of main's line counts, and there is no clone to read one from."""
    monkeypatch.setattr(comparing, "counting_signers", lambda *_words: None)


def with_key(fingerprint: str | None) -> Any:
    return replace(SETTINGS, evidence=replace(SETTINGS.evidence, fingerprint=fingerprint))


def take(settings: Any, *fingerprints: str, may_pin: bool = True) -> bool:
    return compare_and_pin(settings, "c" * 40, NO_CLONE, fingerprints, may_pin=may_pin)


def test_the_first_use_is_shown_and_pinned_and_the_next_is_silent(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert not is_known_server("https://github.com")
    assert take(SETTINGS)
    told = capsys.readouterr()
    assert told.out == ""
    assert "https://vault.acme.example" in told.err
    assert max(map(len, told.err.splitlines())) <= 80
    assert not take(SETTINGS)
    assert capsys.readouterr().err == ""
    assert find_pin(replace(GITHUB, owner="ACME", server_url="https://GitHub.com:443/")) == Pin.of(
        SETTINGS
    )
    assert is_known_server("https://github.com/")
    assert not is_known_server("https://github.com.evil.example")
    assert pins_path().stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda it: replace(it, github=replace(it.github, repository_id=2)), "repository id"),
        (lambda it: replace(it, github=replace(it.github, api_url="https://x")), "GitHub API"),
        (lambda it: replace(it, vault=replace(it.vault, address="https://x")), "Vault address"),
        (lambda it: replace(it, vault=replace(it.vault, namespace="x")), "Vault namespace"),
        (lambda _: with_key(NEW), "evidence key"),
    ],
    ids=lambda item: item if isinstance(item, str) else "",
)
def test_each_change_is_refused_and_changes_nothing(change: Any, name: str) -> None:
    take(with_key(OLD))
    before = pins_path().read_bytes()
    with pytest.raises(ChangedPinError, match=name) as caught:
        take(change(with_key(OLD)))
    assert caught.value.exit_code == 7
    assert "`daypass trust`" in caught.value.remedy
    assert pins_path().read_bytes() == before


def test_a_key_that_appears_is_pinned_and_one_that_goes_stays_so() -> None:
    take(SETTINGS)
    assert not take(with_key(OLD))
    assert not take(SETTINGS)
    found = find_pin(GITHUB)
    assert found is not None
    assert found.fingerprint == OLD
    assert list(differences(found, with_key(NEW)))
    assert agrees(found, SETTINGS)


def test_a_changed_key_is_taken_where_a_person_names_it_and_nothing_else_with_it() -> None:
    take(with_key(OLD))
    other = replace(with_key(NEW), vault=replace(SETTINGS.vault, address="https://x"))
    with pytest.raises(ChangedPinError):
        take(other, NEW)
    with pytest.raises(ChangedPinError):
        take(with_key(NEW), "SHA256:" + "C" * 43)
    assert not take(with_key(NEW), NEW)


class _Signer(AllowedSigner):
    @property
    def fingerprint(self) -> str:
        return self.key.decode()


@pytest.mark.parametrize("line", [(OLD, NEW), (NEW,), ()])
def test_a_key_moves_by_itself_only_where_the_pinned_one_handed_over(
    line: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    take(with_key(OLD))
    capsys.readouterr()
    asked: list[Any] = []

    def counting(_clone: object, commit: str, named: list[str]) -> Signers:
        asked.append((commit, named))
        return Signers([_Signer(("x",), key.encode()) for key in line])

    monkeypatch.setattr(comparing, "counting_signers", counting)
    if len(line) == 2:
        assert not take(with_key(NEW))
        assert "has handed over to SHA256:BBB" in capsys.readouterr().err
        assert not take(with_key(NEW))
    else:
        with pytest.raises(ChangedPinError):
            take(with_key(NEW))
    assert asked[0] == ("c" * 40, [OLD])


def test_a_mirror_is_compared_and_never_pinned() -> None:
    assert take(SETTINGS, may_pin=False)
    assert find_pin(GITHUB) is None
    take(SETTINGS)
    with pytest.raises(ChangedPinError):
        take(replace(SETTINGS, vault=replace(SETTINGS.vault, address="https://x")), may_pin=False)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{",
        b'{"version": 2, "repositories": {}}',
        b'{"version": 1, "repositories": {"https://github.com/acme/access": {}}}',
        b'{"version": 1, "repositories": {"acme": null}}',
        b"\xff",
        b"[" * 100_000,
        b" " * (1 << 20) + b"{}",
    ],
)
def test_an_odd_file_stops_everything_with_a_way_out(content: bytes) -> None:
    pins_path().parent.mkdir(parents=True)
    pins_path().write_bytes(content)
    for act in (pins, lambda: take(SETTINGS), lambda: is_known_server("https://github.com")):
        with pytest.raises(IndeterminateError, match="cannot be used") as caught:
            act()
        assert "`mv " in caught.value.remedy
    assert pins_path().read_bytes() == content


def test_where_nothing_can_be_remembered_it_says_so_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    for _ in range(2):
        assert take(SETTINGS)
        assert "is not remembered: Not a directory" in capsys.readouterr().err

    def homeless() -> Path:
        raise RuntimeError

    monkeypatch.setenv("XDG_STATE_HOME", "")
    monkeypatch.setattr("pathlib.Path.home", homeless)
    assert take(SETTINGS)
    assert "is not remembered: this user has no home" in capsys.readouterr().err


def test_commands_that_pin_at_once_lose_nothing() -> None:
    names = [f"access-{number}" for number in range(20)]

    def pin(name: str) -> None:
        write_pin(replace(GITHUB, repository=name), lambda _: Pin.of(SETTINGS))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(pin, names))
    assert len(pins()) == len(names)
    assert json.loads(pins_path().read_text())["version"] == 1
    left = {item.name for item in pins_path().parent.iterdir()} - {pins_path().name}
    assert left == {".known_repositories.json.lock"}


def test_an_address_has_one_spelling() -> None:
    for url in ("https://Vault.example", "https://vault.example:443/", "https://vault.EXAMPLE:443"):
        assert normal_url(url) == "https://vault.example"
    assert normal_url("https://vault.example:8200/v/") == "https://vault.example:8200/v"
