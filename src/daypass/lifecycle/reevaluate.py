"""Re-evaluation: would each live grant be given today? What would not is ended today.

Approvals are frozen as they were counted; subject, resource, policies, groups and context are
today's. What cannot be known does not end access at once: it alarms, and ends it after a grace that
its sensitivity allows. It never extends anything: Vault's end of the grant stays where it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from daypass.lifecycle.notes import NoteKind, texts_in
from daypass.lifecycle.plan import CLOCK_GRAIN_SECONDS, Action, Judged, Step
from daypass.model.canonical import canonical_json
from daypass.model.decision import Effect
from daypass.model.event import EventKind, Reason
from daypass.model.identity import IdentityStatus
from daypass.model.instant import Instant
from daypass.model.resource import Sensitivity
from daypass.policy.compiled import compile_rules
from daypass.policy.decide import decide
from daypass.policy.live import LiveInputs
from daypass.policy.zone import unknown_zones

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from daypass.lifecycle.inquiry import Inquiry
    from daypass.lifecycle.world import World
    from daypass.model.catalogue import Catalogue
    from daypass.model.grant import Grant
    from daypass.policy.compiled import CompiledPolicies
    from daypass.policy.facts import ContextFacts
    from daypass.policy.groups import GroupDirectory

DOUBTS_NOTE: Final = "doubts"
DOUBTS: Final = NoteKind(
    DOUBTS_NOTE,
    lambda note: {name: str(Instant.parse(at)) for name, at in texts_in(note).items()},
    "Since when grants cannot be decided again is not known: their graces start anew",
)
GRACE_SECONDS: Final[Mapping[Sensitivity, int]] = {
    Sensitivity.LOW: 24 * 3600,
    Sensitivity.MODERATE: 8 * 3600,
    Sensitivity.HIGH: 3600,
    Sensitivity.CRITICAL: 15 * 60,
}


@dataclass(frozen=True, slots=True)
class Reevaluation:
    """What is to end, and what is in doubt since when."""

    ends: tuple[Action, ...]
    doubts: Mapping[str, str]  # grant id → the instant of the first run that could not know
    alarms: Mapping[str, str]  # grant id → what a person should know


@dataclass(slots=True)
class _Ruling:
    """One catalogue that live grants are decided again by."""

    catalogue: Catalogue
    policies: CompiledPolicies
    inputs: LiveInputs


def reevaluate(
    world: World,
    rulings: Iterable[tuple[Catalogue, GroupDirectory]],
    ending: Iterable[str],
    doubts: Mapping[str, str],
    inquiry: Inquiry,
) -> Reevaluation:
    """Decide again for every live grant that this run is not ending anyway.

    Args:
        world: what was observed.
        rulings: the catalogues that are proven, each with today's members; a grant that one of
            them denies ends.
        ending: ids that end in this run for another reason.
        doubts: as the run before left them.
        inquiry: the context sources.
    """
    skipped = frozenset(ending)
    bases = []
    for catalogue, groups in rulings:
        inputs = LiveInputs(world.now, catalogue, groups, world.overdue)
        bases.append(_Ruling(catalogue, compile_rules(catalogue), inputs))
        asked = (item for item in world.grants.values() if item.id not in skipped)
        inquiry.prepare(asked, catalogue)
    ends: list[Action] = []
    alarms: dict[str, str] = {}
    standing: dict[str, str] = {}
    for grant in world.grants.values():
        if grant.id in skipped or grant.not_after <= world.now.plus(CLOCK_GRAIN_SECONDS):
            continue  # in its last second nothing is left to give: it expires, nobody ended it
        found = _strictest(world, grant, bases, inquiry)
        if found is None:
            continue
        catalogue, judged = found
        if judged.effect == Effect.DENY:
            ends.append(_end(world, grant, judged, _reason(grant, catalogue)))
            continue
        why = "; ".join(judged.why)
        if judged.zones:
            # A fault of this installation ends nothing, nor does its age count for another doubt.
            alarms[grant.id] = f"{grant.id} cannot be decided again: {why}"
            continue
        since = standing[grant.id] = doubts.get(grant.id, str(world.now))
        alarms[grant.id] = f"{grant.id} cannot be decided again since {since}: {why}"
        if world.now.since(Instant.parse(since)) >= _grace(grant, catalogue):
            ends.append(_end(world, grant, judged, Reason.UNKNOWN_CONTEXT))
    return Reevaluation(tuple(ends), standing, alarms)


def _strictest(
    world: World, grant: Grant, bases: Iterable[_Ruling], inquiry: Inquiry
) -> tuple[Catalogue, Judged] | None:
    """The hardest word on a grant, and the catalogue that it comes from; None when all permit it.

    An offboarding comes before any other denial, and a denial before what cannot be known. Of two
    doubts the one with the shorter grace counts; one that waits for a time zone has none.
    """
    found: list[tuple[tuple[bool, bool, bool, int], Catalogue, Judged]] = []
    for base in bases:
        judged = _judge_alone(world, grant, base, inquiry)
        if judged is not None:
            order = (
                judged.effect != Effect.DENY,
                _reason(grant, base.catalogue) is not Reason.OFFBOARDED,
                bool(judged.zones),
                _grace(grant, base.catalogue),
            )
            found.append((order, base.catalogue, judged))
    if not found:
        return None
    _, catalogue, judged = min(found, key=lambda item: item[0])
    return catalogue, judged


def _judge_alone(world: World, grant: Grant, base: _Ruling, inquiry: Inquiry) -> Judged | None:
    """Judges one grant; whatever goes wrong about it leaves it in doubt, and no other.

    One odd answer, record or rule would else keep every grant from ending.
    """
    try:
        context = inquiry.about(grant, base.catalogue, world.now)
        return _judge(grant, base.inputs, context, base.policies)
    except Exception as error:  # noqa: BLE001  -- of no kind that is foreseen; see above
        why = f"deciding failed with {type(error).__name__}, which is a fault of daypass: report it"
        digest, policies = grant.decision_digest, base.policies.digest
        return Judged(str(Effect.INDETERMINATE), digest, policies, "", (why,))


def _judge(
    grant: Grant,
    inputs: LiveInputs,
    context: Mapping[str, ContextFacts],
    policies: CompiledPolicies,
) -> Judged | None:
    """Why it would not be given today, or not be known to be; None when it would be given."""
    try:
        facts = inputs.of(grant, context)
    except ValueError as error:  # of another version, say: it is as unknown as an answer can be
        why = f"what was decided on at its issue cannot be read: {error}"
        return Judged(str(Effect.INDETERMINATE), grant.decision_digest, policies.digest, "", (why,))
    decision = decide(facts, policies)
    if decision.permitted:
        return None
    return Judged(
        str(decision.effect),
        decision.input_digest,
        decision.policy_digest,
        canonical_json(facts.to_json()).decode(),
        tuple(f"{item.policy}/{item.rule}: {item.message}" for item in decision.reasons),
        unknown_zones(decision),
    )


def _reason(grant: Grant, catalogue: Catalogue) -> Reason:
    """Whoever was offboarded is out at once, however much they hold: no limit stops that."""
    subject = catalogue.identities.get(grant.subject)
    left = subject is not None and subject.status is IdentityStatus.OFFBOARDED
    return Reason.OFFBOARDED if left else Reason.REEVALUATED


def _grace(grant: Grant, catalogue: Catalogue) -> int:
    resource = catalogue.resources.get(grant.resource)
    return GRACE_SECONDS[resource.sensitivity if resource else Sensitivity.CRITICAL]


def _end(world: World, grant: Grant, judged: Judged, reason: Reason) -> Action:
    return Action(
        Step.END,
        grant.id,
        world.requests.get(grant.id),
        grant,
        world.slots.get(grant.id),
        EventKind.REVOKED,
        reason,
        judged if judged.decision_input else None,
    )
