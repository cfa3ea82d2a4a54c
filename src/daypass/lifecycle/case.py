"""Case: one request on its way through the proofs, to an order, a refusal, or a wait.

The proofs come before the decision: whose pull request brought these bytes, and whose approvals
count. Then the decision point is asked, and its word is final.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, TypeAlias

from daypass.documents.changes import REQUESTS
from daypass.documents.repository import (
    check_break_glass,
    check_request,
    load_break_glass,
    load_request,
)
from daypass.errors import DocumentError, ForgeUnavailableError, SealingError
from daypass.lifecycle.base import Bases, Ruling
from daypass.lifecycle.deciding import Decided, decide_merged
from daypass.lifecycle.emergency import fault_of_merged
from daypass.lifecycle.granting import Order
from daypass.lifecycle.happening import Refusal
from daypass.lifecycle.recipients import NoKeysToldError
from daypass.lifecycle.renewing import find_renewed
from daypass.lifecycle.timing import Late, Wait, untimely
from daypass.lifecycle.undecided import (
    ALARMING,
    APPROVALS,
    OUTAGE,
    Undecided,
    empty_group,
    told_reviews,
    untold,
    untold_hand,
)
from daypass.model.canonical import canonical_json
from daypass.model.decision import Effect
from daypass.model.event import EventKind, Reason
from daypass.model.grant import Lane
from daypass.model.instant import Duration
from daypass.policy.asked import Asked, Held, PastGrant, Renewed, Surroundings
from daypass.policy.provenance import ProvenanceFault, outside, over_limit, prove

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from daypass.errors import ForgeRefusedError
    from daypass.lifecycle.context import Answers, Ports
    from daypass.lifecycle.plan import Action
    from daypass.lifecycle.recipients import Recipients
    from daypass.lifecycle.world import RequestFile, World
    from daypass.model.catalogue import Catalogue
    from daypass.model.identity import Identity
    from daypass.model.instant import Instant
    from daypass.model.pullrequest import PullRequest
    from daypass.model.request import AccessRequest
    from daypass.policy.compiled import CompiledPolicies
    from daypass.policy.groups import GroupDirectory

# Faults of a proof that stay as they are; every other one may be an answer that is only late.
_CERTAIN: Final = frozenset({"too-large", "mixed", "not-this-lane"})

Verdict: TypeAlias = Order | Refusal | Wait | Undecided


@dataclass(slots=True)
class Bench:
    """All that judging a run's requests needs, asked for once."""

    ports: Ports
    answers: Answers
    world: World
    catalogue: Catalogue
    policies: CompiledPolicies
    groups: GroupDirectory
    commits: Mapping[str, str]  # path → the commit of main that brought the file
    contents: Mapping[str, bytes]  # blob → the file
    bases: Bases
    recipients: Recipients
    past: dict[str, list[PastGrant]] = field(default_factory=dict)  # by subject
    ending: Mapping[str, str] = field(default_factory=dict)  # grants that this run ends, and why
    _renewed: dict[str, Renewed] = field(default_factory=dict)

    def remember(self, subject: str, grant: PastGrant) -> None:
        """A grant of this very run counts in the limits of the next decision."""
        self.past.setdefault(subject, []).append(grant)

    def renewed(self, grant_id: str | None) -> Renewed | None:
        """The grant that a request continues; None if it continues none."""
        if grant_id is None:
            return None
        if grant_id not in self._renewed:
            found = find_renewed(self.ports, self.world, self.ending, grant_id)
            self._renewed[grant_id] = found
        return self._renewed[grant_id]


