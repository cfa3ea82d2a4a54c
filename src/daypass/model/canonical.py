"""Canonical bytes and digests: RFC 8785 JSON and SHA-256; equal values have equal digests."""

from __future__ import annotations

import hashlib
from typing import Any

import rfc8785


def canonical_json(value: Any) -> bytes:
    """The RFC 8785 form of a JSON value: keys sorted, no white space, UTF-8.

    Raises:
        ValueError: the value is not JSON (a NaN, an integer beyond 2**53, a key that is no string).
    """
    return rfc8785.dumps(value)


def digest(value: Any) -> str:
    """`sha256:<hex>` of the canonical form of a JSON value."""
    return digest_bytes(canonical_json(value))


def digest_bytes(data: bytes) -> str:
    """`sha256:<hex>` of bytes."""
    return "sha256:" + hashlib.sha256(data).hexdigest()
