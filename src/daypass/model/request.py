"""AccessRequest: who asks for which level of which resource, for how long, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from daypass.model.instant import Duration, Instant

if TYPE_CHECKING:
    from collections.abc import Mapping


def asked_of(document: Mapping[str, Any]) -> tuple[str, ...]:
    """All that a request asks the catalogue for: requests that agree in it differ in words only."""
    spec = document["spec"]
    return (spec["subject"], spec["resource"], spec["access"], spec["duration"])


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """One request, as a person wrote it and the schema accepted it.

    `reason` is free text: it is shown to people, escaped, and no decision reads it.
    """

    id: str
    subject: str
    resource: str
    access: str
    duration: Duration
    reason: str
    ticket: str | None = None
    not_before: Instant | None = None
    device: str | None = None
    workload: Mapping[str, Any] | None = None
    renews: str | None = None

    def is_over(self, at: Instant) -> bool:
        """Whether the window that it asks for, if it asks for one, is over at that time."""
        return self.not_before is not None and at.since(self.not_before) >= self.duration.seconds

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Build from a document that its schema has accepted."""
        spec = document["spec"]
        not_before = spec.get("notBefore")
        return cls(
            id=document["metadata"]["id"],
            subject=spec["subject"],
            resource=spec["resource"],
            access=spec["access"],
            duration=Duration.parse(spec["duration"]),
            reason=spec["reason"],
            ticket=spec.get("ticket"),
            not_before=Instant.parse(not_before) if not_before is not None else None,
            device=spec.get("device"),
            workload=spec.get("workload"),
            renews=spec.get("renews"),
        )
