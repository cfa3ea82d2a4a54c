"""Numbers of approvers: that a group has as many people as are asked for.

Of a group that rests on a GitHub team nothing is said: only GitHub knows its members.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from daypass.documents.problem import Problem
from daypass.documents.references import TEAM_PREFIX
from daypass.model.names import SETTINGS_PATH

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from daypass.model.catalogue import Catalogue
    from daypass.model.policy import AccessPolicy
    from daypass.model.resource import Resource


class _Asked(NamedTuple):
    """So many people of any of these groups, and where a document asks for them."""

    path: str
    at: tuple[str | int, ...]
    wanted: int
    groups: tuple[str, ...]


def number_problems(catalogue: Catalogue) -> Iterator[tuple[str, Problem]]:
    """Yields where more people must approve than a group names: nothing is ever approved there."""
    for asked in _asked(catalogue):
        people = _people(asked.groups, catalogue)
        if people is not None and asked.wanted > len(people):
            yield asked.path, _problem(asked, people, "names")


def number_notices(catalogue: Catalogue) -> Iterator[tuple[str, Problem]]:
    """Yields where they are too few only because some of them are not active now."""
    for asked in _asked(catalogue):
        people = _people(asked.groups, catalogue)
        active = {name for name in people or () if catalogue.identities[name].is_active}
        if people is not None and len(active) < asked.wanted <= len(people):
            yield asked.path, _problem(asked, active, "has active")


def _problem(asked: _Asked, people: frozenset[str] | set[str], verb: str) -> Problem:
    of = " or ".join(asked.groups)
    names = f" ({', '.join(sorted(people))})" if people else ""
    return Problem(
        asked.at,
        "approvers-too-few",
        f"{asked.wanted} of {of} must approve, and it {verb} {len(people)} who could{names}",
        "Ask for fewer, or add people with a GitHub account to the group in access/daypass.yaml.",
    )


def _people(groups: Iterable[str], catalogue: Catalogue) -> frozenset[str] | None:
    """Returns the people with an account whom these groups name; None: a team or no such group."""
    named: set[str] = set()
    for group in groups:
        members = catalogue.settings.groups.get(group)
        if members is None or any(item.startswith(TEAM_PREFIX) for item in members):
            return None
        named.update(members)
    identities = (catalogue.identities.get(name) for name in named)
    return frozenset(
        item.name
        for item in identities
        if item is not None and item.type.is_person and item.github_id is not None
    )


def _asked(catalogue: Catalogue) -> Iterator[_Asked]:
    settings = catalogue.settings
    at = ("spec", "foundation", "atLeast")
    yield _Asked(SETTINGS_PATH, at, settings.foundation_at_least, settings.foundation_owners)
    for resource in catalogue.resources.values():
        yield _of_resource(resource)
    for policy in catalogue.policies.values():
        yield from _of_policy(policy)


def _of_resource(resource: Resource) -> _Asked:
    approvers = resource.approvers
    groups = (*approvers.groups, *((resource.business_owner,) if approvers.owner else ()))
    path = f"access/resources/{resource.name}.yaml"
    return _Asked(path, ("spec", "approvers", "atLeast"), approvers.at_least, groups)


def _of_policy(policy: AccessPolicy) -> Iterator[_Asked]:
    """Requirements of one group add up: people count once within a policy."""
    path = f"access/policies/{policy.name}.yaml"
    together: dict[str, int] = defaultdict(int)
    for number, stage in enumerate(policy.stages):
        for key, items in (("allOf", stage.all_of), ("anyOf", stage.any_of)):
            for index, item in enumerate(items):
                if item.group is None:
                    continue  # the owner's group is each resource's own
                at = ("spec", "approvals", "stages", number, key, index, "atLeast")
                wanted = item.at_least
                if key == "allOf":
                    together[item.group] += item.at_least
                    wanted = together[item.group]
                yield _Asked(path, at, wanted, (item.group,))
