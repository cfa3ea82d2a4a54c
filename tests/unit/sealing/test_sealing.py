"""Sealing to the keys that people have, and opening with them."""

from __future__ import annotations

import base64
import shutil
import subprocess
from typing import TYPE_CHECKING

import pyrage
import pytest

from daypass.adapters.sealing import AgeSealer
from daypass.adapters.ssh_keys import open_sealed
from daypass.errors import SealingError
from daypass.model.secret import Secret
from support.age_file import encrypt

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "hvs.canary-wrapping-token"
PASSPHRASE = "open sesame"


def never_asked(path: Path) -> Secret:
    pytest.fail(f"asked for the passphrase of {path}")


def answers(path: Path) -> Secret:
    assert path.exists()
    return Secret(PASSPHRASE)


def keygen(path: Path, kind: str, *options: str, passphrase: str = "") -> Path:
    command = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "", "-f", str(path)]
    subprocess.run([*command, *options], check=True)
    return path


def public(path: Path) -> str:
    return path.with_suffix(".pub").read_text()


def seal(*recipients: str) -> str:
    return AgeSealer().seal(Secret(TOKEN), recipients).armored


@pytest.mark.parametrize(
    ("kind", "options"),
    [("ed25519", ()), ("rsa", ("-b", "2048")), ("rsa", ("-b", "2048", "-m", "PEM"))],
)
@pytest.mark.parametrize("passphrase", ["", PASSPHRASE])
def test_what_was_sealed_to_a_key_opens_with_it(
    tmp_path: Path, kind: str, options: tuple[str, ...], passphrase: str
) -> None:
    key = keygen(tmp_path / "key", kind, *options, passphrase=passphrase)
    ask = answers if passphrase else never_asked
    assert open_sealed(seal(public(key)), key, ask).reveal() == TOKEN


def test_fingerprints_are_what_ssh_keygen_shows(tmp_path: Path) -> None:
    key = keygen(tmp_path / "key", "ed25519")
    shown = subprocess.run(
        ["ssh-keygen", "-l", "-f", str(key)], check=True, capture_output=True, text=True
    ).stdout.split()[1]
    age = str(pyrage.x25519.Identity.generate().to_public())
    assert AgeSealer().seal(Secret("x"), [public(key), age, public(key)]).fingerprints == (
        shown,
        age,
    )


def test_stock_age_opens_it_too(tmp_path: Path) -> None:
    assert shutil.which("age"), "this test runs age itself: apt-get install age"
    key = keygen(tmp_path / "key", "ed25519")
    opened = subprocess.run(
        ["age", "-d", "-i", str(key)],
        input=seal(public(key)).encode(),
        check=True,
        capture_output=True,
    )
    assert opened.stdout.decode() == TOKEN


@pytest.mark.parametrize("protected", [False, True])
def test_an_age_identity_file_opens_it(tmp_path: Path, protected: bool) -> None:
    identity = pyrage.x25519.Identity.generate()
    text = f"# public key: {identity.to_public()}\n{identity}\n".encode()
    file = tmp_path / "identity.txt"
    file.write_bytes(encrypt(text, PASSPHRASE) if protected else text)
    file.chmod(0o600)
    ask = answers if protected else never_asked
    assert open_sealed(seal(str(identity.to_public())), file, ask).reveal() == TOKEN


def test_a_passphrase_that_takes_too_long_to_try_is_not_called_wrong(tmp_path: Path) -> None:
    """age measures the machine: a file of a fast one can be too much for a busy one."""
    file = tmp_path / "identity.txt"
    file.write_bytes(encrypt(b"AGE-SECRET-KEY-1", PASSPHRASE, log_n=40))
    file.chmod(0o600)
    with pytest.raises(SealingError, match="would take this machine too long") as raised:
        open_sealed(seal(str(pyrage.x25519.Identity.generate().to_public())), file, answers)
    assert "less runs here" in str(raised.value.remedy)


def test_by_default_the_usual_keys_are_tried_and_only_one_that_fits_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    keygen(tmp_path / ".ssh" / "id_ed25519", "ed25519", passphrase="another")
    rsa = keygen(tmp_path / ".ssh" / "id_rsa", "rsa", "-b", "2048")
    assert open_sealed(seal(public(rsa)), None, never_asked).reveal() == TOKEN


def test_without_any_key_it_says_how_to_name_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    key = keygen(tmp_path / "key", "ed25519")
    with pytest.raises(SealingError, match="neither") as caught:
        open_sealed(seal(public(key)), None, never_asked)
    assert "--identity" in caught.value.remedy


