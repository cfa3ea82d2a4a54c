"""SSHSIG and the allowed-signers file, without git and without OpenSSH."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daypass.errors import EvidenceError
from daypass.ledger import sshsig
from daypass.ledger.allowed_signers import Signers, UnreadableListError, parse_allowed_signers
from daypass.ledger.patterns import Comparison, TooManyStepsError
from support.local_signer import LocalSigner

SIGNER = LocalSigner()
KEY = base64.b64encode(sshsig.public_key_blob(SIGNER.public_key())).decode()
DAY = 1_795_392_000  # 2026-11-23T00:00:00Z


def signed(payload: bytes) -> bytes:
    signature = SIGNER.sign(sshsig.bytes_to_sign(payload))
    return sshsig.armoured_signature(SIGNER.public_key(), signature)


@given(st.binary(max_size=300))
def test_what_is_signed_is_verified(payload: bytes) -> None:
    assert sshsig.verified_key(signed(payload), payload) == SIGNER.public_key()


@given(st.binary(max_size=50), st.binary(max_size=50))
def test_other_bytes_are_not(payload: bytes, other: bytes) -> None:
    if payload != other:
        with pytest.raises(ValueError, match="not one of these bytes"):
            sshsig.verified_key(signed(payload), other)


@given(st.data())
def test_no_damage_goes_unnoticed(data: st.DataObject) -> None:
    armoured = signed(b"payload")
    blob = bytearray(base64.b64decode(b"".join(armoured.split(b"\n")[1:-2])))
    at = data.draw(st.integers(0, len(blob) - 1))
    blob[at] ^= data.draw(st.integers(1, 255))
    text = base64.encodebytes(bytes(blob))
    with pytest.raises(ValueError, match=r"."):
        sshsig.verified_key(sshsig.BEGIN + b"\n" + text + sshsig.END + b"\n", b"payload")


@given(st.binary(max_size=400))
def test_rubbish_is_an_error_and_no_crash(rubbish: bytes) -> None:
    for armoured in (
        rubbish,
        sshsig.BEGIN + b"\n" + base64.b64encode(rubbish) + b"\n" + sshsig.END,
    ):
        with pytest.raises(ValueError, match=r"."):
            sshsig.verified_key(armoured, b"payload")


@pytest.mark.parametrize(
    ("text", "from_", "until"),
    [
        ("", None, None),
        ('valid-after="20261123Z"', DAY, None),
        ('valid-before="202611230100Z"', None, DAY + 3600),
        ('valid-after="20261123000001Z",valid-before="20261124Z"', DAY + 1, DAY + 86400),
    ],
)
def test_validity(text: str, from_: int | None, until: int | None) -> None:
    options = ",".join(part for part in ('namespaces="git"', text) if part)
    (signer,) = parse_allowed_signers(f"a@b {options} ssh-ed25519 {KEY} a comment\n".encode())
    assert (signer.valid_after, signer.valid_before) == (from_, until)
    assert parse_allowed_signers(signer.to_line().encode()) == (signer,)
    assert signer.fingerprint == sshsig.fingerprint(SIGNER.public_key())
    when = from_ or (until or 1)
    assert signer.valid_at(when)
    assert not (from_ and signer.valid_at(from_ - 1))
    assert not (until and signer.valid_at(until + 1))


@pytest.mark.parametrize(
    "line",
    [
        "# a comment",
        "",
        "a@b ssh-rsa AAAAB3NzaC1yc2E=",
        f'a@b namespaces="file" ssh-ed25519 {KEY}',
        f'a@b namespaces="*,!git" ssh-ed25519 {KEY}',
        f"a@b cert-authority ssh-ed25519 {KEY}",
        f"!a@b ssh-ed25519 {KEY}",
        f"# a comment\u2028a@b ssh-ed25519 {KEY}",
    ],
)
def test_lines_that_are_not_about_evidence_are_passed_over(line: str) -> None:
    assert parse_allowed_signers(line.encode()) == ()


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("a@b", "needs principals"),
        (f'a@b namespaces="git", ssh-ed25519 {KEY}', "end with a comma"),
        (f'"a b" ssh-ed25519 {KEY}', "without quotes"),
        (f"a@b\0 ssh-ed25519 {KEY}", "NUL"),
        (f'a@b valid-after="19700101Z" ssh-ed25519 {KEY}', "before 1970"),
        (f'a@b valid-after="20261123Z",valid-before="20261123Z" ssh-ed25519 {KEY}', "not after"),
        ("a@b ssh-ed25519 !!!", "not base64"),
        (f"a@b ssh-ed25519 {KEY[:-8]}", r"base64|cut short"),
        (f'a@b valid-after="20261123" ssh-ed25519 {KEY}', "not in UTC"),
        (f'a@b valid-after="20261323Z" ssh-ed25519 {KEY}', "does not exist"),
        (f'a@b valid-after="never" ssh-ed25519 {KEY}', "not in UTC"),
        (f"a@b valid-after ssh-ed25519 {KEY}", "must be written"),
        (f'a@b until="20261123Z" ssh-ed25519 {KEY}', "unknown"),
        (f'a@b namespaces="git",namespaces="x" ssh-ed25519 {KEY}', "twice"),
        (f'a@b namespaces="git";x="y" ssh-ed25519 {KEY}', "commas"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(line: str, why: str) -> None:
    with pytest.raises(EvidenceError, match=rf"access/allowed_signers:2: .*({why})"):
        parse_allowed_signers(f"# first\n{line}\n".encode())


def test_a_pin_leaves_only_the_named_key() -> None:
    other = LocalSigner(2)
    both = Signers([SIGNER.allowed(), other.allowed()])
    pinned = both.only([other.allowed().fingerprint])
    assert pinned.knows(other.public_key())
    assert not pinned.allows(SIGNER.public_key(), DAY)


@pytest.mark.parametrize(
    ("name", "patterns", "takes_in"),
    [
        ("bot@example.com", "*@example.com", True),
        ("bot@example.com", "b?t@*.com", True),
        ("bot@example.com", "bot@*", True),
        ("bot@example.com", "**t*m", True),
        ("bot@example.com", "bot@example.com?", False),
        ("bot@example.com", "*.org", False),
        ("bot@example.com", "!bot@*,*", False),
        ("bot@example.com", "*,!root@*", True),
        ("aab", "*ab", True),
        ("abab", "*ab?", False),
        ("", "*", True),
        ("", "", True),
        ("", "?", False),
        ("\u00e9", "??", True),  # OpenSSH knows bytes alone
        ("x", "x," + "*" * 1024, False),
    ],
)
def test_patterns_match_as_those_of_openssh(name: str, patterns: str, *, takes_in: bool) -> None:
    assert Comparison().matches(name, patterns) is takes_in


def test_a_pattern_takes_no_more_steps_than_name_times_pattern() -> None:
    name, pattern = "a" * 100, "*a" * 25 + "*b"
    assert not Comparison((len(name) + 1) * (len(pattern) + 1)).matches(name, pattern)
    with pytest.raises(TooManyStepsError):
        Comparison(99).matches(name, pattern)


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (f"{'a' * 1000},{','.join(['*' + 'a' * 400 + 'b'] * 2)} ssh-ed25519 {KEY}\n", 1),
        (
            "".join(
                f'{number} valid-before="20300101Z" ssh-ed25519 {KEY}\n' for number in range(600)
            ),
            473,
        ),
        ("#" * (1 << 20) + "\n", 0),
        ("\n" * 5000, 0),
    ],
    ids=["one line", "many lines", "bytes", "lines"],
)
def test_a_list_that_is_made_to_be_slow_is_refused(data: str, line: int) -> None:
    with pytest.raises(UnreadableListError) as told:
        parse_allowed_signers(data.encode())
    assert told.value.line == line


def test_a_long_list_of_years_is_read() -> None:
    keys = [LocalSigner(seed) for seed in range(1, 41)]
    lines = [key.allowed(valid_before=DAY + at).to_line() for at, key in enumerate(keys)]
    text = "\n".join(["# one a month"] * 40 + lines * 5)
    assert len(parse_allowed_signers(text.encode())) == 200
