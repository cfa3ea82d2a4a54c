"""The GitHub App's private key on its only journey: from the operator's file into transit.

GitHub makes the key, so it cannot be made in Vault. It goes there wrapped: an ephemeral AES key
wraps it (RFC 5649), and the transit engine's own RSA key wraps that one (OAEP, SHA-256).
"""

from __future__ import annotations

import base64
import contextlib
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from daypass.adapters.vault.kv import text
from daypass.errors import UsageError, VaultRefusedError

if TYPE_CHECKING:
    from pathlib import Path

    from daypass.adapters.vault.answer import Answer
    from daypass.adapters.vault.session import Session
    from daypass.adapters.vault.steps import TransitKey

_AES_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class AppKey:
    """An RSA private key, as PKCS #8 DER, and its public half as PEM."""

    type: str  # as transit names it, e.g. `rsa-2048`
    public_pem: bytes
    _pkcs8: bytes = field(repr=False)

    def wrapped_for(self, wrapping_key: rsa.RSAPublicKey) -> bytes:
        """The key as transit's import takes it."""
        ephemeral = secrets.token_bytes(_AES_BYTES)
        oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
        inner = keywrap.aes_key_wrap_with_padding(ephemeral, self._pkcs8)
        return wrapping_key.encrypt(ephemeral, oaep) + inner


def read_app_key(path: Path) -> AppKey:
    """Read the PEM file that GitHub gave when the App's key was made.

    Raises:
        UsageError: the file is not there, or holds no unencrypted RSA private key.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read ({error.strerror})",
            remedy="Name the .pem file that GitHub gave when the App's private key was made.",
        ) from error
    key: object = None
    # Told below, without the reason: it can quote the file.
    with contextlib.suppress(ValueError, TypeError, UnsupportedAlgorithm):
        key = serialization.load_pem_private_key(data, password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise UsageError(
            f"{path} holds no RSA private key in PEM form",
            remedy="Make a private key in the GitHub App's settings, and name the file it gives.",
        )
    return AppKey(
        f"rsa-{key.key_size}",
        _pem(key.public_key()),
        key.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )


def is_newest(session: Session, step: TransitKey, key: AppKey) -> bool:
    """Whether the newest version of the transit key is that very key."""
    return session.call("GET", step.path).read(_newest) == key.public_pem


def import_key(session: Session, step: TransitKey, key: AppKey, *, first: bool) -> None:
    """Import it, as a new key or as the next version of one that was imported before.

    Raises VaultUnavailableError, VaultRefusedError.
    """
    answer = session.call("GET", f"{step.mount}/wrapping_key")
    public = answer.read(
        lambda found: serialization.load_pem_public_key(text(found.data["public_key"]).encode())
    )
    if not isinstance(public, rsa.RSAPublicKey):
        raise VaultRefusedError(
            f"the wrapping key of {step.mount}/ is not an RSA key",
            remedy="This Vault cannot import keys: OpenBao, or Vault from 1.11 on, can.",
        )
    body: dict[str, object] = {
        "ciphertext": base64.b64encode(key.wrapped_for(public)).decode(),
        "hash_function": "SHA256",
    }
    path = f"{step.path}/{'import' if first else 'import_version'}"
    if first:
        body |= {"type": key.type, "exportable": False, "allow_rotation": False}
    session.call("POST", path, body).refuse_warnings(f"POST {path}")


def _newest(answer: Answer) -> bytes:
    """The public half of the newest version. Raises KeyError, TypeError, ValueError."""
    newest = answer.data["keys"][str(answer.data["latest_version"])]
    return _normal(text(newest["public_key"]).encode())


def _pem(public: rsa.RSAPublicKey) -> bytes:
    return public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _normal(pem: bytes) -> bytes:
    """A public key's PEM as this module writes it."""
    public = serialization.load_pem_public_key(pem)
    return _pem(public) if isinstance(public, rsa.RSAPublicKey) else b""
