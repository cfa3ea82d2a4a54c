"""Usable: what a restored Vault forgot and may still be used, as the evidence tells it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from daypass.ledger.history import read_event
from daypass.model.instant import Instant

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from daypass.ledger.allowed_signers import Signers
    from daypass.ledger.commitobject import RawCommit
    from daypass.model.event import Event

# No credential is read later than its grant ends, and none lives longer than its tier: ends that
# were recorded longer ago than this are not looked at.
_REACH_SECONDS: Final = 31 * 86400
_MARKED: Final = b"\nDaypass-Usable-Until: "
_COMMITTED_AT: Final = re.compile(rb"\ncommitter [^\n]*> ([0-9]{1,15}) ")


@dataclass(frozen=True, slots=True)
class StillUsable:
    """A grant that has ended, and of which a credential may still work in the target system."""

    grant_id: str
    subject: str
    resource: str
    access: str
    until: Instant

    @classmethod
    def of(cls, event: Event, until: Instant) -> Self:
        """Of the event of its end."""
        names = ("Daypass-Subject", "Daypass-Resource", "Daypass-Access")
        subject, resource, access = (event.first(name) or "-" for name in names)
        return cls(event.grant or "-", subject, resource, access, until)

    @property
    def text(self) -> str:
        """For people."""
        return (
            f"{self.subject} may still log in until {self.until}: {self.access} on "
            f"{self.resource}, opened by {self.grant_id}, which Vault forgot when it was restored"
        )

    @classmethod
    def from_json(cls, value: Mapping[str, str]) -> Self:
        """The inverse of `to_json`."""
        until = Instant.parse(value["mayLogInUntil"])
        return cls(value["grant"], value["subject"], value["resource"], value["access"], until)

    def to_json(self) -> dict[str, str]:
        """For programs, and as a note keeps it."""
        return {
            "grant": self.grant_id,
            "subject": self.subject,
            "resource": self.resource,
            "access": self.access,
            "mayLogInUntil": str(self.until),
        }


def still_usable(
    walk: Iterable[RawCommit], signers: Signers, now: Instant
) -> Iterator[StillUsable]:
    """What ended by Vault's forgetting, and may be used at `now`; the newest end first.

    Raises EvidenceError where an allowed signer signed trailers that cannot be read.
    """
    for commit in walk:
        when = _COMMITTED_AT.search(commit.raw)
        if when is not None and int(when[1]) < now.seconds - _REACH_SECONDS:
            return
        recorded = read_event(commit, signers) if _MARKED in commit.raw else None
        until = recorded.event.first("Daypass-Usable-Until") if recorded is not None else None
        if recorded is not None and until is not None and now < Instant.parse(until):
            yield StillUsable.of(recorded.event, Instant.parse(until))
