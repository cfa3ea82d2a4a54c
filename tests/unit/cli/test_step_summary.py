"""A step's summary: what it counts, it shows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from daypass.cli import step_summary
from daypass.errors import PermanentError
from daypass.lifecycle.outcome import Outcome

if TYPE_CHECKING:
    from pathlib import Path


def outcome(alarms: int = 0, failures: int = 0, lines: int = 0) -> Outcome:
    made = Outcome()
    for number in range(alarms):
        made.alarm(f"cause.{number}", f"look at | <b>alarm</b> {number} @carol\nnow")
    for number in range(failures):
        made.fail(f"f-{number}", PermanentError("no", remedy="mend it"))
    for number in range(lines):
        made.add("issued", f"g-{number}", "text")
    return made


@pytest.mark.parametrize("alarms", [0, 1, 4])
@pytest.mark.parametrize("failures", [0, 2])
@pytest.mark.parametrize("lines", [0, 3])
def test_every_count_is_that_of_the_rows_below(alarms: int, failures: int, lines: int) -> None:
    text = step_summary.of_apply(outcome(alarms, failures, lines))
    rows = [line for line in text.splitlines() if line.startswith("| ")][1:]
    shown = {
        "to look at": sum("**look here**" in row for row in rows),
        "failed": sum("**failed**" in row for row in rows),
        "done": sum("issued" in row for row in rows),
    }
    told = {what: int(number) for number, what in re.findall(r"(\d+) ([a-z ]+?)[,.]", text)}
    assert told == {what: number for what, number in shown.items() if number}
    assert (alarms, failures, lines) == tuple(shown.values())
    assert ("|---|" in text) == bool(rows)
    assert ("Nothing to do" in text) == (not rows)


def test_an_alarm_stays_in_its_cell_and_notifies_nobody() -> None:
    (row,) = [
        line for line in step_summary.of_apply(outcome(1)).splitlines() if "look here" in line
    ]
    assert row.replace(r"\|", "").count("|") == 3
    assert "@" not in row
    assert "<b>" not in row.replace("\\<", "")


def test_a_long_list_says_how_many_are_left_out() -> None:
    text = step_summary.of_apply(outcome(2, 0, 600))
    assert "2 to look at, 600 done." in text
    assert text.count("| issued |") == 498
    assert "… and 102 more; the log has them all." in text


def test_it_is_added_to_what_the_step_has_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))
    step_summary.append("one\n")
    step_summary.append("two\n")
    assert (tmp_path / "summary").read_text(encoding="utf-8") == "one\ntwo\n"
