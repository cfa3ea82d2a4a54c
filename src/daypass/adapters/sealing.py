"""Encrypting deliveries with age: to SSH public keys, or to recipients pinned in an identity.

What age cannot serve (ecdsa, security keys, RSA keys that are too short or too long) is left out,
with its reason; when nothing is left, nothing is sealed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyrage

from daypass.errors import SealingError
from daypass.lifecycle.ports import Sealed
from daypass.model.public_key import UnusableKeyError, parse_public_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daypass.model.secret import Secret

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
                fingerprint, key = _recipient(line)
            except UnusableKeyError as error:
                refused.append(f"{error.key}: {error.reason}")
            else:
                usable[fingerprint] = key
        if not usable:
            why = "; ".join(refused) or "there is no key at all"
            raise SealingError(f"no key that a secret can be encrypted to ({why})", remedy=_REMEDY)
        data = secret.reveal().encode()
        try:
            armored = pyrage.encrypt(data, list(usable.values()), armored=True)
        except pyrage.EncryptError as error:
            raise SealingError("age could not encrypt the delivery", remedy=_REMEDY) from error
        return Sealed(armored.decode("ascii"), tuple(usable))


def _recipient(line: str) -> tuple[str, Any]:
    """The fingerprint, and pyrage's recipient, which has no types. Raises UnusableKeyError."""
    key = parse_public_key(line)
    make = pyrage.x25519.Recipient if key.is_age else pyrage.ssh.Recipient
    try:
        return key.fingerprint, make.from_str(key.line)
    except pyrage.RecipientError:
        raise UnusableKeyError(key.fingerprint, "age does not accept this key") from None
