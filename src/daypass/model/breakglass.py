"""BreakGlassRequest: the emergency lane. Nobody approves before; somebody reviews afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from daypass.model.instant import Duration
from daypass.model.request import AccessRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

# A drill takes the whole way of an emergency, and is over at once.
DRILL_DURATION: Final = Duration(60)


@dataclass(frozen=True, slots=True)
class BreakGlassRequest:
    """One emergency, as its invoker wrote it and the schema accepted it.

    `asked` is what decisions see of it: the same shape as of any request, with the incident in the
    place of the ticket.
    """

    asked: AccessRequest
    incident: str
    drill: bool

    @property
    def id(self) -> str:
        """The request's id, and its file's stem."""
        return self.asked.id

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Build from a document that its schema has accepted."""
        spec = document["spec"]
        asked = AccessRequest(
            id=document["metadata"]["id"],
            subject=spec["subject"],
            resource=spec["resource"],
            access=spec["access"],
            duration=Duration.parse(spec["duration"]),
            reason=spec["reason"],
            ticket=spec["incident"],
        )
        return cls(asked, spec["incident"], spec.get("drill", False))
