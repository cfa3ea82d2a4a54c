"""The GitHub App: its key, the JWT that proves it, and the installation's tokens."""

from __future__ import annotations

import base64
import binascii
import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from daypass.model.secret import Secret
from daypass.sandbox.github.accounts import Account, Credential
from daypass.sandbox.github.routing import RefusalError
from daypass.sandbox.github.views import node_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daypass.sandbox.github.hub import Hub

_MOST_AHEAD: Final = 600  # seconds that `exp` may lie ahead
_CLOCK_SLACK: Final = 60
_TOKEN_SECONDS: Final = 3600
# What the README tells an organisation to give the App, and no more.
PERMISSIONS: Final = {
    "metadata": "read",
    "contents": "write",
    "pull_requests": "write",
    "issues": "write",
    "members": "read",
    "checks": "write",
    "administration": "read",
}
Json = dict[str, Any]


@dataclass(eq=False, slots=True)
class App:
    """A GitHub App that is installed in the organisation."""

    id: int
    client_id: str
    slug: str
    bot: Account
    installation_id: int
    created_at: str
    permissions: dict[str, str] = field(default_factory=lambda: dict(PERMISSIONS))
    trusted: list[rsa.RSAPublicKey] = field(default_factory=list)

    def generate_key(self) -> Secret:
        """A new private key as PEM (PKCS #8), trusted from now on; GitHub shows it once."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.trusted.append(key.public_key())
        return Secret(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ).decode()
        )

    def trust(self, public_key: str) -> None:
        """Trust a public key (PEM) whose private half was made elsewhere, in Vault's transit."""
        key = serialization.load_pem_public_key(public_key.encode())
        if not isinstance(key, rsa.RSAPublicKey):
            raise TypeError("a GitHub App signs with RSA")
        self.trusted.append(key)

    def authenticate(self, jwt: str) -> None:
        """Check a JWT as GitHub does: RS256 by a trusted key, `iss`, `iat`, and `exp` near.

        Raises:
            RefusalError: 401, with what is wrong.
        """
        try:
            head, payload, signature = jwt.split(".")
            header, claims = _decode(head), _decode(payload)
            signed, proof = f"{head}.{payload}".encode(), _bytes(signature)
        except (ValueError, binascii.Error):
            raise RefusalError(401, "A JSON web token could not be decoded") from None
        if header.get("alg") != "RS256":
            raise RefusalError(401, "A JSON web token could not be decoded")
        if not any(_verifies(key, proof, signed) for key in self.trusted):
            raise RefusalError(401, "A JSON web token could not be decoded")
        if str(claims.get("iss")) not in (str(self.id), self.client_id):
            raise RefusalError(401, "'Issuer' claim ('iss') must be an Integer or the client ID")
        now = time.time()
        issued, expires = claims.get("iat"), claims.get("exp")
        if not isinstance(issued, int) or issued > now + _CLOCK_SLACK:
            raise RefusalError(401, "'Issued at' claim ('iat') must be an Integer in the past")
        if not isinstance(expires, int) or expires <= now:
            raise RefusalError(401, "'Expiration time' claim ('exp') must be in the future")
        if expires > now + _MOST_AHEAD:
            raise RefusalError(401, "'Expiration time' claim ('exp') is too far in the future")

    def view(self, owner: Json | None) -> Json:
        """An `integration`."""
        return {
            "id": self.id,
            "client_id": self.client_id,
            "slug": self.slug,
            "node_id": node_id("Integration", self.id),
            "owner": owner,
            "name": self.slug,
            "description": None,
            "external_url": "https://daypass.dev",
            "html_url": f"https://daypass.dev/apps/{self.slug}",
            "created_at": self.created_at,
            "updated_at": self.created_at,
            "permissions": self.permissions,
            "events": [],
            "installations_count": 1,
        }

    def installation_token(self, hub: Hub, body: Mapping[str, Any]) -> Json:
        """A new token of the installation, for an hour, narrowed as the body asks.

        Raises:
            RefusalError: 422 when the body asks for more than the installation has.
        """
        asked = body.get("permissions") or self.permissions
        whole = Credential(self.bot, self.permissions)
        if not all(whole.allows(name, level) for name, level in asked.items()):
            raise RefusalError(
                422, "The permissions requested are not granted to this installation."
            )
        ids = frozenset(hub.repository_ids)
        wanted = body.get("repository_ids")
        if wanted is None and "repositories" in body:
            wanted = [
                item.id for item in hub.all_repositories() if item.name in body["repositories"]
            ]
        if wanted is not None and not (wanted and set(wanted) <= ids):
            raise RefusalError(422, "There is at least one repository that does not exist")
        scope = ids if wanted is None else frozenset(wanted)
        expires = time.time() + _TOKEN_SECONDS
        permissions = {"metadata": "read", **asked}
        token = hub.directory.issue(Credential(self.bot, permissions, scope, expires), "ghs")
        return {
            "token": token.reveal(),
            "expires_at": datetime.fromtimestamp(expires, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "permissions": permissions,
            "repository_selection": "all" if wanted is None else "selected",
        }


def _verifies(key: rsa.RSAPublicKey, proof: bytes, signed: bytes) -> bool:
    try:
        key.verify(proof, signed, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def _decode(part: str) -> Json:
    value = json.loads(_bytes(part))
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004  -- the caller's one kind of refusal
    return value


def _bytes(part: str) -> bytes:
    return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
