"""Groups as decisions see them: names of the settings and GitHub teams, by numeric account id.

A group whose team could not be asked is *unknown*, which is a value of its own: it approves
nothing, and whether somebody is a member of it cannot be said.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from daypass.model.catalogue import Catalogue
    from daypass.model.policy import AccessPolicy

TEAM_PREFIX: Final = "team:"


@dataclass(frozen=True, slots=True)
class Group:
    """Who belongs to a group. `known` is False when a team of it could not be asked.

    Then `accounts` and `identities` hold what the settings alone tell.
    """

    known: bool
    accounts: frozenset[int] = frozenset()  # numeric GitHub ids
    identities: frozenset[str] = frozenset()  # names, those without a GitHub account included


_UNKNOWN: Final = Group(known=False)


@dataclass(frozen=True, slots=True)
class GroupDirectory:
    """Every group by name; `team:<slug>` names a GitHub team directly."""

    groups: Mapping[str, Group] = field(default_factory=dict)

    def group(self, name: str) -> Group:
        """That group; an unheard-of name is unknown, so that a misspelt one grants nothing."""
        return self.groups.get(name, _UNKNOWN)

    def names_of(self, account_id: int | None, identity: str | None) -> tuple[str, ...]:
        """The known or half-known groups that an account or an identity belongs to, sorted."""
        return tuple(
            sorted(
                name
                for name, group in self.groups.items()
                if account_id in group.accounts or identity in group.identities
            )
        )


def groups_in_rules(policies: Iterable[AccessPolicy]) -> frozenset[str]:
    """Every group that expressions of these policies ask about by name."""
    return frozenset().union(*(policy.groups_in_rules for policy in policies))


def teams_needed(catalogue: Catalogue) -> frozenset[str]:
    """The slugs of all GitHub teams that documents of this catalogue name."""
    return frozenset(
        entry.removeprefix(TEAM_PREFIX)
        for entry in _entries(catalogue)
        if entry.startswith(TEAM_PREFIX)
    )


def resolve_groups(
    catalogue: Catalogue, teams: Mapping[str, frozenset[int] | None]
) -> GroupDirectory:
    """The directory, from the settings and from what GitHub said of each team.

    Args:
        catalogue: settings with their groups, and the identities that they name.
        teams: slug to the numeric ids of the members; None, or no entry, when it could not be had.

    A team without its id in settings that pin teams is unknown, whatever `teams` says of it: the
    slug alone may be another team's by now.
    """
    teams = {
        slug: members for slug, members in teams.items() if catalogue.settings.counts_team(slug)
    }
    groups: dict[str, Group] = {
        name: _resolve(members, catalogue, teams)
        for name, members in catalogue.settings.groups.items()
    }
    for slug in teams_needed(catalogue):
        entry = TEAM_PREFIX + slug
        groups[entry] = _resolve((entry,), catalogue, teams)
    for policy in catalogue.policies.values():
        for name in (*policy.match.subject_groups, *policy.groups_in_rules):
            # A group that is not defined has no members, and a guard about it would fall silent:
            # which one was meant is not known.
            groups.setdefault(name, _UNKNOWN)
    return GroupDirectory(groups)


def _entries(catalogue: Catalogue) -> Iterable[str]:
    for members in catalogue.settings.groups.values():
        yield from members
    for policy in catalogue.policies.values():
        yield from policy.groups
        yield from policy.groups_in_rules
    for resource in catalogue.resources.values():
        yield from resource.approvers.groups
        yield from (resource.business_owner, resource.lifecycle_owner)
    yield from catalogue.settings.foundation_owners
    if catalogue.settings.break_glass is not None:
        yield from catalogue.settings.break_glass.invokers
        yield from catalogue.settings.break_glass.reviewers


def _resolve(
    members: Iterable[str], catalogue: Catalogue, teams: Mapping[str, frozenset[int] | None]
) -> Group:
    known = True
    accounts: set[int] = set()
    identities: set[str] = set()
    for member in members:
        if member.startswith(TEAM_PREFIX):
            ids = teams.get(member.removeprefix(TEAM_PREFIX))
            known = known and ids is not None
            accounts |= ids or frozenset()
            continue
        identities.add(member)
        identity = catalogue.identities.get(member)
        if identity is not None and identity.github_id is not None:
            accounts.add(identity.github_id)
    for identity in catalogue.identities.values():
        if identity.github_id in accounts:
            identities.add(identity.name)
    return Group(known, frozenset(accounts), frozenset(identities))
