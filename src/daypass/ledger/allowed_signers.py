"""The allowed-signers file: whose signatures make a commit evidence, and for which time.

Format: ALLOWED SIGNERS in ssh-keygen(1). The file in a governed repository names the evidence keys
of the bot, so that stock git can verify with it. What it proves by itself: see `trust`.
"""

from __future__ import annotations

import base64
import binascii
import calendar
import re
import time
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol, Self

from daypass.errors import EvidenceError
from daypass.ledger import sshsig
from daypass.model.names import ALLOWED_SIGNERS_PATH

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from daypass.model.tree import TreeEntry

_OPTION = re.compile(r'([A-Za-z-]+)(?:="([^"]*)")?')
_FIELDS = re.compile(r'(?:[^\s"]|"[^"]*")+')
_TIME_FORMATS: Final = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_REMEDY: Final = (
    'Each line reads: <e-mail> namespaces="git" ssh-ed25519 <base64>, with '
    'valid-after="YYYYMMDDHHMMSSZ" and valid-before= for a rotation.'
)


@dataclass(frozen=True, slots=True)
class AllowedSigner:
    """One key, and the seconds since the epoch from and until which it may sign (inclusive)."""

    principals: str
    key: bytes  # raw, 32 bytes
    valid_after: int | None = None
    valid_before: int | None = None

    @property
    def fingerprint(self) -> str:
        """`SHA256:…`."""
        return sshsig.fingerprint(self.key)

    def valid_at(self, when: int) -> bool:
        """Whether the key may sign a commit of that committer's time."""
        return (self.valid_after is None or self.valid_after <= when) and (
            self.valid_before is None or when <= self.valid_before
        )

    def narrowed_to(self, other: AllowedSigner) -> AllowedSigner:
        """The same key for the time that both allow."""
        after = [item for item in (self.valid_after, other.valid_after) if item is not None]
        before = [item for item in (self.valid_before, other.valid_before) if item is not None]
        return replace(
            self,
            valid_after=max(after, default=None),
            valid_before=min(before, default=None),
        )

    def to_json(self) -> list[Any]:
        """As what was verified is kept."""
        return [self.principals, self.key.hex(), self.valid_after, self.valid_before]

    @classmethod
    def from_json(cls, value: Sequence[Any]) -> Self:
        """The inverse of `to_json`."""
        return cls(value[0], bytes.fromhex(value[1]), value[2], value[3])

    def to_line(self) -> str:
        """The signer as a line of the file, without its line feed."""
        options = ['namespaces="git"']
        if self.valid_after is not None:
            options.append(f'valid-after="{_time_text(self.valid_after)}"')
        if self.valid_before is not None:
            options.append(f'valid-before="{_time_text(self.valid_before)}"')
        blob = base64.b64encode(sshsig.public_key_blob(self.key)).decode()
        return f"{self.principals} {','.join(options)} ssh-ed25519 {blob}"


class Signers:
    """The keys whose signatures count."""

    def __init__(self, signers: Iterable[AllowedSigner]) -> None:
        self._by_key: dict[bytes, list[AllowedSigner]] = {}
        for signer in signers:
            self._by_key.setdefault(signer.key, []).append(signer)

    @classmethod
    def parse(cls, data: bytes) -> Signers:
        """Read an allowed-signers file. Raises EvidenceError, naming the line."""
        return cls(parse_allowed_signers(data))

    def only(self, fingerprints: Iterable[str]) -> Signers:
        """Those among them that are named."""
        wanted = frozenset(fingerprints)
        return Signers(signer for signer in self.all() if signer.fingerprint in wanted)

    def all(self) -> tuple[AllowedSigner, ...]:
        """Every signer, in the order of the file."""
        return tuple(signer for group in self._by_key.values() for signer in group)

    def knows(self, key: bytes) -> bool:
        """Whether the key is allowed at any time."""
        return key in self._by_key

    def allows(self, key: bytes, when: int) -> bool:
        """Whether the key may sign a commit of that committer's time (seconds since the epoch)."""
        return any(signer.valid_at(when) for signer in self._by_key.get(key, ()))

    def counts(self, key: bytes, when: int, commit: str) -> bool:  # noqa: ARG002
        """Whether the key may sign that very commit, which says that committer's time."""
        return self.allows(key, when)

    def may_sign(self, key: bytes) -> bool:
        """Whether the key may sign from now on, as far as is known."""
        return key in self._by_key

    def handed_over(self, key: bytes) -> bool:  # noqa: ARG002
        """Whether main is known to have handed over from that key to another."""
        return False


