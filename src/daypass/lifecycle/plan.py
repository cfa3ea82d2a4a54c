"""Plan: compare what git wants with what Vault holds, and say what closes each difference. Pure.

Level-triggered: it looks at states, never at events, so a push, a schedule, a re-run and a run
that follows a killed one all come to the same plan.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from daypass.lifecycle.ports import Slot, SlotState
from daypass.model.decision import Effect
from daypass.model.event import EventKind, Reason
from daypass.model.grant import Grant, GrantState
from daypass.model.intent import IntentKind
from daypass.model.names import grant_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daypass.lifecycle.world import RequestFile, World
    from daypass.model.instant import Instant


# Vault tells its time in whole seconds: a token that ended within this last second has expired.
CLOCK_GRAIN_SECONDS: Final = 2


class Step(StrEnum):
    """What is to be done about one id."""

    JUDGE = "judge"  # a request that nobody has decided: grant it, or refuse it
    RESUME = "resume"  # minted by a run that did not get to its evidence
    DELIVER = "deliver"  # evidence is on main, the delivery is not posted
    REFUSE = "refuse"  # refused by a run that did not get to its evidence
    NOTIFY = "notify"  # refused, on main; the notice is not posted
    END = "end"  # its time is up, or it is to be revoked
    ABANDON = "abandon"  # its request went away before the evidence: what was minted is revoked
    AGAIN = "again"  # to be delivered once more: what is left of the time is minted anew
    WRITE_DOWN = "write-down"  # taken offline, and found by a run that did not write it
    SETTLE = "settle"  # nothing left but the note that work was under way


@dataclass(frozen=True, slots=True)
class Judged:
    """A decision that ends a live grant, as its evidence tells it."""

    effect: str
    input_digest: str
    policy_digest: str
    decision_input: str  # canonical JSON
    why: tuple[str, ...]
    zones: tuple[str, ...] = ()  # not known here, and nothing else is in doubt: it cannot end


@dataclass(frozen=True, slots=True)
class Action:
    """One step for one id, with all that the step needs to know."""

    step: Step
    grant_id: str
    request: RequestFile | None = None
    grant: Grant | None = None
    slot: Slot | None = None
    kind: EventKind | None = None
    reason: Reason | None = None
    judged: Judged | None = None
    asked_at: Instant | None = None  # of an end: when a person asked for it

    @property
    def is_unbidden(self) -> bool:
        """Whether it revokes something that neither time nor a person's own act has ended.

        These are what `--max` counts: a mistake in a policy or a checkout shows as many of them.
        """
        if self.grant is not None and self.grant.state is GrantState.REVOKE_FAILED:
            return False  # an end that was begun is carried on, however many there are
        return self.step is Step.END and self.reason in (
            Reason.RECORD_DELETED,
            Reason.REEVALUATED,
            Reason.REQUEST_CHANGED,
            Reason.UNKNOWN_CONTEXT,
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """All actions, endings first: revoking beats issuing."""

    actions: tuple[Action, ...]

    def of(self, *steps: Step) -> tuple[Action, ...]:
        """The actions of these steps, in order."""
        return tuple(action for action in self.actions if action.step in steps)


def make_plan(world: World) -> Plan:
    """What closes every difference between main and Vault. Reads the world, touches nothing."""
    actions = sorted(_actions(world), key=lambda action: (_order(action), action.grant_id))
    return Plan(tuple(actions))


def _order(action: Action) -> int:
    first = (Step.END, Step.ABANDON, Step.WRITE_DOWN, Step.REFUSE, Step.RESUME, Step.JUDGE)
    return first.index(action.step) if action.step in first else len(first)


def vanished(world: World) -> tuple[Grant, ...]:
    """The grants with tokens that are gone before their time, as far as this world tells why."""
    return tuple(
        grant
        for grant in world.grants.values()
        if _why_ended(world, grant) == (EventKind.REVOKED, Reason.VANISHED)
    )


def _actions(world: World) -> Iterator[Action]:
    if world.is_rolled_back:
        yield from _ends_that_people_said(world)
        return
    for grant in world.grants.values():
        yield from _for_grant(world, grant)
    for request in world.requests.values():
        slot = world.slots.get(request.grant_id)
        if request.grant_id in world.grants or request.grant_id in world.odd_slots:
            continue
        if request.is_document:
            yield _for_new_request(world, request)
        elif slot is not None:
            yield _for_leftover(slot, Reason.REQUEST_CHANGED)
    for slot in world.slots.values():
        if slot.grant_id not in world.requests and slot.grant_id not in world.grants:
            yield _for_leftover(slot)


def _ends_that_people_said(world: World) -> Iterator[Action]:
    """All that may be done on a main that was put back: what it lacks may be a live grant."""
    for grant in world.grants.values():
        intent = world.intents.get(grant.id)
        reason = intent.reason if intent is not None and intent.ends else None
        if reason is None and grant.id not in world.requests:
            reason = Reason.REQUEST_DELETED
        reason = reason or world.left.get(grant.subject)
        slot = world.slots.get(grant.id)
        if reason is not None:
            kind = EventKind.REVOKED
            yield Action(Step.END, grant.id, grant=grant, slot=slot, kind=kind, reason=reason)


def _for_grant(world: World, grant: Grant) -> Iterator[Action]:
    """A grant on main: it ends, or it stays, and its delivery may be due."""
    end = _why_ended(world, grant)
    request = world.requests.get(grant.id)
    slot = world.slots.get(grant.id)
    intent = world.intents.get(grant.id)
    if end is not None:
        kind, reason = end
        asked_at = intent.at if intent is not None and intent.ends else None
        yield Action(Step.END, grant.id, request, grant, slot, kind, reason, asked_at=asked_at)
    elif intent is not None and intent.kind is IntentKind.REDELIVER:
        # Ends have gone the way above; what a grant was used for is recorded once it has ended.
        yield Action(_second_delivery(world, grant, slot), grant.id, request, grant, slot)
    elif slot is not None:
        step = Step.DELIVER if slot.state is SlotState.MINTED else Step.SETTLE
        yield Action(step, grant.id, request, grant, slot)


def _why_ended(world: World, grant: Grant) -> tuple[EventKind, Reason] | None:
    """The reason why a grant must end now, or None while it may stay.

    A person's act is named before the clock: it tells more about what happened.
    """
    reason: Reason | None = None
    intent = world.intents.get(grant.id)
    if intent is not None and intent.ends:
        reason = intent.reason
    elif grant_path(grant.id) in world.tampering.deleted:
        reason = Reason.RECORD_DELETED
    elif (touched := _touched(world, grant)) is not None:
        reason = touched
    elif grant.id in world.missing:  # before the clock: the wait for an answer hides no theft
        reason = Reason.VANISHED
    elif grant.not_after <= world.now:
        return EventKind.EXPIRED, Reason.TIME
    elif grant.state is GrantState.REVOKE_FAILED:
        reason = Reason(grant.state_reason or Reason.UNCONFIRMED)
    elif grant.effect != Effect.PERMIT:  # taken offline, and never permitted
        unknown = grant.effect == Effect.INDETERMINATE
        reason = Reason.UNKNOWN_CONTEXT if unknown else Reason.POLICY
    elif not world.is_live(grant.accessor) and not _is_between_tokens(world, grant):
        return _why_gone(world, grant)
    return (EventKind.REVOKED, reason) if reason else None


def _why_gone(world: World, grant: Grant) -> tuple[EventKind, Reason] | None:
    """What is said of a token that is gone; None while it is not known who ended it."""
    if grant.not_after <= world.now.plus(CLOCK_GRAIN_SECONDS):
        return EventKind.EXPIRED, Reason.TIME
    return None if grant.id in world.awaited else (EventKind.REVOKED, Reason.VANISHED)


def _touched(world: World, grant: Grant) -> Reason | None:
    """What somebody did to a grant's request since it was granted."""
    request = world.requests.get(grant.id)
    if request is None:
        return Reason.REQUEST_DELETED
    if request.blob != grant.request_blob or not request.is_document:
        return Reason.REQUEST_CHANGED
    return Reason.REQUEST_PUT_BACK if grant.id in world.put_back else None


