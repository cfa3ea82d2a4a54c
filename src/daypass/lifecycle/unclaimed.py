"""Unclaimed: access that was approved, and that nobody came for, is over when its claim is.

Only on-claim grants can tell: their token still has both of its uses. What cannot be claimed any
more is ended at once, and recorded as lapsed: nothing ever existed behind it.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from daypass.lifecycle.context import WORKERS
from daypass.lifecycle.plan import Action, Step
from daypass.model.event import EventKind, Reason
from daypass.model.instant import Instant
from daypass.model.resource import IssueMode

if TYPE_CHECKING:
    from collections.abc import Container

    from daypass.lifecycle.context import Ports
    from daypass.lifecycle.observe import Observation
    from daypass.model.grant import Grant

UNTOUCHED_USES: Final = 2  # of a grant token that was never used; one read leaves one


def find_unclaimed(ports: Ports, seen: Observation, ending: Container[str]) -> tuple[Action, ...]:
    """An end for each on-claim grant whose delivery can no longer be opened and never was.

    Raises what the ports raise.
    """
    world = seen.world
    late = [
        grant
        for grant in world.grants.values()
        if grant.issue is IssueMode.ON_CLAIM
        and grant.id not in ending
        and grant.id not in world.intents
        and _claimable_until(grant) < world.now
        and grant.accessor in seen.accessors
    ]
    with ThreadPoolExecutor(WORKERS) as pool:
        untouched = tuple(pool.map(lambda grant: _is_untouched(ports, seen, grant), late))
    return tuple(
        Action(
            Step.END,
            grant.id,
            world.requests.get(grant.id),
            grant,
            world.slots.get(grant.id),
            EventKind.LAPSED,
            Reason.NEVER_CLAIMED,
        )
        for grant, never in zip(late, untouched, strict=True)
        if never
    )


def _claimable_until(grant: Grant) -> Instant:
    """When its delivery, which may be its second one, can be opened no more."""
    return Instant.parse(grant.wrapping.time).plus(grant.wrapping.ttl)


def _is_untouched(ports: Ports, seen: Observation, grant: Grant) -> bool:
    state = ports.issuer.lookup(seen.accessors[grant.accessor])
    return state is not None and state.uses_left == UNTOUCHED_USES
