"""What is in a file of keys: an OpenSSH private key, or something that opens no delivery, by name.

Only the clear parts are read: no passphrase is needed to say what a file is. Nothing of a file's
contents is repeated but the names of a key's type and cipher, where they are known ones.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import shlex
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

OPENSSH: Final = b"-----BEGIN OPENSSH PRIVATE KEY-----"
PEM: Final = b"-----BEGIN "
_MAGIC: Final = b"openssh-key-v1\0"
_USABLE: Final = frozenset({"ssh-ed25519", "ssh-rsa"})
_PUBLIC: Final = re.compile(rb"ssh-|ecdsa-|sk-ssh-|sk-ecdsa-|age1")
_PUBLIC_PEM: Final = re.compile(rb"-----BEGIN (RSA PUBLIC KEY|PUBLIC KEY|CERTIFICATE)-----")
_UNUSABLE_PEM: Final = re.compile(rb"-----BEGIN (EC|DSA) PRIVATE KEY-----")
_LEGACY_CIPHER: Final = re.compile(rb"^DEK-Info: *([A-Za-z0-9-]{1,40}),", re.MULTILINE)
_LEGACY_READABLE: Final = frozenset({"AES-128-CBC", "AES-256-CBC", "DES-EDE3-CBC"})
_NAME: Final = re.compile(r"[A-Za-z0-9.@-]{1,60}")
_DER: Final = (b"\x30\x82", b"\x30\x81", b"\x30\x2e\x02\x01")
_WIDE: Final = (b"\xff\xfe-\0", b"\xfe\xff\0-")  # a key that a Windows shell redirected
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_BOM: Final = b"\xef\xbb\xbf"


class UnfitKeyError(Exception):
    """Why one file cannot open a delivery, and what mends it; it never reaches a person itself."""

    def __init__(self, why: str, remedy: str = "") -> None:
        super().__init__(why)
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class OpenSSHKey:
    """What an OpenSSH private key file says in clear (PROTOCOL.key)."""

    cipher: str  # `none` without a passphrase
    blob: bytes  # the public key, in its wire form

    @property
    def type(self) -> str:
        """The type of key, such as `ssh-ed25519`; empty where it is not a plain name."""
        name = self.blob[4 : 4 + int.from_bytes(self.blob[:4], "big")].decode("ascii", "replace")
        return name if _NAME.fullmatch(name) else ""

    def refuse_type(self) -> None:
        """Raise UnfitKeyError if age opens with no key of that type."""
        if self.type.startswith("sk-"):
            raise UnfitKeyError(
                f"a key of a hardware token ({self.type}): what opens with it never leaves the "
                "token, so it cannot open age files"
            )
        if self.type not in _USABLE:
            raise UnfitKeyError(
                f"a key of type {self.type or 'unknown'}, and age opens with ed25519 and RSA keys "
                "only"
            )


def read_openssh(data: bytes) -> OpenSSHKey:
    """Read the clear part of an OpenSSH private key. Raises UnfitKeyError if it is broken."""
    body = b"".join(line for line in data.splitlines() if not line.startswith(b"-----"))
    try:
        raw = base64.b64decode(body, validate=True)
    except binascii.Error:
        raise UnfitKeyError("the private key is broken") from None
    at = len(_MAGIC)
    fields = []
    # The strings cipher, kdf and kdf options; a count; the public key.
    for skip in (0, 0, 0, 4):
        at += skip
        end = at + 4 + int.from_bytes(raw[at : at + 4], "big")
        fields.append(raw[at + 4 : end])
        at = end
    if not raw.startswith(_MAGIC) or at > len(raw) or not fields[-1]:
        raise UnfitKeyError("the private key is broken")
    cipher = fields[0].decode("ascii", "replace")
    return OpenSSHKey(cipher if _NAME.fullmatch(cipher) else "unknown", fields[-1])


def unknown_cipher(path: Path, cipher: str) -> UnfitKeyError:
    """Make the error of a private key that is encrypted by a cipher that is not read here."""
    return UnfitKeyError(
        f"the private key is encrypted with {cipher}, which daypass cannot open",
        f"Encrypt it with another cipher; it stays the same key: `ssh-keygen -p -Z aes256-ctr "
        f"-f {_quoted(path)}` (it asks for the passphrase, and for a new one, which may be the "
        "same; keep a copy of the file until it is done).",
    )


def unknown_pkcs8(path: Path) -> UnfitKeyError:
    """Make the error of a PKCS#8 key that is encrypted by a method that is not read here."""
    return UnfitKeyError(
        "the private key (PKCS#8) is encrypted by a method that daypass cannot open",
        f"Encrypt a copy with another one: `openssl pkey -in {_quoted(path)} -aes256 -out "
        f"{_quoted(path, '.pem')}`, and name that with `--identity`.",
    )


