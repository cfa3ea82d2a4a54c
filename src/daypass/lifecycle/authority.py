"""Authority: who may end a grant, and who may have it delivered again. Pure.

Identities, resources and settings are today's, as main has them, proven or not: whoever can push to
main unproven can end a grant by deleting its request too, so nothing is won by forging them, and a
broken proof must keep nobody from ending access. GitHub's teams are asked now.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from daypass.model.intent import IntentKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from daypass.model.catalogue import Catalogue
    from daypass.model.grant import Grant
    from daypass.model.identity import Identity
    from daypass.policy.groups import GroupDirectory


class Word(Enum):
    """Whether somebody's word counts."""

    COUNTS = auto()
    COUNTS_NOT = auto()
    UNKNOWN = auto()  # a team that decides it could not be asked: treated as no, and said


def word_on(
    kind: IntentKind, account_id: int, grant: Grant, catalogue: Catalogue, groups: GroupDirectory
) -> Word:
    """Whether that account's word on that grant counts.

    Args:
        kind: what is meant: done, not-me, revoke or redeliver.
        account_id: the numeric id of the GitHub account that said it.
        grant: a live grant, from the bot's signed record.
        catalogue: identities, resources and settings.
        groups: who belongs where.
    """
    subject = catalogue.identities.get(grant.subject)
    if kind is IntentKind.REDELIVER:
        return Word.COUNTS if account_id in receivers(grant, catalogue) else Word.COUNTS_NOT
    if account_id in {grant.requester_id, subject.github_id if subject else None}:
        return Word.COUNTS
    if _has_left(account_id, catalogue):
        return Word.COUNTS_NOT
    if account_id in set(_answerable(subject, catalogue)):
        return Word.COUNTS
    if kind is not IntentKind.REVOKE:
        return Word.COUNTS_NOT
    return _word_of_groups(account_id, _overseers(grant, catalogue), groups)


def word_on_use(
    account_id: int, grant: Grant, catalogue: Catalogue, groups: GroupDirectory
) -> Word:
    """Whether that account may put on record what an ended grant was used for.

    Owners and approvers of its resource, and of the foundation, and never whoever used it, asked
    for it or answers for its holder: it would be their word on themselves.
    """
    subject = catalogue.identities.get(grant.subject)
    own = {grant.requester_id, subject.github_id if subject else None}
    if account_id in own | set(_answerable(subject, catalogue)) or _has_left(account_id, catalogue):
        return Word.COUNTS_NOT
    return _word_of_groups(account_id, _overseers(grant, catalogue), groups)


def word_on_halt(account_id: int, catalogue: Catalogue, groups: GroupDirectory) -> Word:
    """Whether that account may end many grants at once: the owners of the foundation may."""
    if _has_left(account_id, catalogue):
        return Word.COUNTS_NOT
    return _word_of_groups(account_id, catalogue.settings.foundation_owners, groups)


def receivers(grant: Grant, catalogue: Catalogue) -> frozenset[int]:
    """Returns the numeric ids of the accounts that the grant is delivered to."""
    return frozenset(_receivers(grant, catalogue.identities.get(grant.subject), catalogue))


def _overseers(grant: Grant, catalogue: Catalogue) -> list[str]:
    """Whose resource it is, and the owners of the foundation: groups and identities."""
    resource = catalogue.resources.get(grant.resource)
    names = list(catalogue.settings.foundation_owners)
    if resource is not None:
        names += [resource.business_owner, resource.lifecycle_owner, *resource.approvers.groups]
    return names


def _word_of_groups(account_id: int, names: Iterable[str], groups: GroupDirectory) -> Word:
    found = [groups.group(name) for name in names]
    if any(account_id in group.accounts for group in found):
        return Word.COUNTS
    return Word.COUNTS_NOT if all(group.known for group in found) else Word.UNKNOWN


def _receivers(grant: Grant, subject: Identity | None, catalogue: Catalogue) -> Iterator[int]:
    """Who receives the delivery: the person, or whoever asked for what is no person."""
    if subject is None:
        return
    if subject.type.is_person:
        if subject.github_id is not None:
            yield subject.github_id
    elif grant.requester_id in set(_answerable(subject, catalogue)):
        yield grant.requester_id


def _answerable(subject: Identity | None, catalogue: Catalogue) -> Iterator[int]:
    """The accounts of those who answer for an identity: its owners and its sponsor."""
    if subject is None:
        return
    for name in (*subject.owners, *([subject.sponsor] if subject.sponsor else [])):
        person = catalogue.identities.get(name)
        if person is not None and person.is_active and person.github_id is not None:
            yield person.github_id


def _has_left(account_id: int, catalogue: Catalogue) -> bool:
    """Whether that account is of somebody suspended or offboarded: only their own is theirs."""
    identity = catalogue.identity_of(account_id)
    return identity is not None and not identity.is_active
