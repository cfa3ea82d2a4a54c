"""Keys that never leave Vault: one signs the evidence, one signs the GitHub App's JWT."""

from __future__ import annotations

import base64
import binascii
import json
import re
import threading
from typing import TYPE_CHECKING, Any, Final

from daypass.adapters.vault.kv import number, text
from daypass.errors import VaultRefusedError
from daypass.ledger.sshsig import fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from daypass.adapters.vault.answer import Answer
    from daypass.adapters.vault.session import Session

_SIGNATURE = re.compile(r"vault:v([1-9][0-9]*):([A-Za-z0-9+/]+=*)")
_KEY_BYTES: Final = 32
_SIGNATURE_BYTES: Final = 64
_JWT_BACKDATE: Final = 60  # seconds, as GitHub recommends: its clock and Vault's may differ


class TransitSigner:
    """The Signer port: an Ed25519 key in a transit engine."""

    def __init__(
        self, session: Session, mount: str, key: str, fingerprint: str | None = None
    ) -> None:
        """Use that key.

        Args:
            session: logged in as the bot.
            mount: the transit engine's mount.
            key: the key's name.
            fingerprint: `SHA256:…` from the settings; the version of the key that has it signs,
                whatever newer versions there are. Without one, the newest version signs.
        """
        self._session = session
        self._mount = mount
        self._key = key
        self._fingerprint = fingerprint
        self._lock = threading.Lock()
        self._chosen: tuple[int, bytes] | None = None

    def public_key(self) -> bytes:
        """The raw Ed25519 public key, 32 bytes.

        Raises VaultUnavailableError, VaultRefusedError (also when no version has the fingerprint).
        """
        return self._choose()[1]

    def sign(self, message: bytes) -> bytes:
        """An Ed25519 signature of those bytes, 64 bytes, by the very key of `public_key`.

        Raises VaultUnavailableError, VaultRefusedError.
        """
        version = self._choose()[0]
        body = {"input": base64.b64encode(message).decode(), "key_version": version}
        path = f"{self._mount}/sign/{self._key}"
        answer = self._session.call("POST", path, body)
        answer.refuse_warnings(f"POST {path}")
        signature = _decoded(answer, version)
        if len(signature) != _SIGNATURE_BYTES:
            raise _wrong_key(self._key, "it is not of type ed25519")
        return signature

    def of(self, key: bytes) -> TransitSigner:
        """The version with that public half. Its use raises VaultRefusedError if there is none."""
        return TransitSigner(self._session, self._mount, self._key, fingerprint(key))

    def _choose(self) -> tuple[int, bytes]:
        with self._lock:
            if self._chosen is None:
                versions = public_keys(self._session, self._mount, self._key)
                self._chosen = self._pick(versions)
            return self._chosen

    def _pick(self, versions: Mapping[int, bytes]) -> tuple[int, bytes]:
        if self._fingerprint is None:
            newest = max(versions)
            return newest, versions[newest]
        for version, raw in sorted(versions.items(), reverse=True):
            if fingerprint(raw) == self._fingerprint:
                return version, raw
        raise _wrong_key(self._key, f"none of its versions has the fingerprint {self._fingerprint}")


def public_keys(session: Session, mount: str, key: str) -> dict[int, bytes]:
    """The raw Ed25519 public keys of a transit key, by version, oldest first.

    Raises VaultUnavailableError, VaultRefusedError (also when it is a key of another type).
    """
    return read_versions(session, mount, key)[0]


def read_versions(session: Session, mount: str, key: str) -> tuple[dict[int, bytes], int]:
    """The same, and the oldest version that may sign (0: all may). Raises what it raises."""
    answer = session.call("GET", f"{mount}/keys/{key}")
    if answer.read(lambda found: text(found.data["type"])) != "ed25519":
        raise _wrong_key(key, "it is not of type ed25519")
    versions, floor = answer.read(_versions)
    if any(len(raw) != _KEY_BYTES for raw in versions.values()):
        raise _wrong_key(key, "its public key does not have 32 bytes")
    return versions, floor


def _versions(answer: Answer) -> tuple[dict[int, bytes], int]:
    """Public halves by version, and the oldest that may sign. Raises KeyError and its like."""
    found = {
        int(version): base64.b64decode(text(about["public_key"]), validate=True)
        for version, about in answer.data["keys"].items()
    }
    if not found:
        raise ValueError("a key without a version")
    return dict(sorted(found.items())), number(answer.data["min_encryption_version"])


def app_jwt_signer(session: Session, mount: str, key: str) -> Callable[[dict[str, Any]], str]:
    """A function that makes RS256 JWTs of payloads, for PyGithub's `Auth.AppAuth(sign_func=…)`.

    `iat` and `exp` are set anew from Vault's clock, for as long as the payload says: a runner whose
    clock is ten minutes off would otherwise make tokens that GitHub refuses. The function raises
    VaultUnavailableError and VaultRefusedError.
    """

    def sign(payload: dict[str, Any]) -> str:
        life = int(payload["exp"]) - int(payload["iat"])
        issued = session.now().seconds - _JWT_BACKDATE
        claims = {**payload, "iat": issued, "exp": issued + life}
        signing_input = f"{_segment({'alg': 'RS256', 'typ': 'JWT'})}.{_segment(claims)}"
        path = f"{mount}/sign/{key}/sha2-256"
        body = {
            "input": base64.b64encode(signing_input.encode()).decode(),
            "signature_algorithm": "pkcs1v15",
        }
        answer = session.call("POST", path, body)
        answer.refuse_warnings(f"POST {path}")
        return f"{signing_input}.{_base64url(_decoded(answer, None))}"

    return sign


def _segment(value: Mapping[str, Any]) -> str:
    return _base64url(json.dumps(value, separators=(",", ":")).encode())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decoded(answer: Answer, version: int | None) -> bytes:
    """The bytes of a `vault:v<version>:<base64>` signature, by the version that was asked for."""
    match = _SIGNATURE.fullmatch(answer.read(lambda found: text(found.data["signature"])))
    try:
        if match is not None and version in (None, int(match[1])):
            return base64.b64decode(match[2], validate=True)
    except binascii.Error:
        pass  # told below, as every other answer that is no signature
    raise VaultRefusedError(
        "Vault's transit engine answered with something that is no signature of that key",
        remedy="Run `daypass vault doctor`; it compares the keys with access/daypass.yaml.",
    )


def _wrong_key(key: str, because: str) -> VaultRefusedError:
    return VaultRefusedError(
        f"the transit key {key} is not the evidence key: {because}",
        remedy="Correct `spec.evidence` in access/daypass.yaml, or have the key restored: evidence "
        "signed by another key would not verify.",
    )
