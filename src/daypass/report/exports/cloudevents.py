"""CloudEvents 1.0, structured JSON: one event a line.

Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md. `id` is the commit, so
that what is exported twice is known as the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from daypass.report.exports.told import happened_at, recorded_at, trailers

if TYPE_CHECKING:
    from daypass.model.event import RecordedEvent
    from daypass.report.exports.told import Origin

_TYPE: Final = "dev.daypass.evidence.v1."


def cloud_event(recorded: RecordedEvent, origin: Origin) -> dict[str, Any]:
    """One event of the evidence as a CloudEvent. Times are RFC 3339, in UTC."""
    event = recorded.event
    subject = {} if event.grant is None else {"subject": event.grant}
    return {
        "specversion": "1.0",
        "id": recorded.commit,
        "source": origin.url,
        "type": f"{_TYPE}{event.kind}",
        **subject,
        "time": str(happened_at(recorded)),
        "datacontenttype": "application/json",
        "data": {
            "event": str(event.kind),
            "grant": event.grant,
            "sequence": recorded.sequence,
            "previous": recorded.previous,
            "commit": recorded.commit,
            "recordedAt": str(recorded_at(recorded)),
            "trailers": trailers(recorded),
        },
    }
