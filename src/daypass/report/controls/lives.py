"""Controls that the lives of grants show: decided, bounded, approved, ended."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING

from daypass.ledger.fault import FaultCode
from daypass.model.event import Reason
from daypass.policy.rules import DESCRIBED
from daypass.report.answer import counted, span
from daypass.report.controls.control import Finding, fails, holds, some, unknown, unused
from daypass.report.questions.emergencies import review_state
from daypass.report.questions.timing import confirmed_after, statistics
from daypass.report.story import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from daypass.report.ground import Ground
    from daypass.report.story import GrantStory

_NO_GRANT = "no grant in this window"
_HOUR = 3600


def rules_for(requirement: str) -> list[str]:
    """The built-in rules that say they answer to that requirement."""
    return [name for name, rule in DESCRIBED.items() if requirement in rule.requirements]


def denied_by_default(ground: Ground) -> Finding:
    """R3."""
    counted_reasons = (Reason.POLICY, Reason.UNKNOWN_CONTEXT)
    number = sum(item.reason in counted_reasons for item in ground.refusals)
    shown = [f"{counted(number, 'denial')} by policy or for want of context"] if number else []
    if ground.cases is not None:
        if ground.cases.wrong:
            return fails(
                f"{counted(ground.cases.wrong, 'case')} of access/policy-tests not answered as "
                "somebody wrote down: `daypass policy test` names each"
            )
        shown.append(
            f"{counted(ground.cases.right, 'case')} of access/policy-tests answered as written, "
            f"{ground.cases.denials} of them not with a permit"
        )
    if not shown:
        return unused("nothing was denied in this window, and no case is written down")
    return holds("; ".join(shown))


def decided_alike(ground: Ground) -> Finding:
    """R4."""
    bad = [
        fault.commit[:12]
        for fault in ground.verification.faults
        if fault.code in (FaultCode.DECISION, FaultCode.APPROVALS)
    ]
    if bad:
        return fails(f"decided otherwise when made again, by the commits {some(bad)}")
    told = sum(story.decision_digest is not None for story in ground.evidence.grants)
    told += sum(item.decision_digest is not None for item in ground.evidence.refusals)
    if not told:
        return unused("no decision is on record")
    return holds(
        f"{counted(told, 'recorded decision')} made again from the recorded input, by the policies "
        "of that time: each came out the same"
    )


def replayable(ground: Ground) -> Finding:
    """R5."""
    told = [story for story in ground.grants if story.decision_digest and story.policy_digest]
    bad = [
        story.id
        for story in ground.grants
        if story.record is None or not story.record.input_matches or story not in told
    ]
    if bad:
        return fails(f"no recorded input with the recorded digest: {some(bad)}")
    if not told:
        return unused(_NO_GRANT)
    return holds(
        f"{counted(len(told), 'grant')}, each with its input, whose digest was computed "
        "again, and its policy digest; `daypass explain` replays them"
    )


def context_known(ground: Ground) -> Finding:
    """R6."""
    wanted = [story for story in ground.grants if story.record and story.record.context is not None]
    bad = [
        story.id
        for story in wanted
        if story.record
        and story.record.context is False
        and story.record.sensitivity in ("high", "critical")
        and not story.is_emergency
    ]
    if bad:
        return fails(f"issued though required context was not known: {some(bad)}")
    if not wanted:
        return unused("no context source is required of any grant")
    known = sum(bool(story.record and story.record.context) for story in wanted)
    return holds(
        f"{counted(len(wanted), 'grant')} with required context, known for {known}; the rest are "
        "of low or moderate sensitivity, or emergencies"
    )


def bounded(ground: Ground) -> Finding:
    """R8."""
    bad = []
    checked = 0
    for story in ground.grants:
        if story.record is None or story.not_after is None:
            bad.append(story.id)
            continue
        checked += 1
        limits = (
            story.record.tier_seconds,
            story.record.resource_seconds,
            story.record.asked_seconds,
        )
        life = story.not_after.since(story.not_before)
        if any(limit is not None and life > limit + 1 for limit in limits):
            bad.append(story.id)
    if bad:
        return fails(f"longer than what bounds it, or without a readable bound: {some(bad)}")
    if not checked:
        return unused(_NO_GRANT)
    return holds(
        f"{counted(checked, 'grant')}, none longer than its request, tier and resource "
        "allow. That Vault ended each by itself is for Vault's audit log to show"
    )


def renewals_linked(ground: Ground) -> Finding:
    """R9."""
    known = {story.id for story in ground.evidence.grants}
    renewals = [story for story in ground.grants if story.record and story.record.renews]
    bad = [story.id for story in renewals if story.record and story.record.renews not in known]
    if bad:
        return fails(f"renew what was never granted: {some(bad)}")
    return (
        holds(f"{counted(len(renewals), 'renewal')}, each linked to the grant before")
        if (renewals)
        else unused("no grant renews another")
    )


def ended_by(reason: Reason, nothing: str) -> Callable[[Ground], Finding]:
    """Grants that ended for one reason."""

    def look(ground: Ground) -> Finding:
        found = [story for story in ground.grants if story.end and story.end.reason == reason]
        if not found:
            return unused(nothing)
        took = statistics(confirmed_after(story) for story in found)
        how_soon = f"confirmed within {span(took.most)} at most" if took.measured else ""
        if took.not_recorded:
            how_soon += f"{'; ' if how_soon else ''}how soon is not recorded of {took.not_recorded}"
        return holds(f"{counted(len(found), 'grant')} ended so, {how_soon}")

    return look


def confirmed(ground: Ground) -> Finding:
    """R11."""
    failed = [story for story in ground.grants if story.failures]
    open_now = [
        story.id for story in ground.live if story.state_at(ground.window.at) is State.FAILED
    ]
    if not failed:
        return unused("no revocation failed")
    return holds(
        f"{counted(len(failed), 'grant')} recorded as revoke-failed first; "
        f"{len(open_now)} open, counted as access"
    )


def independent(ground: Ground) -> Finding:
    """R12."""
    bad = [story.id for story in ground.grants if len(story.independent) < len(story.approvals)]
    number = sum(len(story.approvals) for story in ground.grants)
    if bad:
        return fails(f"an approval by requester or subject was counted: {some(bad)}")
    return (
        holds(
            f"{counted(number, 'approval')} counted, none by requester or subject; rules "
            f"{some(rules_for('R12'))}"
        )
        if number
        else unused("no approval was counted")
    )


def two_for_high(ground: Ground) -> Finding:
    """R13."""
    high = [
        story
        for story in ground.grants
        if story.record
        and story.record.sensitivity in ("high", "critical")
        and not story.is_emergency
    ]
    bad = [story.id for story in high if len(story.independent) < 2]  # noqa: PLR2004  -- two, says the control
    if bad:
        return fails(
            f"{counted(len(bad), 'grant')} of high or critical resources with fewer than "
            f"two approvers: {some(bad)}"
        )
    return (
        holds(
            f"{counted(len(high), 'grant')} of high or critical resources, each with two "
            "approvers or more; that an owner is among them is in each decision"
        )
        if high
        else unused("no grant of a high resource")
    )


def shared_alone(ground: Ground) -> Finding:
    """R19."""
    by_resource: dict[str, list[GrantStory]] = defaultdict(list)
    for story in ground.grants:
        if story.record and story.record.resource_type == "shared-account":
            by_resource[story.resource].append(story)
    bad = [
        later.id
        for stories in by_resource.values()
        for earlier, later in pairwise(stories)
        if earlier.last_known(ground.window.at) > later.not_before
    ]
    if bad:
        return fails(f"issued while another held it: {some(bad)}")
    return (
        holds(
            f"{counted(len(by_resource), 'shared account')}, one holder at a time. Rotation "
            "on return is not recorded"
        )
        if by_resource
        else unused("no shared account")
    )


def environments_apart(ground: Ground) -> Finding:
    """R20."""
    seen: dict[str, set[str]] = defaultdict(set)
    for story in ground.grants:
        if (
            story.record
            and story.record.environment
            and ground.type_of(story) not in ("human", "vendor", None)
        ):
            seen[story.subject].add(story.record.environment)
    bad = sorted(name for name, found in seen.items() if "production" in found and len(found) > 1)
    if bad:
        return fails(f"in production and elsewhere: {some(bad)}")
    return (
        holds(f"{counted(len(seen), 'NHI')}, each in one environment")
        if seen
        else unused("no grant of a non-human identity")
    )


def emergencies(ground: Ground) -> Finding:
    """R21."""
    used = [story for story in ground.grants if story.is_emergency]
    long = [
        story.id
        for story in used
        if story.not_after is None or story.not_after.since(story.not_before) > _HOUR + 1
    ]
    late = [story.id for story in used if review_state(story, ground) not in ("reviewed", "due")]
    if long or late:
        return fails(
            f"longer than an hour: {len(long)}; without a sound review within 24 h: "
            f"{len(late)}: {some(sorted({*long, *late}))}"
        )
    beyond = [story.id for story in used if not story.was_permitted]
    if beyond:
        return fails(f"taken offline, and not permitted: {some(beyond)}")
    drills = sum(story.is_drill for story in used)
    return (
        holds(
            f"{counted(len(used), 'use')}, {drills} of them drills; each within an hour, "
            "reviewed or not due yet"
        )
        if used
        else unused("the emergency lane was not used, nor drilled")
    )


def recorded(ground: Ground) -> Finding:
    """R24."""
    wanted = [
        story
        for story in ground.grants
        if story.end is not None and story.record and story.record.recording == "required"
    ]
    bad = [story.id for story in wanted if not story.sessions and not story.gaps]
    if bad:
        return fails(
            f"{counted(len(bad), 'grant')} that wanted a recording ended with neither a "
            f"session nor a gap on record: {some(bad)}"
        )
    gaps = sum(bool(story.gaps) for story in wanted)
    return (
        holds(f"{counted(len(wanted), 'grant')} wanted a recording; {gaps} gaps recorded")
        if (wanted)
        else unused("no grant that wanted a recording has ended")
    )


def decided_again(ground: Ground) -> Finding:
    """R23."""
    reasons = (Reason.REEVALUATED, Reason.UNKNOWN_CONTEXT)
    number = sum(story.end is not None and story.end.reason in reasons for story in ground.grants)
    return (
        holds(f"{counted(number, 'live grant')} ended by a later decision")
        if number
        else unused(
            "no live grant was denied later. That each run decides again leaves no trace in git"
        )
    )


def told_whole(ground: Ground) -> Finding:
    """R25."""
    over = [story for story in ground.grants if story.end is not None]
    bad = [
        story.id
        for story in over
        if not story.decision_digest
        or (not story.is_offline and (story.merged is None or story.pull_request is None))
    ]
    if bad:
        return fails(f"its request, decision or pull request is not on record: {some(bad)}")
    return (
        holds(
            f"request, decision, approvals, issue and end of {counted(len(over), 'grant')}, "
            "read from this clone alone"
        )
        if over
        else unused("no grant has ended")
    )


def no_step_is_missing(ground: Ground) -> Finding:
    """R26."""
    found = ground.verification
    if found.open_faults:
        return fails(
            f"{counted(len(found.open_faults), 'fault')}: `daypass audit verify` names each"
        )
    if str(found.verdict) == "holds":
        return holds(
            f"{counted(found.events, 'event')}, each signed, in its place, and by a key "
            "that was named from outside"
        )
    return unknown(
        "no fault; but nothing from outside vouches for the key: give --fingerprint or --anchor"
    )
