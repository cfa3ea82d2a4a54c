"""Policies, compiled once a run: expressions are parsed and checked here and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from daypass.model.catalogue import rules_digest
from daypass.model.decision import Effect, RuleOutcome
from daypass.model.policy import Limits
from daypass.policy.expressions import (
    Expression,
    ExpressionError,
    compile_expression,
    compile_ticket,
)
from daypass.policy.rule_names import RULE_PREFIX
from daypass.policy.rules import CONDITIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from daypass.model.catalogue import Catalogue
    from daypass.model.exception import PolicyException
    from daypass.model.policy import AccessPolicy, Rule


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A free rule; `problem` says why its expression cannot be used, and then it denies."""

    rule: Rule
    holds: RuleOutcome  # what it says when it holds, and its name
    may_be_excepted: bool  # whether it says so, and no other rule of the policy has its name
    expression: Expression | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class CompiledPolicy:
    """A policy with its expressions compiled."""

    policy: AccessPolicy
    ticket: Expression | None  # None also when the pattern is wrong: `ticket_problem` says so
    ticket_problem: str
    rules: tuple[CompiledRule, ...]
    always: tuple[RuleOutcome, ...]  # what it says of everything that it is about
    conditional: bool  # whether it has conditions besides its free rules

    def rule_names(self) -> tuple[tuple[str, bool], ...]:
        """Each rule that it has, as `policy/rule`, and whether it is one that cannot fail."""
        policy, limits = self.policy, self.policy.limits
        given = {
            "approvals": policy.stages,
            "ticket": policy.require.ticket,
            "reason-length": policy.require.reason_length,
            "times": limits.times,
            "freeze": limits.freezes,
            "concurrent": limits.concurrent,
            "window": limits.window,
        }
        names = [(outcome.rule, True) for outcome in self.always]
        names += [(name, False) for name, value in given.items() if value]
        names += [(rule.holds.rule, False) for rule in self.rules]
        return tuple((f"{policy.name}/{name}", unfailing) for name, unfailing in names)


@dataclass(frozen=True, slots=True)
class CompiledPolicies:
    """All policies of one tree, by name, and the digest of the documents that rule there."""

    policies: tuple[CompiledPolicy, ...]
    digest: str


def compile_policies(
    policies: Iterable[AccessPolicy], exceptions: Iterable[PolicyException] = ()
) -> CompiledPolicies:
    """Compile all policies of a tree. Their order does not matter.

    What its exceptions say reaches a decision by its input; here they count for the digest.

    A rule that cannot be compiled denies; `check_expressions` tells its author before that.

    Raises:
        ValueError: two policies have one name.
    """
    ordered = sorted(policies, key=lambda policy: policy.name)
    if len({policy.name for policy in ordered}) != len(ordered):
        raise ValueError("two policies have the same name")
    return CompiledPolicies(
        tuple(_compile(policy) for policy in ordered), rules_digest(ordered, exceptions)
    )


def compile_rules(catalogue: Catalogue) -> CompiledPolicies:
    """Compile what rules in a tree: its policies, under the digest of all that decides there."""
    return compile_policies(catalogue.policies.values(), catalogue.exceptions.values())


def _compile(policy: AccessPolicy) -> CompiledPolicy:
    pattern = policy.require.ticket
    ticket, problem = _attempt(compile_ticket, pattern) if pattern is not None else (None, "")
    # A policy's own rule may not pass for one of the conditions that every policy has.
    names = [
        f"{RULE_PREFIX}{rule.name}" if rule.name in CONDITIONS else rule.name
        for rule in policy.rules
    ]
    rules = tuple(
        CompiledRule(
            rule,
            _holds(policy, name, rule.expression),
            rule.may_be_excepted and names.count(name) == 1,
            *_attempt(compile_expression, rule.expression),
        )
        for rule, name in zip(policy.rules, names, strict=True)
    )
    always = [_holds(policy, "match", policy.description)]
    if policy.approvals_not_required is not None and not policy.stages:
        why = f"no approval of its own: {policy.approvals_not_required}"
        always.append(_holds(policy, "approvals", why))
    conditional = bool(
        policy.stages
        or policy.require.ticket is not None
        or policy.require.reason_length
        or policy.limits != Limits()
    )
    return CompiledPolicy(policy, ticket, problem, rules, tuple(always), conditional)


def _holds(policy: AccessPolicy, name: str, message: str) -> RuleOutcome:
    return RuleOutcome(policy.name, name, Effect.PERMIT, policy.enforcement, message)


def _attempt(compiler: Callable[[str], Expression], text: str) -> tuple[Expression | None, str]:
    try:
        return compiler(text), ""
    except ExpressionError as error:
        return None, str(error)
