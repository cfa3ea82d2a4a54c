"""Unclaimed: access that was approved, and that nobody came for, is over when its claim is.

Only on-claim grants can tell. Where the delivery can be opened no more, and the token still has
both of its uses, it is ended at once; where the grant's own time came first, its delivery is there,
unopened, for a while longer. Both are recorded as lapsed: nothing ever existed behind it. Of one
that was delivered again nobody knows that: its first delivery may have been claimed.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from daypass.errors import OddSlotError
from daypass.lifecycle.context import WORKERS
from daypass.lifecycle.plan import Action, Plan, Step
from daypass.model.event import EventKind, Reason
from daypass.model.instant import Instant
from daypass.model.resource import IssueMode

if TYPE_CHECKING:
    from collections.abc import Container

    from daypass.lifecycle.context import Ports
    from daypass.lifecycle.observe import Observation
    from daypass.lifecycle.ports import Slot
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
        and not grant.is_offline
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


def name_unclaimed(ports: Ports, plan: Plan) -> Plan:
    """The plan, in which what expired and was never claimed is called that.

    Raises what the ports raise.
    """
    over = {
        action.grant_id: action
        for action in plan.of(Step.END)
        if action.kind is EventKind.EXPIRED
        and action.grant is not None
        and action.grant.issue is IssueMode.ON_CLAIM
    }
    if not over:
        return plan
    with ThreadPoolExecutor(WORKERS) as pool:
        named = tuple(pool.map(lambda action: _named(ports, action), over.values()))
    over |= {action.grant_id: action for action in named}
    return Plan(
        tuple(
            over.get(action.grant_id, action) if action.step is Step.END else action
            for action in plan.actions
        )
    )


def _named(ports: Ports, action: Action) -> Action:
    """Its delivery outlives it, unless somebody opens it: while it lives, nobody has."""
    slot = action.slot or _slot(ports, action.grant_id)
    if slot is None or slot.data.get("again"):
        return action
    wrapping = slot.data.get("wrapping")
    if not isinstance(wrapping, str) or ports.issuer.lookup(wrapping) is None:
        return action
    return replace(action, slot=slot, kind=EventKind.LAPSED, reason=Reason.NEVER_CLAIMED)


def _slot(ports: Ports, grant_id: str) -> Slot | None:
    """Its slot; None where it is odd, which tells nothing of a claim."""
    try:
        return ports.registry.read(grant_id)
    except OddSlotError:
        return None


def _claimable_until(grant: Grant) -> Instant:
    """When its delivery can be opened no more."""
    return Instant.parse(grant.delivery.time).plus(grant.delivery.ttl)


def _is_untouched(ports: Ports, seen: Observation, grant: Grant) -> bool:
    slot = _slot(ports, grant.id)
    if slot is None or slot.data.get("again"):
        return False
    state = ports.issuer.lookup(seen.accessors[grant.accessor])
    return state is not None and state.uses_left == UNTOUCHED_USES