def _is_between_tokens(world: World, grant: Grant) -> bool:
    """Whether its token is gone because a second delivery is under way, and not a theft."""
    slot = world.slots.get(grant.id)
    if slot is None or not slot.data.get("again"):
        return False
    if slot.state is SlotState.MINTED:
        return world.is_live(Grant.from_document(slot.data["record"]).accessor)
    return slot.state is SlotState.RESERVED


def _second_delivery(world: World, grant: Grant, slot: Slot | None) -> Step:
    if slot is None or slot.state is not SlotState.MINTED:
        return Step.AGAIN
    second = Grant.from_document(slot.data["record"])
    if second.accessor == grant.accessor:
        return Step.DELIVER
    return Step.RESUME if world.is_live(second.accessor) else Step.AGAIN


def _for_new_request(world: World, request: RequestFile) -> Action:
    """A request on main that has no record: new, under way, refused, or an id used again."""
    slot = world.slots.get(request.grant_id)
    if slot is not None and slot.state is SlotState.MINTED:
        grant = Grant.from_document(slot.data["record"])
        if grant.is_offline:
            # It was taken, whatever somebody has laid there since: its evidence comes first.
            return Action(Step.WRITE_DOWN, grant.id, request, grant, slot)
    halted = _halted_before(world, request, slot)
    if halted is not None:
        return halted
    if slot is None or slot.state is SlotState.RESERVED:
        return Action(Step.JUDGE, request.grant_id, request, slot=slot)
    if slot.state is SlotState.MINTED:
        return _for_minted(world, request, slot)
    if slot.state is SlotState.REFUSED and slot.data.get("blob") == request.blob:
        return Action(Step.REFUSE, request.grant_id, request, slot=slot)
    return _denied(request, slot, Reason.ID_REUSED)


