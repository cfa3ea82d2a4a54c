"""What a grant's record adds to its trailers: the lane, and what was decided on."""

from __future__ import annotations

import json
import sys
from typing import Any

from daypass.model.canonical import digest
from daypass.model.grant import Grant, Lane
from daypass.model.instant import Duration
from daypass.report.story import RecordFacts


def read_record(content: bytes, *, check_input: bool) -> RecordFacts | None:
    """The facts of a record; None if it is none. `check_input`: compute the input's digest too.

    Whether a record agrees with its trailers is for `daypass audit verify` to say; here, what
    cannot be read is not said.
    """
    try:
        spec = json.loads(content)["spec"]
        vault, decision = spec["vault"], spec["decision"]
        asked = decision["input"]
        subject, resource = _part(asked, "subject"), _part(asked, "resource")
        return RecordFacts(
            lane=Lane(spec["lane"]),
            renews=_word(spec["request"], "renews"),
            issue=sys.intern(str(vault["issue"])),
            tier_seconds=Duration.parse(vault["tier"]).seconds,
            asked_seconds=_number(_part(asked, "request"), "durationSeconds"),
            subject_type=_word(subject, "type"),
            sensitivity=_word(resource, "sensitivity"),
            environment=_word(resource, "environment"),
            resource_type=_word(resource, "type"),
            resource_seconds=_number(resource, "maxDurationSeconds"),
            recording=_word(resource, "recording"),
            names=tuple(
                (item["accountId"], sys.intern(item["identity"]))
                for item in spec["approvals"]
                if isinstance(item["identity"], str)
            ),
            context=_context(_part(asked, "context")),
            input_matches=not check_input or digest(asked) == decision["digest"],
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def read_grant(content: bytes) -> Grant | None:
    """A whole record; None if it is none."""
    try:
        return Grant.from_document(json.loads(content))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _context(sources: dict[str, Any]) -> bool | None:
    """Whether every context source that is required was known; None if none is required."""
    wanted = [item["status"] for item in sources.values() if item.get("required")]
    return all(status == "known" for status in wanted) if wanted else None


def _part(value: Any, key: str) -> dict[str, Any]:
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def _word(value: dict[str, Any], key: str) -> str | None:
    found = value.get(key)
    return sys.intern(found) if isinstance(found, str) else None


def _number(value: dict[str, Any], key: str) -> int | None:
    found = value.get(key)
    return found if isinstance(found, int) else None