def refuse_others(path: Path, data: bytes) -> None:
    """Raise UnfitKeyError for a file that is no private key of daypass's kinds, and is known."""
    _refuse_public(path, data)
    _refuse_encodings(path, data)
    if data.startswith(b"PuTTY-User-Key-File-"):
        raise UnfitKeyError("a private key of PuTTY's (.ppk)", _puttygen(path))
    if data.startswith(b"---- BEGIN SSH2"):
        raise UnfitKeyError("a private key in the form of SSH2 (ssh.com)", _puttygen(path))
    if data.startswith(b"-----BEGIN PGP"):
        raise UnfitKeyError("an OpenPGP key, which cannot open age files")
    if (found := _UNUSABLE_PEM.match(data)) is not None:
        raise UnfitKeyError(
            f"a private key of type {found[1].decode()}, and age opens with ed25519 and RSA keys "
            "only"
        )
    if (named := _LEGACY_CIPHER.search(data)) and data.startswith(PEM):
        cipher = named[1].decode()
        if cipher not in _LEGACY_READABLE:
            raise unknown_cipher(path, cipher)
    if re.search(rb"^AGE-PLUGIN-|^AGE-SECRET-KEY-PQ-", data, re.MULTILINE):
        raise UnfitKeyError(
            "an age identity of a plugin, or of a newer kind, which daypass cannot use",
            "Claim by hand: README, Receiving what was granted, By hand, with stock age and bao.",
        )


def refuse_shared(path: Path, told: os.stat_result) -> None:
    """Raise UnfitKeyError for a file that other users can read or change, as ssh does.

    The superuser's files count as this user's: a container's secrets are mounted so, and the
    superuser reads every key anyway. A pipe has no other readers.
    """
    if not stat.S_ISREG(told.st_mode):
        return
    mode, me = stat.S_IMODE(told.st_mode), os.geteuid()
    if told.st_uid not in (me, 0) and me != 0:
        raise UnfitKeyError(
            f"it belongs to another user (number {told.st_uid}), who can read and change it",
            f"Name a key of your own with `--identity`, or copy it: `install -m 600 "
            f"{_quoted(path)} FILE`.",
        )
    allowed = 0 if told.st_uid == me else stat.S_IRGRP  # the group is how it is mounted
    if mode & _OTHERS & ~allowed:
        raise UnfitKeyError(
            f"other users of this machine can read or change it (mode {mode:04o})",
            f"Take that from them: `chmod 600 {_quoted(path)}`. If one of them may have read it, "
            "make a new key, and remove this one from GitHub.",
        )


def _refuse_public(path: Path, data: bytes) -> None:
    first = data.split(b"\n", 1)[0].strip()
    if (
        _PUBLIC.match(first)
        or _PUBLIC_PEM.match(data)
        or data.startswith(b"---- BEGIN SSH2 PUBLIC KEY")
    ):
        beside = path.with_suffix("") if path.suffix == ".pub" else None
        raise UnfitKeyError(
            "a public key, which only seals",
            f"Name the private key: `--identity {_quoted(beside)}`."
            if beside is not None
            else "Name the private key that it belongs to with `--identity FILE`.",
        )


def _refuse_encodings(path: Path, data: bytes) -> None:
    if data.startswith((*_WIDE, _BOM)):
        raise UnfitKeyError(
            "the file is UTF-16, or begins with a byte order mark, as some editors of Windows "
            "write it",
            "Save it as plain ASCII, or copy the original file again.",
        )
    if data.startswith(_DER):
        raise UnfitKeyError(
            "a binary file (DER or PKCS#12), and not PEM or OpenSSH",
            f"If it is a private key, write it as PEM: `openssl pkey -inform DER -in "
            f"{_quoted(path)} -out {_quoted(path, '.pem')}`, and name that with `--identity`.",
        )


def _puttygen(path: Path) -> str:
    written = path.with_suffix("") if path.suffix == ".ppk" else path.with_name(path.name + ".ssh")
    return (
        f"Export it for OpenSSH: `puttygen {_quoted(path)} -O private-openssh-new -o "
        f"{_quoted(written)}`, or in PuTTYgen's menu Conversions, Export OpenSSH key (force new "
        "file format). Then name the new file with `--identity`."
    )


def _quoted(path: Path, more: str = "") -> str:
    return shlex.quote(f"{path}{more}")
