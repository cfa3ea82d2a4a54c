"""Forecast: what merging a request would do, in words, before anybody approves it.

The same decision point is asked as at the merge. What is not known where the question is asked
(approvals and teams, in the check of a pull request that holds no secret) is said to be not known.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from daypass.lifecycle.preview_sources import (
    NOTHING_ASKED,
    PreviewSources,
    groups_in_question,
    keys_outcome,
)
from daypass.lifecycle.timing import over
from daypass.model.decision import Effect, Enforcement, RuleOutcome
from daypass.model.event import Reason
from daypass.model.grant import Lane
from daypass.model.resource import IssueMode, break_glass_role_name, token_role_name
from daypass.policy.approvals import count_approvals, excluded_among
from daypass.policy.approvers import asked_for, resource_needs
from daypass.policy.asked import Asked, Held, PastGrant, Renewed, Surroundings
from daypass.policy.compiled import compile_rules
from daypass.policy.decide import decide, describe_bound, describe_requirements
from daypass.policy.input import build_input
from daypass.policy.rules import BUILT_IN
from daypass.policy.rules.emergency import INVOKER, NOT_OVERDUE
from daypass.policy.rules.renewal import RENEWAL
from daypass.policy.rules.target import NOT_FAR_AHEAD, too_far_ahead
from daypass.policy.verdict import words

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence

    from daypass.lifecycle.inquiry import Inquiry
    from daypass.model.catalogue import Catalogue
    from daypass.model.decision import Decision
    from daypass.model.grant import Grant
    from daypass.model.instant import Instant
    from daypass.model.obligation import Obligation
    from daypass.model.pullrequest import PullRequest
    from daypass.model.request import AccessRequest
    from daypass.model.resource import Level
    from daypass.policy.approvals import ApprovalCount, RefusedReview
    from daypass.policy.approvers import Need
    from daypass.policy.bounds import Bound
    from daypass.policy.facts import ContextFacts
    from daypass.policy.groups import GroupDirectory
    from daypass.policy.input import DecisionInput

# Rules whose answer changes as people approve: until then they are what is still needed, and
# everything else that does not hold would deny.
_PROVABLE: Final = "approvals-provable"
_RESOURCE: Final = "resource-approvers"
_OF_APPROVAL: Final = frozenset(
    {_PROVABLE, _RESOURCE, "two-approvers", "approvals", "requester-may-ask"}
)


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is known of one request before its merge."""

    request: AccessRequest
    decision: Decision
    would_deny: tuple[RuleOutcome, ...]  # whoever approves
    unknown: tuple[RuleOutcome, ...]  # what rests on answers that were not asked for here
    still_needed: tuple[str, ...]
    already: tuple[str, ...]
    cannot_approve: tuple[str, ...]  # members of the groups asked, who are out, each with why
    refused_reviews: tuple[RefusedReview, ...]
    beside: tuple[str, ...]  # approved, and nobody asked for the word of any of their groups
    warnings: tuple[RuleOutcome, ...]  # of policies that are being tried
    excepted: tuple[RuleOutcome, ...]  # what would deny, but for an exception
    missing_teams: tuple[str, ...]  # of the groups that it waits for: GitHub has no such team
    what: str  # the Vault role, and how the secret comes into being
    until: str
    lane: Lane = Lane.ROUTINE

    @property
    def is_ready(self) -> bool:
        """Whether it needs nothing more, by all that is known here."""
        return not (self.would_deny or self.unknown or self.still_needed)

    @property
    def is_denied(self) -> bool:
        """Whether merging it now could only end in a denial, whoever approves."""
        return bool(self.would_deny)

    def to_json(self) -> dict[str, Any]:
        """As `plan --format json` prints it."""
        return {
            "grant": self.request.id,
            "subject": self.request.subject,
            "resource": self.request.resource,
            "access": self.request.access,
            "what": self.what,
            "until": self.until,
            "effectNow": str(self.decision.effect),
            "wouldDeny": [item.to_json() for item in self.would_deny],
            "unknownHere": [item.to_json() for item in self.unknown],
            "stillNeeded": list(self.still_needed),
            "cannotApprove": list(self.cannot_approve),
            "approved": list(self.already),
            "approvedUnasked": list(self.beside),
            "reviewsThatDoNotCount": [item.to_json() for item in self.refused_reviews],
            "excepted": [item.to_json() for item in self.excepted],
            "warnings": [item.to_json() for item in self.warnings],
            "missingTeams": list(self.missing_teams),
        }


