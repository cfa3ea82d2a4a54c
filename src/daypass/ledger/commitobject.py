"""Commit objects as git stores them: read anybody's, build our own, and find what was signed.

Bytes throughout: commits of others may be in any encoding, or in none, and must not stop a walk.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Protocol

SIGNATURE_HEADER: Final = b"gpgsig"
_PERSON_TIME = re.compile(rb".*> ([0-9]{1,15}) [+-][0-9]{4}", re.DOTALL)
# A commit that the bot signed: these headers in this order, the one signature last. git reads a
# tree first and parents right after it, and nothing at all of a commit that begins otherwise; an
# `encoding` would give its message other words in git's eyes than in ours; a time of 0 is no time
# to git. So whatever else a signed commit holds, its signature counts for nothing here.
_SIGNED = re.compile(
    rb"tree [0-9a-f]{40}\n(?:parent [0-9a-f]{40}\n)*author [^\n]*\n"
    rb"committer [^\n]*> [1-9][0-9]{0,14} [+-][0-9]{4}(?P<header>\n"
    rb"gpgsig (?P<signature>[^\n]*(?:\n [^\n]*)*))\n\n"
)
# The last second that has a date. git stores any number, and whoever commits chooses it.
_LAST_SECOND: Final = 253_402_300_799
_NAME = re.compile(r"[^<>\n\x00-\x1f]+")


class RawCommit(Protocol):
    """A commit as the repository hands it out: its id, and its whole content."""

    @property
    def sha(self) -> str:
        """The object id, 40 hex digits."""

    @property
    def raw(self) -> bytes:
        """Headers and message, as stored."""


@dataclass(frozen=True)
class ParsedCommit:
    """A commit taken apart; headers in order, a continued one joined by line feeds."""

    raw: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    message: bytes

    def _all(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.headers if key == name]

    @property
    def tree(self) -> str | None:
        """The id of its tree; None if the object has no such header."""
        return next((value.decode("ascii", "replace") for value in self._all(b"tree")), None)

    @property
    def parents(self) -> tuple[str, ...]:
        """The ids of its parents, the first one first."""
        return tuple(value.decode("ascii", "replace") for value in self._all(b"parent"))

    @property
    def committed_at(self) -> int | None:
        """The committer's time in seconds since the epoch; None if it cannot be read."""
        return _time_of(self._all(b"committer"))

    @property
    def authored_at(self) -> int | None:
        """The author's time in seconds since the epoch; None if it cannot be read."""
        return _time_of(self._all(b"author"))

    @property
    def title(self) -> str:
        """The first line of the message, for people to read."""
        return self.message.split(b"\n", 1)[0].decode("utf-8", "replace")

    @cached_property
    def signature(self) -> bytes | None:
        """The signature as it was armoured, or None.

        It is empty, and so no good one, where there is more than one signature header (anyone
        could add a second), or any header that the bot does not write, or a NUL (where git ends
        the message, and a signature does not).
        """
        if self._signed is not None:
            return self._signed["signature"].replace(b"\n ", b"\n") + b"\n"
        return b"" if any(key.startswith(SIGNATURE_HEADER) for key, _ in self.headers) else None

    @cached_property
    def signed_payload(self) -> bytes:
        """The very bytes that the signature is of: the object without the signature's header."""
        if self._signed is None:
            return self.raw
        begin, end = self._signed.span("header")
        return self.raw[:begin] + self.raw[end:]

    @cached_property
    def _signed(self) -> re.Match[bytes] | None:
        return None if b"\0" in self.raw else _SIGNED.match(self.raw)


def parse_commit(raw: bytes) -> ParsedCommit:
    """Take a commit apart. Never fails: what is not there is None or empty."""
    head, _separator, message = raw.partition(b"\n\n")
    headers: list[tuple[bytes, bytes]] = []
    for line in head.rstrip(b"\n").split(b"\n"):
        if line.startswith(b" ") and headers:
            name, value = headers[-1]
            headers[-1] = (name, value + b"\n" + line[1:])
        else:
            name, _space, value = line.partition(b" ")
            headers.append((name, value))
    return ParsedCommit(raw, tuple(headers), message)


@dataclass(frozen=True, slots=True)
class CommitDraft:
    """A commit to be: one parent, one person, one time, in UTC."""

    tree: str
    parent: str
    name: str
    email: str
    seconds: int
    message: str

    def payload(self) -> bytes:
        """The object without a signature: the bytes that are signed.

        Raises:
            ValueError: a name or address that git could not read back, or a NUL in the message.
        """
        if not (_NAME.fullmatch(self.name.strip()) and _NAME.fullmatch(self.email.strip())):
            raise ValueError(f"{self.name!r} <{self.email!r}> cannot be written into a commit")
        if "\0" in self.message:
            raise ValueError("a commit message cannot hold a NUL")
        person = f"{self.name.strip()} <{self.email.strip()}> {self.seconds} +0000"
        head = f"tree {self.tree}\nparent {self.parent}\nauthor {person}\ncommitter {person}\n\n"
        return (head + self.message).encode()


def with_signature(payload: bytes, armoured: bytes) -> bytes:
    """The object with a signature header at the end of its headers, where git puts it."""
    head, _separator, message = payload.partition(b"\n\n")
    folded = armoured.rstrip(b"\n").replace(b"\n", b"\n ")
    return head + b"\n" + SIGNATURE_HEADER + b" " + folded + b"\n\n" + message


def _time_of(people: list[bytes]) -> int | None:
    match = _PERSON_TIME.fullmatch(people[0]) if people else None
    seconds = int(match[1]) if match else None
    return seconds if seconds is None or seconds <= _LAST_SECOND else None
