"""Aftermath: what follows once events are on main. Deliveries, notices, closed slots.

Each of these is idempotent, and what a killed run left of them is found by the next one's plan.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from daypass.errors import DaypassError
from daypass.lifecycle import delivering
from daypass.lifecycle.context import WORKERS
from daypass.lifecycle.happening import Refusal
from daypass.lifecycle.plan import Action, Step
from daypass.lifecycle.ports import SlotState
from daypass.model.event import EventKind, Reason
from daypass.model.intent import IntentKind
from daypass.model.names import grant_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daypass.lifecycle.context import Ports
    from daypass.lifecycle.granting import Granted
    from daypass.lifecycle.issuing import Issuing
    from daypass.lifecycle.observe import Observation
    from daypass.lifecycle.outcome import Outcome
    from daypass.lifecycle.plan import Plan
    from daypass.lifecycle.recorder import Recorded, Recording
    from daypass.model.grant import Grant

_DELIVERIES = frozenset({EventKind.ISSUED, EventKind.DELIVERED_AGAIN})
_SAID: Final = {
    EventKind.POLICY_CHANGED: "policies and exceptions decide otherwise now: see the commit",
    EventKind.KEY_ENDORSED: "its last event: another evidence key signs from here on",
    EventKind.KEY_ROTATED: "give auditors its fingerprint, and pin it in DAYPASS_FINGERPRINT",
    EventKind.REVIEWED: "nothing is owed for it any more",
    EventKind.SESSION: "what it was used for is on record",
    EventKind.REVIEW_OVERDUE: "its invoker receives nothing until it is reviewed",
}


@dataclass(slots=True)
class Aftermath:
    """Follows one pass."""

    ports: Ports
    outcome: Outcome
    issuing: Issuing
    ended: Mapping[str, Action]
    taken: Mapping[str, Granted]  # offline, and written down in this pass

    def follow(self, recording: Recording) -> None:
        """Deliver, notify and close what is on main; take back what is not."""
        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(self._follow_up, recording.recorded))
        on_main = {
            item.happening.event.grant
            for item in recording.recorded
            if item.happening.event.kind in _DELIVERIES
        }
        for grant_id in self.issuing.minted.keys() - on_main:
            self._take_back(grant_id)

    def _follow_up(self, recorded: Recorded) -> None:
        event = recorded.happening.event
        grant_id = event.grant or ""
        try:
            text = self._after(event.kind, grant_id)
        except DaypassError as error:
            self.outcome.fail(grant_id, error)
            text = "recorded; what follows is tried again by the next run"
        self.outcome.add(str(event.kind), grant_id, text, recorded.commit)

    def _after(self, kind: EventKind, grant_id: str) -> str:
        forge, registry = self.ports.forge, self.ports.registry
        if kind in _DELIVERIES:
            return self._deliver(grant_id)
        if grant_id in self.issuing.refused:
            refusal, slot = self.issuing.refused[grant_id]
            if not self._is_told_with_another(refusal):
                delivering.notify(refusal, slot, forge, registry)
            elif slot is not None:
                delivering.close(slot, registry)
            return "; ".join(refusal.why)
        if kind in _SAID:
            return _SAID[kind]
        action = self.ended.get(grant_id)
        if action is None:
            return "put back, or revoked: see the commit"
        if kind is not EventKind.REVOKE_FAILED:
            registry.remove_intent(grant_id)
            if kind is EventKind.LAPSED and action.slot and action.slot.data.get("wrapping"):
                self.ports.issuer.revoke(str(action.slot.data["wrapping"]))
            if action.slot is not None:
                delivering.close(action.slot, registry)
        return str(action.reason)

    def _is_told_with_another(self, refusal: Refusal) -> bool:
        """Whether the one comment about requests over the limit comes with another of them."""
        if refusal.reason is not Reason.TOO_MANY:
            return False
        same = (
            item.grant_id
            for item, _ in self.issuing.refused.values()
            if item.reason is Reason.TOO_MANY and item.pull_request == refusal.pull_request
        )
        return min(same) != refusal.grant_id

    def _deliver(self, grant_id: str) -> str:
        """Hand over what was minted; what was taken offline is in its holder's hands already."""
        forge, registry = self.ports.forge, self.ports.registry
        taken = self.taken.get(grant_id)
        if taken is not None:
            delivering.note_taken(taken.grant, taken.slot, registry)
            return f"taken by {taken.grant.subject} of Vault itself, until {taken.grant.not_after}"
        granted = self.issuing.minted[grant_id]
        url = delivering.deliver(granted.grant, granted.slot, forge, registry, first=granted.first)
        return f"until {granted.grant.not_after}, delivered at {url}"

    def _take_back(self, grant_id: str) -> None:
        """Revoke what was minted and did not get to main: another run wrote it, or a person won."""
        granted = self.issuing.minted[grant_id]
        if self._is_on_main(granted.grant):
            return  # another run wrote the same slot's evidence, and delivers
        try:
            self.ports.issuer.revoke(str(granted.slot.data["accessor"]))
        except DaypassError as error:
            self.outcome.fail(grant_id, error)

    def _is_on_main(self, grant: Grant) -> bool:
        repository = self.ports.repository
        path = grant_path(grant.id)
        entries = repository.entries(repository.head(), path)
        blob = next((entry.blob for entry in entries if entry.path == path and entry.is_file), None)
        return blob is not None and repository.blobs([blob])[blob] == grant.to_bytes()

    def abandon(self, plan: Plan) -> None:
        """Revoke what was minted for a request that went away before its evidence was written."""
        for action in plan.of(Step.ABANDON):
            if action.slot is None:
                continue
            try:
                if action.slot.state is SlotState.MINTED:
                    self.ports.issuer.revoke(str(action.slot.data["accessor"]))
                if action.request is None:
                    delivering.close(action.slot, self.ports.registry)
                    self.outcome.add("withdrawn", action.grant_id, "its request went away")
            except DaypassError as error:
                self.outcome.fail(action.grant_id, error)

    def settle(self, plan: Plan, *, frozen: bool) -> None:
        """Deliveries and notices that a killed run left; not while something is not proven."""
        for action in plan.of(Step.DELIVER, Step.NOTIFY, Step.SETTLE):
            try:
                self._settle_one(action, frozen=frozen)
            except DaypassError as error:
                self.outcome.fail(action.grant_id, error)

    def _settle_one(self, action: Action, *, frozen: bool) -> None:
        forge, registry = self.ports.forge, self.ports.registry
        if action.step is Step.SETTLE:
            registry.remove_pending(action.grant_id)
        elif action.slot is None or (frozen and action.step is Step.DELIVER):
            return
        elif action.step is Step.DELIVER and action.grant is not None and action.grant.is_offline:
            delivering.note_taken(action.grant, action.slot, registry)
        elif action.step is Step.DELIVER and action.grant is not None:
            url = delivering.deliver(action.grant, action.slot, forge, registry)
            self.outcome.add("delivered", action.grant_id, url)
        else:
            refusal = Refusal.from_json(action.slot.data["refusal"])
            delivering.notify(refusal, action.slot, forge, registry)
            self.outcome.add("told", refusal.grant_id, "; ".join(refusal.why))

    def forget_intents(self, seen: Observation, waiting: frozenset[str] | None) -> None:
        """Intents for what had ended before this run looked.

        A halt of an emergency that is open still is none of them: `waiting` names these, and is
        None where this run could not tell.
        """
        world = seen.world
        # An id that main still asks for may have been issued in this very pass: its intent waits.
        known = world.grants.keys() | world.slots.keys() | world.requests.keys()
        for grant_id in world.intents.keys() - known - (waiting or frozenset()):
            if waiting is not None or world.intents[grant_id].kind is not IntentKind.HALT:
                self.ports.registry.remove_intent(grant_id)
