"""OCSF 1.8: class 3005, User Access Management, one event a line.

Source: https://schema.ocsf.io/1.8.0/classes/user_access. Times are milliseconds since the epoch.
Events that concern no grant (drift of a token, a change of policies) are no access management of a
user, and have no line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from daypass.model.event import EventKind
from daypass.report.drafts import requester_of
from daypass.report.exports.told import happened_at, recorded_at, trailers

if TYPE_CHECKING:
    from daypass.model.event import RecordedEvent
    from daypass.model.instant import Instant
    from daypass.report.exports.told import Origin

VERSION: Final = "1.8.0"
_CATEGORY: Final = (3, "Identity & Access Management")
_CLASS: Final = (3005, "User Access Management")
_ASSIGN: Final = (1, "Assign Privileges")
_REVOKE: Final = (2, "Revoke Privileges")
_OTHER: Final = 99
_ACTIVITIES: Final = {
    EventKind.ISSUED: _ASSIGN,
    EventKind.DENIED: _ASSIGN,
    EventKind.REJECTED: _ASSIGN,
    EventKind.WITHDRAWN: _ASSIGN,
    EventKind.LAPSED: _ASSIGN,
    EventKind.EXPIRED: _REVOKE,
    EventKind.REVOKED: _REVOKE,
    EventKind.REVOKE_FAILED: _REVOKE,
}
_FAILURES: Final = frozenset(
    {
        EventKind.DENIED,
        EventKind.REJECTED,
        EventKind.WITHDRAWN,
        EventKind.LAPSED,
        EventKind.REVOKE_FAILED,
    }
)
_SEVERITIES: Final = {1: "Informational", 2: "Low", 3: "Medium", 4: "High"}
_SEVERITY: Final = {
    EventKind.DENIED: 2,
    EventKind.EVIDENCE_GAP: 3,
    EventKind.REVIEW_OVERDUE: 3,
    EventKind.DRIFT: 3,
    EventKind.REVOKE_FAILED: 4,
}
_EMERGENCY: Final = 3  # the emergency lane was used, for an exercise too


def user_access(recorded: RecordedEvent, origin: Origin) -> dict[str, Any] | None:
    """One event as OCSF; None if it concerns no grant."""
    event = recorded.event
    if event.grant is None:
        return None
    said = trailers(recorded)
    number, name = _ACTIVITIES.get(event.kind, (_OTHER, str(event.kind)))
    severity = _SEVERITY.get(event.kind, 1)
    if event.kind is EventKind.ISSUED and "Daypass-Lane" in said:
        severity = _EMERGENCY
    failed = event.kind in _FAILURES
    subject, resource = said.get("Daypass-Subject"), said.get("Daypass-Resource")
    access = said.get("Daypass-Access")
    return {
        "activity_id": number,
        "activity_name": name,
        "category_uid": _CATEGORY[0],
        "category_name": _CATEGORY[1],
        "class_uid": _CLASS[0],
        "class_name": _CLASS[1],
        "type_uid": _CLASS[0] * 100 + number,
        "type_name": f"{_CLASS[1]}: {name}",
        "time": _milliseconds(happened_at(recorded)),
        "severity_id": severity,
        "severity": _SEVERITIES[severity],
        "status_id": 2 if failed else 1,
        "status": "Failure" if failed else "Success",
        **({"status_code": said["Daypass-Reason"]} if "Daypass-Reason" in said else {}),
        "message": f"{event.kind}: {event.grant}",
        "metadata": _metadata(recorded, origin),
        "actor": _actor(said),
        "user": {"name": subject or "unknown"},
        "privileges": [access] if access else [],
        **({"resources": [{"name": resource}]} if resource else {}),
        "unmapped": {"trailers": said, "previous": recorded.previous},
    }


def _metadata(recorded: RecordedEvent, origin: Origin) -> dict[str, Any]:
    return {
        "version": VERSION,
        "product": {"name": "daypass", "vendor_name": "daypass", "version": origin.version},
        "uid": recorded.commit,
        "sequence": recorded.sequence,
        "event_code": str(recorded.event.kind),
        "correlation_uid": recorded.event.grant,
        "log_name": "evidence",
        "log_provider": origin.repository,
        "log_source": origin.url,
        "logged_time": _milliseconds(recorded_at(recorded)),
    }


def _actor(said: dict[str, Any]) -> dict[str, Any]:
    """Who asked, as far as the event says; and that daypass carried it out."""
    name, account = requester_of(said)
    user: dict[str, Any] = {}
    if name is not None:
        user["name"] = name
    if account is not None:
        user["uid"] = str(account)
    return {"app_name": "daypass", **({"user": user} if user else {})}


def _milliseconds(when: Instant) -> int:
    return when.nanoseconds // 1_000_000
