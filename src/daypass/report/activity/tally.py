"""Tallies: the lines of a log that belong to one grant, counted, with one digest over all of them.

The digest is over the lines themselves, in their order, each followed by a line feed. So whoever
keeps the log can make it again, however the files were cut and renamed since.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from daypass.model.instant import Instant

_MOST: Final = 50  # kinds of one thing that are told apart; a holder could make up any number
_OTHERS: Final = "others"


@dataclass(slots=True)
class Tally:
    """What was found in the logs of one server."""

    lines: int = 0  # read in all
    unreadable: int = 0  # too long, or no entry of such a log, among those that name the grant
    tied: int = 0
    first: Instant | None = None
    last: Instant | None = None
    counts: Counter[str] = field(default_factory=Counter)
    addresses: Counter[str] = field(default_factory=Counter)
    _digest: Any = field(default_factory=hashlib.sha256)

    def tie(self, line: bytes, at: Instant | None) -> None:
        """This line belongs to the grant."""
        self.tied += 1
        self._digest.update(line + b"\n")
        if at is not None:
            self.first = at if self.first is None else min(self.first, at)
            self.last = at if self.last is None else max(self.last, at)

    def count(self, what: str) -> None:
        """One more of that."""
        counted(self.counts, what)

    def came_from(self, address: Any) -> None:
        """An address that a line names, if it is one."""
        try:
            counted(self.addresses, str(ipaddress.ip_address(str(address))))
        except ValueError:
            return

    @property
    def digest(self) -> str:
        """`sha256:<hex>` of the tied lines."""
        return f"sha256:{self._digest.hexdigest()}"

    def to_json(self) -> dict[str, Any]:
        """For programs, and for the digest over all of it. Times are RFC 3339."""
        return {
            "linesRead": self.lines,
            "unreadable": self.unreadable,
            "tied": self.tied,
            "digest": self.digest,
            "first": str(self.first) if self.first else None,
            "last": str(self.last) if self.last else None,
            "counts": dict(sorted(self.counts.items())),
            "addresses": dict(sorted(self.addresses.items())),
        }


def counted(counter: Counter[str], what: str) -> None:
    """Count, and lump together what comes after the first few dozen kinds."""
    known = what in counter or len(counter) < _MOST
    counter[what if known else _OTHERS] += 1
