"""Openings: deliveries that somebody has opened, as Vault shows them. It does not tell who."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

from daypass.errors import OddSlotError
from daypass.lifecycle.authority import receivers
from daypass.lifecycle.context import WORKERS
from daypass.lifecycle.notes import rows_in
from daypass.lifecycle.plan import CLOCK_GRAIN_SECONDS, Plan, Step
from daypass.lifecycle.ports import SlotState
from daypass.lifecycle.world import accessor_digest
from daypass.model.instant import Instant
from daypass.model.intent import IntentKind
from daypass.model.names import is_name
from daypass.model.resource import IssueMode

if TYPE_CHECKING:
    from collections.abc import Container

    from daypass.lifecycle.context import Ports
    from daypass.lifecycle.observe import Observation
    from daypass.model.catalogue import Catalogue
    from daypass.model.grant import Grant


class Word(StrEnum):
    """How far the question about one opening has come."""

    AWAITED = "awaited"
    SAID = "said"  # the holder has spoken of it
    ALARMED = "alarmed"


@dataclass(frozen=True, slots=True)
class Opening:
    """A delivery that was opened. It outlives its grant until its holder has spoken, or it alarms.

    `holders`: numeric ids of the accounts that it was delivered to. `replaced_at`: when the grant
    was delivered again, if it was.
    """

    grant_id: str
    delivered_at: Instant
    pull_request: int
    holders: tuple[int, ...]
    seen_at: Instant
    word: Word = Word.AWAITED
    replaced_at: Instant | None = None

    @property
    def key(self) -> tuple[str, str]:
        """The delivery: a grant can have two."""
        return self.grant_id, str(self.delivered_at)

    def to_json(self) -> list[Any]:
        """As the note keeps it."""
        times = [str(self.delivered_at), str(self.seen_at)]
        row = [self.grant_id, *times, self.pull_request, list(self.holders), str(self.word)]
        return row if self.replaced_at is None else [*row, str(self.replaced_at)]

    @classmethod
    def from_json(cls, value: list[Any]) -> Self:
        """The inverse of `to_json`. Raises TypeError, ValueError."""
        name, delivered, seen, number, holders, word, *rest = value
        times = Instant.parse(delivered), Instant.parse(seen)
        replaced = Instant.parse(rest[0]) if rest else None
        if not (isinstance(name, str) and is_name(name)):
            raise ValueError("not an id")
        if not all(type(item) is int and item > 0 for item in (number, *rows_in(holders))):
            raise TypeError("not numbers")
        return cls(name, times[0], number, tuple(holders), times[1], Word(word), replaced)


def find_openings(
    ports: Ports,
    seen: Observation,
    plan: Plan,
    catalogue: Catalogue,
    known: Container[tuple[str, str]],
    only: Container[str] | None = None,
) -> list[Opening]:
    """Returns the deliveries that were opened, and that no run has seen opened before.

    `only`: ids to look at; None for all.

    Raises what the ports raise.
    """
    world = seen.world
    ending = {action.grant_id for action in plan.of(Step.END)}
    unknown = [
        grant
        for grant in world.grants.values()
        if grant.pull_request is not None
        and (only is None or grant.id in only)
        and not grant.is_offline
        and (grant.id, str(delivered_at(grant))) not in known
    ]
    over = [grant for grant in unknown if _ended_itself(grant, seen)]
    recent = [
        grant
        for grant in unknown
        if grant.id not in ending
        and world.is_live(grant.accessor)
        and _claimable_until(grant) > world.now
    ]
    with ThreadPoolExecutor(WORKERS) as pool:
        spent = list(pool.map(lambda grant: _is_spent(ports, seen, grant), recent))
    if any(spent):  # what lapsed meanwhile was never opened
        now = ports.issuer.now().plus(CLOCK_GRAIN_SECONDS)
        pairs = zip(recent, spent, strict=True)
        over += [grant for grant, is_spent in pairs if is_spent and now < _claimable_until(grant)]
    return [
        Opening(
            grant.id,
            delivered_at(grant),
            grant.pull_request,
            tuple(sorted(receivers(grant, catalogue))),
            world.now,
        )
        for grant in over
        if grant.pull_request is not None
    ]


def _ended_itself(grant: Grant, seen: Observation) -> bool:
    """Whether its own token ended it, which only the one who opened its delivery has."""
    intent = seen.world.intents.get(grant.id)
    return (
        grant.issue is IssueMode.ON_CLAIM
        and intent is not None
        and (intent.kind, intent.account_id) == (IntentKind.DONE, 0)
    )


def _is_spent(ports: Ports, seen: Observation, grant: Grant) -> bool:
    """Whether its wrapping token is gone, which was delivered before this run looked."""
    try:
        slot = ports.registry.read(grant.id)
    except OddSlotError:
        return False
    if slot is None or slot.state is not SlotState.DELIVERED:
        return False
    wrapping = slot.data.get("wrapping")
    if not isinstance(wrapping, str) or accessor_digest(wrapping) in seen.accessors:
        return False
    if accessor_digest(str(slot.data.get("accessor"))) != grant.accessor:
        return False
    return ports.issuer.lookup(wrapping) is None


def delivered_at(grant: Grant) -> Instant:
    """Returns when what was delivered last was wrapped."""
    return Instant.parse(grant.delivery.time)


def _claimable_until(grant: Grant) -> Instant:
    return delivered_at(grant).plus(grant.delivery.ttl)
