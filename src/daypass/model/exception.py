"""PolicyException: that one rule need not hold for one subject, resource and level, for a while.

It takes nothing but the named rules away. What is given under it is never longer, less recorded or
less reviewed than without it, and somebody answers for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

from daypass.model.instant import Duration, Instant

if TYPE_CHECKING:
    from collections.abc import Mapping

BUILT_IN: Final = "built-in"  # what the rules that are code give as their policy
AUTHENTICATES_ITSELF: Final = "authenticates-itself"
OWN_KEYS: Final = "own-keys"
NO_STATIC_SECRET: Final = "no-static-secret"  # noqa: S105  -- the name of a rule
# The built-in rules that can be excepted. All others hold for everybody.
EXCEPTABLE: Final = (AUTHENTICATES_ITSELF, NO_STATIC_SECRET, OWN_KEYS)
LONGEST: Final = Duration.parse("90d")  # from the begin of an exception to its end


@dataclass(frozen=True, slots=True)
class PolicyException:
    """One exception document. `document` is what the digest of the rules is computed of."""

    name: str
    excepts: tuple[str, ...]  # `policy/rule`, sorted
    subject: str
    resource: str
    access: str
    attributed_to: str  # the person who answers for all that is done under it
    ticket: str
    not_before: Instant
    not_after: Instant
    max_duration: Duration  # of each grant under it
    document: Mapping[str, Any] = field(repr=False)

    @property
    def about(self) -> tuple[str, str, str]:
        """Subject, resource and level."""
        return (self.subject, self.resource, self.access)

    def __str__(self) -> str:
        return (
            f"{self.name}: {', '.join(self.excepts)} for {self.access} on {self.resource} by "
            f"{self.subject}, attributed to {self.attributed_to}, from {self.not_before} until "
            f"{self.not_after}, at most {self.max_duration} each"
        )

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Build from a document that its schema has accepted.

        Raises:
            ValueError: an instant that does not exist.
        """
        spec = document["spec"]
        return cls(
            name=document["metadata"]["name"],
            excepts=tuple(sorted(spec["excepts"])),
            subject=spec["subject"],
            resource=spec["resource"],
            access=spec["access"],
            attributed_to=spec["attributedTo"],
            ticket=spec["ticket"],
            not_before=Instant.parse(spec["notBefore"]),
            not_after=Instant.parse(spec["notAfter"]),
            max_duration=Duration.parse(spec["maxDuration"]),
            document=document,
        )
