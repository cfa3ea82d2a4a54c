"""The conditions of one policy: each is a rule with a name, and gives one outcome."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from daypass.model.canonical import digest, digest_of_read
from daypass.model.decision import Effect, RuleOutcome
from daypass.model.policy import AppliesAt
from daypass.model.resource import Sensitivity
from daypass.policy import calendar, excepting
from daypass.policy.approvers import judge, stage_needs
from daypass.policy.expressions import (
    ExpressionError,
    ZoneMissingError,
    activation,
    passes,
)
from daypass.policy.facts import Stage, Status
from daypass.policy.verdict import Verdict, failed, passed, unknown
from daypass.policy.zone import ZoneReader

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from daypass.model.expression_names import ExpressionNames
    from daypass.model.policy import AccessPolicy
    from daypass.policy.compiled import CompiledPolicy, CompiledRule
    from daypass.policy.expressions import Expression
    from daypass.policy.facts import ResourceFacts
    from daypass.policy.input import DecisionInput


@dataclass(frozen=True)
class Variables:
    """One decision's input; its JSON, digest and activation, each once somebody needs it."""

    facts: DecisionInput  # as rules read them
    recorded: dict[str, Any] | None = None  # the JSON of all that was given
    whole: bool = True  # whether rules read all of that

    @cached_property
    def value(self) -> Mapping[str, Any]:
        """The input as JSON, as rules read it."""
        if self.recorded is not None and self.whole:
            return self.recorded
        return self.facts.to_json()

    @cached_property
    def digest(self) -> str:
        """`sha256:<hex>` of the canonical JSON of all that was given."""
        return digest(self.value) if self.recorded is None else digest_of_read(self.recorded)

    @cached_property
    def approvals_known(self) -> bool:
        """Asked of every rule."""
        return self.facts.approvals.are_counted

    @cached_property
    def _activation(self) -> Any:
        return activation(self.value)

    @cached_property
    def zones(self) -> ZoneReader:
        """The time zones of the input."""
        return ZoneReader.of(self.facts)

    def passes(self, expression: Expression) -> bool:
        """Whether the expression is true. Raises ExpressionError."""
        return passes(expression, self._activation, self.zones)


def outcomes(compiled: CompiledPolicy, variables: Variables) -> list[RuleOutcome]:
    """What every condition of a policy says that is about the decision."""
    said = list(compiled.always)
    policy, facts = compiled.policy, variables.facts
    if compiled.conditional:
        said.extend(
            RuleOutcome(
                policy.name,
                name,
                verdict.effect,
                policy.enforcement,
                verdict.message,
                zones=verdict.zones,
            )
            for name, verdict in _conditions(compiled, variables)
        )
    said.extend(
        _free_rule(policy, rule, variables)
        for rule in compiled.rules
        if facts.stage is Stage.ISSUE or rule.rule.applies_at is AppliesAt.ALWAYS
    )
    return said


def _conditions(compiled: CompiledPolicy, variables: Variables) -> Iterator[tuple[str, Verdict]]:
    policy, facts = compiled.policy, variables.facts
    if policy.stages:
        yield "approvals", judge(stage_needs(facts, policy.name, policy.stages), facts)
    if policy.require.ticket is not None:
        yield "ticket", _ticket(compiled, variables)
    if policy.require.reason_length:
        yield "reason-length", _reason_length(policy.require.reason_length, facts)
    if facts.stage is Stage.ISSUE:
        yield from _at_issue(policy, variables)


def _at_issue(policy: AccessPolicy, variables: Variables) -> Iterator[tuple[str, Verdict]]:
    """What the passing of time, or another grant, must not turn against a live grant."""
    limits, facts = policy.limits, variables.facts
    if limits.times is not None:
        yield "times", calendar.within_times(limits.times, facts, variables.zones)
    if limits.freezes:
        yield "freeze", calendar.outside_freezes(limits.freezes, facts)
    if limits.concurrent is not None:
        yield "concurrent", calendar.below_concurrent(limits.concurrent, policy, facts)
    if limits.window is not None:
        yield "window", calendar.window_verdict(limits.window, policy, facts)


def _reason_length(wanted: int, facts: DecisionInput) -> Verdict:
    found = facts.request.reason_length
    text = f"a reason of at least {wanted} characters; it has {found}"
    return (passed if found >= wanted else failed)(text)


