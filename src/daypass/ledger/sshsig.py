"""SSHSIG: the signatures that `git log --show-signature` verifies, over Ed25519 keys only.

Source: PROTOCOL.sshsig of OpenSSH. The private key is elsewhere (Vault's transit engine): this
module says which bytes to sign, wraps the 64 bytes that come back, and checks such signatures.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NoReturn

if TYPE_CHECKING:
    from collections.abc import Mapping

BEGIN: Final = b"-----BEGIN SSH SIGNATURE-----"
END: Final = b"-----END SSH SIGNATURE-----"
KEY_TYPE: Final = b"ssh-ed25519"
NAMESPACE: Final = b"git"
# Of files that are no commits, as ssh-keygen(1) has it: one can never be taken for the other.
FILE_NAMESPACE: Final = b"file"
PUBLIC_KEY_LENGTH: Final = 32
_MAGIC: Final = b"SSHSIG"
_VERSION: Final = (1).to_bytes(4)
_SIGNATURE_LENGTH: Final = 64
_LINE: Final = 70
_HASHES: Final = {b"sha512": hashlib.sha512, b"sha256": hashlib.sha256}


def bytes_to_sign(
    payload: bytes, hash_name: bytes = b"sha512", namespace: bytes = NAMESPACE
) -> bytes:
    """What the Ed25519 key signs for `payload` in the namespace (default: `git`).

    Raises:
        ValueError: `hash_name` is neither `sha512` nor `sha256`.
    """
    if hash_name not in _HASHES:
        _bad(f"the hash is {_shown(hash_name)}, not sha512 or sha256")
    return digest_to_sign(_HASHES[hash_name](payload).digest(), hash_name, namespace)


def digest_to_sign(
    digest: bytes, hash_name: bytes = b"sha512", namespace: bytes = FILE_NAMESPACE
) -> bytes:
    """What the Ed25519 key signs for a file of that digest (default: SHA-512, namespace `file`)."""
    return _MAGIC + _string(namespace) + _string(b"") + _string(hash_name) + _string(digest)


def armoured_signature(public_key: bytes, signature: bytes, namespace: bytes = NAMESPACE) -> bytes:
    """The signature as git carries it, lines of 70 characters, with a line feed at the end.

    `public_key` is the raw key (32 bytes), `signature` the raw signature (64 bytes) of
    `bytes_to_sign(payload)`, or of `digest_to_sign`, in that namespace.
    """
    blob = (
        _MAGIC
        + _VERSION
        + _string(public_key_blob(public_key))
        + _string(namespace)
        + _string(b"")
        + _string(b"sha512")
        + _string(_string(KEY_TYPE) + _string(signature))
    )
    text = base64.b64encode(blob)
    lines = [text[start : start + _LINE] for start in range(0, len(text), _LINE)]
    return b"\n".join((BEGIN, *lines, END)) + b"\n"


def verified_key(armoured: bytes, payload: bytes, namespace: bytes = NAMESPACE) -> bytes:
    """The raw public key (32 bytes) by which `payload` was signed.

    Says nothing about whose key that is: ask `Signers`.

    Raises:
        ValueError: not a signature in that form, not of the namespace, not Ed25519, or not of
            these bytes.
    """
    key, hash_name, signature = _parse(_dearmour(armoured), namespace)
    return _verified(key, signature, bytes_to_sign(payload, hash_name, namespace))


def claimed_key(armoured: bytes, namespace: bytes = NAMESPACE) -> bytes:
    """The raw public key that a signature names. Verifies nothing. Raises ValueError, as above."""
    return _parse(_dearmour(armoured), namespace)[0]


def verified_file_key(armoured: bytes, digests: Mapping[bytes, bytes]) -> bytes:
    """The raw public key by which a file was signed, in the namespace `file`.

    `digests` are the file's, by their name (`sha512`, `sha256`): a file may be large.

    Raises:
        ValueError: as `verified_key`; or no digest is given of the kind that was signed.
    """
    key, hash_name, signature = _parse(_dearmour(armoured), FILE_NAMESPACE)
    if hash_name not in digests:
        _bad(f"the hash is {_shown(hash_name)}, of which no digest was computed")
    return _verified(key, signature, digest_to_sign(digests[hash_name], hash_name))


def _verified(key: bytes, signature: bytes, signed: bytes) -> bytes:
    # `validate` reads a list of signers, and checks no signature: cryptography costs it 0.02 s.
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
        Ed25519PublicKey,
    )

    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, signed)
    except (InvalidSignature, ValueError) as error:
        raise ValueError("the signature is not one of these bytes by that key") from error
    return key


def public_key_blob(public_key: bytes) -> bytes:
    """The key in the form that OpenSSH writes, before base64.

    Raises:
        ValueError: not 32 bytes.
    """
    if len(public_key) != PUBLIC_KEY_LENGTH:
        _bad(f"an Ed25519 public key has 32 bytes, not {len(public_key)}")
    return _string(KEY_TYPE) + _string(public_key)


def public_key_from_blob(blob: bytes) -> bytes:
    """The inverse of `public_key_blob`.

    Raises:
        ValueError: a key of another type, or no key.
    """
    reader = _Reader(blob)
    key_type = reader.string()
    if key_type != KEY_TYPE:
        _bad(f"the key is of type {_shown(key_type)}, not ssh-ed25519")
    key = reader.string()
    reader.end()
    if len(key) != PUBLIC_KEY_LENGTH:
        _bad(f"an Ed25519 public key has 32 bytes, not {len(key)}")
    return key


@lru_cache(maxsize=16)
def fingerprint(public_key: bytes) -> str:
    """`SHA256:…` of a raw key, as `ssh-keygen -l` prints it."""
    digest = hashlib.sha256(public_key_blob(public_key)).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


class _Reader:
    """Reads the strings of an SSH structure one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, length: int) -> bytes:
        piece = self._data[self._at : self._at + length]
        if len(piece) != length:
            _bad("the signature is cut short")
        self._at += length
        return piece

    def string(self) -> bytes:
        return self.take(int.from_bytes(self.take(4)))

    def end(self) -> None:
        if self._at != len(self._data):
            _bad("the signature carries more than it should")


