"""An account of one grant's use: what each log says, and one digest over all of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from daypass.ledger.compose import safe_text
from daypass.model.canonical import digest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from daypass.report.activity.grant import Wanted
    from daypass.report.activity.postgres_log import PostgresActivity
    from daypass.report.activity.tally import Tally
    from daypass.report.activity.vault_log import VaultActivity

_WIDTH: Final = 16


@dataclass(frozen=True, slots=True)
class Account:
    """None: that log was not given."""

    wanted: Wanted
    vault: VaultActivity | None
    postgres: PostgresActivity | None

    @property
    def digest(self) -> str:
        """`sha256:<hex>` of the grant's id and of the lines tied to it: whoever has them can tell.

        Not of how many other lines there were: a log that is cut elsewhere says the same.
        """
        return digest(
            {
                "grant": self.wanted.grant_id,
                "vault": self.vault.tally.digest if self.vault else None,
                "postgres": self.postgres.tally.digest if self.postgres else None,
            }
        )

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "grant": self.wanted.grant_id,
            "digest": self.digest,
            "vault": self.vault.to_json() if self.vault else None,
            "postgres": self.postgres.to_json() if self.postgres else None,
        }

    def lines(self) -> Iterator[str]:
        """For people; no character of a log can steer a terminal."""
        wanted = self.wanted
        until = f"to {wanted.until}" if wanted.until else "and it has not ended"
        yield f"{wanted.grant_id}: granted from {wanted.since} {until}"
        yield f"digest {self.digest}"
        if self.vault is not None:
            yield "\nVault's audit log"
            yield from (_row(*row) for row in _vault(self.vault))
        if self.postgres is not None:
            yield "\nPostgreSQL's log"
            yield from (_row(*row) for row in _postgres(self.postgres))


def _row(key: str, value: str) -> str:
    return f"  {key:<{_WIDTH}}{safe_text(value)}"


def _vault(found: VaultActivity) -> Iterator[tuple[str, str]]:
    yield from _tally(found.tally, "entries")
    yield "by accessor", f"{found.proven}, which the evidence knows"
    yield "by marks alone", f"{found.hashed}, of which the log hashes the accessor"
    if found.foreign:
        yield "NOT THE GRANT'S", f"{found.foreign} with its marks, of a token it does not know"
    for operation, number in sorted(found.operations.items()):
        yield "asked for", f"{operation}: {number}"
    for at in found.opened:
        yield "opened", str(at)
    if found.refused_to_open:
        yield "opened again", f"refused {found.refused_to_open} times"


def _postgres(found: PostgresActivity) -> Iterator[tuple[str, str]]:
    yield from _tally(found.tally, "lines")
    for user in sorted(found.users):
        yield "user", user
    yield "session time", f"{found.seconds:.3f} s, of sessions that have ended"


def _tally(tally: Tally, what: str) -> Iterator[tuple[str, str]]:
    yield what, f"{tally.tied} of {tally.lines} read, {tally.unreadable} unreadable"
    if tally.first is not None:
        yield "from, to", f"{tally.first}, {tally.last}"
    if tally.counts:
        yield "counted", _pairs(tally.counts)
    if tally.addresses:
        yield "came from", _pairs(tally.addresses)
    yield "digest", tally.digest


def _pairs(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name}: {number}" for name, number in sorted(counts.items()))
