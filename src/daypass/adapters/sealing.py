"""Encrypting deliveries with age: to SSH public keys, or to recipients pinned in an identity.

What age cannot serve (ecdsa, security keys, short RSA keys) is left out, with its reason; when
nothing is left, nothing is sealed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyrage

from daypass.errors import SealingError
from daypass.lifecycle.ports import Sealed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from daypass.model.secret import Secret

_LEAST_RSA_BITS: Final = 2048
_SSH_FIELDS: Final = 2  # type and key; a comment may follow
_SHOWN: Final = 15  # characters of a line that is no key: it may be a private one, pasted here
_REMEDY: Final = (
    "Add an ssh-ed25519 key to the GitHub account, or pin one of the recipient's own, made with "
    "`age-keygen` and beginning with `age1`, under `recipients` in the identity."
)


class AgeSealer:
    """The `Sealer` of the loop. It holds no state and may be shared by threads."""

    def seal(self, secret: Secret, recipients: Sequence[str]) -> Sealed:
        """Encrypt to all recipients that age can serve, each one line.

        Raises:
            SealingError: none is left; it names each key and why it cannot be used.
        """
        usable: dict[str, Any] = {}
        refused: list[str] = []
        for line in recipients:
            try:
                recipient = _recipient(line)
            except _UnusableError as error:
                refused.append(f"{error.key}: {error.reason}")
            else:
                usable[recipient.fingerprint] = recipient.key
        if not usable:
            why = "; ".join(refused) or "there is no key at all"
            raise SealingError(f"no key that a secret can be encrypted to ({why})", remedy=_REMEDY)
        data = secret.reveal().encode()
        try:
            armored = pyrage.encrypt(data, list(usable.values()), armored=True)
        except pyrage.EncryptError as error:
            raise SealingError("age could not encrypt the delivery", remedy=_REMEDY) from error
        return Sealed(armored.decode("ascii"), tuple(usable))


def ssh_fingerprint(blob: bytes) -> str:
    """`SHA256:…` of a public key's wire form (RFC 4253), as `ssh-keygen -l` prints it."""
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode("ascii")
    return "SHA256:" + digest.rstrip("=")


@dataclass(frozen=True, slots=True)
class _Recipient:
    fingerprint: str
    key: Any  # pyrage ships no types


class _UnusableError(Exception):
    """One line that cannot be a recipient; never leaves this module."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(reason)
        self.key = key
        self.reason = reason


def _recipient(line: str) -> _Recipient:
    text = line.strip()
    if "\n" in text or "\r" in text:
        raise _UnusableError(ascii(text[:_SHOWN]), "more than one line")
    if text.startswith("age1"):
        return _age_recipient(text)
    return _ssh_recipient(text)


def _age_recipient(text: str) -> _Recipient:
    try:
        return _Recipient(text, pyrage.x25519.Recipient.from_str(text))
    except pyrage.RecipientError:
        raise _UnusableError(ascii(text[:_SHOWN]), "not an age X25519 recipient") from None


def _ssh_recipient(text: str) -> _Recipient:
    kind, _, rest = text.partition(" ")
    try:
        blob = base64.b64decode(rest.split(" ")[0], validate=True)
        fields = list(_fields(blob))
    except (binascii.Error, ValueError):
        fields, blob = [], b""
    if len(fields) < _SSH_FIELDS or fields[0] != kind.encode("ascii", "replace"):
        raise _UnusableError(ascii(text[:_SHOWN]), "not an SSH or age public key")
    name = f"{kind} {ssh_fingerprint(blob)}"
    if kind == "ssh-rsa":
        bits = int.from_bytes(fields[-1], "big").bit_length()
        if bits < _LEAST_RSA_BITS:
            reason = f"an RSA key of {bits} bits; age wants {_LEAST_RSA_BITS} at least"
            raise _UnusableError(name, reason)
    elif kind != "ssh-ed25519":
        raise _UnusableError(name, "age encrypts to ssh-ed25519 and ssh-rsa keys only")
    try:
        key = pyrage.ssh.Recipient.from_str(f"{kind} {base64.b64encode(blob).decode('ascii')}")
    except pyrage.RecipientError:
        raise _UnusableError(name, "age does not accept this key") from None
    return _Recipient(ssh_fingerprint(blob), key)


def _fields(blob: bytes) -> Iterator[bytes]:
    """The strings that an SSH wire form is made of.

    Raises:
        ValueError: the bytes end within one.
    """
    at = 0
    while at < len(blob):
        end = at + 4 + int.from_bytes(blob[at : at + 4], "big")
        if end > len(blob):
            raise ValueError("cut off")
        yield blob[at + 4 : end]
        at = end
