"""The allowed-signers file: whose signatures make a commit evidence, and for which time.

Format: ALLOWED SIGNERS in ssh-keygen(1). The file in a governed repository names the evidence keys
of the bot, so that stock git can verify with it. What it proves by itself: see `trust`.

No line counts here that does not count for stock git. Some that do are refused: times without a
`Z` (their meaning depends on the reader's time zone), quotes among the principals, and backslashes
in options. A line that cannot be read makes the whole file unreadable: OpenSSH passes over it, and
an evidence key with a slip in its line would be missed only when it has signed.

Anybody who may push can bring a file that is made to be slow. So it is refused from a size on, and
where comparing its principals takes too many steps; no honest file comes near either.
"""

from __future__ import annotations

import base64
import binascii
import calendar
import re
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn, Protocol, Self

from daypass.errors import EvidenceError
from daypass.ledger import sshsig
from daypass.ledger.patterns import Comparison, TooManyStepsError
from daypass.model.names import ALLOWED_SIGNERS_PATH

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from daypass.model.tree import TreeEntry

_OPTION = re.compile(r'([A-Za-z-]+)(?:="([^"\\]*)")?')
_OPTIONS = re.compile(r'((?:[^ \t"]|"[^"]*")+)[ \t]+')
_SPACE: Final = " \t\r\n"
_MOST_BYTES: Final = 1 << 20
_MOST_LINES: Final = 5_000
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


class UnreadableListError(EvidenceError):
    """A list of allowed signers that cannot be read, and in which line (from 1; 0: as a whole)."""

    def __init__(self, why: str, line: int = 0) -> None:
        place = f"{ALLOWED_SIGNERS_PATH}:{line}" if line else ALLOWED_SIGNERS_PATH
        super().__init__(f"{place}: {why}", remedy=_REMEDY)
        self.why = why
        self.line = line


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
    """The keys that are listed in that commit's tree; None where it has no list.

    Whose evidence counts up to there, `counting_signers` says.

    Raises:
        EvidenceError: the file is broken.
    """
    blob = list_at(trees, commit)
    return None if blob is None else Signers.parse(trees.blobs([blob])[blob])


def list_at(trees: Trees, commit: str) -> str | None:
    """The blob of the list in that commit's tree; None where a folder or a link is in its place."""
    for entry in trees.entries(commit, ALLOWED_SIGNERS_PATH):
        if entry.path == ALLOWED_SIGNERS_PATH and entry.is_file:
            return entry.blob
    return None


class _Line(NamedTuple):
    """A line with an Ed25519 key that is no authority's."""

    signer: AllowedSigner
    of_git: bool  # whether its namespaces take commits and tags in


def parse_allowed_signers(data: bytes) -> tuple[AllowedSigner, ...]:
    """Read the file; lines with other kinds of keys, or other namespaces, are passed over.

    git asks OpenSSH for the principals of the first line that has the key then, and after that
    whether the file lets one of them sign. So a line counts only while that one means it, too:
    `!bot@x` excludes itself.

    Raises:
        UnreadableListError: a line that cannot be read, with its number; a time without its `Z`,
            whose meaning would depend on the reader's time zone; a file that is made to be slow.
    """
    _check_size(data)
    comparison = Comparison()
    meant: list[AllowedSigner] = []
    before: dict[bytes, list[AllowedSigner]] = {}
    for number, raw in enumerate(data.split(b"\n"), start=1):
        line = raw.decode("utf-8", "surrogateescape").strip(_SPACE)
        if not line or line.startswith("#"):
            continue
        try:
            found = _parse_line(line, comparison)
            if found is None:
                continue
            same_key = before.setdefault(found.signer.key, [])
            same_key.append(found.signer)
            signer = _as_meant(found.signer, same_key, comparison)
        except (ValueError, TooManyStepsError) as error:
            raise UnreadableListError(str(error), number) from error
        if found.of_git and signer is not None:
            meant.append(signer)
    return tuple(meant)


def _check_size(data: bytes) -> None:
    """Raises UnreadableListError for a file that is too large to be a list of keys."""
    lines = data.count(b"\n") + 1
    if len(data) > _MOST_BYTES or lines > _MOST_LINES:
        raise UnreadableListError(
            f"it has {len(data):,} bytes in {lines:,} lines, and {_MOST_BYTES:,} bytes in "
            f"{_MOST_LINES:,} lines are the most that is read"
        )


def _as_meant(
    signer: AllowedSigner, same_key: Sequence[AllowedSigner], comparison: Comparison
) -> AllowedSigner | None:
    """The last signer of these lines, for the time that no line of its key excludes it."""
    for other in same_key:
        asked = _asked_principals(other.principals)
        if any(comparison.matches(name, signer.principals) for name in asked):
            continue
        if other.valid_before is None or other is same_key[-1]:
            return None
        after = max(other.valid_before + 1, signer.valid_after or 0)
        signer = replace(signer, valid_after=after)
    return signer


def _asked_principals(principals: str) -> list[str]:
    """Those that OpenSSH names for a line: up to an empty one."""
    names = principals.split(",")
    return names[: names.index("")] if "" in names else names


def _parse_line(line: str, comparison: Comparison) -> _Line | None:
    if "\0" in line:
        raise ValueError("there is a NUL in it")
    principals, rest = _word(line)
    if '"' in principals:
        raise ValueError("principals are written without quotes")
    options: dict[str, str] = {}
    if not _is_key_type(_word(rest)[0]):
        found = _OPTIONS.match(rest)
        if found is None:
            raise ValueError("a line needs principals, a key type and a key")
        options, rest = _parse_options(found[1]), rest[found.end() :]
    kind, rest = _word(rest)
    if not _is_key_type(kind):
        raise ValueError("no key type where one is expected")
    key_text, _comment = _word(rest)
    names = ("valid-after", "valid-before")
    after, before = (_time(options[name]) if name in options else None for name in names)
    if after is not None and before is not None and before <= after:
        raise ValueError("valid-before is not after valid-after")
    if kind != sshsig.KEY_TYPE.decode():
        return None
    key = _key(key_text)
    if "cert-authority" in options:
        return None
    return _Line(
        AllowedSigner(principals, key, after, before),
        comparison.matches("git", options.get("namespaces", "*")),
    )


def _word(text: str) -> tuple[str, str]:
    """The first word of a text, and what follows it."""
    word, _space, rest = text.replace("\t", " ").partition(" ")
    return word, rest.lstrip(" ")


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
            if at == len(text):
                raise ValueError("the options end with a comma")
    return options


def _key(text: str) -> bytes:
    try:
        blob = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        _bad("the key is not base64")
    if base64.b64encode(blob).decode() != text:
        _bad("the key is not base64")
    return sshsig.public_key_from_blob(blob)


def _time(text: str) -> int:
    digits = text.removesuffix("Z")
    if digits == text or len(digits) not in _TIME_FORMATS or not re.fullmatch("[0-9]+", digits):
        _bad(f"the time {text!r} is not in UTC: write YYYYMMDDZ or YYYYMMDDHHMMSSZ")
    try:
        seconds = calendar.timegm(time.strptime(digits, _TIME_FORMATS[len(digits)]))
    except ValueError:
        _bad(f"the time {text!r} does not exist")
    if seconds <= 0:
        _bad(f"the time {text!r} is before 1970")
    return seconds


def _time_text(seconds: int) -> str:
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(seconds))


def _bad(what: str) -> NoReturn:
    raise ValueError(what)
