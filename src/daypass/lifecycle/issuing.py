"""Issuing: what a pass gives. New requests, what a killed run left, and second deliveries."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from daypass.errors import DaypassError, OddSlotError
from daypass.ledger import sshsig
from daypass.lifecycle import granting, happening, queue, redelivering
from daypass.lifecycle.claim_questions import note_before_again
from daypass.lifecycle.context import WORKERS
from daypass.lifecycle.granting import Granted, Order
from daypass.lifecycle.happening import Refusal
from daypass.lifecycle.judging import Judge
from daypass.lifecycle.key_handover import SignerInForce
from daypass.lifecycle.plan import Action, Step
from daypass.lifecycle.ports import Slot, SlotState
from daypass.lifecycle.recipients import recipients_of
from daypass.lifecycle.timing import Wait
from daypass.lifecycle.undecided import Undecided
from daypass.lifecycle.undecided_note import not_proven_yet
from daypass.lifecycle.withdrawn import find_withdrawn
from daypass.model.delivery import Binding, Origin
from daypass.model.event import Reason
from daypass.model.names import grant_path

if TYPE_CHECKING:
    from collections.abc import Generator
    from concurrent.futures import Future

    from daypass.lifecycle.case import Verdict
    from daypass.lifecycle.context import Answers, Ports
    from daypass.lifecycle.happening import Happening
    from daypass.lifecycle.observe import Observation
    from daypass.lifecycle.outcome import Outcome
    from daypass.lifecycle.plan import Plan
    from daypass.lifecycle.undecided_note import UndecidedRequests
    from daypass.model.settings import Settings


@dataclass(slots=True)
class Issuing:
    """What one pass has minted and refused, and is yet to be written."""

    ports: Ports
    settings: Settings
    outcome: Outcome
    undecided: UndecidedRequests
    minted: dict[str, Granted] = field(default_factory=dict)
    refused: dict[str, tuple[Refusal, Slot | None]] = field(default_factory=dict)
    left: int = 0  # requests that the next pass goes on with
    _key: str = ""  # the fingerprint of the evidence key in force
    _taken_over: dict[str, str] = field(default_factory=dict)  # grant id → accessor: a killed run
    # had begun on them, and may have minted

    def run(
        self, seen: Observation, plan: Plan, answers: Answers
    ) -> Generator[Happening, None, None]:
        """Decide on new requests, mint what is permitted, take up what a killed run left.

        Yields in the plan's order, each as soon as it has come about: what is done with the first
        goes on beside the mints of the others. Close it, so that no mint is left under way.
        """
        yield from (*self._resume(seen, plan), *self._again(seen, plan))
        self.undecided.recall()
        waiting = seen.world.requests.keys() - seen.world.grants.keys()
        for refusal in find_withdrawn(self.ports, answers, seen, self.undecided, self.outcome):
            try:
                slot = self.ports.registry.read(refusal.grant_id)
            except OddSlotError as error:
                self.outcome.fail(refusal.grant_id, error)
                continue
            yield self.refuse(refusal, slot)
        plan, self.left = queue.narrow(plan, self.ports.repository, self.undecided.names)
        judge = Judge.prepare(self.ports, answers, seen.world, plan)
        if judge is None:
            self.undecided.write(waiting, seen.world.now)
            return
        actions = plan.of(Step.JUDGE, Step.REFUSE)
        try:
            self._find_key(seen)
        except DaypassError as error:  # without a key in force nothing can be written either
            for action in actions:
                self.outcome.fail(action.grant_id, error)
            return
        commits = (judge.commit_of(action) for action in actions)
        # Judged one after the other, because what is granted counts in the limits of the next
        # decision; asking GitHub, and minting, wait for servers: both go on beside it.
        with ThreadPoolExecutor(WORKERS) as pool:
            with answers.asking(commit for commit in commits if commit):
                futures = [self._submit(pool, judge, action) for action in actions]
            self.undecided.write(waiting, seen.world.now)
            for future in futures:
                item = future.result()
                if item is not None:
                    yield item
        granting.end_strays(self.ports.issuer, self._taken_over, self.settings.github.repository_id)

    def _find_key(self, seen: Observation) -> None:
        """Note which evidence key is in force. Raises what the ports raise."""
        ports = self.ports
        signer = SignerInForce(ports.repository, ports.signer, ports.signers, seen.world.tip)
        self._key = sshsig.fingerprint(signer.public_key())

    def _submit(
        self, pool: ThreadPoolExecutor, judge: Judge, action: Action
    ) -> Future[Happening | None]:
        verdict = self._verdict(judge, action)
        if isinstance(verdict, Undecided):
            verdict = self.undecided.settle(verdict, judge.world.now)
        elif verdict is not None:
            proven = action.request.blob if action.request and _is_proven(action, verdict) else ""
            self.undecided.clear(action.grant_id, proven=proven)
        if isinstance(verdict, Order):
            self.ports.registry.expect_pending(action.grant_id)
        return pool.submit(self._carry_out, action, verdict)

    def _resume(self, seen: Observation, plan: Plan) -> list[Happening]:
        """What a killed run minted, and did not write."""
        happenings = []
        for action in plan.of(Step.RESUME):
            grant, slot = action.grant, action.slot
            if grant is None or slot is None:
                continue
            granted = Granted.of(slot)
            self.minted[grant.id] = granted
            if grant.id in seen.world.grants:
                blob = seen.record_blobs.get(grant_path(grant.id))
                happenings.append(happening.delivered_again(granted.grant, blob, self.ports.run))
            else:
                happenings.append(happening.issued(granted.grant, self.ports.run))
        return happenings

    def _again(self, seen: Observation, plan: Plan) -> list[Happening]:
        """Second deliveries that somebody asked for."""
        happenings: list[Happening] = []
        try:
            note_before_again(self.ports, seen, plan)
        except DaypassError as error:
            for action in plan.of(Step.AGAIN):
                self.outcome.fail(action.grant_id, error)
            return happenings
        for action in plan.of(Step.AGAIN):
            try:
                granted = self._deliver_again(seen, action)
            except DaypassError as error:
                self.outcome.fail(action.grant_id, error)
                continue
            if granted is not None:
                self.minted[action.grant_id] = granted
                blob = seen.record_blobs.get(grant_path(action.grant_id))
                happenings.append(happening.delivered_again(granted.grant, blob, self.ports.run))
        return happenings

    def _deliver_again(self, seen: Observation, action: Action) -> Granted | None:
        grant, slot, catalogue = action.grant, action.slot, seen.world.catalogue
        if grant is None or slot is None or catalogue is None:
            return None
        why = redelivering.why_not(grant, slot, seen.world.now)
        subject = catalogue.identities.get(grant.subject)
        resource = catalogue.resources.get(grant.resource)
        if why is not None or subject is None or resource is None:
            if slot.state is not SlotState.RESERVED:
                # What was begun is remembered to the end: its first token is gone for a reason.
                self.ports.registry.remove_intent(grant.id)
                self.ports.registry.remove_pending(grant.id)  # a run was killed just before
            self.outcome.add("not delivered again", grant.id, why or "it names what is gone")
            return None
        self._find_key(seen)
        return redelivering.redeliver(
            self.ports,
            grant,
            slot,
            recipients_of(subject, resource, self.ports.forge, self.ports.sealer),
            seen.accessors.get(grant.accessor),
            claim_window=self.settings.claim_window.seconds,
            origin=Origin.of(self.settings),
            binding=Binding.of(self._key, resource.connection),
        )

    def _verdict(self, judge: Judge, action: Action) -> Verdict | None:
        try:
            return judge.judge(action)
        except DaypassError as error:
            self.outcome.fail(action.grant_id, error)
            return None
        except Exception as error:  # noqa: BLE001  -- one request's bug must stop nobody else's
            self.outcome.stumble(action.grant_id, error)
            return None

    def _carry_out(self, action: Action, verdict: Verdict | None) -> Happening | None:
        """What is to be written about one request. Runs in a thread of its own."""
        try:
            if verdict is None or isinstance(verdict, Undecided):
                return None
            if isinstance(verdict, Order):
                return self._grant(verdict)
            if isinstance(verdict, Wait):
                self.outcome.add("scheduled", action.grant_id, verdict.why)
                return None
            return self.refuse(verdict, action.slot)
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
            origin=Origin.of(self.settings),
            evidence_key=self._key,
            run=self.ports.run,
        )
        if granted is None:
            return None
        self.minted[granted.grant.id] = granted
        if order.slot is not None:
            self._taken_over[granted.grant.id] = granted.accessor
        return happening.issued(granted.grant, self.ports.run)

    def refuse(self, refusal: Refusal, slot: Slot | None) -> Happening:
        """Note a refusal in its slot; the event that tells of it."""
        registry = self.ports.registry
        if slot is None or slot.state in (SlotState.RESERVED, SlotState.MINTED):
            registry.add_pending(refusal.grant_id)
            slot = registry.write(
                refusal.grant_id,
                SlotState.REFUSED,
                {"blob": refusal.blob, "refusal": refusal.to_json()},
                slot.version if slot else 0,
            )
        self.refused[refusal.grant_id] = (refusal, slot)
        unproven = refusal.unproven or (
            refusal.why[0] if refusal.reason is Reason.UNPROVEN else None
        )
        if unproven is not None:
            # Somebody got past the pull requests, or tried to: a person must look, at once.
            text = f"{refusal.grant_id} is not proven: {unproven}"
            self.outcome.alarm(f"unproven.{refusal.grant_id}", text, standing=False)
            self.outcome.settle(not_proven_yet(refusal.grant_id))  # this one tells of it from now
        return happening.refused(refusal, self.ports.run)


def _is_proven(action: Action, verdict: Verdict) -> bool:
    """Whether a verdict rests on a pull request that brought the request."""
    if not isinstance(verdict, Refusal):
        return True
    told = verdict.reason not in (Reason.UNPROVEN, Reason.ID_REUSED) and not verdict.unproven
    return told and action.reason is None