@dataclass(frozen=True, slots=True)
class Standing:
    """The grants that a request would join."""

    live: Mapping[str, Grant]  # by id
    past: Mapping[str, Sequence[PastGrant]]  # by subject: live, or ended within a window
    overdue: tuple[Obligation, ...] = ()  # every review of an emergency that is overdue
    ending: frozenset[str] = frozenset()  # grants that the same merge ends

    def joined(self, asked: Asked, now: Instant) -> Standing:
        """The same once that request is granted too: it counts in the limits of the next."""
        request, begin = asked.request, asked.request.not_before or now
        end = begin.plus(request.duration.seconds)
        grant = PastGrant(
            request.id, asked.lane, request.resource, request.access, begin, end, live=True
        )
        mine = (*self.past.get(request.subject, ()), grant)
        return replace(self, past={**self.past, request.subject: mine})


def forecast(
    asked: Asked,
    catalogue: Catalogue,
    groups: GroupDirectory,
    pull_request: PullRequest | None,
    standing: Standing,
    now: Instant,
    sources: PreviewSources = NOTHING_ASKED,
) -> Forecast:
    """Ask the decision point about a request as it would stand after its merge.

    Args:
        asked: the request, sound by itself, and naming only what the catalogue has.
        catalogue: of the tree that the pull request is to be merged into.
        groups: as far as they are known here.
        pull_request: as GitHub tells it now, or None where GitHub is not asked.
        standing: the grants on main.
        now: a time to decide at; for display and limits of the clock only.
        sources: what else may be asked here: context sources, keys, teams.
    """
    request = asked.request
    count = _counted(asked, pull_request, catalogue, groups, now)
    context = sources.inquiry.about(request, catalogue, now)
    around = _surroundings(request, standing, now, groups, context)
    facts = build_input(asked, catalogue, count, around)
    policies = compile_rules(catalogue)
    decision = decide(facts, policies)
    needs = describe_requirements(facts, policies)
    hopeless = _hopeless(facts, decision, count)
    against, unknown = _against(facts, decision, count, pull_request, sources.inquiry)
    keys = keys_outcome(
        catalogue.identities[request.subject],
        catalogue.resources[request.resource],
        sources.recipients,
    )
    of_keys = [keys] if keys is not None else []
    waits_for = groups_in_question(decision, needs, catalogue, asked.lane)
    return Forecast(
        request=request,
        decision=decision,
        would_deny=(
            *_untimely(request, now),
            *against,
            *hopeless,
            *(item for item in of_keys if item.effect is Effect.DENY),
        ),
        unknown=(*unknown, *(item for item in of_keys if item.effect is not Effect.DENY)),
        still_needed=() if hopeless else _still_needed(needs, facts, decision),
        cannot_approve=_out(facts, needs, count, pull_request, catalogue),
        already=tuple(dict.fromkeys(who for need in needs for who in need.given)),
        refused_reviews=count.refused if count else (),
        beside=_beside(facts, needs),
        warnings=_warnings(decision),
        excepted=decision.excepted,
        missing_teams=sources.teams.missing(waits_for, catalogue, groups) if sources.teams else (),
        what=_what(asked, catalogue, decision),
        until=_until(request, describe_bound(facts, policies)),
        lane=asked.lane,
    )


