"""Canonical bytes and digests: RFC 8785 JSON and SHA-256; equal values have equal digests."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any, Final

import rfc8785

_INTEGERS: Final = 2**53  # those below it, either way, are exact in every JSON reader

# In JSON without white space: a number that could be written in another way, or is none.
_MANY_FORMS: Final = re.compile(r"[:,\[]-?(?:[0-9]+[.eE]|[0-9]{16}|[NI])")


def canonical_json(value: Any) -> bytes:
    """The RFC 8785 form of a JSON value: keys sorted, no white space, UTF-8.

    Raises:
        ValueError: the value is not JSON (a NaN, an integer beyond 2**53, a key that is no string),
            or it is nested too deeply.
    """
    try:
        if _is_plain(value):
            # Every decision has a digest, and this is the same form ten times as fast.
            text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            return text.encode()
        return rfc8785.dumps(value)
    except RecursionError:
        raise ValueError("the value is nested too deeply") from None


def digest(value: Any) -> str:
    """`sha256:<hex>` of the canonical form of a JSON value."""
    return digest_bytes(canonical_json(value))


def digest_of_read(value: dict[str, Any]) -> str:
    """The same of an object that `json.loads` gave: what it may hold is known.

    Raises:
        ValueError: as `canonical_json`.
    """
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    except RecursionError:
        raise ValueError("the value is nested too deeply") from None
    if text.isascii() and _MANY_FORMS.search(text) is None:
        return digest_bytes(text.encode())
    return digest(value)


def digest_bytes(data: bytes) -> str:
    """`sha256:<hex>` of bytes."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def _is_plain(value: Any) -> bool:
    """Whether Python's own JSON has but one form for it, the canonical one.

    Not so: floats, integers that are not exact, and keys that UTF-16 may sort in another order.
    """
    waiting = [value]
    while waiting:
        item = waiting.pop()
        kind = type(item)
        if kind is dict:
            try:
                if not "".join(item).isascii():
                    return False
            except TypeError:
                return False
            waiting.extend(item.values())
        elif kind is list or kind is tuple:
            waiting.extend(item)
        elif kind is int:
            if not -_INTEGERS < item < _INTEGERS:
                return False
        elif kind is not str and kind is not bool and item is not None:
            return False
    return True
