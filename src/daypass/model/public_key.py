"""Public keys that a delivery can be encrypted to: the one reading of an SSH or age line.

age serves ssh-ed25519, ssh-rsa of 2048 to 4096 bits, and X25519 keys of its own. What it does not
serve, or would serve badly, is refused here, where documents are validated, plans made and secrets
sealed. Pure Python, since `daypass validate` loads no cryptography.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

LEAST_RSA_BITS: Final = 2048
MOST_RSA_BITS: Final = 4096
_ED25519: Final = "ssh-ed25519"
_RSA: Final = "ssh-rsa"
_AGE: Final = "age1"
_KEY_BYTES: Final = 32  # of an ed25519 or X25519 point
_SHOWN: Final = 15  # characters of a line that is no key: it may be a private one, pasted here
_LEAST_EXPONENT: Final = 3
_MOST_EXPONENT: Final = 2**33 - 1

_PRIME: Final = 2**255 - 19
_D: Final = -121665 * pow(121666, -1, _PRIME) % _PRIME
# A secret encrypted to a point of small order is no secret: what is shared is known to all.
_SMALL_Y: Final = frozenset(
    {
        0,
        1,
        _PRIME - 1,
        0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7,
        0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
    }
)
_SMALL_U: Final = frozenset(
    {
        0,
        1,
        _PRIME - 1,
        0x00B8495F16056286FDB1329CEB8D09DA6AC49FF1FAE35616AEB8413B7C7AEBE0,
        0x57119FD0DD4E22D8868E1C58C45C44045BEF839C55B1D0B1248C50A3BC959C5F,
    }
)
_BECH32: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_BECH32_CHECKSUM: Final = 6  # characters


class UnusableKeyError(ValueError):
    """A line that no delivery can be encrypted to.

    Attributes:
        key: the key's type and fingerprint; of what is no key, no more than its first characters.
        reason: why, for people, without a full stop.
    """

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(f"{key}: {reason}")
        self.key = key
        self.reason = reason


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that age serves, in the one form that it reads."""

    line: str  # type and key, one space between them, without a comment; or the age key
    fingerprint: str  # `SHA256:…` of an SSH key; the whole line of an age key

    @property
    def is_age(self) -> bool:
        """Whether it is an age recipient, not an SSH key."""
        return self.line.startswith(_AGE)


def parse_public_key(line: str) -> PublicKey:
    """Read a line of `authorized_keys` without options, a `.pub` file, or an age recipient.

    Blanks around the line are left out, and any run of spaces and tabs parts the fields; what
    follows the key is its comment.

    Raises:
        UnusableKeyError: it is no such line, or age cannot encrypt to that key.
    """
    text = line.strip()
    if "\n" in text or "\r" in text:
        raise UnusableKeyError(_beginning(text), "more than one line")
    fields = text.split(maxsplit=2)
    if not fields:
        raise UnusableKeyError("''", "an empty line")
    if fields[0].startswith(_AGE):
        return _age_key(fields[0])
    return _ssh_key(text, fields)


def ssh_fingerprint(blob: bytes) -> str:
    """`SHA256:…` of a public key's wire form (RFC 4253), as `ssh-keygen -l` prints it."""
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode("ascii")
    return "SHA256:" + digest.rstrip("=")


def _beginning(text: str) -> str:
    return ascii(text[:_SHOWN])


def _ssh_key(text: str, fields: list[str]) -> PublicKey:
    kind = fields[0]
    try:
        blob = base64.b64decode(fields[1], validate=True) if len(fields) > 1 else b""
        parts = list(_parts(blob))
    except (binascii.Error, ValueError):
        parts, blob = [], b""
    if len(parts) < 2 or parts[0] != kind.encode("ascii", "replace"):  # noqa: PLR2004  -- type, key
        raise UnusableKeyError(_beginning(text), "not an SSH or age public key")
    fingerprint = ssh_fingerprint(blob)
    reason = _REASONS.get(kind, _unserved)(parts)
    if reason is not None:
        raise UnusableKeyError(f"{kind} {fingerprint}", reason)
    return PublicKey(f"{kind} {base64.b64encode(blob).decode('ascii')}", fingerprint)


