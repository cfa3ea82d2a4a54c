"""Standstill: what a run does on a main that was put back to an older state.

It ends what people said to end, in Vault alone: the evidence follows once main is whole. It writes
nothing on main, where it would be a second future beside the one that is lost, ends nothing that
main merely lacks, and forgets nothing that Vault remembers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from daypass.errors import DaypassError, OddSlotError, TemporaryError
from daypass.lifecycle.plan import Step
from daypass.lifecycle.world import accessor_digest
from daypass.model.intent import Intent, IntentKind

if TYPE_CHECKING:
    from daypass.lifecycle.context import Ports
    from daypass.lifecycle.observe import Observation
    from daypass.lifecycle.outcome import Outcome
    from daypass.lifecycle.plan import Plan
    from daypass.model.grant import Grant


def stand_still(ports: Ports, seen: Observation, plan: Plan, outcome: Outcome) -> None:
    """End what people ended. A failure is noted, and the next run tries again."""
    for action in plan.of(Step.END):
        if action.grant is None:
            continue
        try:
            if _end(ports, seen, action.grant):
                text = f"{action.reason}: in Vault; the evidence follows once main is whole"
                outcome.add("ended", action.grant_id, text)
        except DaypassError as error:
            cause = f"revoke-failed.{action.grant_id}"
            outcome.fail(action.grant_id, error)
            outcome.alarm(cause, f"{action.grant_id} could not be ended: {error.message}")


def _end(ports: Ports, seen: Observation, grant: Grant) -> bool:
    """Revoke its tokens, and look; whether there were any. Raises what the ports raise."""
    # The part that main lacks may have delivered it again: its slot names that token.
    try:
        slot = ports.registry.read(grant.id)
        second = str(slot.data.get("accessor", "")) if slot is not None else ""
    except OddSlotError as error:
        second = error.accessor
    digests = {grant.accessor, accessor_digest(second)} & seen.accessors.keys()
    if digests and grant.id not in seen.world.intents:
        # A deletion that is lost with this main is remembered, or the end would look like theft.
        intent = Intent(grant.id, IntentKind.REVOKE, 0, seen.world.now)
        ports.registry.write_intent(intent)
    for digest in digests:
        accessor = seen.accessors[digest]
        ports.issuer.revoke(accessor)
        if ports.issuer.lookup(accessor) is not None:
            raise TemporaryError(
                f"a token of {grant.id} still lives after its revocation",
                remedy="The next run tries again. Vault's own log says why.",
            )
    return bool(digests)
