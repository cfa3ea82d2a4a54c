"""Intents: a person's word on a grant: to end it, to deliver it again, or what it was used for.

An intent is noted in Vault before anything is revoked, so that a token that ends early without one
shows as what it may be: a theft. The next run of apply carries it out, or finds it carried out, and
writes the evidence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Self

from daypass.model.event import Reason
from daypass.model.instant import Instant

if TYPE_CHECKING:
    from collections.abc import Mapping


class IntentKind(StrEnum):
    """What is meant."""

    DONE = "done"  # the holder needs it no more
    NOT_ME = "not-me"  # the holder says that another opened the delivery
    REVOKE = "revoke"  # somebody who may, ends it
    HALT = "halt"  # one of many that are ended at once
    REDELIVER = "redeliver"  # a claim that was interrupted, or came too late
    ACTIVITY = "activity"  # what it was used for is to stand in the evidence

    @property
    def ends(self) -> bool:
        """Whether it ends a grant."""
        return self in ENDS


# An end outranks a delivery: revoking beats issuing.
ENDS: Final[Mapping[IntentKind, Reason]] = {
    IntentKind.DONE: Reason.DONE,
    IntentKind.NOT_ME: Reason.REPORTED_STOLEN,
    IntentKind.REVOKE: Reason.REVOKED_BY_HAND,
    IntentKind.HALT: Reason.HALT,
}

_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Usage:
    """What the servers' logs say of an ended grant: a digest and two counts, and never content."""

    digest: str  # `sha256:<hex>`, as `daypass audit activity` makes it
    vault: int | None  # entries of Vault's audit log; None: that log was not read
    postgres: int | None  # lines of PostgreSQL's log

    def to_json(self) -> dict[str, Any]:
        """As an intent keeps it."""
        return {"digest": self.digest, "vault": self.vault, "postgres": self.postgres}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`. Raises ValueError for what can be no such facts."""
        digest, counts = value["digest"], (value["vault"], value["postgres"])
        if not isinstance(digest, str) or _DIGEST.fullmatch(digest) is None:
            raise ValueError("a digest is `sha256:` and 64 hexadecimal digits")
        if not all(item is None or type(item) is int for item in counts):
            raise ValueError("a count is a whole number, or null")
        return cls(digest, *counts)


@dataclass(frozen=True, slots=True)
class Intent:
    """One intent for one grant. Ids only: what a person wrote beside it stays where it is."""

    grant_id: str
    kind: IntentKind
    account_id: int  # numeric GitHub id of whoever meant it; 0: the holder's own token
    at: Instant
    usage: Usage | None = None  # what is to be recorded

    @property
    def ends(self) -> bool:
        """Whether it ends the grant."""
        return self.kind.ends

    @property
    def reason(self) -> Reason:
        """The reason of the event that carries it out."""
        return ENDS.get(self.kind, Reason.INTERRUPTED)

    def to_json(self) -> dict[str, Any]:
        """As Vault's KV keeps it."""
        words = {"kind": str(self.kind), "accountId": self.account_id, "at": str(self.at)}
        return words if self.usage is None else {**words, "usage": self.usage.to_json()}

    @classmethod
    def from_json(cls, grant_id: str, value: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`."""
        return cls(
            grant_id,
            IntentKind(value["kind"]),
            int(value["accountId"]),
            Instant.parse(value["at"]),
            Usage.from_json(value["usage"]) if "usage" in value else None,
        )