def _counted(
    asked: Asked,
    pull_request: PullRequest | None,
    catalogue: Catalogue,
    groups: GroupDirectory,
    now: Instant,
) -> ApprovalCount | None:
    """The approvals so far; None where GitHub is not asked."""
    if pull_request is None:
        return None
    subject = catalogue.identities[asked.request.subject]
    resource = catalogue.resources.get(asked.request.resource)
    exceptions = asked.exceptions(catalogue)
    return count_approvals(pull_request, subject, catalogue, groups, now, exceptions, resource)


def _against(
    facts: DecisionInput,
    decision: Decision,
    count: ApprovalCount | None,
    pull_request: PullRequest | None,
    inquiry: Inquiry,
) -> tuple[list[RuleOutcome], list[RuleOutcome]]:
    """What denies it whoever approves, and what rests on answers that are not known here."""
    against = [item for item in decision.reasons if item.rule not in _OF_APPROVAL]
    unknown = [item for item in against if _is_unknown(item, pull_request, inquiry, facts)]
    certain = [item for item in against if item not in unknown]
    if count is not None and count.fault_may_pass:
        unknown += [item for item in decision.reasons if item.rule == _PROVABLE]
    return certain, [_without_author(item, facts) for item in unknown]


def _still_needed(
    needs: Sequence[Need], facts: DecisionInput, decision: Decision
) -> tuple[str, ...]:
    """The approvals that are missing, and the requests for changes that stand."""
    missing = (str(need) for need in needs if need.missing)
    return tuple(dict.fromkeys((*missing, *_objections(facts, decision))))


def _hopeless(
    facts: DecisionInput, decision: Decision, count: ApprovalCount | None
) -> list[RuleOutcome]:
    """Why no approval can help: who wrote it is not known, or everybody asked for is out."""
    if count is None or facts.request.lane == Lane.BREAK_GLASS:
        return []  # the emergency lane is reviewed afterwards
    if count.fault is not None:
        found = [item for item in decision.reasons if item.rule == _PROVABLE]
        text = f". {count.fault_remedy}" if count.fault_remedy else ""
        lasts = not count.fault_may_pass
        return [replace(item, message=item.message + text) for item in found if lasts]
    # A policy leaves several ways open; what the resource asks for, it asks for by itself.
    lost = [
        need
        for need in resource_needs(facts)
        if need.all_known and need.missing > len(need.candidates)
    ]
    why = "nobody who could approve is left"
    return [
        RuleOutcome(BUILT_IN, _RESOURCE, Effect.DENY, Enforcement.ENFORCE, f"{why}: {need}")
        for need in lost
    ]


def _out(
    facts: DecisionInput,
    needs: Sequence[Need],
    count: ApprovalCount | None,
    pull_request: PullRequest | None,
    catalogue: Catalogue,
) -> tuple[str, ...]:
    """The members of the groups asked who cannot approve: by what they did, or are."""
    if count is None or pull_request is None:
        return ()
    names = {name for need in needs if need.missing for name in need.groups}
    asked = (
        member.account_id
        for name in names & facts.groups.keys()
        for member in facts.groups[name].members
        if member.account_id is not None
    )
    return excluded_among(asked, count, pull_request, catalogue)


def _objections(facts: DecisionInput, decision: Decision) -> tuple[str, ...]:
    """The requests for changes that stand: they deny, however many approve."""
    if not facts.approvals.blocked_by:
        return ()
    return tuple(item.message for item in decision.reasons if item.rule == _PROVABLE)


def _beside(facts: DecisionInput, needs: Sequence[Need]) -> tuple[str, ...]:
    """Who approved, and is in no group whose word is asked for."""
    asked = asked_for(facts, needs)
    return tuple(item.who for item in facts.approvals.counted if item not in asked)


def _warnings(decision: Decision) -> tuple[RuleOutcome, ...]:
    """What policies that are being tried have against it."""
    return tuple(
        item
        for item in decision.outcomes
        if item.enforcement is Enforcement.WARN and item.effect is not Effect.PERMIT
    )


