"""DSSE: an envelope that says what was signed and of which type it is.

Format: https://github.com/secure-systems-lab/dsse, protocol and envelope v1.0.2. What is signed
begins with `DSSEv1`, and what git signs with `SSHSIG`: one key can sign both, and neither is ever
taken for the other.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from daypass.ledger.sshsig import fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable


def pre_authentication(payload_type: str, payload: bytes) -> bytes:
    """The bytes that are signed (PAE): type and payload, each after its length in bytes."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def envelope(
    payload_type: str, payload: bytes, public_key: bytes, sign: Callable[[bytes], bytes]
) -> dict[str, Any]:
    """The envelope with one signature; its `keyid` is the key's fingerprint, `SHA256:…`."""
    signature = sign(pre_authentication(payload_type, payload))
    return {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": payload_type,
        "signatures": [
            {"keyid": fingerprint(public_key), "sig": base64.b64encode(signature).decode()}
        ],
    }
