"""Files that age encrypts with a passphrase, at whatever cost in work a test asks for.

age itself measures the machine as it encrypts, and refuses, as it decrypts, what would take too
long there: a test that goes by either depends on how busy the machine is.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_SALT = b"age-encryption.org/v1/scrypt"
_ONLY_CHUNK = bytes(11) + b"\x01"  # number 0, and the last


def encrypt(plain: bytes, passphrase: str, *, log_n: int = 4) -> bytes:
    """An age file of at most 64 KiB of plain text (https://age-encryption.org/v1).

    Args:
        plain: what it holds.
        passphrase: what opens it.
        log_n: the work factor: 2 to its power are scrypt's rounds. It is written into the file;
            from 14 on the key is not worked out, so that nothing opens it, and nothing takes long.
    """
    file_key, salt, nonce = os.urandom(16), os.urandom(16), os.urandom(16)
    rounds = 1 << min(log_n, 13)
    wrap = hashlib.scrypt(passphrase.encode(), salt=_SALT + salt, n=rounds, r=8, p=1, dklen=32)
    body = ChaCha20Poly1305(wrap).encrypt(bytes(12), file_key, None)
    head = f"age-encryption.org/v1\n-> scrypt {_text(salt)} {log_n}\n{_text(body)}\n---".encode()
    mac = hmac.digest(_derive(file_key, b"", b"header"), head, "sha256")
    payload = ChaCha20Poly1305(_derive(file_key, nonce, b"payload"))
    return head + f" {_text(mac)}\n".encode() + nonce + payload.encrypt(_ONLY_CHUNK, plain, None)


def _derive(key: bytes, salt: bytes, about: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=salt, info=about).derive(key)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")
