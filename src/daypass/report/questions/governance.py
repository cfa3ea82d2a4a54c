"""What the rules did: exceptions in force, denials, and who changed the rules."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from daypass.model.decision import Enforcement
from daypass.model.event import EventKind, Reason
from daypass.model.grant import Lane
from daypass.model.policy import PolicyEffect
from daypass.report.answer import Answer, Cell, Column, Shape, Standing, counted

if TYPE_CHECKING:
    from daypass.model.policy import AccessPolicy
    from daypass.report.ground import Ground
    from daypass.report.story import Note

_SHOWN_PATHS = 4


def exceptions(ground: Ground) -> Answer:
    """What stands outside the rule: policies that do not enforce or ask nobody, static secrets."""
    rows: list[tuple[Cell, ...]] = []
    used = Counter(story.resource for story in ground.grants)
    catalogue = ground.catalogue
    if catalogue is not None:
        for name, policy in sorted(catalogue.policies.items()):
            if policy.enforcement is not Enforcement.ENFORCE:
                what = ("policy that does not enforce", name, str(policy.enforcement))
                rows.append((*what, _uses(policy, ground)))
            elif policy.approvals_not_required is not None:
                what = ("policy that asks for no approval", name, "enforce")
                rows.append((*what, _uses(policy, ground)))
        rows += [
            ("legacy static secret", name, str(resource.sensitivity), used[name])
            for name, resource in sorted(catalogue.resources.items())
            if resource.type == "legacy-static"
        ]
    unknown = catalogue is None
    kinds = Counter(str(row[0]) for row in rows)
    return Answer(
        name="exceptions",
        title="Exceptions",
        question="Which exceptions are in force, and what came of them?",
        standing=Standing.UNKNOWN if unknown else Standing.ATTENTION if rows else Standing.NONE,
        summary=f"Cannot be told: {ground.catalogue_problem}"
        if unknown
        else "; ".join(f"{kind}: {number}" for kind, number in sorted(kinds.items())) + "."
        if rows
        else "None.",
        columns=(
            Column("kind", "Kind", Shape.TEXT),
            Column("name", "Name", Shape.NAME),
            Column("what", "What", Shape.NAME),
            Column("grants", "Grants that it is about", Shape.COUNT),
        ),
        rows=tuple(rows),
        note="No kind of document can except anybody from a built-in rule. Which grants rest on a "
        "policy that asks for no approval: see “Without an independent approver”.",
    )


def _uses(policy: AccessPolicy, ground: Ground) -> int | None:
    """How many grants it is about, by what their records say; None where labels or groups tell."""
    match = policy.match
    if match.resource_labels or match.subject_labels or match.subject_groups:
        return None
    lanes = match.lanes or (tuple(Lane) if policy.effect is PolicyEffect.GUARD else (Lane.ROUTINE,))
    return sum(
        (not match.resource_names or story.resource in match.resource_names)
        and (not match.levels or story.access in match.levels)
        and (not match.subject_names or story.subject in match.subject_names)
        and (not match.resource_types or record.resource_type in match.resource_types)
        and (not match.environments or record.environment in match.environments)
        and (not match.sensitivities or record.sensitivity in match.sensitivities)
        and (not match.subject_types or record.subject_type in match.subject_types)
        and (record.lane in lanes)
        for story in ground.grants
        if (record := story.record) is not None
    )


def denials(ground: Ground) -> Answer:
    """Every request that was not granted."""
    rows = tuple(
        (
            item.moment.at,
            item.id,
            str(item.kind),
            item.reason,
            item.requester or item.subject,
            item.subject,
            item.resource,
            item.access,
            item.effect,
            item.pull_request,
            item.moment.commit,
        )
        for item in ground.refusals
    )
    kinds = Counter(f"{item.kind} ({item.reason})" for item in ground.refusals)
    summary = ", ".join(f"{number:,} {kind}" for kind, number in kinds.most_common())
    return Answer(
        name="denials",
        title="Denials",
        question="What was denied, rejected, withdrawn or left to lapse, and whose was it?",
        standing=Standing.NOTED if rows else Standing.NONE,
        summary=summary + "." if rows else "None in this window.",
        columns=(
            Column("at", "When", Shape.INSTANT),
            Column("request", "Request", Shape.NAME),
            Column("kind", "What", Shape.STATE),
            Column("reason", "Reason", Shape.NAME),
            Column("requester", "Asked by", Shape.NAME),
            Column("subject", "Subject", Shape.NAME),
            Column("resource", "Resource", Shape.NAME),
            Column("access", "Access", Shape.NAME),
            Column("effect", "Decision", Shape.NAME),
            Column("pullRequest", "PR", Shape.COUNT),
            Column("commit", "Commit", Shape.COMMIT),
        ),
        rows=rows,
        note="`daypass explain ID` replays a decision from its recorded input.",
    )


def policy_changes(ground: Ground) -> Answer:
    """Each change of what decisions rest on, and what the bot found of those of policies."""
    holds = ground.window.holds
    rows: list[tuple[Cell, ...]] = []
    for item in ground.evidence.foundation:
        if holds(item.moment.at):
            shown = item.paths[:_SHOWN_PATHS]
            more = len(item.paths) - len(shown)
            paths = (*shown, f"and {more} more") if more else shown
            by = "daypass" if item.by_bot else item.author
            rows.append(
                (item.moment.at, "changed", by, (), paths, None, None, None, item.moment.commit)
            )
    found = ground.notes(EventKind.POLICY_CHANGED)
    rows += [_decides_otherwise(note, ground) for note in found]
    rows.sort(key=lambda row: (str(row[0]), str(row[-1])))
    policies = sum(
        any(path.startswith("access/policies/") for path in item.paths)
        for item in ground.evidence.foundation
        if holds(item.moment.at)
    )
    unproven = sum(note.reason != Reason.APPROVED for note in found)
    changes = counted(len(rows) - len(found), "change")
    said = f"{changes}, {policies} of policies"
    if found:
        said += f"; {counted(len(found), 'time')} the policies decide otherwise since"
    if unproven:
        said += f", {unproven} of them not proven to be approved"
    return Answer(
        name="policy-changes",
        title="Changes of the rules",
        question="Who changed policies, resources, identities, settings or workflows?",
        standing=Standing.ATTENTION if unproven else Standing.NOTED if rows else Standing.NONE,
        summary=f"{said}." if rows else "None in this window.",
        columns=(
            Column("at", "When", Shape.INSTANT),
            Column("kind", "What", Shape.STATE),
            Column("author", "By", Shape.TEXT),
            Column("approvedBy", "Approved by", Shape.NAME),
            Column("paths", "Paths", Shape.TEXT),
            Column("policyBefore", "Policies before", Shape.DIGEST, detail=True),
            Column("policy", "Policies after", Shape.DIGEST, detail=True),
            Column("change", "Change in", Shape.COMMIT),
            Column("commit", "Commit", Shape.COMMIT),
        ),
        rows=tuple(rows),
        note="“Changed” names the author that the commit names, and anybody can write any into "
        "one. Every run of apply asks GitHub who approved the pull request that brought it, "
        "grants nothing on what is not proven, and records each change of what the policies "
        "decide, with who asked for it and who approved it.",
    )


def _decides_otherwise(note: Note, ground: Ground) -> tuple[Cell, ...]:
    proven = note.reason == Reason.APPROVED
    return (
        note.moment.at,
        "decides otherwise" if proven else "not proven",
        note.requester,
        tuple(ground.name_of(account) or "" for account in note.approvers),
        (),
        note.policy_before,
        note.policy_digest,
        note.change,
        note.moment.commit,
    )
