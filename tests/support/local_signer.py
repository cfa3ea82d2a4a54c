"""An evidence key that lives in the test, in place of the one in Vault's transit engine."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from daypass.ledger.allowed_signers import AllowedSigner


class LocalSigner:
    """The `Signer` port over a key of its own; the same seed gives the same key."""

    def __init__(self, seed: int = 1) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed.to_bytes(32))

    def public_key(self) -> bytes:
        return self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)

    def of(self, key: bytes) -> LocalSigner:
        """The signer of one of the first nine seeds: versions of one key, as in Vault."""
        return next(item for item in map(LocalSigner, range(1, 10)) if item.public_key() == key)

    def allowed(self, **validity: int) -> AllowedSigner:
        """Its line in an allowed-signers file; `valid_after` and `valid_before` in seconds."""
        return AllowedSigner("bot@daypass.example", self.public_key(), **validity)
