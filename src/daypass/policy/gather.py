"""Gathering facts for a decision from the catalogue, GitHub's accounts and the groups."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import TYPE_CHECKING

from daypass.policy.context import unasked
from daypass.policy.facts import (
    OF_RESOURCE,
    SHARED_ACCOUNT,
    ApprovalFacts,
    ApprovalsFacts,
    ExceptionFacts,
    GroupFacts,
    HistoryFacts,
    HolderFacts,
    LevelFacts,
    MemberFacts,
    PastGrantFacts,
    PersonFacts,
    RenewedFacts,
    RequesterFacts,
    RequestFacts,
    ResourceFacts,
    Status,
    SubjectFacts,
)
from daypass.policy.voices import voiceless

if TYPE_CHECKING:
    from collections.abc import Iterable

    from daypass.model.catalogue import Catalogue
    from daypass.model.exception import PolicyException
    from daypass.model.identity import Identity
    from daypass.model.instant import Instant
    from daypass.model.pullrequest import Account
    from daypass.model.resource import Resource
    from daypass.policy.approvals import ApprovalCount
    from daypass.policy.asked import Asked, PastGrant, Renewed, Surroundings
    from daypass.policy.facts import ContextFacts
    from daypass.policy.groups import GroupDirectory


def request_facts(asked: Asked) -> RequestFacts:
    """What is asked, without its free text."""
    request = asked.request
    return RequestFacts(
        id=request.id,
        lane=str(asked.lane),
        subject=request.subject,
        resource=request.resource,
        access=request.access,
        duration_seconds=request.duration.seconds,
        reason_length=len(request.reason.strip()),
        ticket=request.ticket,
        not_before=str(request.not_before) if request.not_before else None,
        device=request.device,
        workload_declared=request.workload is not None,
        renews=request.renews,
        drill=asked.drill,
    )


def requester_facts(
    account: Account | None, catalogue: Catalogue, surroundings: Surroundings
) -> RequesterFacts:
    """Who asks."""
    if account is None:
        return RequesterFacts(None)
    groups = surroundings.groups
    identity = catalogue.identity_of(account.id)
    return RequesterFacts(
        account_id=account.id,
        identity=identity.name if identity else None,
        type=str(identity.type) if identity else None,
        status=str(identity.status) if identity else None,
        groups=groups.names_of(account.id, identity.name if identity else None),
        invoker=_is_invoker(account.id, identity, catalogue, groups),
        overdue=_overdue(account.id, identity, surroundings),
    )


def _is_invoker(
    account_id: int, identity: Identity | None, catalogue: Catalogue, groups: GroupDirectory
) -> bool | None:
    """Whether the settings name that person as an invoker; None when a group is not known."""
    lane = catalogue.settings.break_glass
    if lane is None or identity is None:
        return False
    if lane.offline is not None and identity.name in lane.offline.invokers:
        return True
    if any(
        name == identity.name
        or account_id in groups.group(name).accounts
        or identity.name in groups.group(name).identities
        for name in lane.invokers
    ):
        return True
    named = (name for name in lane.invokers if name not in catalogue.identities)
    return False if all(groups.group(name).known for name in named) else None


def _overdue(
    account_id: int | None, identity: Identity | None, surroundings: Surroundings
) -> tuple[str, ...]:
    """The emergencies of that person whose review is overdue: by the account, or by the name."""
    return tuple(
        sorted(
            item.grant_id
            for item in surroundings.overdue
            if item.account_id == account_id
            or (identity is not None and item.subject == identity.name)
        )
    )


def subject_facts(
    identity: Identity, catalogue: Catalogue, surroundings: Surroundings
) -> SubjectFacts:
    """Who is to receive access."""
    groups = surroundings.groups
    return SubjectFacts(
        name=identity.name,
        type=str(identity.type),
        status=str(identity.status),
        account_id=identity.github_id,
        environment=identity.environment,
        owners=tuple(_person(name, catalogue) for name in sorted(identity.owners)),
        sponsor=_person(identity.sponsor, catalogue) if identity.sponsor else None,
        contract_end=str(identity.contract_end) if identity.contract_end else None,
        tools=identity.tools,
        autonomy=identity.autonomy,
        pinned_recipients=len(identity.recipients),
        authn_method=(identity.authn or {}).get("method"),
        labels=dict(identity.labels),
        groups=groups.names_of(identity.github_id, identity.name),
        overdue=_overdue(identity.github_id, identity, surroundings),
        keys_shared_with=keys_shared_with(identity, catalogue),
    )


def keys_shared_with(identity: Identity, catalogue: Catalogue) -> tuple[str, ...]:
    """The people who have pinned a key of something that is no person."""
    if identity.type.is_person:
        return ()
    own = {_key(line) for line in identity.recipients}
    return tuple(
        sorted(
            person.name
            for person in catalogue.identities.values()
            if person.type.is_person and own.intersection(map(_key, person.recipients))
        )
    )


def _key(line: str) -> tuple[str, bytes]:
    """A public key without its comment, and however its bytes are written."""
    kind, _, rest = line.partition(" ")
    if not kind.startswith("ssh-"):
        return kind, b""  # an age key is one word
    text = rest.partition(" ")[0]
    try:
        return kind, base64.b64decode(text)
    except ValueError:
        return kind, text.encode()


def _person(name: str, catalogue: Catalogue) -> PersonFacts:
    identity = catalogue.identities.get(name)
    if identity is None:
        return PersonFacts(name, None, None, "missing")
    return PersonFacts(name, identity.github_id, str(identity.type), str(identity.status))


def resource_facts(resource: Resource, access: str) -> ResourceFacts:
    """What access is asked to, with the level asked for."""
    level = resource.levels.get(access)
    return ResourceFacts(
        name=resource.name,
        type=resource.type,
        environment=resource.environment,
        sensitivity=str(resource.sensitivity),
        business_owner=resource.business_owner,
        lifecycle_owner=resource.lifecycle_owner,
        labels=dict(resource.labels),
        max_duration_seconds=resource.max_duration.seconds,
        recording=str(resource.recording),
        approver_groups=tuple(sorted(resource.approvers.groups)),
        approvers_at_least=resource.approvers.at_least,
        approvers_owner=resource.approvers.owner,
        levels=tuple(sorted(resource.levels)),
        level=LevelFacts(level.name, level.engine, str(level.issue), level.longest.seconds)
        if level
        else None,
    )


def exceptions_facts(
    exceptions: Iterable[PolicyException], catalogue: Catalogue
) -> tuple[ExceptionFacts, ...]:
    """Exceptions about what is asked, each with what is known of who answers for it."""
    return tuple(
        ExceptionFacts(
            name=item.name,
            excepts=item.excepts,
            attributed_to=_person(item.attributed_to, catalogue),
            not_before=str(item.not_before),
            not_after=str(item.not_after),
            max_duration_seconds=item.max_duration.seconds,
        )
        for item in exceptions
    )


def approvals_facts(count: ApprovalCount | None, groups: GroupDirectory) -> ApprovalsFacts:
    """The approvals that count, each with the groups that the approver belongs to."""
    if count is None:
        return ApprovalsFacts(Status.UNKNOWN)
    counted = tuple(
        ApprovalFacts(
            account_id=item.account_id,
            identity=item.identity,
            review_id=item.review_id,
            commit=item.commit,
            at=str(item.at),
            groups=groups.names_of(item.account_id, item.identity),
        )
        for item in sorted(count.counted, key=lambda item: item.account_id)
    )
    # Of status "unknown" and without a fault, `blocked_by` holds those whose "no" may stand.
    unsettled = count.unsettled if not count.blocked_by and count.fault is None else ()
    return ApprovalsFacts(
        status=Status.KNOWN if count.fault is None and not unsettled else Status.UNKNOWN,
        fault=count.fault,
        blocked_by=tuple(sorted(count.blocked_by or unsettled)),
        excluded=tuple(sorted(count.excluded or ())),
        counted=counted if count.fault is None else (),
    )


def approver_groups(
    catalogue: Catalogue, resource: Resource | None, groups: GroupDirectory, now: Instant
) -> dict[str, GroupFacts]:
    """The groups that can be asked to approve, with their members: who could say yes now."""
    names = {
        item.group
        for policy in catalogue.policies.values()
        for stage in policy.stages
        for item in (*stage.all_of, *stage.any_of)
        if item.group is not None
    }
    if resource is not None:
        names.update(resource.approvers.groups)
        names.add(resource.business_owner)
    without_voice = voiceless(catalogue, now)
    return {name: _group(name, catalogue, groups, without_voice) for name in sorted(names)}


def _group(
    name: str, catalogue: Catalogue, groups: GroupDirectory, without_voice: frozenset[int]
) -> GroupFacts:
    group = groups.group(name)
    by_account = {item.github_id: item.name for item in catalogue.identities.values()}
    members = tuple(
        MemberFacts(account_id, by_account.get(account_id))
        for account_id in sorted(group.accounts - without_voice)
    )
    return GroupFacts(Status.KNOWN if group.known else Status.UNKNOWN, members)


def unknown_groups(groups: GroupDirectory) -> tuple[str, ...]:
    """The groups of which a team could not be asked."""
    return tuple(sorted(name for name, group in groups.groups.items() if not group.known))


def history_facts(
    surroundings: Surroundings, request_id: str, catalogue: Catalogue, resource: Resource | None
) -> HistoryFacts:
    """The subject's other grants, with what policies match on; and who holds a shared account."""
    shared = resource is not None and resource.type == SHARED_ACCOUNT
    if surroundings.history is None or (shared and surroundings.held is None):
        return HistoryFacts(Status.UNKNOWN, renewed=_renewed(surroundings.renewed))
    facts = [
        _past_grant(grant, catalogue.resources.get(grant.resource))
        for grant in surroundings.history
        if grant.id != request_id
    ]
    holders = [
        HolderFacts(item.grant, item.subject)
        for item in surroundings.held or ()
        if shared and resource and item.resource == resource.name and item.grant != request_id
    ]
    return HistoryFacts(
        Status.KNOWN,
        tuple(sorted(facts, key=lambda item: item.id)),
        tuple(sorted(holders, key=lambda item: item.grant)),
        _renewed(surroundings.renewed),
    )


