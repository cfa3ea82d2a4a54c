"""Apply: one level-triggered pass, the only code that grants or ends anything.

Observe, plan, then: end, record, raise alarms, grant, record, deliver. What people can make many of
(pull requests that were closed) comes last. Each step leaves behind what the next run needs to
carry on, so a kill between any two of them costs time and nothing else.
"""

from __future__ import annotations

from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from daypass.errors import DaypassError, LimitError
from daypass.ledger import history
from daypass.lifecycle import chronicle, ending, happening, reviewing, seen_once
from daypass.lifecycle.admission import Admission
from daypass.lifecycle.aftermath import Aftermath
from daypass.lifecycle.alarming import raise_alarms
from daypass.lifecycle.anchoring import anchor_daily
from daypass.lifecycle.claim_questions import ask_holders
from daypass.lifecycle.context import Answers
from daypass.lifecycle.drift import Strangers, end_orphan, find_strangers
from daypass.lifecycle.ended_alarms import alarm_end
from daypass.lifecycle.follow_up import follow_up
from daypass.lifecycle.forgotten import mark_forgotten
from daypass.lifecycle.heartbeat import leave_heartbeat
from daypass.lifecycle.inquiry import Inquiry
from daypass.lifecycle.issuing import Issuing
from daypass.lifecycle.key_handover import find_handover, find_lost
from daypass.lifecycle.observe import Observation, observe
from daypass.lifecycle.outcome import Outcome
from daypass.lifecycle.plan import Action, Plan, Step
from daypass.lifecycle.policy_changes import find_changes, note_changes
from daypass.lifecycle.recorder import PushNow, note_unfit
from daypass.lifecycle.recording_use import to_record
from daypass.lifecycle.repairs import alarm_frozen, find_accepted_loss, find_repairs
from daypass.lifecycle.reviewing import Reviewing
from daypass.lifecycle.standstill import stand_still
from daypass.lifecycle.targets import Targets, explained, tell
from daypass.lifecycle.undecided_note import UndecidedRequests
from daypass.lifecycle.whole_plan import whole_plan
from daypass.lifecycle.writing_down import WritingDown
from daypass.model.event import EventKind
from daypass.model.names import is_name
from daypass.model.postgresql import LOGIN_ID_LENGTH

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence

    from daypass.lifecycle.context import Ports
    from daypass.lifecycle.happening import Happening, Refusal
    from daypass.lifecycle.ports import Slot
    from daypass.lifecycle.recorder import Coming, Recorded, Recording
    from daypass.model.catalogue import Catalogue
    from daypass.model.instant import Instant
    from daypass.model.settings import Settings

# A run looks again when main moved while it worked, so that what was merged meanwhile does not wait
# for the schedule; whoever keeps main moving cannot keep a run going for ever.
_PASSES: Final = 3


@dataclass(frozen=True, slots=True)
class Limits:
    """How far one run may go."""

    unbidden: int  # revocations that neither time nor a person's own act asked for
    only: frozenset[str] | None = None  # ids to act on; None for all


def apply(ports: Ports, settings: Settings, limits: Limits) -> Outcome:
    """Close every difference between main and Vault; returns what was done and what was not.

    Raises what observing raises (nothing was touched then), and LimitError when the plan
    revokes more than `limits.unbidden`.
    """
    outcome = Outcome()
    left = seen_once.recall(ports, outcome)
    undecided = UndecidedRequests(ports.registry, ports.forge, outcome, settings.unknown_grace)
    applying = _Pass(ports, settings, limits, outcome, undecided, left)
    for number in range(_PASSES):
        applying = _Pass(ports, settings, limits, outcome, undecided, left, admits=number == 0)
        try:
            applying.run()
        except LimitError as error:
            outcome.alarm("mass-revocation", error.message)
            raise_alarms(ports, outcome)
            raise
        if not (applying.has_more or applying.head_moved()):
            break
    if applying.unjudged:
        outcome.add("left", "", f"{applying.unjudged} requests: the next run goes on with them")
    applying.finish()
    raise_alarms(ports, outcome)
    if not applying.stands_still:
        seen_once.forget(ports, outcome)
    outcome.head = ports.repository.head()
    leave_heartbeat(ports, outcome)
    applying.follow_up()
    _end_odd_notes(ports, outcome)
    return outcome


