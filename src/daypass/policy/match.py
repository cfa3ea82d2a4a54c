"""Matching: which policies are about a decision. Unknown membership is an answer of its own."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING

from daypass.model.grant import Lane
from daypass.model.policy import PolicyEffect

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from daypass.model.policy import AccessPolicy
    from daypass.policy.facts import PastGrantFacts, SubjectFacts
    from daypass.policy.input import DecisionInput


class Applies(Enum):
    """Whether a policy is about a decision."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


def applies(policy: AccessPolicy, facts: DecisionInput) -> Applies:
    """Whether the policy is about this decision.

    Nothing is about a subject or a resource that does not exist: built-in rules deny those.
    """
    match, subject, resource = policy.match, facts.subject, facts.resource
    if subject is None or resource is None:
        return Applies.NO
    # Written out: this is asked of every policy for every decision.
    certain = (
        (not match.resource_names or resource.name in match.resource_names)
        and (not match.resource_types or resource.type in match.resource_types)
        and (not match.environments or resource.environment in match.environments)
        and (not match.sensitivities or resource.sensitivity in match.sensitivities)
        and (not match.levels or facts.request.access in match.levels)
        and (not match.subject_names or subject.name in match.subject_names)
        and (not match.subject_types or subject.type in match.subject_types)
        and (not match.resource_labels or _labelled(match.resource_labels, resource.labels))
        and (not match.subject_labels or _labelled(match.subject_labels, subject.labels))
        and _lane(policy, facts.request.lane)
    )
    if certain and not match.subject_groups:
        return Applies.YES
    return _member(policy, subject, facts) if certain else Applies.NO


def counts_past_grant(policy: AccessPolicy, grant: PastGrantFacts) -> bool:
    """Whether a grant of the same subject counts against the policy's limits.

    What is no longer known of its resource counts: forgetting a resource, or renaming a level,
    frees no hours. Where the resource was another when it was given, both what it was and what it
    is count: relabelling frees none either.
    """
    return _counts(policy, grant) or (
        bool(grant.then) and _counts(policy, replace(grant, **grant.then))
    )


def _counts(policy: AccessPolicy, grant: PastGrantFacts) -> bool:
    match = policy.match
    return (
        _lane(policy, grant.lane)
        and _any(match.resource_names, grant.resource)
        and (not grant.level_known or _any(match.levels, grant.access))
        and (grant.type is None or _any(match.resource_types, grant.type))
        and (grant.environment is None or _any(match.environments, grant.environment))
        and (grant.sensitivity is None or _any(match.sensitivities, grant.sensitivity))
        and (grant.type is None or _labelled(match.resource_labels, grant.labels))
    )


def _lane(policy: AccessPolicy, lane: str) -> bool:
    if policy.match.lanes:
        return lane in policy.match.lanes
    return policy.effect is PolicyEffect.GUARD or lane == Lane.ROUTINE


def _any(wanted: Collection[str], value: str) -> bool:
    return not wanted or value in wanted


def _labelled(wanted: Mapping[str, Collection[str]], labels: Mapping[str, str]) -> bool:
    return all(labels.get(key) in values for key, values in wanted.items())


def _member(policy: AccessPolicy, subject: SubjectFacts, facts: DecisionInput) -> Applies:
    groups = policy.match.subject_groups
    if any(group in subject.groups for group in groups):
        return Applies.YES
    if any(group in facts.unknown_groups for group in groups):
        return Applies.UNKNOWN
    return Applies.NO
