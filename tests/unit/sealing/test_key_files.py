"""A file that opens no delivery is said to be what it is, with the command that mends it."""

from __future__ import annotations

import base64
import os
import shlex
import stat
import subprocess
from typing import TYPE_CHECKING, Final

import pytest

from daypass.adapters import key_files
from daypass.adapters.sealing import AgeSealer
from daypass.adapters.ssh_keys import open_sealed
from daypass.errors import SealingError
from daypass.model.secret import Secret

if TYPE_CHECKING:
    from pathlib import Path

PASSPHRASE: Final = "open-sesame"
CIPHERS: Final = tuple(
    subprocess.run(
        ["ssh", "-Q", "cipher"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
)
READ: Final = {"aes256-ctr", "aes256-cbc", "aes256-gcm@openssh.com"}
ECDSA: Final = "ecdsa-sha2-nistp256"


def run(*words: str) -> None:
    subprocess.run(words, capture_output=True, check=True, stdin=subprocess.DEVNULL)


def keygen(path: Path, *words: str, passphrase: str = "") -> Path:
    run("ssh-keygen", "-q", "-N", passphrase, "-f", str(path), *(words or ("-t", "ed25519")))
    return path


def sealed_to(key: Path) -> str:
    line = key.with_name(f"{key.name}.pub").read_text(encoding="ascii").strip()
    return AgeSealer().seal(Secret("hvs.token"), [line]).armored


def ask(_: Path) -> Secret:
    return Secret(PASSPHRASE)


def never_asked(path: Path) -> Secret:
    raise AssertionError(f"asked for the passphrase of {path}")


def refusal(armored: str, path: Path) -> SealingError:
    with pytest.raises(SealingError) as caught:
        open_sealed(armored, path, never_asked)
    return caught.value


def container(kind: str) -> bytes:
    """An OpenSSH private key file of that type, of which only the clear part is whole."""

    def text(value: bytes) -> bytes:
        return len(value).to_bytes(4, "big") + value

    blob = text(kind.encode()) + text(bytes(32))
    clear = text(b"none") + text(b"none") + text(b"") + b"\0\0\0\1" + text(blob)
    body = base64.encodebytes(b"openssh-key-v1\0" + clear)
    return b"-----BEGIN OPENSSH PRIVATE KEY-----\n" + body + b"-----END OPENSSH PRIVATE KEY-----\n"


@pytest.mark.parametrize("cipher", CIPHERS)
def test_each_cipher_of_openssh_is_opened_or_named_with_the_command_that_mends_it(
    tmp_path: Path, cipher: str
) -> None:
    key = keygen(tmp_path / "my key", "-t", "ed25519", "-Z", cipher, passphrase=PASSPHRASE)
    armored = sealed_to(key)
    if cipher not in READ:
        error = refusal(armored, key)
        assert f"encrypted with {cipher}, which daypass cannot open" in error.message
        command = shlex.split(error.remedy.split("`")[1])
        assert command[:2] == ["ssh-keygen", "-p"]
        run(*command, "-P", PASSPHRASE, "-N", PASSPHRASE)
    assert open_sealed(armored, key, ask).reveal() == "hvs.token"


def test_another_persons_key_is_not_sent_to_be_mended(tmp_path: Path) -> None:
    other = keygen(tmp_path / "other", "-t", "ed25519", "-Z", "aes128-cbc", passphrase=PASSPHRASE)
    error = refusal(sealed_to(keygen(tmp_path / "key")), other)
    assert "it was not sealed to that key" in error.message
    assert "ssh-keygen" not in error.remedy


@pytest.mark.parametrize("form", ["PEM", "PKCS8"])
def test_old_forms_of_a_key_open(tmp_path: Path, form: str) -> None:
    words = ("-t", "rsa", "-b", "2048", "-m", form)
    key = keygen(tmp_path / "key", *words, passphrase=PASSPHRASE)
    assert open_sealed(sealed_to(key), key, ask).reveal() == "hvs.token"


def test_an_old_pem_of_an_unknown_cipher_is_mended_by_ssh_keygen(tmp_path: Path) -> None:
    key = keygen(tmp_path / "key", "-t", "rsa", "-b", "2048", "-m", "PEM")
    armored = sealed_to(key)
    to = ("-passout", f"pass:{PASSPHRASE}")
    run("openssl", "rsa", "-in", str(key), "-aes192", *to, "-traditional", "-out", str(key))
    error = refusal(armored, key)
    assert "encrypted with AES-192-CBC" in error.message
    run(*shlex.split(error.remedy.split("`")[1]), "-P", PASSPHRASE, "-N", PASSPHRASE)
    assert open_sealed(armored, key, ask).reveal() == "hvs.token"


def test_a_pkcs8_key_of_an_unknown_method_is_no_wrong_passphrase(tmp_path: Path) -> None:
    key = tmp_path / "key"
    plain = keygen(tmp_path / "plain", "-t", "rsa", "-b", "2048", "-m", "PKCS8")
    to = ("-passout", f"pass:{PASSPHRASE}")
    run("openssl", "pkcs8", "-topk8", "-in", str(plain), "-v2", "aria256", *to, "-out", str(key))
    armored = sealed_to(plain)
    with pytest.raises(SealingError, match="by a method that daypass cannot open") as caught:
        open_sealed(armored, key, ask)
    command = shlex.split(caught.value.remedy.split("`")[1])
    run(*command, "-passin", f"pass:{PASSPHRASE}", *to)
    assert open_sealed(armored, tmp_path / "key.pem", ask).reveal() == "hvs.token"


@pytest.mark.parametrize(
    ("name", "content", "why", "remedy"),
    [
        ("id.pub", b"ssh-ed25519 AAAA alice", "a public key", "--identity {folder}/id`"),
        ("id", b"ssh-rsa-cert-v01@openssh.com AAAA", "a public key", "--identity FILE"),
        ("id", b"-----BEGIN PUBLIC KEY-----\nAA", "a public key", "--identity FILE"),
        ("id", b"---- BEGIN SSH2 PUBLIC KEY ----\nAA", "a public key", "--identity FILE"),
        ("id", b"age1canary", "a public key", "--identity FILE"),
        ("k.ppk", b"PuTTY-User-Key-File-3: ssh-rsa", "PuTTY", "puttygen {folder}/k.ppk"),
        ("id", b"---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nA", "SSH2", "puttygen {folder}/id"),
        ("id", b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n", "OpenPGP", "--identity FILE"),
        ("id", b"-----BEGIN EC PRIVATE KEY-----\nAA", "of type EC", "--identity FILE"),
        ("id", container("sk-ssh-ed25519@openssh.com"), "hardware token", "security key"),
        ("id", container(ECDSA), f"of type {ECDSA}", "--identity FILE"),
        ("id", b"# made by age-plugin-x\nAGE-PLUGIN-X-1CANARY", "of a plugin", "stock age"),
        ("id.p12", b"\x30\x82\x04\xa3canary", "DER or PKCS#12", "openssl pkey -inform DER"),
        ("id", "-----BEGIN OPENSSH".encode("utf-16"), "UTF-16", "plain ASCII"),
        ("id", b"\xef\xbb\xbf-----BEGIN OPENSSH", "byte order mark", "plain ASCII"),
    ],
)
def test_what_is_no_private_key_is_named(
    tmp_path: Path, name: str, content: bytes, why: str, remedy: str
) -> None:
    (tmp_path / name).write_bytes(content)
    error = refusal(sealed_to(keygen(tmp_path / "real")), tmp_path / name)
    assert why in error.message
    assert remedy.format(folder=tmp_path) in error.remedy
    assert "canary" not in (error.message + error.remedy).lower()


def test_a_key_that_others_can_read_is_refused_before_its_passphrase_is_asked_for(
    tmp_path: Path,
) -> None:
    ssh = keygen(tmp_path / "ssh", passphrase=PASSPHRASE)
    age = tmp_path / "age"
    run("age-keygen", "-o", str(age))
    for key in (ssh, age):
        for mode in (0o640, 0o604, 0o620, 0o666):
            key.chmod(mode)
            with pytest.raises(
                SealingError, match=f"can read or change it \\(mode 0{mode:o}"
            ) as no:
                open_sealed(sealed_to(ssh), key, never_asked)
            assert f"chmod 600 {key}" in no.value.remedy
            assert "make a new key" in no.value.remedy


@pytest.mark.parametrize(
    ("owner", "me", "mode", "is_fit"),
    [
        (7, 7, 0o600, True),
        (7, 7, 0o640, False),
        (8, 7, 0o600, False),  # an ACL, or a capability, lets this user read it
        (0, 7, 0o440, True),  # a secret that is mounted into a container for its group
        (0, 7, 0o444, False),
        (8, 0, 0o600, True),  # the superuser reads every key anyway
        (8, 0, 0o644, False),
    ],
)
def test_whose_key_file_is_taken(
    owner: int, me: int, mode: int, is_fit: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: me)
    told = os.stat_result((stat.S_IFREG | mode, 1, 1, 1, owner, 0, 0, 0, 0, 0))
    if is_fit:
        key_files.refuse_shared(tmp_path / "key", told)
        return
    with pytest.raises(key_files.UnfitKeyError):
        key_files.refuse_shared(tmp_path / "key", told)
