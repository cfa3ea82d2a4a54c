"""Which public keys count: the reading without cryptography, held against age itself."""

from __future__ import annotations

import base64
import random

import pyrage
import pytest

from daypass.adapters.sealing import AgeSealer
from daypass.model.public_key import UnusableKeyError, parse_public_key
from daypass.model.secret import Secret

POINT = bytes.fromhex("5866666666666666666666666666666666666666666666666666666666666666")
MODULUS = 1 << 2047 | 12345 << 300 | 1
WEAK = [0, 1, 2**255 - 20]  # the first points of small order, of either curve


def field(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def number(value: int) -> bytes:
    return field(value.to_bytes(value.bit_length() // 8 + 1, "big"))


def ssh(kind: str, *parts: bytes) -> str:
    blob = field(kind.encode()) + b"".join(parts)
    return f"{kind} {base64.b64encode(blob).decode()}"


def ed25519(point: bytes = POINT) -> str:
    return ssh("ssh-ed25519", field(point))


def rsa(bits: int) -> str:
    return ssh("ssh-rsa", number(65537), number(1 << bits - 1 | 12345 << 300 | 1))


def age(point: bytes) -> str:
    """BIP 173, by the book."""
    letters = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
    bits = "".join(f"{byte:08b}" for byte in point)
    bits += "0" * (-len(bits) % 5)
    data = [int(bits[at : at + 5], 2) for at in range(0, len(bits), 5)]
    check = 1
    for value in [3, 3, 3, 0, 1, 7, 5, *data, 0, 0, 0, 0, 0, 0]:
        top, check = check >> 25, (check & 0x1FFFFFF) << 5 ^ value
        for index, factor in enumerate(
            (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
        ):
            check ^= factor if top >> index & 1 else 0
    check ^= 1
    data += [check >> 5 * (5 - index) & 31 for index in range(6)]
    return "age1" + "".join(letters[value] for value in data)


def is_taken(line: str) -> bool:
    try:
        parse_public_key(line)
    except UnusableKeyError:
        return False
    return True


def age_takes(line: str) -> bool:
    of = pyrage.x25519 if line.startswith("age1") else pyrage.ssh
    try:
        of.Recipient.from_str(line)
    except pyrage.RecipientError:
        return False
    return True


def test_it_takes_the_points_that_age_takes() -> None:
    dice = random.Random(11)  # noqa: S311  -- no secret: the same points in every run
    points = [dice.randbytes(32) for _ in range(200)]
    lines = [ed25519(point) for point in points] + [age(point) for point in points]
    lines += [line[:-3] + "qq" + line[-1] for line in lines if line.startswith("age1")]
    said = [is_taken(line) for line in lines]
    assert said == [age_takes(line) for line in lines]
    assert 250 < sum(said) < 350


@pytest.mark.parametrize("bits", [1024, 2047, 2048, 2049, 4095, 4096, 4097, 8192])
def test_it_takes_the_lengths_of_rsa_that_age_takes(bits: int) -> None:
    assert is_taken(rsa(bits)) == age_takes(rsa(bits)) == (2048 <= bits <= 4096)


def test_an_rsa_key_that_is_too_long_is_said_with_its_length() -> None:
    with pytest.raises(UnusableKeyError, match="8192 bits; daypass encrypts to 4096 at the most"):
        parse_public_key(rsa(8192))


@pytest.mark.parametrize(
    "line",
    [
        ssh("ssh-rsa", number(65537), number(MODULUS - 1)),
        ssh("ssh-rsa", number(1), number(MODULUS)),
        ssh("ssh-rsa", number(2**33 + 1), number(MODULUS)),
        ssh("ssh-rsa", field(b""), number(MODULUS)),  # age 1.4 of Python panics
        ssh("ssh-rsa", number(65537), field(MODULUS.to_bytes(256, "big"))),  # negative
        ssh("ssh-rsa", number(65537), number(MODULUS), field(b"more")),
        ssh("ssh-ed25519", field(POINT[:31])),
        ssh("ssh-ed25519", field(POINT), field(b"more")),
        "no-pty " + ed25519(),
        "ssh-ed25519",
        "",
    ],
)
def test_what_is_no_key_is_refused(line: str) -> None:
    assert not is_taken(line)


@pytest.mark.parametrize("value", WEAK)
def test_a_weak_point_is_refused(value: int) -> None:
    point = value.to_bytes(32, "little")
    for line in (ed25519(point), age(point)):
        with pytest.raises(UnusableKeyError, match="anybody could open"):
            parse_public_key(line)


@pytest.mark.parametrize("comment", ["", " a@b", "  a@b", "\ta@b", " alice's old laptop", "\n"])
@pytest.mark.parametrize("between", [" ", "  ", "\t", " \t "])
@pytest.mark.parametrize("before", ["", " ", "\t"])
def test_blanks_and_comments_change_no_key(before: str, between: str, comment: str) -> None:
    kind, key = ed25519().split()
    line = f"{before}{kind}{between}{key}{comment}"
    sealed = AgeSealer().seal(Secret("token"), [line])
    assert sealed.fingerprints == AgeSealer().seal(Secret("token"), [ed25519()]).fingerprints


def test_an_age_key_may_have_a_comment_and_opens_what_is_sealed_to_it() -> None:
    identity = pyrage.x25519.Identity.generate()
    sealed = AgeSealer().seal(Secret("token"), [f"{identity.to_public()} alice@laptop"])
    assert sealed.fingerprints == (str(identity.to_public()),)
    assert pyrage.decrypt(sealed.armored.encode(), [identity]) == b"token"