class Trees(Protocol):
    """Whatever gives the trees and blobs of commits."""

    def entries(self, commit: str, folder: str) -> Sequence[TreeEntry]:
        """All entries below a folder (or the one of a file) of that commit's tree."""

    def blobs(self, ids: Sequence[str]) -> Mapping[str, bytes]:
        """The contents of blobs."""


def signers_at(trees: Trees, commit: str) -> Signers | None:
    """The keys whose evidence counts by that commit's own word; None where it names none.

    Raises:
        EvidenceError: the file is broken.
    """
    entries = trees.entries(commit, ALLOWED_SIGNERS_PATH)
    return Signers.parse(trees.blobs([entries[0].blob])[entries[0].blob]) if entries else None


def parse_allowed_signers(data: bytes) -> tuple[AllowedSigner, ...]:
    """Read the file; lines with other kinds of keys, or other namespaces, are passed over.

    Raises:
        EvidenceError: a line that cannot be read, with its number; a time without its `Z`, whose
            meaning would depend on the reader's time zone.
    """
    signers = []
    for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            try:
                signer = _parse_line(line)
            except ValueError as error:
                raise EvidenceError(
                    f"{ALLOWED_SIGNERS_PATH}:{number}: {error}", remedy=_REMEDY
                ) from error
            if signer is not None:
                signers.append(signer)
    return tuple(signers)


def _parse_line(line: str) -> AllowedSigner | None:
    fields = _FIELDS.findall(line)
    if len(fields) < 3:  # noqa: PLR2004  -- principals, type, key
        raise ValueError("a line needs principals, a key type and a key")
    options: dict[str, str] = {}
    at = 1
    if not _is_key_type(fields[1]):
        options = _parse_options(fields[1])
        at = 2
    if len(fields) < at + 2 or not _is_key_type(fields[at]):
        raise ValueError("no key type where one is expected")
    if fields[at] != sshsig.KEY_TYPE.decode() or "cert-authority" in options:
        return None
    if not _matches("git", options.get("namespaces", "*")):
        return None
    return AllowedSigner(
        principals=fields[0],
        key=_key(fields[at + 1]),
        valid_after=_time(options["valid-after"]) if "valid-after" in options else None,
        valid_before=_time(options["valid-before"]) if "valid-before" in options else None,
    )


def _is_key_type(text: str) -> bool:
    return text.startswith(("ssh-", "ecdsa-", "sk-", "rsa-")) and "=" not in text


def _parse_options(text: str) -> dict[str, str]:
    options: dict[str, str] = {}
    at = 0
    while at < len(text):
        match = _OPTION.match(text, at)
        if match is None:
            raise ValueError("the options cannot be read")
        name, value = match[1].lower(), match[2]
        if name in options or name not in {
            "namespaces",
            "valid-after",
            "valid-before",
            "cert-authority",
        }:
            raise ValueError(f"the option {name} is unknown, or there twice")
        if (value is None) != (name == "cert-authority"):
            raise ValueError(f'the option {name} must be written {name}="…"')
        options[name] = value or ""
        at = match.end()
        if at < len(text):
            if text[at] != ",":
                raise ValueError("options are separated by commas")
            at += 1
    return options


def _matches(name: str, patterns: str) -> bool:
    found = False
    for pattern in patterns.split(","):
        if fnmatchcase(name, pattern.removeprefix("!").replace("[", "[[]")):
            if pattern.startswith("!"):
                return False
            found = True
    return found


def _key(text: str) -> bytes:
    try:
        blob = base64.b64decode(text, validate=True)
    except binascii.Error:
        _bad("the key is not base64")
    return sshsig.public_key_from_blob(blob)


def _time(text: str) -> int:
    digits = text.removesuffix("Z")
    if digits == text or len(digits) not in _TIME_FORMATS or not digits.isascii():
        _bad(f"the time {text!r} is not in UTC: write YYYYMMDDZ or YYYYMMDDHHMMSSZ")
    try:
        return calendar.timegm(time.strptime(digits, _TIME_FORMATS[len(digits)]))
    except ValueError:
        _bad(f"the time {text!r} does not exist")


def _time_text(seconds: int) -> str:
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(seconds))


def _bad(what: str) -> NoReturn:
    raise ValueError(what)
