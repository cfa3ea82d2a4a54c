"""World: what git wants and what Vault holds, observed once. `plan` reads nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from daypass.model.canonical import digest_bytes
from daypass.model.grant import Lane
from daypass.model.tree import REGULAR_FILE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daypass.errors import OddSlotError
    from daypass.lifecycle.ports import Slot
    from daypass.lifecycle.restored import Restored
    from daypass.model.catalogue import Catalogue
    from daypass.model.event import Reason, RecordedEvent
    from daypass.model.grant import Grant
    from daypass.model.instant import Instant
    from daypass.model.intent import Intent
    from daypass.model.obligation import Obligation


@dataclass(frozen=True, slots=True)
class RequestFile:
    """A request as it lies on main: which bytes, at which path."""

    grant_id: str
    path: str
    blob: str
    lane: Lane = Lane.ROUTINE
    mode: str = REGULAR_FILE

    @property
    def is_document(self) -> bool:
        """Whether it is a plain file: nothing else is read, or granted."""
        return self.mode == REGULAR_FILE


@dataclass(frozen=True, slots=True)
class Tampering:
    """How the bot's folders on main differ from those of its last signed commit."""

    changed: tuple[str, ...] = ()  # paths edited or forged by hand: put back
    deleted: tuple[str, ...] = ()  # paths removed by hand, or for a while: the grant is revoked


@dataclass(frozen=True, slots=True)
class World:
    """One observation: main was read first, then Vault's live tokens, then Vault's time."""

    now: Instant
    head: str
    catalogue: Catalogue | None  # None when main's documents are broken: then it is frozen too
    ruling: Catalogue | None  # the newest that is proven: by it live grants are decided again
    tip: RecordedEvent | None  # the newest event; None before the first
    requests: Mapping[str, RequestFile]  # on main
    grants: Mapping[str, Grant]  # by the bot's last signed commit, whatever main says
    slots: Mapping[str, Slot]  # of pending ids and of requests without a record
    intents: Mapping[str, Intent]  # by grant id
    live: frozenset[str]  # `sha256:<hex>` of the accessors of all live tokens
    tampering: Tampering = field(default_factory=Tampering)
    frozen: tuple[str, ...] = ()  # why nothing may be granted; what must end still ends
    obligations: Mapping[str, Obligation] = field(default_factory=dict)  # by grant id, as `grants`
    # Grant ids: daypass did not write what Vault remembers of them, so nothing is granted by them.
    odd_slots: Mapping[str, OddSlotError] = field(default_factory=dict)
    # Grant ids: the request lies there as it was granted, and did not all the time since.
    put_back: frozenset[str] = frozenset()
    also_ruling: tuple[Catalogue, ...] = ()  # while it is frozen: a live grant holds under all
    # On a main that was put back: people whom approved changes of it took access from.
    left: Mapping[str, Reason] = field(default_factory=dict)  # name of an identity → why
    restored: Restored | None = None  # main, Vault or both were restored from a backup
    # Grant ids: the token is gone before its time. It is not known yet whether a person ended it
    # (`awaited`), or no person did (`missing`). Both are empty until that was looked for.
    awaited: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()

    @property
    def rulings(self) -> tuple[Catalogue, ...]:
        """Every catalogue that a live grant must hold under; none when nothing is trusted."""
        return (self.ruling, *self.also_ruling) if self.ruling is not None else ()

    @property
    def is_rolled_back(self) -> bool:
        """Whether main lacks what it once held: nothing may be concluded from what it lacks."""
        return self.restored is not None and self.restored.lost is not None

    @property
    def overdue(self) -> tuple[Obligation, ...]:
        """The reviews whose time has passed: who owes them receives nothing."""
        return tuple(item for item in self.obligations.values() if item.is_overdue(self.now))

    def is_live(self, accessor_digest: str) -> bool:
        """Whether the token behind that digest lives."""
        return accessor_digest in self.live


def accessor_digest(accessor: str) -> str:
    """What git may know of an accessor."""
    return digest_bytes(accessor.encode())
