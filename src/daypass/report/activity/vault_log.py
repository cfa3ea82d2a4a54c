"""OpenBao's and Vault's audit log: what a grant's token asked for, and who opened its deliveries.

A token's metadata stands in clear in each of its entries. Anybody who may mint tokens could put the
same there, so the accessor is held against the digest in the evidence, where the log shows it; a
hashed accessor (`hmac_accessor`, the default) cannot be, and that is said.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from daypass.lifecycle.marks import GRANT_MARK, REPOSITORY_MARK
from daypass.model.canonical import digest_bytes
from daypass.model.instant import Instant
from daypass.report.activity.tally import Tally, counted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from daypass.report.activity.grant import Wanted

_HASHED: Final = "hmac-sha256:"
_UNWRAP: Final = "sys/wrapping/unwrap"
_MOST_WRAPPINGS: Final = 64  # a grant has one, and a few when it is claimed or delivered again
_MOST_REFUSED: Final = 10_000
_LONGEST_PATH: Final = 200


@dataclass(slots=True)
class VaultActivity:
    """What the audit log says of one grant's tokens."""

    tally: Tally = field(default_factory=Tally)
    proven: int = 0  # entries of a token whose accessor the evidence knows
    hashed: int = 0  # entries whose accessor is hashed
    foreign: int = 0  # entries with the grant's marks, of a token that the evidence does not know
    operations: Counter[str] = field(default_factory=Counter)  # `read database/creds/x`
    opened: list[Instant] = field(default_factory=list)  # when a delivery was unwrapped
    refused_to_open: int = 0  # a delivery that was asked for again

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            **self.tally.to_json(),
            "accessor": {
                "proven": self.proven,
                "hashed": self.hashed,
                "notInTheEvidence": self.foreign,
            },
            "operations": dict(sorted(self.operations.items())),
            "opened": [str(at) for at in self.opened],
            "refusedToOpen": self.refused_to_open,
        }


def read_vault_log(lines: Iterable[bytes | int], wanted: Wanted) -> VaultActivity:
    """Read entries as the log has them, the oldest first; a number stands for a line too long."""
    reader = _Reader(wanted)
    for line in lines:
        reader.take(line)
    return reader.found


class _Reader:
    def __init__(self, wanted: Wanted) -> None:
        self.found = VaultActivity()
        self._wanted = wanted
        self._name = wanted.grant_id.encode()
        self._marks = {GRANT_MARK: wanted.grant_id, REPOSITORY_MARK: str(wanted.repository_id)}
        self._refused: set[str] = set()  # requests whose refusal was counted
        self._wrappings: set[bytes] = set()  # tokens and accessors of deliveries, as the log shows

    def take(self, line: bytes | int) -> None:
        tally = self.found.tally
        tally.lines += 1
        if isinstance(line, int):
            tally.unreadable += 1  # whose it is cannot be told
            return
        if self._name not in line and not any(word in line for word in self._wrappings):
            return
        entry = _parsed(line)
        if entry is None:
            tally.unreadable += 1
            return
        if self._is_marked(_part(entry, "auth")):
            self._of_token(entry, line)
        elif self._is_marked(_part(_part(entry, "response"), "auth")):
            self._minted(entry, line)
        elif self._is_delivery(entry):
            self._of_delivery(entry, line)

    def _is_marked(self, auth: dict[str, Any]) -> bool:
        metadata = _part(auth, "metadata")
        return all(metadata.get(key) == value for key, value in self._marks.items())

    def _of_token(self, entry: dict[str, Any], line: bytes) -> None:
        """An entry that the grant's own token made."""
        found = self.found
        if not self._knows(_part(entry, "auth").get("accessor")):
            return
        found.tally.tie(line, _time(entry))
        request = _part(entry, "request")
        if not self._is_answered(entry):
            return
        found.tally.came_from(request.get("remote_address"))
        path = str(request.get("path"))[:_LONGEST_PATH]
        counted(found.operations, f"{str(request.get('operation'))[:20]} {path}")
        found.tally.count("refused" if entry.get("error") else "answered")
        self._remember(_part(_part(entry, "response"), "wrap_info"))

    def _minted(self, entry: dict[str, Any], line: bytes) -> None:
        """The entry that brought the token into being, or that handed it over."""
        auth = _part(_part(entry, "response"), "auth")
        if not self._knows(auth.get("accessor")):
            return
        self.found.tally.tie(line, _time(entry))
        if _part(entry, "request").get("path") == _UNWRAP:
            self._opened(entry)
        else:
            self.found.tally.count("minted")
        self._remember(_part(_part(entry, "response"), "wrap_info"))

    def _knows(self, accessor: Any) -> bool:
        """Whether the evidence knows that token; a hashed accessor is taken at its mark's word."""
        if not isinstance(accessor, str) or accessor.startswith(_HASHED):
            self.found.hashed += 1
            return True
        if digest_bytes(accessor.encode()) in self._wanted.accessors:
            self.found.proven += 1
            return True
        self.found.foreign += 1
        return False

    def _remember(self, wrap_info: dict[str, Any]) -> None:
        for key in ("token", "accessor"):
            value = wrap_info.get(key)
            if isinstance(value, str) and value and len(self._wrappings) < _MOST_WRAPPINGS:
                self._wrappings.add(json.dumps(value).encode())

    def _is_answered(self, entry: dict[str, Any]) -> bool:
        """Whether it says what became of a request: its response, or a refusal that has none.

        What is refused before it is looked at has one entry, of the type `request`, with an error;
        what is refused later has two.
        """
        if entry.get("type") == "response":
            return _part(entry, "request").get("id") not in self._refused
        if not entry.get("error"):
            return False
        if len(self._refused) < _MOST_REFUSED:
            self._refused.add(str(_part(entry, "request").get("id")))
        return True

    def _is_delivery(self, entry: dict[str, Any]) -> bool:
        request, auth = _part(entry, "request"), _part(entry, "auth")
        shown = (
            *(auth.get("client_token"), auth.get("accessor"), request.get("client_token")),
            *(request.get("client_token_accessor"), _part(request, "data").get("token")),
        )
        return any(
            isinstance(value, str) and json.dumps(value).encode() in self._wrappings
            for value in shown
        )

    def _of_delivery(self, entry: dict[str, Any], line: bytes) -> None:
        """A delivery was looked at, or opened, by whoever held it."""
        self.found.tally.tie(line, _time(entry))
        request = _part(entry, "request")
        if not self._is_answered(entry):
            return
        self.found.tally.came_from(request.get("remote_address"))
        if request.get("path") == _UNWRAP:
            self._opened(entry)

    def _opened(self, entry: dict[str, Any]) -> None:
        at = _time(entry)
        if entry.get("error"):
            self.found.refused_to_open += 1
        elif at is not None and len(self.found.opened) < _MOST_WRAPPINGS:
            self.found.opened.append(at)


def _parsed(line: bytes) -> dict[str, Any] | None:
    """An entry; None if it is none. What nests deeper than Python follows is none."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None


def _part(value: dict[str, Any], key: str) -> dict[str, Any]:
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def _time(entry: dict[str, Any]) -> Instant | None:
    try:
        return Instant.parse(str(entry.get("time")))
    except ValueError:
        return None