@dataclass(slots=True)
class Case:
    """One request on its way through the proofs."""

    run: Bench
    file: RequestFile
    action: Action
    request: AccessRequest | None = None
    pull_request: PullRequest | None = None
    drill: bool = False

    def judge(self) -> Verdict:
        """Prove and decide a request on main. Raises what the ports raise."""
        fault = self.find_pull_request()
        invalid = self.read()
        if invalid:
            return brought_by_nothing(self.refuse(Reason.INVALID, invalid), fault)
        if fault is not None:
            return self.unproven(fault)
        against = self.check_number() or self.check_time()
        return against if against is not None else self.decide()

    def unanswered(self, error: ForgeRefusedError | ForgeUnavailableError) -> Verdict:
        """What becomes of a request that GitHub gave no answer about, or one that is none.

        Time is looked at first, where the merge is known. An outage is everybody's: what waits for
        its end is never refused by age, and lapses in its time.
        """
        if self.request is None:
            self.read()
        pull_request = self.pull_request
        if pull_request is not None and pull_request.merged_at is not None and self.request:
            found = self.check_time()
            if found is not None:
                return found
        reason = Reason.UNPROVEN if pull_request is None else Reason.UNKNOWN_CONTEXT
        is_outage = isinstance(error, ForgeUnavailableError)
        return Undecided(
            OUTAGE if is_outage else "no-answer",
            (error.message,),
            self.refuse(reason, [error.message]),
            error=error,
            request=self.request,
        )

    @property
    def commit(self) -> str:
        """The commit of main that brought it."""
        return self.run.commits[self.file.path]

    def read(self) -> list[str]:
        """Read the request as it lies on main; returns what is wrong with it."""
        content = self.run.contents[self.file.blob]
        try:
            if self.file.lane is Lane.BREAK_GLASS:
                emergency = load_break_glass(self.file.path, content)
                self.request, self.drill = emergency.asked, emergency.drill
                findings = check_break_glass(emergency, self.run.catalogue)
            else:
                self.request = load_request(self.file.path, content)
                findings = check_request(self.request, self.run.catalogue)
        except DocumentError as error:
            return [error.message]
        return [finding.message for finding in findings]

    def find_pull_request(self) -> ProvenanceFault | None:
        """Prove where the file came from; returns why it is not proven."""
        github = self.run.catalogue.settings.github
        brought = self.run.answers.pull_requests_of(self.commit)
        proof = prove(brought, self.commit, self.file.path, self.file.blob, github)
        if isinstance(proof, ProvenanceFault):
            self.pull_request = proof.pull_request
            return proof
        self.pull_request = proof
        if self.file.lane is Lane.BREAK_GLASS:
            why = fault_of_merged(proof, self.file, github)
            gone = proof.merged_by is None or untold_hand(proof)
            return ProvenanceFault("untold" if gone else "not-this-lane", why) if why else None
        other = outside(proof, REQUESTS)
        if other is not None:
            why = f"#{proof.number} changes more than requests ({other}): ask in one of its own"
            return ProvenanceFault("mixed", why)
        return None

    def unproven(self, fault: ProvenanceFault) -> Verdict:
        """What becomes of a request whose origin is not proven."""
        refusal = self.refuse(Reason.UNPROVEN, [fault.why])
        if fault.code in _CERTAIN:
            return refusal
        pull_request = self.pull_request
        if pull_request is not None and pull_request.merged_at is not None:
            found = self.check_time()
            # Its bytes came from that pull request, as far as GitHub tells: it may wait for its
            # time, and what is late is late, whatever is still told of it.
            if fault.code != "other-bytes" and found is not None:
                return found
        return Undecided(fault.code, (fault.why,), refusal)

    def check_number(self) -> Refusal | None:
        """Refuse what its pull request asks for beyond the limit."""
        if self.pull_request is None or self.file.lane is Lane.BREAK_GLASS:
            return None
        most = self.run.catalogue.settings.limits.requests_per_pull_request
        why = over_limit(self.pull_request, REQUESTS, self.file.path, most)
        return self.refuse(Reason.TOO_MANY, [why]) if why is not None else None

    def check_time(self) -> Refusal | Wait | None:
        """Whether it comes too late, or too early."""
        request, pull_request = self.request, self.pull_request
        if request is None or pull_request is None or pull_request.merged_at is None:
            return self.refuse(Reason.UNPROVEN, ["it was never merged"])
        found = untimely(request, self.file.lane, pull_request.merged_at, self.run.world.now)
        if isinstance(found, Late):
            return self.refuse(found.reason, [found.why], kind=found.kind)
        return found

    def decide(self) -> Order | Refusal | Undecided:
        """Ask the decision point, and turn a permit into an order."""
        decided = self.ask()
        return self.order(decided) if isinstance(decided, Decided) else decided

    def ask(self) -> Refusal | Undecided | Decided:
        """Ask the decision point, with the approvals as they count now."""
        run, request, pull_request = self.run, self.request, self.pull_request
        if request is None or pull_request is None:
            return self.refuse(Reason.UNPROVEN, ["it was never proven"])
        asked = Asked(request, self.file.lane, pull_request.author, self.drill)
        try:
            base = run.bases.before(run.commits.get(self.file.path))
        except DocumentError as error:
            why = f"main's own documents were wrong when it was merged: {error.message}"
            return self.refuse(Reason.INVALID, [why])
        head = Ruling(run.world.head, run.catalogue, run.policies, run.groups)
        decided = decide_merged(asked, pull_request, head, base, self.surroundings)
        decision = decided.decision
        if decision.permitted:
            return decided
        unknown = decision.effect is Effect.INDETERMINATE
        refusal = self.refuse(
            Reason.UNKNOWN_CONTEXT if unknown else Reason.POLICY,
            decided.why,
            effect=str(decision.effect),
            input_digest=decision.input_digest,
            policy_digest=decision.policy_digest,
            decision_input=canonical_json(decided.facts.to_json()).decode(),
        )
        if unknown:
            return Undecided("context", decided.why, refusal)
        if pull_request.author is not None:
            # Who asks is told: then what is denied whoever approved is denied for good.
            whoever = decide_merged(
                asked, pull_request, head, base, self.surroundings, counts=False
            )
            if whoever.decision.effect is Effect.DENY:
                return refusal
        return _short_of_approvals(pull_request, decided, refusal)

    def surroundings(self, ruling: Ruling) -> Surroundings:
        """What this run knows, by those documents."""
        run, request = self.run, self.request
        if request is None:
            return Surroundings(run.world.now, ruling.groups)
        return Surroundings(
            run.world.now,
            ruling.groups,
            tuple(run.past.get(request.subject, ())),
            run.answers.inquiry.about(request, ruling.catalogue, run.world.now),
            overdue=run.world.overdue,
            held=tuple(
                Held(grant.id, subject, grant.resource)
                for subject, grants in run.past.items()
                for grant in grants
                if grant.live
            ),
            renewed=run.renewed(request.renews),
        )

    def order(self, decided: Decided) -> Order | Refusal | Undecided:
        """Turn a permit into an order, unless there is no key to deliver to."""
        run, request, pull_request = self.run, self.request, self.pull_request
        if request is None or pull_request is None:
            return self.refuse(Reason.UNPROVEN, ["it was never proven"])
        author, decision = pull_request.author, decided.decision
        subject = run.catalogue.identities[request.subject]
        resource = run.catalogue.resources[request.resource]
        try:
            recipients = run.recipients.of(subject, resource)
        except SealingError as error:
            why = f"{error.message}. {error.remedy}"
            refusal = self.refuse(Reason.INVALID, [why])
            late = isinstance(error, NoKeysToldError)
            return Undecided("keys", (why,), refusal) if late else refusal
        level = resource.levels[request.access]
        tier = level.tier_for(Duration(decision.seconds))
        if tier is None:
            return self.refuse(
                Reason.INVALID, [f"no tier of {level.name} lasts {request.duration}"]
            )
        self.count_this(subject, now=run.world.now, seconds=decision.seconds)
        return Order(
            file=self.file,
            commit=self.commit,
            request=request,
            pull_request=pull_request,
            requester=run.catalogue.identity_of(author.id) if author is not None else None,
            subject=subject,
            resource=resource,
            level=level,
            tier=tier,
            decision=decision,
            decision_input=decided.facts.to_json(),
            approvals=decided.approvals,
            recipients=recipients,
            lane=self.file.lane,
            base=decided.base,
            slot=self.action.slot,
        )

    def count_this(self, subject: Identity, *, now: Instant, seconds: int) -> None:
        """Counts the grant in the limits of the run's next decisions."""
        request = self.request
        if request is not None:
            self.run.remember(
                subject.name,
                PastGrant(
                    request.id,
                    self.file.lane,
                    request.resource,
                    request.access,
                    now,
                    now.plus(seconds),
                    live=True,
                ),
            )

    def refuse(
        self,
        reason: Reason,
        why: Sequence[str],
        *,
        kind: EventKind = EventKind.DENIED,
        effect: str | None = None,
        input_digest: str | None = None,
        policy_digest: str | None = None,
        decision_input: str = "",
    ) -> Refusal:
        """A refusal of this request, with what is known of it so far."""
        request = self.request
        return Refusal(
            grant_id=self.file.grant_id,
            blob=self.file.blob,
            kind=kind,
            reason=reason,
            why=tuple(why) or ("no rule permits it",),
            request_commit=self.run.commits.get(self.file.path),
            pull_request=self.pull_request.number if self.pull_request else None,
            resource=request.resource if request else None,
            subject=request.subject if request else None,
            access=request.access if request else None,
            effect=effect,
            input_digest=input_digest,
            policy_digest=policy_digest,
            decision_input=decision_input,
            lane=self.file.lane,
        )


def brought_by_nothing(refusal: Refusal, fault: ProvenanceFault | None) -> Refusal:
    """The refusal of something else, which tells as well that nothing brought it, where so."""
    is_alarming = fault is not None and fault.code in ALARMING
    return replace(refusal, unproven=fault.why) if fault is not None and is_alarming else refusal


def _short_of_approvals(
    pull_request: PullRequest, decided: Decided, refusal: Refusal
) -> Refusal | Undecided:
    """What only lacks approvals waits: GitHub may tell of them, or of a team's members, later."""
    missing = untold(pull_request) or empty_group(decided)
    if missing is None and decided.is_barred:
        return refusal
    reviews = told_reviews(pull_request, decided.approvals, decided.counts)
    lines = (*((missing,) if missing else ()), *decided.needs, *reviews)
    return Undecided(APPROVALS, lines, refusal)