def _parts(blob: bytes) -> Iterator[bytes]:
    """The strings that an SSH wire form is made of. Raises ValueError where one is cut off."""
    at = 0
    while at < len(blob):
        end = at + 4 + int.from_bytes(blob[at : at + 4], "big")
        if end > len(blob):
            raise ValueError("cut off")
        yield blob[at + 4 : end]
        at = end


def _unserved(_parts: list[bytes]) -> str | None:
    return "age encrypts to ssh-ed25519 and ssh-rsa keys only"


def _ed25519_reason(parts: list[bytes]) -> str | None:
    """Why an ed25519 key is not used: its point must be on the curve (RFC 8032, 5.1.3)."""
    if len(parts) != 2 or len(parts[1]) != _KEY_BYTES:  # noqa: PLR2004  -- type, point
        return "not the form of an ed25519 key"
    y = int.from_bytes(parts[1], "little") % 2**255
    if y >= _PRIME:
        return "not a point of the curve, written as it should be"
    above, below = (y * y - 1) % _PRIME, (_D * y * y + 1) % _PRIME
    if pow(above * below % _PRIME, (_PRIME - 1) // 2, _PRIME) == _PRIME - 1:
        return "not a point of the curve"
    return "a weak key: anybody could open what is encrypted to it" if y in _SMALL_Y else None


def _rsa_reason(parts: list[bytes]) -> str | None:
    if len(parts) != 3 or not all(map(_is_positive, parts[1:])):  # noqa: PLR2004  -- type, e, n
        return "not the form of an RSA key"
    exponent, modulus = (int.from_bytes(part, "big") for part in parts[1:])
    bits = modulus.bit_length()
    if bits < LEAST_RSA_BITS:
        return f"an RSA key of {bits} bits; age wants {LEAST_RSA_BITS} at least"
    if bits > MOST_RSA_BITS:
        return f"an RSA key of {bits} bits; daypass encrypts to {MOST_RSA_BITS} at the most"
    if not (_LEAST_EXPONENT <= exponent <= _MOST_EXPONENT and exponent % 2 and modulus % 2):
        return "an RSA key whose numbers make no key"
    return None


def _is_positive(part: bytes) -> bool:
    """Whether a number is positive, and written in the shortest form (mpint, RFC 4251)."""
    if not part or part[0] >= 0x80:  # noqa: PLR2004  -- the sign
        return False
    return part[0] != 0 or (len(part) > 1 and part[1] >= 0x80)  # noqa: PLR2004  -- as above


_REASONS: Final = {_ED25519: _ed25519_reason, _RSA: _rsa_reason}


def _age_key(text: str) -> PublicKey:
    """An X25519 recipient: `age`, and the point in Bech32 (BIP 173)."""
    data = [_BECH32.find(letter) for letter in text[len(_AGE) :]]
    if -1 in data or _checksum([3, 3, 3, 0, 1, 7, 5, *data]) != 1:  # `age`, as BIP 173 expands it
        raise UnusableKeyError(_beginning(text), "not an age X25519 recipient")
    bits = "".join(f"{value:05b}" for value in data[:-_BECH32_CHECKSUM])
    size, rest = divmod(len(bits), 8)
    if size != _KEY_BYTES or "1" in bits[size * 8 :] or rest > 4:  # noqa: PLR2004  -- a whole letter
        raise UnusableKeyError(_beginning(text), "not an age X25519 recipient")
    point = int(bits[: size * 8], 2).to_bytes(size, "big")
    if int.from_bytes(point, "little") % 2**255 % _PRIME in _SMALL_U:
        raise UnusableKeyError(text, "a weak key: anybody could open what is encrypted to it")
    return PublicKey(text, text)


def _checksum(values: list[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for index, factor in enumerate(_BECH32_GENERATOR):
            if top >> index & 1:
                check ^= factor
    return check
