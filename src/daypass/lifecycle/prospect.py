"""Prospect: what apply would make of each request that waits on main. Asks, and touches nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from daypass.errors import DaypassError
from daypass.lifecycle.granting import Order
from daypass.lifecycle.judging import Judge
from daypass.lifecycle.outcome import Outcome
from daypass.lifecycle.plan import Step
from daypass.lifecycle.timing import Wait
from daypass.lifecycle.undecided import UNDECIDED, Undecided
from daypass.lifecycle.undecided_note import UndecidedRequests
from daypass.model.event import EventKind
from daypass.policy.verdict import words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daypass.lifecycle.case import Verdict
    from daypass.lifecycle.context import Answers, Ports
    from daypass.lifecycle.observe import Observation
    from daypass.lifecycle.plan import Plan

SCHEDULED = "scheduled"


@dataclass(frozen=True, slots=True)
class Prospect:
    """What would become of one request.

    `becomes`: an event's kind, `scheduled`, `waiting` (for an answer) or `unknown`.
    """

    becomes: str
    why: tuple[str, ...]


def prospects(
    ports: Ports, seen: Observation, answers: Answers, plan: Plan
) -> Mapping[str, Prospect]:
    """By grant id. While something is not proven nothing is decided, and there is none.

    Raises what the ports raise.
    """
    judge = None if seen.world.frozen else Judge.prepare(ports, answers, seen.world, plan)
    if judge is None:
        return {}
    found = {}
    # A plan notes nothing: what is met here first waits from the first run of apply.
    undecided = UndecidedRequests(
        ports.registry, ports.forge, Outcome(), judge.catalogue.settings.unknown_grace
    )
    for action in plan.of(Step.JUDGE, Step.REFUSE):
        try:
            verdict = judge.judge(action)
            if isinstance(verdict, Undecided):
                verdict = undecided.settle(verdict, seen.world.now)
            found[action.grant_id] = _of(verdict)
        except DaypassError as error:
            found[action.grant_id] = Prospect("unknown", (error.message,))
    return found


def _of(verdict: Verdict) -> Prospect:
    if isinstance(verdict, Order):
        what = f"{verdict.level.name} on {verdict.resource.name} for {verdict.subject.name}"
        return Prospect(str(EventKind.ISSUED), (f"{what}, {words(verdict.seconds)}",))
    if isinstance(verdict, Wait):
        return Prospect(SCHEDULED, (verdict.why,))
    if isinstance(verdict, Undecided):
        return Prospect(UNDECIDED, (verdict.line,))
    return Prospect(str(verdict.kind), verdict.why)
