"""A decision's input as a record keeps it, read as far as somebody looks.

A run reads the record of every live grant, and of most of their inputs only what was frozen at
issue. Of ten thousand inputs in Python's own containers the rest alone takes a hundred megabytes.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final

# What every decision about a live grant asks of its record.
_KEPT: Final = ("version", "request", "requester", "approvals")
_BRANCHES: Final = (dict, list)


class RecordedInput(Mapping[str, Any]):
    """The decision's input in a grant record. The rest is read from its bytes when asked for."""

    __slots__ = ("_kept", "_record", "_whole")

    def __init__(self, record: bytes, value: Mapping[str, Any]) -> None:
        """Keep `record`, the bytes of the whole document, and of its input `value` some parts."""
        self._record = record
        self._kept = {key: _shared(value[key]) for key in _KEPT if key in value}
        self._whole: dict[str, Any] | None = None

    def __getitem__(self, key: str) -> Any:
        """One part of it."""
        if self._whole is None and key in self._kept:
            return self._kept[key]
        return self._all()[key]

    def __iter__(self) -> Iterator[str]:
        """Its keys, in the record's order."""
        return iter(self._all())

    def __len__(self) -> int:
        """How many keys there are."""
        return len(self._all())

    def __repr__(self) -> str:
        """As a dict shows itself."""
        return repr(self._all())

    def _all(self) -> dict[str, Any]:
        if self._whole is None:
            found: dict[str, Any] = json.loads(self._record)["spec"]["decision"]["input"]
            self._whole = found
        return self._whole


def _shared(value: Any) -> Any:
    """The same, with keys that all records share."""
    if type(value) is dict:
        return {
            sys.intern(key): _shared(item) if type(item) in _BRANCHES else item
            for key, item in value.items()
        }
    if type(value) is list:
        return [_shared(item) if type(item) in _BRANCHES else item for item in value]
    return value