def _surroundings(
    request: AccessRequest,
    standing: Standing,
    now: Instant,
    groups: GroupDirectory,
    context: Mapping[str, ContextFacts],
) -> Surroundings:
    """What is known when it begins: by the hours, freezes and grants of then it is decided."""
    then = now if request.not_before is None else max(now, request.not_before)
    past, renews = standing.past, standing.live.get(request.renews or "")
    held = (
        Held(grant.id, subject, grant.resource)
        for subject, grants in past.items()
        for grant in grants
        if grant.live and grant.not_after > then
    )
    return Surroundings(
        then,
        groups,
        tuple(
            replace(item, live=item.live and item.not_after > then)
            for item in past.get(request.subject, ())
        ),
        context,
        overdue=standing.overdue,
        held=tuple(held),
        renewed=_renewed(renews, standing.ending) if renews is not None else None,
    )


def _renewed(grant: Grant, ending: Container[str]) -> Renewed:
    return Renewed.of(grant, str(Reason.REQUEST_DELETED) if grant.id in ending else None)


def _untimely(request: AccessRequest, now: Instant) -> Iterator[RuleOutcome]:
    """That its window is over, or too far ahead, which no approval mends."""
    if request.is_over(now):
        why = over(request, f"asked for, as of {now}")
        yield RuleOutcome(BUILT_IN, "window", Effect.DENY, Enforcement.ENFORCE, why)
    far = too_far_ahead(request.not_before, now)
    if far is not None:
        yield RuleOutcome(BUILT_IN, NOT_FAR_AHEAD, Effect.DENY, Enforcement.ENFORCE, far)


def _is_unknown(
    item: RuleOutcome,
    pull_request: PullRequest | None,
    inquiry: Inquiry,
    facts: DecisionInput,
) -> bool:
    """Whether it rests on an answer that was not asked for here, and will be at the merge.

    A grant that has ended is found in the evidence, which is read when its renewal is decided. A
    review that is overdue on main may have been given: the run that decides counts it first. For a
    time zone that is not known here the request waits.
    """
    if item.rule == INVOKER and facts.requester.account_id is None:
        return True  # who opens it is not known here
    if item.rule == NOT_OVERDUE:
        return True
    if item.effect is not Effect.INDETERMINATE:
        return False
    unasked = pull_request is None or (inquiry.reader is None and bool(facts.context))
    return unasked or item.rule == RENEWAL or bool(item.zones)


def _without_author(item: RuleOutcome, facts: DecisionInput) -> RuleOutcome:
    """Say that it is not asked here who opens it, where the rule met no account at all."""
    if item.rule != INVOKER or facts.requester.account_id is not None:
        return item
    return replace(item, message="who opens it is not known here, and must be an invoker")


def _what(asked: Asked, catalogue: Catalogue, decision: Decision) -> str:
    request = asked.request
    level: Level = catalogue.resources[request.resource].levels[request.access]
    tier = level.tier_for(min(request.duration, level.longest))
    if tier is None:
        return "nothing: no tier lasts that long"
    name = break_glass_role_name if asked.lane is Lane.BREAK_GLASS else token_role_name
    token_role = name(request.resource, request.access, tier.length)
    if decision.obligations.issue is IssueMode.ON_CLAIM:
        how = (
            "a wrapped token that can read it once: the secret comes into being when it is claimed"
        )
    else:
        how = "the secret, wrapped, for one unwrap"
    return f"Vault role `{level.mount}/creds/{tier.role}` by token role `{token_role}`; {how}"


def _until(request: AccessRequest, bound: Bound) -> str:
    start = f"{request.not_before}" if request.not_before else "its issue"
    length = words(bound.seconds) if bound.seconds > 0 else "no time"
    return f"{length} from {start}, bounded by {bound.source}"
