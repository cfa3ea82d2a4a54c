"""in-toto: one statement a grant, about the record that the bot wrote, with all its events.

Source: https://github.com/in-toto/attestation/blob/v1.1.0/spec/v1/statement.md. The statement names
the record by its blob in git, so that it can be held against any clone; `ledger.dsse` signs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from daypass.model.canonical import digest_bytes
from daypass.model.event import EventKind
from daypass.model.names import grant_path
from daypass.report.exports.told import happened_at, recorded_at, trailers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daypass.model.event import RecordedEvent
    from daypass.report.exports.told import Origin

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
STATEMENT: Final = "https://in-toto.io/Statement/v1"
PREDICATE: Final = "https://daypass.dev/evidence/grant/v1"
_ENDS: Final = frozenset({EventKind.EXPIRED, EventKind.REVOKED, EventKind.LAPSED})


def statement(
    events: Sequence[RecordedEvent], record: tuple[str, bytes], origin: Origin
) -> dict[str, Any]:
    """The statement of one grant.

    Args:
        events: its events, oldest first; the first one issued it.
        record: the blob of its record as it was issued, and the content.
        origin: where the evidence comes from.
    """
    issued = events[0]
    blob, content = record
    said = trailers(issued)
    end = next((item for item in reversed(events) if item.event.kind in _ENDS), None)
    grant = str(issued.event.grant)
    return {
        "_type": STATEMENT,
        "subject": [
            {
                "name": grant_path(grant),
                "digest": {
                    "gitBlob": blob,
                    "sha256": digest_bytes(content).removeprefix("sha256:"),
                },
            }
        ],
        "predicateType": PREDICATE,
        "predicate": {
            "grant": grant,
            "repository": origin.url,
            "issuedIn": {"gitCommit": issued.commit},
            "subject": said.get("Daypass-Subject"),
            "resource": said.get("Daypass-Resource"),
            "access": said.get("Daypass-Access"),
            "notBefore": said.get("Daypass-Not-Before"),
            "notAfter": said.get("Daypass-Not-After"),
            "endedAt": str(happened_at(end)) if end else None,
            "events": [_event(item) for item in events],
        },
    }


def _event(recorded: RecordedEvent) -> dict[str, Any]:
    return {
        "event": str(recorded.event.kind),
        "sequence": recorded.sequence,
        "commit": {"gitCommit": recorded.commit},
        "recordedAt": str(recorded_at(recorded)),
        "trailers": trailers(recorded),
    }
