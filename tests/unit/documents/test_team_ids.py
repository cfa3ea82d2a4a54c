"""Ids of teams are written into the settings line by line, and their lack is noticed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from documents_world import (
    POLICY,
    POLICY_PATH,
    SETTINGS,
    SETTINGS_PATH,
    SOUND,
    Forgetful,
    entries,
)

from daypass.documents.pinning_teams import with_team_ids
from daypass.documents.validation import validate
from daypass.errors import DocumentError

if TYPE_CHECKING:
    from daypass.documents.finding import Report

EXAMPLE = (Path(__file__).parents[3] / SETTINGS_PATH).read_text()


def judged(files: dict[str, str]) -> Report:
    whole = {**SOUND, **files}
    read = {path: text.encode() for path, text in whole.items()}
    return validate(entries(whole), read.__getitem__, Forgetful(), examine=lambda _: ())


@pytest.mark.parametrize(
    ("before", "ids", "after"),
    [
        (SETTINGS, {"dba": 7}, SETTINGS.replace("  found", "  teams:\n    dba: 7\n  found")),
        (SETTINGS, {}, SETTINGS.replace("  found", "  teams: {}\n  found")),
        (
            EXAMPLE,
            {"b": 2, "a": 1},
            EXAMPLE.replace("  teams: {}\n", "  teams:\n    a: 1\n    b: 2\n"),
        ),
        (
            SETTINGS + "  teams:\n      a: 1  # one\n",
            {"b": 2},
            SETTINGS + "  teams:\n      b: 2\n      a: 1  # one\n",
        ),
    ],
)
def test_only_the_ids_are_added(before: str, ids: dict[str, int], after: str) -> None:
    assert with_team_ids(before.encode(), ids).decode() == after


def test_a_layout_that_takes_no_line_is_left_to_a_person() -> None:
    text = SETTINGS + "  teams: {a: 1}\n"
    with pytest.raises(DocumentError) as caught:
        with_team_ids(text.encode(), {"dba": 7})
    assert "`teams: {a: 1, dba: 7}`" in caught.value.remedy


def test_a_team_that_nothing_pins_is_a_notice_which_names_where_it_counts() -> None:
    report = judged({POLICY_PATH: POLICY.replace("group: dba", 'group: "team:dba"')})
    assert report.findings == ()
    [notice] = report.notices
    assert (notice.rule, notice.place) == ("team-by-slug", f"{SETTINGS_PATH}:11:16")
    assert POLICY_PATH in notice.message
    assert "access/resources/orders.yaml" in notice.message
    assert "`teams:` with `dba: ID`" in notice.remedy
    assert "gh api orgs/acme/teams/dba --jq .id" in notice.remedy


def test_a_pinned_team_is_no_notice() -> None:
    report = judged({SETTINGS_PATH: SETTINGS + "  teams: {dba: 7}\n"})
    assert (report.findings, report.notices) == ((), ())
