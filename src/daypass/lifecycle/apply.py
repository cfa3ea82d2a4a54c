"""Apply: one level-triggered pass, the only code that grants or ends anything.

Observe, plan, then: end, record, grant, record, deliver. Each step leaves behind what the next run
needs to carry on, so a kill between any two of them costs time and nothing else.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from daypass.errors import DaypassError, PermanentError
from daypass.ledger import compose, history
from daypass.lifecycle import delivering, ending, granting, happening, recorder
from daypass.lifecycle.context import WORKERS, Answers
from daypass.lifecycle.granting import Granted, Order
from daypass.lifecycle.happening import Refusal
from daypass.lifecycle.judging import Judge, Verdict, Wait
from daypass.lifecycle.observe import TIP_NOTE, Observation, observe
from daypass.lifecycle.outcome import Outcome
from daypass.lifecycle.plan import Action, Plan, Step, make_plan
from daypass.lifecycle.ports import Slot, SlotState
from daypass.model.event import EventKind, Reason
from daypass.model.names import grant_path

if TYPE_CHECKING:
    from daypass.lifecycle.context import Ports
    from daypass.lifecycle.happening import Happening
    from daypass.lifecycle.ports import Repository
    from daypass.lifecycle.recorder import Recorded
    from daypass.model.event import Event, RecordedEvent
    from daypass.model.grant import Grant
    from daypass.model.settings import Settings

# A run looks again when main moved while it worked, so that what was merged meanwhile does not wait
# for the schedule; whoever keeps main moving cannot keep a run going for ever.
_PASSES: Final = 3
HEARTBEAT_NOTE: Final = "heartbeat"


@dataclass(frozen=True, slots=True)
class Limits:
    """How far one run may go."""

    unbidden: int  # revocations that neither time nor a person's own act asked for
    only: frozenset[str] | None = None  # ids to act on; None for all


def apply(ports: Ports, settings: Settings, limits: Limits) -> Outcome:
    """Close every difference between main and Vault; returns what was done and what was not.

    Raises what observing raises (nothing was touched then), and PermanentError when the plan
    revokes more than `limits.unbidden`.
    """
    outcome = Outcome()
    for _ in range(_PASSES):
        applying = _Pass(ports, settings, limits, outcome)
        applying.run()
        if not applying.head_moved():
            break
    outcome.head = ports.repository.head()
    ports.registry.write_note(
        HEARTBEAT_NOTE,
        {
            "at": str(ports.issuer.now()),
            "head": outcome.head,
            "run": ports.run.id,
            "good": not outcome.failures and not outcome.alarms,
        },
    )
    return outcome


class LedgerChain:
    """The ledger, as the recorder needs it."""

    def __init__(self, ports: Ports) -> None:
        self._signers = ports.signers

    def tip(self, repository: Repository, head: str) -> RecordedEvent | None:
        """The newest event on the way back from `head`."""
        return history.read_tip(repository.walk(head), self._signers)

    def message(
        self, title: str, body: str, event: Event, *, sequence: int, previous: str | None
    ) -> str:
        """The commit message, trailers included."""
        return compose.compose(title, body, event, sequence, previous)


@dataclass(slots=True)
class _Pass:
    """One look and all that follows from it."""

    ports: Ports
    settings: Settings
    limits: Limits
    outcome: Outcome
    _head: str = ""
    _minted: dict[str, Granted] = field(default_factory=dict)
    _refused: dict[str, tuple[Refusal, Slot | None]] = field(default_factory=dict)
    _ended: dict[str, Action] = field(default_factory=dict)

    def run(self) -> None:
        answers = Answers(self.ports.forge)
        seen = observe(self.ports, answers)
        plan = self._narrow(make_plan(seen.world))
        self._refuse_mass_revocation(plan)
        for reason in seen.world.frozen:
            if reason not in self.outcome.alarms:
                self.outcome.alarms.append(reason)
        happenings = [*self._repair(seen), *self._end(seen, plan)]
        if not seen.world.frozen:
            happenings += self._judge(seen, plan, answers)
        self._abandon(plan)
        self._record(happenings)
        self._settle(plan, frozen=bool(seen.world.frozen))
        self._forget_intents(seen)

    def head_moved(self) -> bool:
        """Whether somebody else's commits came to main since this pass wrote its own."""
        return self.ports.repository.fetch() != self._head

    def _narrow(self, plan: Plan) -> Plan:
        only = self.limits.only
        if only is None:
            return plan
        return Plan(tuple(action for action in plan.actions if action.grant_id in only))

    def _refuse_mass_revocation(self, plan: Plan) -> None:
        unbidden = [action.grant_id for action in plan.actions if action.is_unbidden]
        if len(unbidden) > self.limits.unbidden:
            raise PermanentError(
                f"this plan revokes {len(unbidden)} live grants at once, and the limit is "
                f"{self.limits.unbidden}: nothing was touched",
                remedy="Look at `daypass plan`. If it is meant, run `daypass apply --max "
                f"{len(unbidden)}`; what expires, or was deleted by its people, is never counted.",
            )

    def _repair(self, seen: Observation) -> list[Happening]:
        changed = seen.world.tampering.changed
        if not changed:
            return []
        known = {path: seen.signed_blobs[path] for path in changed if path in seen.signed_blobs}
        contents = self.ports.repository.blobs(sorted(set(known.values())))
        restored = {path: contents[blob] for path, blob in known.items()}
        forged = tuple(path for path in changed if path not in known)
        return [happening.repaired(restored, forged, self.ports.run)]

    def _end(self, seen: Observation, plan: Plan) -> list[Happening]:
        actions = plan.of(Step.END)
        if not actions:
            return []
        ids = [action.grant_id for action in actions]
        walk = self.ports.repository.walk(seen.world.head)
        events = history.find_events(walk, self.ports.signers, ids)
        endings = ending.end_all(self.ports.issuer, actions, seen.accessors)
        for item in endings:
            self._ended[item.grant.id] = item.action
            if not item.confirmed:
                self.outcome.alarms.append(f"{item.grant.id} could not be ended: {item.why}")
            elif not events[item.grant.id]:
                self.outcome.alarms.append(
                    f"{item.grant.id} is ended, but the evidence of its issue is gone from main"
                )
        endings = tuple(item for item in endings if events[item.grant.id])
        deleted = seen.world.tampering.deleted
        return ending.to_happenings(
            endings,
            issuer=self.ports.issuer,
            issued_commits={name: _issued(found) for name, found in events.items() if found},
            record_blobs={
                path: blob for path, blob in seen.signed_blobs.items() if path not in deleted
            },
            run=self.ports.run,
        )

    def _judge(self, seen: Observation, plan: Plan, answers: Answers) -> list[Happening]:
        """Decide on new requests, mint what is permitted, and take up what a killed run left."""
        happenings = []
        for action in plan.of(Step.RESUME):
            if action.grant is not None and action.slot is not None:
                self._minted[action.grant_id] = Granted(action.grant, action.slot)
                happenings.append(happening.issued(action.grant, self.ports.run))
        judge = Judge.prepare(self.ports, answers, seen.world, plan)
        if judge is None:
            return happenings
        # One after the other, because what is granted counts in the limits of the next decision …
        verdicts = [(action, self._verdict(judge, action)) for action in _judged(plan)]
        # … but minting waits for Vault and its database: side by side.
        with ThreadPoolExecutor(WORKERS) as pool:
            done = tuple(pool.map(lambda pair: self._carry_out(*pair), verdicts))
        return [*happenings, *(item for item in done if item is not None)]

    def _verdict(self, judge: Judge, action: Action) -> Verdict | None:
        try:
            return judge.judge(action)
        except DaypassError as error:
            self.outcome.fail(action.grant_id, error)
            return None

    def _carry_out(self, action: Action, verdict: Verdict | None) -> Happening | None:
        """What is to be written about one request. Runs in a thread of its own."""
        try:
            if verdict is None:
                return None
            if isinstance(verdict, Order):
                return self._grant(verdict)
            if isinstance(verdict, Wait):
                self.outcome.add("scheduled", action.grant_id, verdict.why)
                return None
            return self._refuse(verdict, action.slot)
        except DaypassError as error:
            self.outcome.fail(action.grant_id, error)
            return None

    def _grant(self, order: Order) -> Happening | None:
        granted = granting.grant(
            order,
            self.ports.issuer,
            self.ports.registry,
            self.ports.sealer,
            claim_window=self.settings.claim_window.seconds,
            repository_id=self.settings.github.repository_id,
            run=self.ports.run,
        )
        if granted is None:
            return None
        self._minted[granted.grant.id] = granted
        return happening.issued(granted.grant, self.ports.run)

    def _refuse(self, refusal: Refusal, slot: Slot | None) -> Happening:
        registry = self.ports.registry
        if slot is None or slot.state in (SlotState.RESERVED, SlotState.MINTED):
            registry.add_pending(refusal.grant_id)
            slot = registry.write(
                refusal.grant_id,
                SlotState.REFUSED,
                {"blob": refusal.blob, "refusal": refusal.to_json()},
                slot.version if slot else 0,
            )
        self._refused[refusal.grant_id] = (refusal, slot)
        if refusal.reason is Reason.UNPROVEN:
            # Somebody got past the pull requests, or tried to: a person must look, at once.
            self.outcome.alarms.append(f"{refusal.grant_id} is not proven: {refusal.why[0]}")
        return happening.refused(refusal, self.ports.run)

    def _abandon(self, plan: Plan) -> None:
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

    def _record(self, happenings: list[Happening]) -> None:
        """Write and push everything of this pass, then deliver what is on main."""
        repository = self.ports.repository
        if not happenings:
            self._head = repository.head()
            return
        recording = recorder.record(
            repository,
            self.ports.signer,
            LedgerChain(self.ports),
            happenings,
            self.ports.issuer.now(),
        )
        self._head = recording.head
        if recording.recorded:
            last = recording.recorded[-1]
            self.ports.registry.write_note(
                TIP_NOTE, {"sequence": last.sequence, "commit": last.commit}
            )
        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(self._follow_up, recording.recorded))
        for dropped in recording.dropped:
            self._dropped(dropped)

    def _follow_up(self, recorded: Recorded) -> None:
        """What comes after an event is on main: the delivery, the notice, the closed slot."""
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
        if kind is EventKind.ISSUED:
            granted = self._minted[grant_id]
            url = delivering.deliver(granted.grant, granted.slot, forge, registry)
            return f"until {granted.grant.not_after}, delivered at {url}"
        if grant_id in self._refused:
            refusal, slot = self._refused[grant_id]
            delivering.notify(refusal, slot, forge, registry)
            return "; ".join(refusal.why)
        action = self._ended.get(grant_id)
        if action is not None and kind is not EventKind.REVOKE_FAILED:
            registry.remove_intent(grant_id)
            if action.slot is not None:
                delivering.close(action.slot, registry)
        return str(action.reason) if action else "records were put back"

    def _dropped(self, lost: Happening) -> None:
        """An event that the new head no longer admits: another run wrote it, or a person won."""
        grant_id = lost.event.grant or ""
        granted = self._minted.get(grant_id)
        if lost.event.kind is not EventKind.ISSUED or granted is None:
            return
        if self._is_on_main(granted.grant):
            return  # another run wrote the same slot's evidence, and delivers
        try:
            self.ports.issuer.revoke(str(granted.slot.data["accessor"]))
        except DaypassError as error:
            self.outcome.fail(grant_id, error)

    def _is_on_main(self, grant: Grant) -> bool:
        repository = self.ports.repository
        path = grant_path(grant.id)
        entries = repository.entries(repository.head(), "access/grants")
        blob = next((entry.blob for entry in entries if entry.path == path), None)
        return blob is not None and repository.blobs([blob])[blob] == grant.to_bytes()

    def _forget_intents(self, seen: Observation) -> None:
        """Intents for what had ended before this run looked."""
        world = seen.world
        for grant_id in world.intents.keys() - world.grants.keys() - world.slots.keys():
            self.ports.registry.remove_intent(grant_id)

    def _settle(self, plan: Plan, *, frozen: bool) -> None:
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
        elif action.step is Step.DELIVER and action.grant is not None:
            url = delivering.deliver(action.grant, action.slot, forge, registry)
            self.outcome.add("delivered", action.grant_id, url)
        else:
            refusal = Refusal.from_json(action.slot.data["refusal"])
            delivering.notify(refusal, action.slot, forge, registry)
            self.outcome.add("told", refusal.grant_id, "; ".join(refusal.why))


def _judged(plan: Plan) -> tuple[Action, ...]:
    return plan.of(Step.JUDGE, Step.REFUSE)


def _issued(events: list[RecordedEvent]) -> str:
    """The commit of the newest `issued` among the events of one grant, newest first."""
    issues = (item.commit for item in events if item.event.kind is EventKind.ISSUED)
    return next(issues, events[-1].commit)
