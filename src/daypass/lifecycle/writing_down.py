"""Writing down: what was taken offline gets its evidence, its decision, and its review.

The decision point is asked as at an issue, about the moment at which it was taken. What it permits
is from then on a grant like any other. What it denies was access all the same: it is ended first,
and then stands in the evidence as both, taken and ended.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from daypass.documents.blob import blob_id
from daypass.documents.repository import check_break_glass, load_break_glass
from daypass.documents.writing import written
from daypass.errors import ConflictError, DaypassError, DocumentError
from daypass.lifecycle import happening
from daypass.lifecycle.emergency_happenings import taken_offline
from daypass.lifecycle.granting import Granted
from daypass.lifecycle.marks import offline_spec
from daypass.lifecycle.offline import offline_roles
from daypass.lifecycle.past import past_grants
from daypass.lifecycle.plan import Step
from daypass.lifecycle.ports import SlotState
from daypass.lifecycle.reevaluate import GRACE_SECONDS
from daypass.model.decision import Effect
from daypass.model.grant import Grant, Lane
from daypass.model.intent import Intent, IntentKind
from daypass.model.names import Kind, break_glass_path
from daypass.model.pullrequest import Account, AccountType
from daypass.model.resource import IssueMode
from daypass.policy.approvals import ApprovalCount
from daypass.policy.asked import Asked, Held, Surroundings
from daypass.policy.compiled import compile_rules
from daypass.policy.decide import decide
from daypass.policy.input import build_input

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from daypass.lifecycle.context import Answers, Ports
    from daypass.lifecycle.happening import Happening
    from daypass.lifecycle.observe import Observation
    from daypass.lifecycle.offline import OfflineRole, OfflineUse
    from daypass.lifecycle.outcome import Outcome
    from daypass.lifecycle.plan import Plan
    from daypass.lifecycle.ports import Slot
    from daypass.model.breakglass import BreakGlassRequest
    from daypass.model.catalogue import Catalogue
    from daypass.model.decision import Decision
    from daypass.model.identity import Identity
    from daypass.policy.input import DecisionInput

_USED: Final = "its id was used before"


@dataclass(frozen=True, slots=True)
class _Case:
    """One use, with what it turns out to be."""

    use: OfflineUse
    who: Identity
    role: OfflineRole
    content: bytes  # the request that it stands for
    request: BreakGlassRequest


@dataclass(slots=True)
class WritingDown:
    """What was taken offline, in one pass."""

    ports: Ports
    seen: Observation
    answers: Answers
    outcome: Outcome
    only: frozenset[str] | None = None
    taken: dict[str, Granted] = field(default_factory=dict)  # what is to be written, by id

    def run(self, uses: Sequence[OfflineUse], plan: Plan) -> list[Happening]:
        """Decide on each, end what is denied, and say what is to be written."""
        slots = [action.slot for action in plan.of(Step.WRITE_DOWN) if action.slot is not None]
        for slot in slots:
            self._end_denied(slot)
        found = [self._write(Granted.of(slot)) for slot in slots]
        for use in uses:
            if self.only is not None and use.grant_id not in self.only:
                continue
            try:
                done = self._take_up(use)
            except DaypassError as error:
                self.outcome.fail(use.grant_id, error)
                done = None
            if done is not None:
                found.append(done)
        # Nothing new becomes evidence on a main that is not proven. The slots keep it until then.
        return [] if self.seen.world.frozen else found

    def alarm_flood(self, beyond: Mapping[str, int]) -> None:
        """Somebody left more word than an emergency has: it is taken up, a portion in each run."""
        catalogue = self.seen.world.ruling
        for entity_id, count in beyond.items():
            who = catalogue.identity_of_entity(entity_id) if catalogue is not None else None
            text = (
                f"{who.name if who else 'somebody'} (entity {entity_id} of Vault) left word of "
                f"{count} more takings than a run takes up at once: the next runs take up the "
                "rest. Ask them, and end their log-ins if it was not they"
            )
            self.outcome.alarm(f"offline-many.{entity_id}", text)

    def _end_denied(self, slot: Slot) -> None:
        """A run that was killed, or met a failure, had not ended it; a frozen main is no reason."""
        accessor = str(slot.data.get("accessor") or "")
        if accessor and Granted.of(slot).grant.effect != Effect.PERMIT:
            try:
                self.ports.issuer.revoke(accessor)
            except DaypassError as error:
                self.outcome.fail(slot.grant_id, error)

    def _take_up(self, use: OfflineUse) -> Happening | None:
        catalogue = self.seen.world.ruling
        if catalogue is None:
            text = f"{use.grant_id} was taken offline, and main has no documents to judge it by"
            self.outcome.alarm(f"offline.{use.grant_id}", text)
            return None
        slot = self.ports.registry.read(use.grant_id)
        if slot is not None and slot.data.get("offline") == use.entity_id:
            # A run that was killed had written it down, and did not get to clear the note.
            self.ports.registry.remove_offline_note(use.entity_id, use.grant_id)
            return None
        case = _USED if slot is not None else _case(use, catalogue)
        return self._turn_away(use, case) if isinstance(case, str) else self._judge(case, catalogue)

    def _turn_away(self, use: OfflineUse, why: str) -> Happening | None:
        """What nobody can be asked to review, because it names nothing that is. It ends."""
        text = f"what was taken offline as {use.grant_id} cannot be what it says: {why}"
        self.outcome.alarm(f"offline.{use.grant_id}", text, standing=False)
        if use.accessor is not None:
            self.ports.issuer.revoke(use.accessor)
        self.ports.registry.remove_offline_note(use.entity_id, use.grant_id)
        return happening.orphaned(use.digest, self.ports.run) if use.accessor else None

    def _judge(self, case: _Case, catalogue: Catalogue) -> Happening | None:
        use = case.use
        facts, decision = self._decide(case, catalogue)
        why = "; ".join(f"{item.policy}/{item.rule}: {item.message}" for item in decision.reasons)
        unknown = decision.effect is Effect.INDETERMINATE
        grace = GRACE_SECONDS[case.role.resource.sensitivity]
        young = self.seen.world.now.since(use.not_before) < grace
        if unknown and use.accessor and young:
            text = f"{use.grant_id} was taken offline, and cannot be decided yet: {why}"
            self.outcome.alarm(f"offline-doubt.{use.grant_id}", text)
            return None
        granted = self._remember(case, facts, decision, why)
        return None if granted is None else self._write(granted)

    def _decide(self, case: _Case, catalogue: Catalogue) -> tuple[DecisionInput, Decision]:
        """Ask the decision point, about the moment at which it was taken."""
        world, use, who = self.seen.world, case.use, case.who
        account = Account(who.github_id or 0, who.github_login or who.name, AccountType.USER)
        past = past_grants(self.ports, world)
        surroundings = Surroundings(
            use.not_before,
            self.answers.groups(catalogue),
            tuple(past.get(who.name, ())),
            self.answers.inquiry.about(case.request.asked, catalogue, world.now),
            overdue=tuple(
                item for item in world.obligations.values() if item.is_overdue(use.not_before)
            ),
            held=tuple(
                Held(grant.id, grant.subject, grant.resource) for grant in world.grants.values()
            ),
        )
        asked = Asked(case.request.asked, Lane.BREAK_GLASS, account, case.request.drill)
        facts = build_input(asked, catalogue, ApprovalCount(), surroundings)
        return facts, decide(facts, compile_rules(catalogue))

    def _remember(
        self, case: _Case, facts: DecisionInput, decision: Decision, why: str
    ) -> Granted | None:
        """Take the id, with all that the evidence will say; None when another run was faster.

        What is denied ends right after: from here on, whoever is killed, the next run writes it.
        """
        registry, use = self.ports.registry, case.use
        record = _record(case, facts, decision)
        data = {
            "offline": use.entity_id,
            "record": record.to_document(),
            "request": case.content.decode(),
            "why": why,
            "accessor": use.accessor or "",
            "ciphertext": "",
            "run": self.ports.run.id,
        }
        registry.add_pending(use.grant_id)
        try:
            slot = registry.write(use.grant_id, SlotState.MINTED, data, 0)
        except ConflictError:
            return None
        if use.accessor is not None and not decision.permitted:
            self.ports.issuer.revoke(use.accessor)
        if use.accessor is not None and not self._is_named(case.who):
            self._end_unnamed(use, case.who.name)
        elif use.done:
            intent = Intent(use.grant_id, IntentKind.DONE, 0, self.seen.world.now)
            registry.write_intent(intent)
        return Granted(record, slot)

    def _is_named(self, who: Identity) -> bool:
        ruling = self.seen.world.ruling
        lane = ruling.settings.break_glass if ruling is not None else None
        return lane is not None and lane.offline is not None and who.name in lane.offline.invokers

    def _end_unnamed(self, use: OfflineUse, name: str) -> None:
        """Vault's group is who was named at the last `vault apply`: the settings rule."""
        intent = Intent(use.grant_id, IntentKind.REVOKE, 0, self.seen.world.now)
        self.ports.registry.write_intent(intent)
        text = f"{name} may take nothing offline, and took {use.grant_id}: it is ended"
        self.outcome.alarm(f"offline-unnamed.{use.grant_id}", text, standing=False)
        if use.accessor is not None:
            self.ports.issuer.revoke(use.accessor)

    def _write(self, granted: Granted) -> Happening:
        """Its event. Somebody must look, whatever was decided; the call for a review follows."""
        grant, said = granted.grant, granted.slot.data
        self.taken[grant.id] = granted
        text = (
            f"{grant.subject} took {grant.access} on {grant.resource} of Vault itself, from "
            f"{grant.not_before} until {grant.not_after} ({grant.id})"
        )
        if grant.effect != Effect.PERMIT:
            text += f". It is not permitted ({said['why'] or 'no rule permits it'}), and is ended"
        self.outcome.alarm(f"offline.{grant.id}", text, standing=False)
        return taken_offline(grant, str(said["request"]).encode(), self.ports.run)


