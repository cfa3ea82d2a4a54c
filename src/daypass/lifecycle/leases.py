"""Leases: what Vault should have ended by now, and which grant it can have been made for.

Vault does not tell which token a lease belongs to. But a lease is made after the token that reads
it, and for a delivery that was read at once no later than the delivery was wrapped. So a lease that
is stuck speaks for the grants of its own time, and for no others of its role.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from daypass.errors import DaypassError
from daypass.model.canonical import digest_bytes
from daypass.model.instant import Instant
from daypass.model.resource import IssueMode

if TYPE_CHECKING:
    from daypass.lifecycle.outcome import Outcome
    from daypass.lifecycle.ports import Issuer
    from daypass.model.grant import Grant

_GRAIN_SECONDS: Final = 2  # a token's beginning is told in whole seconds


@dataclass(frozen=True, slots=True)
class OverdueLease:
    """A lease that should be gone and is not."""

    lease_id: str
    issued_at: Instant | None = None  # None: not told


@dataclass(frozen=True, slots=True)
class Window:
    """The time in which the leases of one token were made; None: not known."""

    since: Instant | None = None
    until: Instant | None = None

    @classmethod
    def of(cls, grant: Grant) -> Self:
        """The window of a grant: it ends where the delivery was wrapped with the credential."""
        wrapping = grant.wrapping if grant.issue is IssueMode.ON_MERGE else None
        until = Instant.parse(wrapping.time).plus(_GRAIN_SECONDS) if wrapping else None
        return cls(grant.not_before.plus(-_GRAIN_SECONDS), until)

    def holds(self, lease: OverdueLease) -> bool:
        """Whether that lease may have been made in it."""
        at = lease.issued_at
        if at is None:
            return True
        return (self.since is None or self.since <= at) and (self.until is None or at <= self.until)


@dataclass(frozen=True, slots=True)
class Overdue:
    """Leases of one role that Vault cannot end, once each was tried."""

    role: str  # with its mount
    leases: tuple[OverdueLease, ...] = ()
    unknown: str | None = None  # why they could not be looked for

    def why(self, window: Window) -> str | None:
        """Why it is not sure that no lease of that time is left; None when it is."""
        if self.unknown is not None:
            return self.unknown
        count = sum(1 for lease in self.leases if window.holds(lease))
        if not count:
            return None
        return (
            f"{count} lease(s) of {self.role} are overdue and cannot be revoked: "
            "Vault's own log says why"
        )

    def tell(self, outcome: Outcome) -> None:
        """Raises an alarm for what is left: it may be of grants that ended before."""
        if self.leases:
            outcome.alarm(
                f"overdue-leases.{digest_bytes(self.role.encode())[7:15]}",
                f"{len(self.leases)} lease(s) of {self.role} are overdue, and Vault cannot end "
                "them: see `Revocation that failed` in docs/operations.md",
            )


def await_leases(issuer: Issuer, mount: str, role: str) -> Overdue:
    """Tries what is overdue once more, and returns what is left.

    The issuer has the patience that a database needs which is only slow. Each lease is tried: what
    keeps one of them alive must not keep the others. That repairs irrevocable ones, too, once the
    cause is gone.
    """
    name = f"{mount}/{role}"
    try:
        overdue = issuer.overdue_leases(mount, role)
    except DaypassError as error:
        return Overdue(name, unknown=error.message)
    return Overdue(name, tuple(lease for lease in overdue if not _ends(issuer, lease)))


def _ends(issuer: Issuer, lease: OverdueLease) -> bool:
    try:
        issuer.revoke_lease(lease.lease_id)
    except DaypassError:
        return False
    return True
