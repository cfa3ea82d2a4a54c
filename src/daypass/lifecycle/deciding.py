"""Deciding: one question to the decision point, and where the base of a merge differs, two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from daypass.model.grant import BaseRuling
from daypass.model.zone_database import database_version
from daypass.policy.approvals import count_approvals
from daypass.policy.approvers import asked_for
from daypass.policy.decide import decide, describe_requirements
from daypass.policy.input import build_input
from daypass.policy.strictest import strictest
from daypass.policy.zone import unknown_zones, zone_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from daypass.lifecycle.base import Ruling
    from daypass.model.decision import Decision
    from daypass.model.grant import Approval
    from daypass.model.pullrequest import PullRequest
    from daypass.policy.approvals import ApprovalCount
    from daypass.policy.asked import Asked, Surroundings
    from daypass.policy.input import DecisionInput


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision, and all that its record says of it."""

    facts: DecisionInput
    decision: Decision
    approvals: tuple[Approval, ...]  # those whose word was asked for
    base: BaseRuling | None = None  # what ruled before the merge, where it differs
    counts: tuple[ApprovalCount, ...] = ()  # by what rules now, and by what ruled before
    facts_before: DecisionInput | None = None  # by what ruled before the merge, where it differs
    zones_before: tuple[str, ...] = ()  # unknown time zones that only main before the merge names

    @property
    def is_barred(self) -> bool:
        """Whether something that stays as it is keeps every approval from counting."""
        return any(item.fault is not None and not item.fault_may_pass for item in self.counts)

    @property
    def needs(self) -> tuple[str, ...]:
        """What the rules say of why it is no permit, a line each."""
        return tuple(f"{item.policy}/{item.rule}: {item.message}" for item in self.decision.reasons)

    @property
    def why(self) -> tuple[str, ...]:
        """Why it is no permit, a line each, for people and for the body of the evidence."""
        lines = [*self.needs]
        if self.base is not None:
            lines.append(
                f"decided by main before the merge too, at {self.base.commit[:12]}, with policies "
                f"{self.base.policy_digest} on the input {self.base.input_digest}: "
                f"{self.base.effect}"
            )
        if self.base is not None and self.zones_before:
            lines.append(
                f"main before the merge, at {self.base.commit[:12]}, names "
                f"{', '.join(self.zones_before)}, which no database of time zones here knows, and "
                "main does not any more: ask again under a new id"
            )
        return tuple(lines)


def decide_merged(
    asked: Asked,
    pull_request: PullRequest,
    head: Ruling,
    base: Ruling | None,
    around: Callable[[Ruling], Surroundings],
    *,
    counts: bool = True,
) -> Decided:
    """Decide by what rules now, and by what ruled before the merge where that differs.

    Args:
        asked: the request as it lies on main.
        pull_request: the one that brought it.
        head: main's documents.
        base: those of the commit before the merge; None when they are the same.
        around: what a run knows at the moment of the decision, by those documents.
        counts: False leaves open who approved: what is denied then, no approval changes.

    Raises:
        PermanentError: it rests on a time zone that this installation does not know: it waits.
            One that only the base names is no error: main can be mended, its past cannot, so that
            is as undecided as any answer that stays missing.
    """
    now = _by(head, asked, pull_request, around, counts=counts)
    _raise_unknown(unknown_zones(now.decision))
    if base is None:
        return now
    before = _by(base, asked, pull_request, around, counts=counts)
    zones = unknown_zones(before.decision)
    if not database_version():
        _raise_unknown(zones)
    effect = str(before.decision.effect)
    digests = (before.decision.policy_digest, before.decision.input_digest)
    approvals = dict.fromkeys((*now.approvals, *before.approvals))
    return Decided(
        now.facts,
        strictest(now.decision, before.decision),
        tuple(approvals),
        BaseRuling(base.commit, *digests, effect),
        (*now.counts, *before.counts),
        before.facts,
        zones_before=zones,
    )


def _raise_unknown(zones: tuple[str, ...]) -> None:
    if zones:
        raise zone_error(zones)


def _by(
    ruling: Ruling,
    asked: Asked,
    pull_request: PullRequest,
    around: Callable[[Ruling], Surroundings],
    *,
    counts: bool,
) -> Decided:
    surroundings = around(ruling)
    subject = ruling.catalogue.identities.get(asked.request.subject)
    count = (
        count_approvals(
            pull_request,
            subject,
            ruling.catalogue,
            ruling.groups,
            surroundings.now,
            asked.exceptions(ruling.catalogue),
            ruling.catalogue.resources.get(asked.request.resource),
        )
        if subject is not None and counts
        else None
    )
    facts = build_input(asked, ruling.catalogue, count, surroundings)
    decision = decide(facts, ruling.policies)
    needs = describe_requirements(facts, ruling.policies)
    wanted = {item.review_id for item in asked_for(facts, needs)}
    return Decided(
        facts,
        decision,
        tuple(item for item in (count.counted if count else ()) if item.review_id in wanted),
        counts=(count,) if count is not None else (),
    )