def _end_odd_notes(ports: Ports, outcome: Outcome) -> None:
    """Alarm of odd notes that were met after the alarms, and empty those that stayed odd."""
    if ports.registry.odd.tell(outcome):
        raise_alarms(ports, outcome, is_over=False)
        leave_heartbeat(ports, outcome)
    ports.registry.odd.mend(ports.registry, outcome)


@dataclass(slots=True)
class _Pass:
    """One look and all that follows from it."""

    ports: Ports
    settings: Settings
    limits: Limits
    outcome: Outcome
    undecided: UndecidedRequests
    left: frozenset[str] = frozenset()  # digests of orphans that a run before may have revoked
    admits: bool = True  # whether it looks at open emergencies: once a run, or grants would wait
    has_more: bool = False  # the next pass has to look at what this one did
    unjudged: int = 0  # requests that this pass left
    stands_still: bool = False  # main was put back to an older state
    _head: str = ""
    _ruling: Catalogue | None = None
    _targets: Targets = field(default_factory=lambda: Targets.of(None))
    _log_ins: Mapping[str, Instant | None] = field(default_factory=dict)  # that grants explain
    _ended: dict[str, Action] = field(default_factory=dict)
    _merged: bool = False  # an emergency
    _waiting: frozenset[str] | None = None  # emergencies that are open still; None: not known

    def run(self) -> None:
        answers = Answers(self.ports.forge, Inquiry(self.ports.context))
        seen = observe(self.ports, answers)
        self._ruling = seen.world.ruling
        self._targets = Targets.of(seen.world.ruling or seen.world.catalogue)
        whole = whole_plan(self.ports, seen, answers, only=self.limits.only, remember=True)
        plan = whole.plan
        for grant_id, text in whole.doubts.items():
            self.outcome.alarm(f"doubt.{grant_id}", text)
        for grant_id, error in seen.waits.items():
            self.outcome.fail(grant_id, error)
        strangers = self._strangers(seen)
        self._log_ins = explained(seen.world, strangers.offline)
        self._refuse_mass_revocation(plan, strangers)
        alarm_frozen(seen, self.outcome)
        lost_key = None if seen.world.is_rolled_back else find_lost(self.ports, seen.world)
        if lost_key is not None:
            self.outcome.alarm("evidence-key", lost_key)
        if seen.world.is_rolled_back or lost_key is not None:
            self._head, self.stands_still = seen.world.head, True
            stand_still(self.ports, seen, plan, self.outcome)
            return
        issuing = Issuing(self.ports, self.settings, self.outcome, self.undecided)
        offline = WritingDown(self.ports, seen, answers, self.outcome, self.limits.only)
        aftermath = Aftermath(self.ports, self.outcome, issuing, self._ended, offline.taken)
        happenings = [
            *find_accepted_loss(self.ports, seen),
            *find_handover(self.ports, seen, self.outcome),
            *find_repairs(self.ports, seen),
            *self._end(seen, plan),
        ]
        happenings += self._end_orphans(seen, strangers)
        seen, changes = self._changes(seen, answers)
        happenings += changes
        happenings += offline.run(strangers.offline, plan)
        offline.alarm_flood(strangers.beyond)
        self.has_more = bool(offline.taken) and not seen.world.frozen
        # What was minted for other bytes of a request is gone then: what it says now is judged.
        self.has_more |= any(action.request for action in plan.of(Step.ABANDON))
        happenings += self._review(seen, answers)
        happenings += to_record(self.ports, seen)
        aftermath.abandon(plan)
        with closing(self._coming(seen, plan, answers, issuing, happenings)) as coming:
            recording = self._record(seen, coming)
        self._follow(seen, recording, aftermath)
        for name, text in answers.inquiry.faults.items():
            self.outcome.alarm(f"context.{name}", text)
        aftermath.settle(plan, frozen=bool(seen.world.frozen))
        if self.limits.only is None:
            grace = self.settings.claim_grace
            self.has_more |= ask_holders(self.ports, answers, seen, plan, self.outcome, grace)
        aftermath.forget_intents(seen, None if seen.world.frozen else self._waiting)

    def _coming(
        self,
        seen: Observation,
        plan: Plan,
        answers: Answers,
        issuing: Issuing,
        ended: list[Happening],
    ) -> Generator[Coming, None, None]:
        """Yield what ended; once that is on main, raise the alarms; then yield what begins.

        What is granted is signed while the rest is still being minted.
        """
        yield from ended
        yield PushNow.PUSH_NOW
        if self.outcome.causes:
            self.outcome.head = self.ports.repository.head()
            raise_alarms(self.ports, self.outcome, is_over=False)
            with suppress(DaypassError):  # it is left once more when the run is over
                leave_heartbeat(self.ports, self.outcome)
        if seen.world.frozen:
            return
        refused = self._admit(seen, answers)
        for refusal, slot in refused:
            yield issuing.refuse(refusal, slot)
        if not self._merged:  # an emergency comes before the rest: the next pass sees both
            yield from issuing.run(seen, plan, answers)
        self.has_more |= issuing.left > 0
        self.unjudged = issuing.left

    def _admit(self, seen: Observation, answers: Answers) -> Sequence[tuple[Refusal, Slot | None]]:
        """Merge the open emergencies that may be; those that are refused."""
        catalogue = seen.world.catalogue
        if catalogue is None or not self.admits:
            return ()
        if catalogue.settings.break_glass is None:
            self._waiting = frozenset()
            return ()
        only = self.limits.only
        undecided, world = self.undecided, seen.world
        admission = Admission(self.ports, answers, world, catalogue, self.outcome, undecided, only)
        admission.run()
        self._waiting = frozenset(admission.waiting) if admission.is_sure else None
        self._merged = admission.merged > 0
        self.has_more |= self._merged
        return admission.refused

    def _review(self, seen: Observation, answers: Answers) -> list[Happening]:
        """What is owed for emergencies: reviews that were given, and those that are late."""
        world = seen.world
        if not world.obligations or world.ruling is None:
            return []
        groups = answers.groups(world.ruling)
        return Reviewing(self.ports, seen, world.ruling, groups, self.outcome).run()

    def _alert(self, seen: Observation, recorded: Iterable[Recorded]) -> None:
        """Call the reviewers of what is owed now, before anything is delivered."""
        owed = dict(seen.world.obligations)
        for item in recorded:
            owed_for = item.happening.owes
            if owed_for is not None:
                owed[owed_for.grant_id] = owed_for
            elif item.happening.event.kind is EventKind.REVIEWED:
                owed.pop(item.happening.event.grant or "", None)
        reviewing.raise_issues(self.ports, self.settings, owed, self.outcome)
        reviewing.alarm_overdue(seen.world.now, owed.values(), self.outcome)

    def _changes(self, seen: Observation, answers: Answers) -> tuple[Observation, list[Happening]]:
        """Changes of policies to record; what GitHub does not tell of, the next run looks for."""
        try:
            return seen, find_changes(self.ports, seen, answers)
        except DaypassError as error:
            self.outcome.fail("policy-changes", error)
            return replace(seen, policies_from=None), []

    def head_moved(self) -> bool:
        """Whether somebody else's commits came to main since this pass wrote its own."""
        return self.ports.repository.fetch() != self._head

    def finish(self) -> None:
        """Looks at the other targets, and anchors main.

        Comes after everything that a person waits for.
        """
        now = self.ports.issuer.now()
        self._targets = self._targets.look(self.ports.issuer)
        tell(self._targets, self.outcome, self._log_ins, now, self._was_used)
        if self._head and not self.stands_still:
            head = self.ports.repository.head()
            anchor_daily(self.ports, self.settings.evidence, self.outcome, head)

    def follow_up(self) -> None:
        """Does the work that any user can inflate, after all that people wait for."""
        if self._head and not self.stands_still and self._ruling is not None:
            follow_up(self.ports, self._ruling, self.outcome, self._head)

    def _was_used(self, grant_id: str) -> bool:
        """Whether Vault remembers that id. One that a name may have cut counts as remembered."""
        if len(grant_id) >= LOGIN_ID_LENGTH or not is_name(grant_id):
            return True
        try:
            return self.ports.registry.read(grant_id) is not None
        except DaypassError:
            return True

    def _strangers(self, seen: Observation) -> Strangers:
        """What Vault holds and main does not know; of the orphans, those that may be acted on."""
        found = find_strangers(self.ports, seen, self.settings.github.repository_id)
        only = self.limits.only
        if only is None:
            return found
        return replace(
            found, orphans=tuple(item for item in found.orphans if item.grant_id in only)
        )

    def _refuse_mass_revocation(self, plan: Plan, strangers: Strangers) -> None:
        unbidden = [action.grant_id for action in plan.actions if action.is_unbidden]
        unbidden += [orphan.grant_id for orphan in strangers.orphans if orphan.is_unbidden]
        if len(unbidden) > self.limits.unbidden:
            raise LimitError(
                f"this plan revokes {len(unbidden)} live grants at once, and the limit is "
                f"{self.limits.unbidden}: nothing was touched",
                remedy="Look at `daypass plan`. If it is meant, run `daypass apply --max "
                f"{len(unbidden)}`; what expires, or was deleted by its people, is never counted.",
            )

    def _end(self, seen: Observation, plan: Plan) -> list[Happening]:
        if not plan.of(Step.END):
            return []
        restored = seen.world.restored is not None or seen.memory.was_restored
        actions, usable = mark_forgotten(
            self.ports, plan.of(Step.END), seen.world.live, restored=restored
        )
        ids = [action.grant_id for action in actions]
        walk = self.ports.repository.walk(seen.world.head)
        events = history.find_events(walk, self.ports.signers, ids)
        live = seen.world.grants.keys()
        endings = ending.end_all(self.ports.issuer, actions, seen.accessors, self._targets, live)
        self._targets = endings.targets
        # Where the target tells that no log-in of it works, it is no longer usable.
        seen_gone = {item.grant.id for item in endings.ended if item.looked_for.with_sessions}
        usable = {name: found for name, found in usable.items() if name not in seen_gone}
        for overdue in endings.overdue.values():
            overdue.tell(self.outcome)
        for item in endings.ended:
            self._ended[item.grant.id] = item.action
            alarm_end(
                self.outcome,
                item,
                has_events=bool(events[item.grant.id]),
                usable=usable,
                now=seen.world.now,
            )
        return ending.to_happenings(
            tuple(item for item in endings.ended if events[item.grant.id]),
            issuer=self.ports.issuer,
            begun={
                name: ending.begun_of(found, usable.get(name))
                for name, found in events.items()
                if found
            },
            record_blobs={
                path: blob for path, blob in seen.signed_blobs.items() if path in seen.record_blobs
            },
            run=self.ports.run,
        )

    def _end_orphans(self, seen: Observation, strangers: Strangers) -> list[Happening]:
        """Revoke tokens of our roles that no grant on main has; tell of those of a run before."""
        if strangers.orphans:
            seen_once.note(self.ports, self.outcome, strangers.orphans)
        done = set(seen_once.unrecorded(self.ports, seen.world.head, self.left))
        for orphan in strangers.orphans:
            try:
                why = end_orphan(self.ports, orphan, self._ruling)
            except DaypassError as error:
                cause = f"orphan-lives.{orphan.digest[7:23]}"
                self.outcome.fail(cause, error)
                self.outcome.alarm(cause, error.message)
                done.discard(orphan.digest)
                continue
            text = f"{orphan.what} lived that no grant knows: revoked"
            if orphan.is_closed:
                text = f"a token of {orphan.grant_id!a}, which had ended, lived: revoked"
            if why is not None:
                text += f", but what it opened may live on: {why}"
            self.outcome.alarm(seen_once.orphan_cause(orphan.digest), text, standing=False)
            done.add(orphan.digest)
        return [happening.orphaned(digest, self.ports.run) for digest in sorted(done)]

    def _record(self, seen: Observation, coming: Iterator[Coming]) -> Recording | None:
        """Write and push everything of this pass; None if there was nothing."""
        self._head = seen.world.head
        recording = chronicle.write(
            self.ports,
            coming,
            head=seen.world.head,
            # Noted before the push: what is to be reported once.
            before_push=lambda: seen_once.note(self.ports, self.outcome),
        )
        if recording is None:
            return None
        # When a race was lost, what the winner brought has not been looked at yet.
        self._head = recording.head if recording.base == seen.world.head else ""
        return recording

    def _follow(self, seen: Observation, recording: Recording | None, aftermath: Aftermath) -> None:
        """Follow up what is on main."""
        note_changes(self.ports, seen, recording)
        note_unfit(recording, self.outcome)
        self._alert(seen, recording.recorded if recording is not None else ())
        if recording is not None:
            aftermath.follow(recording)