def _halted_before(world: World, request: RequestFile, slot: Slot | None) -> Action | None:
    """A request whose end somebody said before its evidence: revoke beats issue."""
    intent = world.intents.get(request.grant_id)
    waits = slot is None or slot.state in (SlotState.RESERVED, SlotState.MINTED)
    if intent is None or not intent.ends or not waits:
        return None
    grant = None
    if slot is not None and slot.state is SlotState.MINTED:
        grant = Grant.from_document(slot.data["record"])
        if world.is_live(grant.accessor):
            step = Step.ABANDON
            return Action(step, grant.id, request, grant, slot, reason=intent.reason)
    return _denied(request, slot, intent.reason)


def _denied(request: RequestFile, slot: Slot | None, reason: Reason) -> Action:
    return Action(
        Step.REFUSE, request.grant_id, request, slot=slot, kind=EventKind.DENIED, reason=reason
    )


def _for_minted(world: World, request: RequestFile, slot: Slot) -> Action:
    grant = Grant.from_document(slot.data["record"])
    if not world.is_live(grant.accessor) or grant.not_after <= world.now:
        # Nothing of it was ever delivered: the id may be minted for again, by compare-and-set.
        return Action(Step.JUDGE, grant.id, request, slot=slot)
    reason = _touched(world, grant)
    if reason is not None:
        return Action(Step.ABANDON, grant.id, request, grant, slot, reason=reason)
    return Action(Step.RESUME, grant.id, request, grant, slot)


def _for_leftover(slot: Slot, reason: Reason = Reason.REQUEST_DELETED) -> Action:
    """Work under way for an id that main no longer knows, or has as something else than a file."""
    if slot.state is SlotState.MINTED:
        grant = Grant.from_document(slot.data["record"])
        if grant.is_offline:
            return Action(Step.WRITE_DOWN, slot.grant_id, grant=grant, slot=slot)
        return Action(Step.ABANDON, slot.grant_id, grant=grant, slot=slot, reason=reason)
    if slot.state is SlotState.RESERVED:
        return Action(Step.ABANDON, slot.grant_id, slot=slot, reason=reason)
    step = Step.NOTIFY if slot.state is SlotState.REFUSED else Step.SETTLE
    return Action(step, slot.grant_id, slot=slot)
