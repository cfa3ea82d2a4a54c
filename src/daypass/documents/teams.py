"""GitHub teams that documents name: by which slug, where, and whether an id pins them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from daypass.documents.problem import Problem
from daypass.documents.wording import first_of
from daypass.model.expression_names import names_in
from daypass.model.names import SETTINGS_PATH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daypass.model.catalogue import Catalogue
    from daypass.model.policy import AccessPolicy, Stage
    from daypass.model.resource import Resource
    from daypass.model.settings import Settings

_PREFIX: Final = "team:"
_SHOWN: Final = 5  # paths in a message
_At = tuple[str | int, ...]


class NamedTeam(NamedTuple):
    """One place where a document names a team."""

    path: str  # of the document
    at: _At  # inside of it
    slug: str


def named_teams(catalogue: Catalogue) -> Iterator[NamedTeam]:
    """Every place that names a team: settings first, then resources, then policies."""
    places = [(SETTINGS_PATH, *item) for item in _of_settings(catalogue.settings)]
    for resource in catalogue.resources.values():
        path = f"access/resources/{resource.name}.yaml"
        places += [(path, *item) for item in _of_resource(resource)]
    for policy in catalogue.policies.values():
        path = f"access/policies/{policy.name}.yaml"
        places += [(path, *item) for item in _of_policy(policy)]
    for path, at, name in places:
        if name.startswith(_PREFIX):
            yield NamedTeam(path, at, name.removeprefix(_PREFIX))


def team_problems(catalogue: Catalogue) -> Iterator[tuple[str, Problem]]:
    """Places that name a team without an id where teams are pinned: such a team counts nobody."""
    settings = catalogue.settings
    for item in named_teams(catalogue):
        if not settings.counts_team(item.slug):
            yield (
                item.path,
                Problem(
                    item.at,
                    "team-without-id",
                    f"`teams` in access/daypass.yaml has no id for `{item.slug}`: the team counts "
                    "no members",
                    how_to_pin(item.slug, settings),
                ),
            )


def team_notices(catalogue: Catalogue) -> Iterator[tuple[str, Problem]]:
    """Each team that is found by its slug alone, at the first place that names it."""
    settings = catalogue.settings
    if settings.teams is not None:
        return
    places: dict[str, list[NamedTeam]] = {}
    for item in named_teams(catalogue):
        places.setdefault(item.slug, []).append(item)
    for slug, items in places.items():
        paths = list(dict.fromkeys(item.path for item in items))
        told = first_of(paths, _SHOWN)
        yield (
            items[0].path,
            Problem(
                items[0].at,
                "team-by-slug",
                f"the team `{slug}` is pinned by no id: after a rename, a team that takes its "
                f"slug counts in its place, in {told}",
                how_to_pin(slug, settings),
            ),
        )


def how_to_pin(slug: str, settings: Settings) -> str:
    """The line to add, and the commands that tell it."""
    line = f"`{slug}: ID`"
    where = f"{line} to `teams`" if settings.teams is not None else f"`teams:` with {line}"
    return (
        f"Run `daypass teams --write`, which asks GitHub, or add {where} under `spec` of "
        f"access/daypass.yaml; `gh api orgs/{settings.github.owner}/teams/{slug} --jq .id` prints "
        "the ID."
    )


def _of_settings(settings: Settings) -> Iterator[tuple[_At, str]]:
    for name, members in settings.groups.items():
        for index, member in enumerate(members):
            yield ("spec", "groups", name, index), member
    for index, name in enumerate(settings.foundation_owners):
        yield ("spec", "foundation", "owners", index), name
    lane = settings.break_glass
    if lane is not None:
        for field, names in (("invokers", lane.invokers), ("reviewers", lane.reviewers)):
            for index, name in enumerate(names):
                yield ("spec", "breakGlass", field, index), name


def _of_resource(resource: Resource) -> Iterator[tuple[_At, str]]:
    yield ("spec", "owners", "business"), resource.business_owner
    yield ("spec", "owners", "lifecycle"), resource.lifecycle_owner
    for index, name in enumerate(resource.approvers.groups):
        yield ("spec", "approvers", "groups", index), name


def _of_policy(policy: AccessPolicy) -> Iterator[tuple[_At, str]]:
    for index, name in enumerate(policy.match.subject_groups):
        yield ("spec", "match", "subjects", "groups", index), name
    for index, rule in enumerate(policy.rules):
        for name in sorted(names_in(rule.expression).groups):
            yield ("spec", "rules", index, "expression"), name
    for index, stage in enumerate(policy.stages):
        yield from _of_stage(("spec", "approvals", "stages", index), stage)


def _of_stage(at: _At, stage: Stage) -> Iterator[tuple[_At, str]]:
    for field, items in (("allOf", stage.all_of), ("anyOf", stage.any_of)):
        for index, item in enumerate(items):
            if item.group is not None:
                yield (*at, field, index, "group"), item.group
