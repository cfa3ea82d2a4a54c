"""Who must approve, who has, and who could: the same answer for rules, plans and people."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Final

from daypass.policy import excepting
from daypass.policy.facts import Status
from daypass.policy.verdict import Verdict, failed, passed, unknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from daypass.model.policy import ApprovalRequirement
    from daypass.model.policy import Stage as ApprovalStage
    from daypass.policy.facts import ApprovalFacts, ResourceFacts
    from daypass.policy.input import DecisionInput

_SHOWN: Final = 8  # names in a message


@dataclass(frozen=True, slots=True)
class Need:
    """So many approvals of members of certain groups; who gave them, and who still could."""

    source: str  # `resource orders-db`, or `policy payments, stage security`
    wanted: int
    of: str  # for people: `dba`, `an owner (orders-team or dba)`
    groups: tuple[str, ...]
    given: tuple[str, ...]
    candidates: tuple[str, ...]  # none when nothing is missing
    all_known: bool  # whether the membership of all those groups could be had

    @property
    def missing(self) -> int:
        """How many approvals are still needed."""
        return max(0, self.wanted - len(self.given))

    def __str__(self) -> str:
        if not self.missing:
            return f"{self.wanted} of {self.of}: approved by {', '.join(self.given)}"
        approvals = "approval" if self.missing == 1 else "approvals"
        more = "more " if self.given else ""
        if not self.all_known:
            who = "who can approve cannot be had from GitHub now"
        elif self.candidates:
            names = ", ".join(self.candidates[:_SHOWN])
            rest = len(self.candidates) - _SHOWN
            who = f"{names}{f' and {rest} others' if rest > 0 else ''} can approve"
        else:
            who = "nobody who could approve is left: somebody else must join"
        return f"needs {self.missing} {more}{approvals} from {self.of}: {who}"


def judge(needs: Iterable[Need], facts: DecisionInput) -> Verdict:
    """Whether all needs are met; else whether that is certain."""
    needs = tuple(needs)
    open_needs = [need for need in needs if need.missing]
    if not open_needs:
        return passed("; ".join(str(need) for need in needs))
    text = "; ".join(str(need) for need in open_needs)
    if facts.approvals.fault is not None:
        return failed(f"{text} (the approvals of this pull request count for nothing)")
    if not facts.approvals.are_counted:
        return unknown(f"{text}. Approvals are not known here: they are counted at the merge")
    # With several ways to be met, the one shown may be out of reach while another is not known.
    return failed(text) if all(need.all_known for need in needs) else unknown(text)


def asked_for(facts: DecisionInput, needs: Iterable[Need]) -> tuple[ApprovalFacts, ...]:
    """The approvals of people whose word some need asks for. Others say nothing about it."""
    groups = {name for item in needs for name in item.groups}
    counted = excepting.independent(facts).approvals.counted
    return tuple(item for item in counted if groups.intersection(item.groups))


def need(facts: DecisionInput, source: str, wanted: int, of: str, groups: Sequence[str]) -> Need:
    """A need for members of any of those groups, counted by itself."""
    given = [item for item in facts.approvals.counted if _belongs(item, groups)]
    return _need(facts, source, wanted, of, groups, given)


def resource_needs(facts: DecisionInput) -> tuple[Need, ...]:
    """What the resource itself asks for."""
    resource = facts.resource
    if resource is None:
        return ()
    source = f"resource {resource.name}"
    owner = (resource.business_owner,) if resource.approvers_owner else ()
    groups = (*resource.approver_groups, *owner)
    # "At least 0" is not "nobody": it fails closed, however it came here.
    wanted = max(1, resource.approvers_at_least)
    of = " or ".join(dict.fromkeys(groups)) or "nobody (the resource names no approvers)"
    needs = [need(facts, source, wanted, of, groups)]
    if resource.approvers_owner:
        needs.append(owner_need(facts, resource, source))
    return tuple(needs)


def owner_need(facts: DecisionInput, resource: ResourceFacts, source: str) -> Need:
    """Somebody who answers for the use of the resource."""
    owner = resource.business_owner
    return need(facts, source, 1, f"its owner {owner}", (owner,))


def stage_needs(
    facts: DecisionInput, policy: str, stages: Sequence[ApprovalStage]
) -> tuple[Need, ...]:
    """What a policy's stages ask for. Nobody is counted twice.

    Of the ways that `anyOf` leaves open, the one that is nearest to being met.
    """
    ways = [
        [(stage.name, item) for stage, items in way for item in items]
        for way in product(*([(stage, items) for items in _choices(stage)] for stage in stages))
    ]
    plans = [_assigned(facts, policy, way) for way in ways]
    best = min(plans, key=lambda plan: sum(item.missing for item in plan))
    if any(item.missing for item in best) and not all(
        item.all_known for plan in plans for item in plan
    ):
        return next(plan for plan in plans if not all(item.all_known for item in plan))
    return best


def _choices(stage: ApprovalStage) -> list[tuple[ApprovalRequirement, ...]]:
    return [stage.all_of] if stage.all_of else [(item,) for item in stage.any_of]


def _assigned(
    facts: DecisionInput, policy: str, way: Sequence[tuple[str, ApprovalRequirement]]
) -> tuple[Need, ...]:
    owner = facts.resource.business_owner if facts.resource else ""
    groups = [(item.group or owner,) for _, item in way]
    given = assign(facts.approvals.counted, groups, [max(1, item.at_least) for _, item in way])
    return tuple(
        _need(
            facts,
            f"policy {policy}, stage {name}",
            max(1, item.at_least),
            item.group or f"the resource's owner {owner}",
            accepted,
            people,
        )
        for (name, item), accepted, people in zip(way, groups, given, strict=True)
    )


def assign(
    approvals: Sequence[ApprovalFacts], groups: Sequence[Sequence[str]], wanted: Sequence[int]
) -> list[list[ApprovalFacts]]:
    """Give each approval to at most one requirement, so that as many as possible are used.

    Kuhn's algorithm for bipartite matching, over as many places as each requirement wants.
    """
    places = [index for index, count in enumerate(wanted) for _ in range(count)]
    holder: dict[int, int] = {}  # place → index of the approval

    def seat(approval: int, seen: set[int]) -> bool:
        for place, requirement in enumerate(places):
            if place in seen or not _belongs(approvals[approval], groups[requirement]):
                continue
            seen.add(place)
            if place not in holder or seat(holder[place], seen):
                holder[place] = approval
                return True
        return False

    for index in range(len(approvals)):
        seat(index, set())
    return [
        [
            approvals[holder[place]]
            for place, index in enumerate(places)
            if index == number and place in holder
        ]
        for number in range(len(wanted))
    ]


def _belongs(approval: ApprovalFacts, groups: Iterable[str]) -> bool:
    return any(name in approval.groups for name in groups)


def _need(
    facts: DecisionInput,
    source: str,
    wanted: int,
    of: str,
    groups: Sequence[str],
    given: Sequence[ApprovalFacts],
) -> Need:
    names = tuple(dict.fromkeys(groups))
    known = all(
        name in facts.groups and facts.groups[name].status == Status.KNOWN for name in names
    )
    return Need(
        source,
        wanted,
        of,
        names,
        tuple(item.who for item in given),
        _candidates(facts, names) if len(given) < wanted else (),
        known,
    )


def _candidates(facts: DecisionInput, groups: Iterable[str]) -> tuple[str, ...]:
    """Who of those groups could still approve."""
    barred = _barred(facts) | {item.account_id for item in facts.approvals.counted}
    return tuple(
        sorted(
            {
                member.who
                for name in groups
                if name in facts.groups
                for member in facts.groups[name].members
                if member.account_id is not None and member.account_id not in barred
            }
        )
    )


def _barred(facts: DecisionInput) -> set[int | None]:
    """Accounts whose approval never counts here, as far as that is known without GitHub."""
    barred: set[int | None] = {*facts.approvals.excluded, facts.requester.account_id}
    if facts.subject is not None:
        barred.add(facts.subject.account_id)
        barred.update(person.account_id for person in facts.subject.owners)
        if facts.subject.sponsor is not None:
            barred.add(facts.subject.sponsor.account_id)
    return barred
