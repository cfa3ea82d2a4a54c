"""Teams are who their id says, and a slug that has changed hands is named."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from daypass.lifecycle.context import Answers
from daypass.lifecycle.teams import look_at_teams, team_lines
from daypass.model.catalogue import Catalogue
from daypass.model.pullrequest import Team
from daypass.policy.groups import resolve_groups
from support import settings

SETTINGS = replace(settings.SETTINGS, groups={"dba": ("team:dba",), "security": ("team:security",)})
# An owner renamed the team 1; mallory made one of its old slug.
MEMBERS = {1: frozenset({11, 12}), 2: frozenset({66}), 3: frozenset({13})}
TODAY = {"dba-emea": 1, "dba": 2, "security": 3}


class Organisation:
    """GitHub's answers about teams, and what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int | None]] = []

    def team_members(self, slug: str, team_id: int | None = None) -> frozenset[int]:
        self.asked.append((slug, team_id))
        return MEMBERS[TODAY[slug] if team_id is None else team_id]

    def team(self, slug: str, team_id: int | None = None) -> Team | None:
        number = TODAY.get(slug) if team_id is None else team_id
        names = {number: name for name, number in TODAY.items()}
        return Team(number, names[number]) if number in names else None


def catalogue(teams: dict[str, int] | None) -> Catalogue:
    return Catalogue(dataclasses.replace(SETTINGS, teams=teams), {}, {}, {}, "")


def groups(teams: dict[str, int] | None) -> tuple[Any, list[tuple[str, int | None]]]:
    github: Any = Organisation()
    return Answers(github).groups(catalogue(teams)), github.asked


def test_a_pinned_team_is_asked_by_its_id_once() -> None:
    found, asked = groups({"dba": 1, "security": 3})
    assert found.group("dba").accounts == {11, 12}
    assert asked == [("dba", 1), ("security", 3)]


def test_a_team_without_an_id_beside_pinned_ones_is_unknown_and_not_asked() -> None:
    found, asked = groups({"security": 3})
    assert not found.group("dba").known
    assert not found.group("team:dba").accounts
    assert asked == [("security", 3)]


def test_members_of_a_team_without_an_id_count_nowhere_however_they_were_had() -> None:
    found = resolve_groups(catalogue({"security": 3}), {"dba": MEMBERS[2], "security": MEMBERS[3]})
    assert not found.group("dba").accounts
    assert found.group("security").accounts == MEMBERS[3]


def test_settings_that_pin_nothing_count_by_the_slug_as_before() -> None:
    found, asked = groups(None)
    assert found.group("dba").accounts == {66}
    assert asked == [("dba", None), ("security", None)]


@pytest.mark.parametrize(
    ("teams", "told"),
    [
        ({"dba": 2, "security": 3}, []),
        (
            {"dba": 1, "security": 3},
            ["is called `dba-emea` now", "another team today, with the id 2"],
        ),
        ({"dba": 9, "security": 3}, ["no team with the id 9"]),
        ({"security": 3}, ["pinned by no id: it counts no members", "teams --write"]),
        (None, ["its slug alone decides", "security"]),
    ],
)
def test_a_slug_that_is_not_its_team_is_named(
    teams: dict[str, int] | None, told: list[str]
) -> None:
    github: Any = Organisation()
    said = "\n".join(team_lines(github, catalogue(teams)))
    assert [word for word in told if word not in said] == []
    assert bool(said) == bool(told)


def test_a_team_that_github_does_not_show_says_what_to_do() -> None:
    nothing: Any = SimpleNamespace(team=lambda *_: None)
    states = look_at_teams(nothing, catalogue({"dba": 1, "security": 3}))
    assert all("read:org" in item.remedy for item in states)