def test_a_wrong_key_is_named_by_its_fingerprint(tmp_path: Path) -> None:
    right, wrong = keygen(tmp_path / "right", "ed25519"), keygen(tmp_path / "wrong", "ed25519")
    with pytest.raises(SealingError, match=r"wrong: SHA256:\S+, and it was not sealed to that"):
        open_sealed(seal(public(right)), wrong, never_asked)


def test_a_wrong_passphrase_is_asked_three_times_and_never_echoed(tmp_path: Path) -> None:
    key = keygen(tmp_path / "key", "ed25519", passphrase=PASSPHRASE)
    asked: list[Path] = []

    def wrong(path: Path) -> Secret:
        asked.append(path)
        return Secret("canary-passphrase")

    with pytest.raises(SealingError, match="passphrase is wrong") as caught:
        open_sealed(seal(public(key)), key, wrong)
    assert len(asked) == 3
    assert "canary" not in repr(caught.value) + caught.value.remedy


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "neither an OpenSSH"),
        (b"AGE-SECRET-KEY-1CANARY", "neither an OpenSSH"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\n!\n", "broken"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n", "broken"),
        (b"-----BEGIN RSA PRIVATE KEY-----\nAAAA\n", "no private key"),
        (b"\xff\xfe" * 40, "neither an OpenSSH"),
    ],
)
def test_a_broken_key_file_is_said_and_not_quoted(tmp_path: Path, content: bytes, why: str) -> None:
    key = keygen(tmp_path / "key", "ed25519")
    broken = tmp_path / "broken"
    broken.write_bytes(content)
    with pytest.raises(SealingError, match=why) as caught:
        open_sealed(seal(public(key)), broken, never_asked)
    assert "CANARY" not in str(caught.value)


def test_a_missing_key_file_is_said(tmp_path: Path) -> None:
    key = keygen(tmp_path / "key", "ed25519")
    with pytest.raises(SealingError, match="No such file"):
        open_sealed(seal(public(key)), tmp_path / "none", never_asked)


@pytest.mark.parametrize("armored", ["", "rubbish", "-----BEGIN\nAAAA\n-----END"])
def test_what_is_no_age_file_is_said(tmp_path: Path, armored: str) -> None:
    with pytest.raises(SealingError, match="no age file"):
        open_sealed(armored, tmp_path / "key", never_asked)


def test_keys_that_age_cannot_serve_are_left_out_if_another_can(tmp_path: Path) -> None:
    good, other = keygen(tmp_path / "good", "ed25519"), keygen(tmp_path / "ecdsa", "ecdsa")
    sealed = AgeSealer().seal(Secret(TOKEN), [public(other), public(good)])
    assert len(sealed.fingerprints) == 1
    assert open_sealed(sealed.armored, good, never_asked).reveal() == TOKEN


def test_without_a_usable_key_each_is_named_with_its_reason(tmp_path: Path) -> None:
    ecdsa = public(keygen(tmp_path / "ecdsa", "ecdsa"))
    short = public(keygen(tmp_path / "short", "rsa", "-b", "1024"))
    dressed_up = "ssh-rsa " + public(keygen(tmp_path / "ed", "ed25519")).split()[1]
    hardware = "sk-ssh-ed25519@openssh.com " + base64.b64encode(
        b"".join(
            len(part).to_bytes(4, "big") + part
            for part in (b"sk-ssh-ed25519@openssh.com", bytes(32), b"ssh:")
        )
    ).decode("ascii")
    lines = [ecdsa, short, dressed_up, hardware, "age1nonsense", "ssh-ed25519", "ssh-rsa AAAA\nx"]
    with pytest.raises(SealingError) as caught:
        AgeSealer().seal(Secret(TOKEN), lines)
    said = caught.value.message
    for words in (
        "ecdsa-sha2-nistp256 SHA256:",
        "RSA key of 1024 bits",
        "'ssh-rsa AAAAC3N': not an SSH",
        "sk-ssh-ed25519@openssh.com SHA256:",
        "'age1nonsense': not an age",
        "'ssh-ed25519': not an SSH",
        "more than one line",
    ):
        assert words in said
    assert "age-keygen" in caught.value.remedy
    assert TOKEN not in said


def test_a_private_key_pasted_as_a_recipient_is_not_shown() -> None:
    private = str(pyrage.x25519.Identity.generate())
    with pytest.raises(SealingError) as caught:
        AgeSealer().seal(Secret(TOKEN), [private])
    assert private[:20] not in str(caught.value)


def test_no_keys_at_all_fails_closed() -> None:
    with pytest.raises(SealingError, match="no key at all"):
        AgeSealer().seal(Secret(TOKEN), [])
