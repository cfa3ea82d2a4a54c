"""Records of a policy diff: what a recorded question tells of people and teams, and what not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from daypass.model.grant import Lane
from daypass.policy.approvals import parties
from daypass.policy.groups import TEAM_PREFIX, groups_in_rules, resolve_groups, teams_needed
from daypass.policy.input import groups_not_told

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from daypass.model.catalogue import Catalogue
    from daypass.policy.groups import GroupDirectory
    from daypass.policy.input import DecisionInput


class Team(NamedTuple):
    """A team as settings name it: with another id it is another team."""

    slug: str
    id: int | None


@dataclass(frozen=True, slots=True)
class Recorded:
    """A live grant or a decision of the past, and what it rested on."""

    grant_id: str
    kind: str  # `live`, or the event that recorded it: `issued`, `denied`
    commit: str | None
    facts: DecisionInput | None  # None: it cannot be read
    then: Catalogue | None = None  # the documents of its time; None: they cannot be read

    def knows(self, team: Team) -> bool:
        """Whether that very team was asked then, and answered."""
        facts, then, name = self.facts, self.then, TEAM_PREFIX + team.slug
        return (
            facts is not None
            and then is not None
            and team.slug in teams_needed(then)
            # Teams that expressions name were not always asked for.
            and not (
                name in groups_in_rules(then.policies.values())
                and groups_not_told(facts.to_json(), (name,))
            )
            and then.settings.counts_team(team.slug)
            and then.settings.team_id(team.slug) == team.id
            and name not in facts.unknown_groups
        )

    def members(self, slug: str) -> frozenset[int]:
        """The accounts of those whom the input says to belong to that team."""
        if self.facts is None:
            return frozenset()
        name, facts = TEAM_PREFIX + slug, self.facts
        people: list[tuple[int | None, tuple[str, ...]]] = [
            (facts.requester.account_id, facts.requester.groups),
            *((item.account_id, item.groups) for item in facts.approvals.counted),
        ]
        if facts.subject is not None:
            people.append((facts.subject.account_id, facts.subject.groups))
        found = {account for account, groups in people if account is not None and name in groups}
        told = facts.groups.get(name)
        found.update(
            item.account_id
            for item in (told.members if told else ())
            if item.account_id is not None
        )
        return frozenset(found)


@dataclass(frozen=True, slots=True)
class Assumption:
    """What is taken to be so where a record does not tell."""

    members: frozenset[tuple[int, Team]] = frozenset()
    all_approved: bool = False  # all whose word did not count then, and counts here


NOTHING = Assumption()


def teams_of(catalogue: Catalogue) -> frozenset[Team]:
    """Returns the teams that count by these documents."""
    settings = catalogue.settings
    needed = teams_needed(catalogue)
    return frozenset(
        Team(slug, settings.team_id(slug)) for slug in needed if settings.counts_team(slug)
    )


def groups_by(
    catalogue: Catalogue, recorded: Recorded, assumed: Assumption = NOTHING
) -> GroupDirectory:
    """Returns every group; each team holds the people whom record and assumption tell."""
    told = {
        team.slug: frozenset(account for account, other in assumed.members if other == team)
        | (recorded.members(team.slug) if recorded.knows(team) else frozenset())
        for team in teams_of(catalogue)
    }
    return resolve_groups(catalogue, told)


def parties_by(
    catalogue: Catalogue, facts: DecisionInput, *, of_exceptions: bool = True
) -> dict[int, str]:
    """Returns the accounts with a part in what is asked, by these documents.

    `of_exceptions`: with those who answer for an exception. They approve nothing, and may object.
    """
    asked = facts.request
    identity = catalogue.identities.get(asked.subject)
    if identity is None:
        return {}
    about = (asked.subject, asked.resource, asked.access)
    routine = of_exceptions and asked.lane == Lane.ROUTINE
    excepted = catalogue.exceptions_about(*about) if routine else ()
    return parties(identity, excepted, catalogue)


def approvers_by(catalogue: Catalogue, facts: DecisionInput) -> Iterator[str]:
    """Yields the groups that can be asked to approve it, by these documents."""
    resource = catalogue.resources.get(facts.request.resource)
    if resource is not None:
        yield from (*resource.approvers.groups, resource.business_owner)
    for policy in catalogue.policies.values():
        for stage in policy.stages:
            yield from (item.group for item in (*stage.all_of, *stage.any_of) if item.group)


def dismissers_by(catalogue: Catalogue, facts: DecisionInput) -> Iterator[str]:
    """Yields the groups of which a member may take a reviewer's "no" back."""
    resource = catalogue.resources.get(facts.request.resource)
    if resource is not None:
        yield from (*resource.approvers.groups, resource.business_owner)
    yield from catalogue.settings.foundation_owners


def accounts_of(names: Iterable[str], groups: GroupDirectory) -> frozenset[int]:
    """Returns the accounts of all members of these groups."""
    return frozenset().union(*(groups.group(name).accounts for name in names))
