"""Obligation: what is still owed after a grant has ended. The bot's own record, in JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Self

from daypass.model.grant import Lane, emergency_word
from daypass.model.instant import Instant
from daypass.model.names import API_VERSION, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daypass.model.grant import Grant

REVIEW_SECONDS: Final = 24 * 3600  # from its issue, within which an emergency is reviewed
# What is owed. There is one kind so far: somebody not involved reviews an emergency.
REVIEW: Final = "review"


@dataclass(frozen=True, slots=True)
class Obligation:
    """A review that is due for one grant of the emergency lane."""

    grant_id: str
    subject: str
    account_id: int  # numeric GitHub id of whoever broke the glass
    resource: str
    access: str
    incident: str
    drill: bool
    pull_request: int | None  # None: taken offline, so its review is given on the issue
    since: Instant  # when the grant was issued
    due: Instant
    reported: bool = False  # that it is overdue stands in the evidence

    @property
    def lane_word(self) -> str:
        """The lane as evidence names it."""
        return emergency_word(offline=self.is_offline, drill=self.drill)

    @property
    def is_offline(self) -> bool:
        """Whether it was taken of Vault itself, while GitHub was down."""
        return self.pull_request is None

    @classmethod
    def of(cls, grant: Grant) -> Self | None:
        """What a grant leaves owed: a review, if it came by the emergency lane."""
        if grant.lane is not Lane.BREAK_GLASS:
            return None
        return cls(
            grant_id=grant.id,
            subject=grant.subject,
            account_id=grant.requester_id,
            resource=grant.resource,
            access=grant.access,
            incident=grant.decision_input["request"]["ticket"],
            drill=grant.is_drill,
            pull_request=grant.pull_request,
            since=grant.not_before,
            due=grant.not_before.plus(REVIEW_SECONDS),
        )

    def is_overdue(self, now: Instant) -> bool:
        """Whether its time has passed. While it has, its subject receives nothing."""
        return self.due <= now

    def overdue(self) -> Obligation:
        """The same, after its lateness was recorded."""
        return replace(self, reported=True)

    def to_bytes(self) -> bytes:
        """The record as it lies in git: indented JSON, keys in a fixed order."""
        return (json.dumps(self.to_document(), indent=2, ensure_ascii=False) + "\n").encode()

    def to_document(self) -> dict[str, Any]:
        """The record as a document of kind Obligation."""
        return {
            "apiVersion": API_VERSION,
            "kind": str(Kind.OBLIGATION),
            "metadata": {"id": self.grant_id},
            "spec": {
                "owed": REVIEW,
                "subject": {"identity": self.subject, "accountId": self.account_id},
                "resource": self.resource,
                "access": self.access,
                "incident": self.incident,
                "drill": self.drill,
                "pullRequest": self.pull_request,
                "recording": "required",
                "since": str(self.since),
                "due": str(self.due),
            },
            "status": {"state": "overdue" if self.reported else "due"},
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Build from a record that its schema has accepted (or that the bot signed)."""
        spec = document["spec"]
        return cls(
            grant_id=document["metadata"]["id"],
            subject=spec["subject"]["identity"],
            account_id=spec["subject"]["accountId"],
            resource=spec["resource"],
            access=spec["access"],
            incident=spec["incident"],
            drill=spec["drill"],
            pull_request=spec["pullRequest"],
            since=Instant.parse(spec["since"]),
            due=Instant.parse(spec["due"]),
            reported=document["status"]["state"] == "overdue",
        )