def _ticket(compiled: CompiledPolicy, variables: Variables) -> Verdict:
    pattern, found = compiled.policy.require.ticket, variables.facts.request.ticket
    if compiled.ticket is None:
        return failed(f"the policy cannot be applied: {compiled.ticket_problem}")
    if found is None:
        return failed(f"a ticket that matches {pattern}; none is given")
    try:
        matches = variables.passes(compiled.ticket)
    except ExpressionError as error:
        return failed(f"the ticket cannot be judged: {error}")
    return (passed if matches else failed)(f"a ticket that matches {pattern}; it is {found}")


def _free_rule(policy: AccessPolicy, compiled: CompiledRule, variables: Variables) -> RuleOutcome:
    """What the rule says. Only its plain "no" can be excepted: an error in it denies."""
    rule, answer = compiled.rule, _answer(compiled, variables)
    if isinstance(answer, Verdict):
        return replace(
            compiled.holds, effect=answer.effect, message=answer.message, zones=answer.zones
        )
    if answer:
        return compiled.holds
    outcome = replace(compiled.holds, effect=Effect.DENY, message=rule.message)
    if not compiled.may_be_excepted:
        return outcome
    return excepting.excepted(outcome, f"{policy.name}/{rule.name}", variables.facts)


def _answer(compiled: CompiledRule, variables: Variables) -> bool | Verdict:
    """Whether the rule holds; a verdict where that cannot be told."""
    expression, message = compiled.expression, compiled.rule.message
    if expression is None:
        return failed(f"{message} (the rule cannot be applied: {compiled.problem})")
    gap = _unknown_input(expression, variables)
    if gap is not None:
        return unknown(f"{message} ({gap})")
    for name in sorted(expression.zones):
        if variables.zones.offset(name) is None:
            return unknown(f"{message} ({variables.zones.missing[name]})", (name,))
    try:
        return variables.passes(expression)
    except ZoneMissingError as error:
        return unknown(f"{message} ({error})", error.zones)
    except ExpressionError as error:
        return failed(f"{message} (the rule failed: {error})")


def _unknown_input(expression: Expression, variables: Variables) -> str | None:
    """What the expression reads that is not known, unless it may and does say what happens then.

    Whatever an expression makes of a missing answer (`!=`, `!has(…)`), it must not turn a denial
    into a permit. At low and moderate sensitivity a rule may read the `status` of a declared
    context, and so decide by itself.
    """
    facts = variables.facts
    gap = _unknown_names(expression.names, facts)
    if gap is not None:
        return gap
    if expression.reads_approvals and not variables.approvals_known:
        return "approvals are not known here"
    if not expression.context_names:
        return None
    strict = facts.resource is None or Sensitivity(facts.resource.sensitivity).pins_recipients
    for name in sorted(expression.context_names):
        answer = facts.context.get(name)
        if answer is None:  # whatever the rule makes of that: its author means another one
            return f"the settings declare no context {name}"
        if answer.status != Status.KNOWN and (strict or not expression.tolerates(name)):
            return f"the context {name} is {answer.status}"
    return None


def _unknown_names(names: ExpressionNames, facts: DecisionInput) -> str | None:
    """What it asks about by name that is not known: of groups it never knows all."""
    if names.unclear:
        return f"which groups it asks about cannot be told: {names.unclear}"
    own = _groups_of(facts.resource, names.own_groups)
    asked = (own | names.subject_groups).intersection(facts.unknown_groups)
    # What approvers and the requester of a live grant belonged to is that of its issue.
    unknown_then = facts.unknown_at_issue if facts.stage is Stage.LIVE else facts.unknown_groups
    asked |= (own | names.asker_groups).intersection(unknown_then)
    if asked:
        return f"who belongs to {', '.join(sorted(asked))} is not known"
    if names.reads_invoker and facts.requester.invoker is None:
        return "whether the requester is an invoker is not known"
    return None


def _groups_of(resource: ResourceFacts | None, fields: frozenset[str]) -> set[str]:
    """The groups that those fields of the resource name."""
    if resource is None:
        return set()
    found = {
        "businessOwner": (resource.business_owner,),
        "lifecycleOwner": (resource.lifecycle_owner,),
        "approverGroups": resource.approver_groups,
    }
    return {name for item in fields for name in found[item]}
