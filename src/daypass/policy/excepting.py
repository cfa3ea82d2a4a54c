"""Exceptions in a decision: which denials do not count, by whose word, and what that costs.

An exception takes away the plain "no" of a rule that lets itself be excepted, and nothing else:
what is unknown stays unknown. It is of the routine lane, and counts while its dates hold and while
the person to whom it is attributed is an active human.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from daypass.model.decision import Effect, Enforcement
from daypass.model.exception import BUILT_IN, OWN_KEYS
from daypass.model.grant import Lane
from daypass.model.identity import IdentityStatus, IdentityType
from daypass.model.instant import Instant
from daypass.policy.facts import Stage
from daypass.policy.verdict import words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from daypass.model.decision import RuleOutcome
    from daypass.policy.facts import ExceptionFacts
    from daypass.policy.input import DecisionInput


def excepted(outcome: RuleOutcome, rule: str, facts: DecisionInput) -> RuleOutcome:
    """The outcome, saying by which exception its denial does not count, if by any.

    Args:
        outcome: what the rule said; it must be one that lets itself be excepted.
        rule: `policy/rule`, as exceptions name it.
        facts: what the decision rests on. Of several exceptions the strictest counts: the one that
            leaves the least time; of equal ones the first by name.
    """
    if outcome.effect is not Effect.DENY or outcome.enforcement is not Enforcement.ENFORCE:
        return outcome
    counting = (item for item in facts.exceptions if _holds(item, rule, facts))
    found = min(counting, key=lambda item: (least_time(item, facts)[0], item.name), default=None)
    return outcome if found is None else replace(outcome, excepted_by=found.name)


def least_time(item: ExceptionFacts, facts: DecisionInput) -> tuple[int, str]:
    """Returns how many seconds an exception leaves from now at the most, and by what of it."""
    now = Instant.parse(facts.now)
    issued = Instant.parse(facts.request.issued_at) if facts.request.issued_at else now
    elapsed = -int(-now.since(issued) // 1)  # rounded up: never a second too many
    most = item.max_duration_seconds
    left = int(Instant.parse(item.not_after).since(now) // 1)
    return min(
        (most - elapsed, f"exception {item.name} (at most {words(most)})"),
        (left, f"exception {item.name}, until {item.not_after}"),
        key=lambda bound: bound[0],
    )


def in_use(said: Iterable[RuleOutcome], facts: DecisionInput) -> tuple[ExceptionFacts, ...]:
    """The exceptions that the outcomes rest on, by name."""
    names = {item.excepted_by for item in said}
    return tuple(item for item in facts.exceptions if item.name in names)


def independent(facts: DecisionInput) -> DecisionInput:
    """The facts without the approvals of those to whom an exception is attributed.

    They answer for what is asked, as an owner or a sponsor does, whichever exception counts now:
    so neither a date that passes nor an exception that is not needed makes a word count.
    """
    if not facts.exceptions or facts.request.lane != Lane.ROUTINE:
        return facts
    accounts = {item.attributed_to.account_id for item in facts.exceptions}
    barred = {account for account in accounts if account is not None}
    approvals = facts.approvals
    return replace(
        facts,
        approvals=replace(
            approvals,
            counted=tuple(item for item in approvals.counted if item.account_id not in barred),
            excluded=tuple(sorted(barred.union(approvals.excluded))),
        ),
    )


def _holds(item: ExceptionFacts, rule: str, facts: DecisionInput) -> bool:
    person, now = item.attributed_to, Instant.parse(facts.now)
    # A live grant rests on what held when it was issued, and what its record names: neither a date
    # that comes nor a document that is brought later, dated back, gives it anything. Vault would
    # not end it with that document, and no evidence would name it.
    since = Instant.parse(facts.request.issued_at) if facts.request.issued_at else now
    return (
        facts.request.lane == Lane.ROUTINE
        and (facts.stage is not Stage.LIVE or item.name in facts.rests_on)
        and rule in item.excepts
        and Instant.parse(item.not_before) <= since
        and now < Instant.parse(item.not_after)
        and person.type == IdentityType.HUMAN
        and person.status == IdentityStatus.ACTIVE
        and person.account_id is not None
        and (rule != f"{BUILT_IN}/{OWN_KEYS}" or _alone_has_a_key(item, facts))
    )


def _alone_has_a_key(item: ExceptionFacts, facts: DecisionInput) -> bool:
    """Whether nobody but the attributed person could act as the subject."""
    shared = facts.subject.keys_shared_with if facts.subject is not None else ()
    return all(name == item.attributed_to.name for name in shared)
