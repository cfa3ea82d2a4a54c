"""The whole plan: what closes the differences, and what today's decisions and the clock end.

`apply` carries it out and `plan` shows it: both ask here, so that one never knows of an end that
the other does not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from daypass.lifecycle.plan import Action, Plan, Step, make_plan
from daypass.lifecycle.reevaluate import DOUBTS, DOUBTS_NOTE, reevaluate
from daypass.lifecycle.unclaimed import find_unclaimed, name_unclaimed
from daypass.model.names import grant_path

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from daypass.lifecycle.context import Answers, Ports
    from daypass.lifecycle.observe import Observation


@dataclass(frozen=True, slots=True)
class WholePlan:
    """The plan, and what a person should know about grants that cannot be decided again."""

    plan: Plan
    doubts: Mapping[str, str] = field(default_factory=dict)  # grant id → in words


def whole_plan(
    ports: Ports,
    seen: Observation,
    answers: Answers,
    *,
    only: frozenset[str] | None,
    remember: bool,
) -> WholePlan:
    """Plan, and decide again for every live grant.

    Args:
        ports: the notes of doubts are read, and written if asked; unclaimed tokens are looked up.
        seen: what was observed.
        answers: today's groups and context.
        only: ids to plan for; None for all. A grant whose record was deleted by hand ends in any
            run: the next signature would make the deletion the bot's own word.
        remember: whether since when a grant is in doubt is noted in Vault.

    Raises what the ports raise.
    """
    world, registry = seen.world, ports.registry
    if only is not None:
        only |= {name for name in world.grants if grant_path(name) in world.tampering.deleted}
    plan = name_unclaimed(ports, _narrow(make_plan(world), only))
    if not world.rulings or not world.grants or world.is_rolled_back:
        return WholePlan(plan)
    ending = {action.grant_id for action in plan.of(Step.END)}
    doubts = dict(DOUBTS.recall(registry) or {})
    rulings = [(catalogue, answers.groups(catalogue)) for catalogue in world.rulings]
    found = reevaluate(world, rulings, ending, doubts, answers.inquiry)
    if remember and found.doubts != doubts:
        registry.write_note(DOUBTS_NOTE, found.doubts)
    ending |= {action.grant_id for action in found.ends}
    unclaimed = find_unclaimed(ports, seen, ending)
    ends = _narrow(Plan((*found.ends, *unclaimed)), only).actions
    kept = _without(plan, {action.grant_id for action in ends}, found.alarms.keys())
    return WholePlan(Plan((*ends, *kept)), found.alarms)


def _without(plan: Plan, ended: Collection[str], doubted: Collection[str]) -> Iterator[Action]:
    """What is still to be done: revoking beats delivering, and a doubt delivers nothing anew."""
    for action in plan.actions:
        again = action.step in (Step.AGAIN, Step.RESUME)
        if action.grant_id not in ended and not (again and action.grant_id in doubted):
            yield action


def _narrow(plan: Plan, only: frozenset[str] | None) -> Plan:
    if only is None:
        return plan
    return Plan(tuple(action for action in plan.actions if action.grant_id in only))