def _case(use: OfflineUse, catalogue: Catalogue) -> _Case | str:
    """Who took what, by Vault's word and this catalogue; or why that cannot be."""
    who = catalogue.identity_of_entity(use.entity_id)
    role = offline_roles(catalogue).get(use.token_role)
    if who is None:
        return "no identity has the entity that took it"
    if role is None:
        return "its role is none that can be taken offline"
    spec = offline_spec(
        use.meta, subject=who.name, resource=role.resource.name, access=role.level.name
    )
    content = written(Kind.BREAK_GLASS_REQUEST, use.grant_id, spec)
    try:
        request = load_break_glass(break_glass_path(use.grant_id), content)
    except DocumentError as error:
        return error.message
    findings = check_break_glass(request, catalogue)
    if findings:
        return findings[0].message
    return _Case(use, who, role, content, request)


def _record(case: _Case, facts: DecisionInput, decision: Decision) -> Grant:
    use, role, asked = case.use, case.role, case.request.asked
    ends = use.not_before.plus(decision.seconds) if decision.permitted else use.not_after
    return Grant(
        id=use.grant_id,
        lane=Lane.BREAK_GLASS,
        subject=asked.subject,
        requester=asked.subject,
        requester_id=case.who.github_id or 0,
        resource=asked.resource,
        access=asked.access,
        engine=role.level.engine,
        mount=role.level.mount,
        role=role.tier.role,
        token_role=use.token_role,
        tier=role.tier.length,
        issue=IssueMode.ON_CLAIM,
        request_blob=blob_id(case.content),
        request_commit=None,
        pull_request=None,
        not_before=use.not_before,
        not_after=min(use.not_after, ends),
        accessor=use.digest,
        wrapping=None,
        recipients=(),
        approvals=(),
        decision_input=facts.to_json(),
        decision_digest=decision.input_digest,
        policy_digest=decision.policy_digest,
        effect=str(decision.effect),
    )
