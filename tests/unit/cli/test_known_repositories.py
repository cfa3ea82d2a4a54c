"""What commands remember of a repository: one file, whole or not at all, and never ignored."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from daypass.adapters.known_repositories import (
    Pin,
    change_pins,
    find_pin,
    is_known_server,
    key_of,
    normal_url,
    pins,
    pins_path,
)
from daypass.cli import pins as comparing
from daypass.cli import remote_url
from daypass.cli.pins import Standing, accept, agrees, compare_and_pin, differences, known_at
from daypass.errors import ChangedPinError, IndeterminateError, OddPinsError
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


def take(settings: Any, *fingerprints: str, at: str = "", may_pin: bool = True) -> bool:
    """Whether it was the first use; `at` is the address of the clone's remote."""
    place = remote_url.read(at)
    places = (place,) if place is not None else ()
    return compare_and_pin(
        settings, "c" * 40, NO_CLONE, fingerprints, places=places, may_pin=may_pin
    ).is_first


def on_server(host: str, **others: Any) -> Any:
    """Settings of the same names on another server."""
    github = replace(
        GITHUB, server_url=f"https://{host}", api_url=f"https://{host}/api/v3", **others
    )
    return replace(SETTINGS, github=github)


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


@pytest.mark.parametrize(
    "remote",
    [
        "https://github.com/acme/access",
        "https://github.com:443/Acme/Access.git",
        "git@github.com:acme/access.git",
        "ssh://git@ssh.github.com:443/acme/access",
        "git@work:acme/access",
    ],
)
@pytest.mark.parametrize("number", [GITHUB.repository_id, 77])
@pytest.mark.parametrize("may_pin", [True, False])
def test_another_server_on_main_is_a_change_and_never_a_first_use(
    remote: str, number: int, may_pin: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        comparing, "host_meant_by", lambda alias: "github.com" if alias == "work" else alias
    )
    take(with_key(OLD), at="https://github.com/acme/access")
    before = pins_path().read_bytes()
    other = on_server("evil.example", repository_id=number)
    with pytest.raises(ChangedPinError, match=r"the server is 'https://evil\.example'"):
        take(other, at=remote, may_pin=may_pin)
    moved = on_server("evil.example", repository_id=number, owner="evil", repository="x")
    with pytest.raises(ChangedPinError, match="is pinned"):
        take(moved, at=remote, may_pin=may_pin)
    assert pins_path().read_bytes() == before


def test_an_alias_of_ssh_is_remembered_as_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(comparing, "host_meant_by", lambda alias: asked.append(alias) or "")
    take(with_key(OLD), at="git@here:acme/access.git")
    place = remote_url.read("git@here:acme/access")
    assert place is not None
    assert [pin.remotes for pin in known_at(place).values()] == [("ssh://here/acme/access",)]
    elsewhere = remote_url.read("git@here:acme/other")
    assert elsewhere is not None
    asked.clear()
    assert not known_at(elsewhere)
    assert asked == []  # ssh is asked only where a pin has the name
    with pytest.raises(ChangedPinError):
        take(on_server("evil.example", repository_id=9), at="git@here:acme/access")


def test_a_number_tells_on_its_own_server_alone(capsys: pytest.CaptureFixture[str]) -> None:
    take(SETTINGS)
    assert take(on_server("ghe.example", repository="another"), at="git@ghe.example:acme/another")
    renamed = replace(SETTINGS, github=replace(GITHUB, repository="renamed"))
    assert not take(renamed)  # the same number: what is pinned of it holds
    with pytest.raises(ChangedPinError):
        take(replace(renamed, vault=replace(SETTINGS.vault, address="https://x")))
    capsys.readouterr()


def test_what_is_accepted_takes_the_place_of_all_that_differed() -> None:
    take(with_key(OLD), at="git@github.com:acme/access")
    place = remote_url.read("git@github.com:acme/access")
    assert place is not None
    moved = on_server("ghe.example")
    accept(moved, (place,))
    assert list(pins()) == ["https://ghe.example/acme/access"]
    assert not take(moved, at="git@github.com:acme/access")
    found = find_pin(moved.github)
    assert found is not None
    assert found.is_confirmed


def test_a_pin_that_could_not_be_read_back_is_not_written() -> None:
    take(SETTINGS)
    before = pins_path().read_bytes()
    for odd in ("https://github.com/x", "https://git hub.com"):
        with pytest.raises(IndeterminateError, match="cannot be pinned"):
            take(replace(SETTINGS, github=replace(GITHUB, server_url=odd, repository_id=3)))
    assert pins_path().read_bytes() == before
    assert not take(SETTINGS)


def test_a_key_from_a_doubtful_clone_is_not_pinned() -> None:
    take(SETTINGS)
    before = pins_path().read_bytes()
    assert not take(with_key(NEW), may_pin=False)
    assert pins_path().read_bytes() == before


def test_pins_count_where_nothing_can_be_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    take(with_key(OLD))

    def read_only(_change: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(comparing, "change_pins", read_only)
    at = "git@github.com:acme/access"
    place = remote_url.read(at)
    assert place is not None
    standing = compare_and_pin(with_key(OLD), "c" * 40, NO_CLONE, (), places=(place,), may_pin=True)
    assert standing == Standing(False, standing.pins)
    assert standing.fingerprints == (OLD,)
    assert "is not remembered: Permission denied" in capsys.readouterr().err
    with pytest.raises(ChangedPinError):
        take(on_server("evil.example"), at=at)


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
        b'{"version": 1, "repositories": []}',
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


@pytest.mark.parametrize("host", ["github.com", "evil.example"])
@pytest.mark.parametrize("item", [{}, None, {"repository_id": "1"}])
def test_an_odd_entry_stops_the_commands_for_that_name_alone(item: Any, host: str) -> None:
    take(SETTINGS)
    value = json.loads(pins_path().read_text())
    value["repositories"][f"https://{host}/acme/access"] = item
    pins_path().write_text(json.dumps(value))
    with pytest.raises(OddPinsError, match="its entry"):
        take(SETTINGS)
    other = on_server("ghe.example", repository="another", repository_id=4)
    assert take(other)
    assert not take(other)
    kept = json.loads(pins_path().read_text())["repositories"]
    assert kept[f"https://{host}/acme/access"] == item


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_file_that_others_can_write_to_is_odd(mode: int) -> None:
    take(SETTINGS)
    pins_path().chmod(mode)
    with pytest.raises(OddPinsError, match="other users can write to it"):
        take(SETTINGS)


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
        change_pins(lambda _: {key_of(replace(GITHUB, repository=name)): Pin.of(SETTINGS)})

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
