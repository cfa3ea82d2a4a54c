"""The one decision point: `decide(input, policies) -> Decision`. Pure, and the same everywhere.

Deny overrides: every built-in rule, and every condition of every enforced policy that is about the
decision, must hold; and one enforced permit policy must be about it. What is unknown is
indeterminate, which is enforced as a denial. The least of all durations counts.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from daypass.model.decision import Decision, Effect, Enforcement, Obligations, RuleOutcome
from daypass.model.grant import Lane
from daypass.model.identity import IdentityType
from daypass.model.obligation import REVIEW_SECONDS
from daypass.model.policy import PolicyEffect
from daypass.model.resource import IssueMode, Recording
from daypass.policy.approvers import Need, judge, need, owner_need, resource_needs, stage_needs
from daypass.policy.bounds import Bound, least
from daypass.policy.compiled import CompiledPolicies, compile_policies
from daypass.policy.conditions import Variables, outcomes
from daypass.policy.excepting import excepted, in_use, independent
from daypass.policy.facts import Stage
from daypass.policy.match import Applies, applies
from daypass.policy.rules import BUILT_IN, DURATION, PERMITTED, RULES, TWO_APPROVERS
from daypass.policy.rules.target import pins_recipients
from daypass.policy.verdict import Verdict, failed, passed, unknown, words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from daypass.model.policy import AccessPolicy
    from daypass.policy.facts import ExceptionFacts
    from daypass.policy.input import DecisionInput

__all__ = [
    "CompiledPolicies",
    "compile_policies",
    "decide",
    "describe_bound",
    "describe_requirements",
]

_ORDER: Final = attrgetter("policy", "rule", "message")
_STRICTER: Final = (Recording.NONE, Recording.API_LOG, Recording.REQUIRED)


def decide(
    facts: DecisionInput,
    policies: Iterable[AccessPolicy] | CompiledPolicies,
    *,
    recorded: dict[str, Any] | None = None,
) -> Decision:
    """Decide. Equal input and policies give an equal decision, to the byte.

    Args:
        facts: everything that the decision rests on.
        policies: of the tree that rules; compiled ones when many decisions are asked in a run.
        recorded: the JSON that the facts were read from, when a decision is made again: its digest
            is then that of what was recorded, to the byte.
    """
    if not isinstance(policies, CompiledPolicies):
        policies = compile_policies(policies)
    variables = _variables(facts, recorded)
    facts = variables.facts
    said, in_force, maybe_in_force = _asked_by_themselves(policies, variables)
    used = in_use(said, facts)
    bound = least(facts, in_force, used)
    said.extend(
        _built_in(name, verdict)
        for name, verdict in (
            (PERMITTED.name, _permitted(in_force, maybe_in_force)),
            (TWO_APPROVERS.name, _two_approvers(facts, in_force, used)),
            (DURATION.name, _duration(bound)),
        )
    )
    effect = _combine(said)
    return Decision(
        effect=effect,
        outcomes=tuple(sorted(said, key=_ORDER)),
        obligations=_obligations(facts, in_force, used),
        seconds=bound.seconds if effect is Effect.PERMIT else 0,
        bounded_by=bound.source,
        input=variables,
        policy_digest=policies.digest,
    )


def describe_requirements(
    facts: DecisionInput, policies: Iterable[AccessPolicy] | CompiledPolicies
) -> tuple[Need, ...]:
    """Who must approve, who has, and who still could; `str(need)` is a sentence for people.

    Asked for by the resource, and by every policy in force that is, or may be, about the decision.
    """
    if not isinstance(policies, CompiledPolicies):
        policies = compile_policies(policies)
    if facts.request.lane == Lane.BREAK_GLASS:
        return ()
    facts, in_force, used = _perhaps_in_force(facts, policies)
    needs = list(resource_needs(facts))
    if pins_recipients(facts) or used:
        needs.extend(_two_needs(facts, in_force, used))
    for policy in in_force:
        if policy.stages:
            needs.extend(stage_needs(facts, policy.name, policy.stages))
    return tuple(needs)


def describe_bound(
    facts: DecisionInput, policies: Iterable[AccessPolicy] | CompiledPolicies
) -> Bound:
    """How long a grant could last at the most, whoever approves it, and what that comes from.

    By every policy in force that is, or may be, about the decision. May be 0 or negative.
    """
    if not isinstance(policies, CompiledPolicies):
        policies = compile_policies(policies)
    return least(*_perhaps_in_force(facts, policies))


def _perhaps_in_force(
    facts: DecisionInput, policies: CompiledPolicies
) -> tuple[DecisionInput, list[AccessPolicy], tuple[ExceptionFacts, ...]]:
    """The facts as rules read them; what is, or may be, about it; the exceptions it rests on."""
    variables = _variables(facts, None)
    # Where there is no exception nothing is excepted: then no rule need be asked.
    said = _asked_by_themselves(policies, variables)[0] if facts.exceptions else ()
    in_force = [
        compiled.policy
        for compiled in policies.policies
        if compiled.policy.enforcement is Enforcement.ENFORCE
        and applies(compiled.policy, facts) is not Applies.NO
    ]
    return variables.facts, in_force, in_use(said, facts)


def _variables(facts: DecisionInput, recorded: dict[str, Any] | None) -> Variables:
    """What rules read: the facts without the words of those to whom an exception is attributed.

    The digest is of all that was given.
    """
    counting = independent(facts)
    whole = counting is facts
    if recorded is None and not whole:
        recorded = facts.to_json()
    return Variables(counting, recorded, whole)


def _asked_by_themselves(
    policies: CompiledPolicies, variables: Variables
) -> tuple[list[RuleOutcome], list[AccessPolicy], list[AccessPolicy]]:
    """What every rule says that needs no other's answer.

    Returns:
        the outcomes, with what is excepted of them; the enforced policies that are about the
        decision; and those of which that is not known.
    """
    facts = variables.facts
    said = list(_rules(facts))
    in_force: list[AccessPolicy] = []
    maybe_in_force: list[AccessPolicy] = []
    for compiled in policies.policies:
        policy = compiled.policy
        about = applies(policy, facts)
        if about is Applies.YES:
            if policy.enforcement is Enforcement.ENFORCE:
                in_force.append(policy)
            said.extend(outcomes(compiled, variables))
        elif about is Applies.UNKNOWN:
            groups = ", ".join(policy.match.subject_groups)
            why = f"whether it applies is not known: who belongs to {groups}"
            said.append(
                RuleOutcome(policy.name, "match", Effect.INDETERMINATE, policy.enforcement, why)
            )
            if policy.enforcement is Enforcement.ENFORCE:
                maybe_in_force.append(policy)
    return said, in_force, maybe_in_force


def _combine(said: Iterable[RuleOutcome]) -> Effect:
    against = {item.effect for item in said if item.counts_against}
    if Effect.DENY in against:
        return Effect.DENY
    return Effect.INDETERMINATE if against else Effect.PERMIT


def _rules(facts: DecisionInput) -> Iterator[RuleOutcome]:
    for rule in RULES:
        if facts.stage is Stage.ISSUE or not rule.at_issue_only:
            outcome = _built_in(rule.name, rule.check(facts))
            if rule.may_be_excepted:
                outcome = excepted(outcome, f"{BUILT_IN}/{rule.name}", facts)
            yield outcome


def _built_in(name: str, verdict: Verdict) -> RuleOutcome:
    return RuleOutcome(BUILT_IN, name, verdict.effect, Enforcement.ENFORCE, verdict.message)


def _permitted(in_force: Sequence[AccessPolicy], maybe: Sequence[AccessPolicy]) -> Verdict:
    permits = [policy.name for policy in in_force if policy.effect is PolicyEffect.PERMIT]
    if permits:
        return passed(f"{', '.join(permits)} is about it")
    possible = [policy.name for policy in maybe if policy.effect is PolicyEffect.PERMIT]
    if possible:
        return unknown(f"whether {', '.join(possible)} is about it is not known")
    return failed("no permit policy that is in force is about this request")


def _duration(bound: Bound) -> Verdict:
    if bound.seconds > 0:
        return passed(f"{words(bound.seconds)}, by {bound.source}")
    return failed(f"no time is left, by {bound.source}")


def _two_approvers(
    facts: DecisionInput, in_force: Sequence[AccessPolicy], used: Sequence[ExceptionFacts]
) -> Verdict:
    asked = pins_recipients(facts) or used
    if not asked or facts.request.lane == Lane.BREAK_GLASS:
        return passed("asked for high and critical resources of the routine lane")
    return judge(_two_needs(facts, in_force, used), facts)


def _two_needs(
    facts: DecisionInput, in_force: Sequence[AccessPolicy], used: Sequence[ExceptionFacts]
) -> tuple[Need, ...]:
    resource = facts.resource
    if resource is None:
        return ()
    # A guard's own stages are asked for besides: whom it names counts there, and not here.
    named = {
        item.group
        for policy in in_force
        if policy.effect is PolicyEffect.PERMIT
        for stage in policy.stages
        for item in (*stage.all_of, *stage.any_of)
        if item.group is not None
    }
    groups = sorted({*resource.approver_groups, resource.business_owner, *named})
    source = f"{resource.sensitivity} sensitivity"
    if not pins_recipients(facts):
        source = f"exception {', '.join(item.name for item in used)}"
    return (
        need(facts, source, 2, " or ".join(groups), groups),
        owner_need(facts, resource, source),
    )


def _obligations(
    facts: DecisionInput, in_force: Sequence[AccessPolicy], used: Sequence[ExceptionFacts]
) -> Obligations:
    resource = facts.resource
    recording = Recording(resource.recording) if resource else Recording.REQUIRED
    level = resource.level if resource else None
    issue = IssueMode(level.issue) if level else IssueMode.ON_CLAIM
    wanted = [policy.require.recording for policy in in_force if policy.require.recording]
    vendor = facts.subject is not None and facts.subject.type == IdentityType.VENDOR
    if facts.request.lane == Lane.BREAK_GLASS or vendor or used:
        wanted.append(Recording.REQUIRED)
    if any(policy.require.issue is IssueMode.ON_CLAIM for policy in in_force):
        issue = IssueMode.ON_CLAIM
    return Obligations(
        issue=issue,
        recording=str(max((recording, *wanted), key=_STRICTER.index)),
        review_within_seconds=REVIEW_SECONDS if facts.request.lane == Lane.BREAK_GLASS else None,
    )