def _parse(blob: bytes, wanted: bytes) -> tuple[bytes, bytes, bytes]:
    """Key, name of the hash, and signature.

    All but the last 64 bytes is the same in every signature by one key: it is read once.
    """
    key, hash_name, signature = _parse_head(blob[:-_SIGNATURE_LENGTH], wanted)
    if len(signature) != _SIGNATURE_LENGTH:
        return _parse_whole(blob, wanted)
    return key, hash_name, blob[-_SIGNATURE_LENGTH:]


@lru_cache(maxsize=16)
def _parse_head(head: bytes, wanted: bytes) -> tuple[bytes, bytes, bytes]:
    return _parse_whole(head + bytes(_SIGNATURE_LENGTH), wanted)


def _parse_whole(blob: bytes, wanted: bytes) -> tuple[bytes, bytes, bytes]:
    reader = _Reader(blob)
    if reader.take(len(_MAGIC)) != _MAGIC or reader.take(4) != _VERSION:
        _bad("not an SSHSIG signature of version 1")
    key = public_key_from_blob(reader.string())
    namespace = reader.string()
    if namespace != wanted:
        _bad(f"the signature is for the namespace {_shown(namespace)}, not {_shown(wanted)}")
    # `reserved`: to be ignored by specification; the bytes that are signed hold an empty one.
    reader.string()
    hash_name = reader.string()
    inner = _Reader(reader.string())
    reader.end()
    if inner.string() != KEY_TYPE:
        _bad("the signature is not of type ssh-ed25519")
    signature = inner.string()
    inner.end()
    return key, hash_name, signature


def _dearmour(armoured: bytes) -> bytes:
    if not armoured.startswith(BEGIN + b"\n"):
        _bad("not an SSH signature")
    body, found, _rest = armoured[len(BEGIN) :].partition(b"\n" + END)
    if not found:
        _bad("the signature has no end")
    text = b"".join(body.split())
    try:
        blob = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("the signature is not base64") from error
    if base64.b64encode(blob) != text:  # OpenSSH takes no bits beyond the last byte
        _bad("the signature is not base64")
    return blob


def _string(data: bytes) -> bytes:
    return len(data).to_bytes(4) + data


def _shown(data: bytes) -> str:
    return data[:40].decode("ascii", "backslashreplace")


def _bad(what: str) -> NoReturn:
    raise ValueError(what)
