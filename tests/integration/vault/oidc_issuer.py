"""An OIDC issuer on 127.0.0.1: discovery, one RSA key, and tokens of any claims."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

if TYPE_CHECKING:
    from collections.abc import Mapping


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _number(value: int) -> str:
    return _base64url(value.to_bytes((value.bit_length() + 7) // 8, "big"))


class OidcIssuer:
    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = json.dumps(issuer._document(self.path)).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def public_pem(self) -> bytes:
        return self._key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def sign(self, claims: Mapping[str, Any], key: rsa.RSAPrivateKey | None = None) -> str:
        data = self._input({"alg": "RS256", "typ": "JWT", "kid": "k1"}, claims)
        signature = (key or self._key).sign(data.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{data}.{_base64url(signature)}"

    def unsigned(self, claims: Mapping[str, Any]) -> str:
        return self._input({"alg": "none", "typ": "JWT"}, claims) + "."

    def confused(self, claims: Mapping[str, Any]) -> str:
        """HS256, with the public key as the shared secret."""
        data = self._input({"alg": "HS256", "typ": "JWT", "kid": "k1"}, claims)
        digest = hmac.new(self.public_pem(), data.encode(), hashlib.sha256).digest()
        return f"{data}.{_base64url(digest)}"

    @staticmethod
    def _input(header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
        return ".".join(_base64url(json.dumps(part).encode()) for part in (header, claims))

    def _document(self, path: str) -> dict[str, Any]:
        if path == "/jwks":
            numbers = self._key.public_key().public_numbers()
            key = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "k1"}
            return {"keys": [{**key, "n": _number(numbers.n), "e": _number(numbers.e)}]}
        return {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/jwks",
            "id_token_signing_alg_values_supported": ["RS256"],
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
        }
