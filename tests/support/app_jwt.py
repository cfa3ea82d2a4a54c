"""A GitHub App's JWT, made as a test wants it: right, or wrong in one way."""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

if TYPE_CHECKING:
    from daypass.model.secret import Secret


def app_jwt(key: Secret, issuer: Any, *, algorithm: str = "RS256", **claims: Any) -> str:
    """A JWT that is valid for five minutes from now; `claims` replace its claims."""
    now = int(time.time())
    payload = {"iss": issuer, "iat": now - 60, "exp": now + 300} | claims
    signed = f"{_base64({'alg': algorithm, 'typ': 'JWT'})}.{_base64(payload)}"
    if algorithm == "none":
        return signed + "."
    private = serialization.load_pem_private_key(key.reveal().encode(), password=None)
    assert isinstance(private, rsa.RSAPrivateKey)
    proof = private.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{signed}.{base64.urlsafe_b64encode(proof).decode().rstrip('=')}"


def _base64(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
