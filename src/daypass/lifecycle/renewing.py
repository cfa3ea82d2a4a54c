"""Renewing: the grant that a request continues, live or ended, as the evidence tells of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daypass.ledger.history import find_events
from daypass.lifecycle.plan import Step
from daypass.model.event import EventKind, Reason
from daypass.policy.asked import Renewed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daypass.lifecycle.context import Ports
    from daypass.lifecycle.plan import Plan
    from daypass.lifecycle.world import World

_ENDS = frozenset({EventKind.EXPIRED, EventKind.REVOKED, EventKind.LAPSED})


def endings(plan: Plan) -> Mapping[str, str]:
    """Why each grant ends that this run ends: revoking beats renewing."""
    return {action.grant_id: str(action.reason) for action in plan.of(Step.END) if action.reason}


def find_renewed(ports: Ports, world: World, ending: Mapping[str, str], grant_id: str) -> Renewed:
    """What that id was given for. A live grant costs nothing; an ended one, the walk back to it.

    Raises what the ports raise.
    """
    grant = world.grants.get(grant_id)
    if grant is not None:
        return Renewed.of(grant, ending.get(grant_id) or grant.state_reason)
    walk = ports.repository.walk(world.head)
    events = [item.event for item in find_events(walk, ports.signers, [grant_id])[grant_id]]
    issued = next((event for event in events if event.kind is EventKind.ISSUED), None)
    if issued is None:
        return Renewed()
    end = next((event for event in events if event.kind in _ENDS), None)
    reason = end.first("Daypass-Reason") if end is not None else None
    return Renewed(
        issued.first("Daypass-Subject"),
        issued.first("Daypass-Resource"),
        issued.first("Daypass-Access"),
        reason or str(Reason.UNCONFIRMED),  # no record and no end: somebody has been at main
    )