def _renewed(renewed: Renewed | None) -> RenewedFacts | None:
    if renewed is None:
        return None
    return RenewedFacts(renewed.subject, renewed.resource, renewed.access, renewed.ended)


def context_facts(surroundings: Surroundings, catalogue: Catalogue) -> dict[str, ContextFacts]:
    """Every answer, and every declared source that was not asked, by name."""
    sources = catalogue.settings.context
    found = {**unasked(sources), **surroundings.context}
    return {
        name: replace(item, required=name in sources and sources[name].required)
        for name, item in sorted(found.items())
    }


def _past_grant(grant: PastGrant, resource: Resource | None) -> PastGrantFacts:
    today = PastGrantFacts(
        id=grant.id,
        lane=str(grant.lane),
        resource=grant.resource,
        access=grant.access,
        not_before=str(grant.not_before),
        not_after=str(grant.not_after),
        live=grant.live,
        type=resource.type if resource else None,
        environment=resource.environment if resource else None,
        sensitivity=str(resource.sensitivity) if resource else None,
        labels=dict(resource.labels) if resource else {},
        level_known=resource is None or grant.access in resource.levels,
    )
    before = grant.resource_then
    if resource is None or before is None:
        return today
    then = {key: before[key] for key in OF_RESOURCE if key in before}
    return (
        today if then == {key: getattr(today, key) for key in then} else replace(today, then=then)
    )
