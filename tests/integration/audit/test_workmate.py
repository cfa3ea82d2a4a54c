"""What another process settles is what this one would have found; and it may die at any time."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from daypass.ledger.fault import FaultCode
from support.evidence_bot import a_grant
from support.evidence_year import write_year

if TYPE_CHECKING:
    from support.evidence_bot import Bot

_RUN = Path(__file__).parents[2] / "support/workmate_run.py"


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("year")
    write_year(folder, 120).close()
    return folder


def judged(folder: Path, how: str) -> tuple[int, dict[str, Any], dict[str, Any]]:
    """How often the workmate answered, what one process says, and what two say."""
    words = [sys.executable, str(_RUN), str(folder), how]
    answers, alone, together = json.loads(subprocess.check_output(words))
    return answers, alone, together


def test_a_year_is_judged_the_same_by_two(year: Path) -> None:
    answers, alone, together = judged(year, "works")
    assert answers
    assert together == alone
    assert alone["events"] > 120


def test_what_a_workmate_finds_is_told_in_its_place(bot: Bot) -> None:
    first = bot.issue("one")
    wrong = bot.issue("two", replace(a_grant("two"), access="admin"))
    bot.end("one", first)
    bot.git("merge", "-q", "--ff-only", "origin/main")

    answers, alone, together = judged(bot.work, "works")

    assert answers
    assert together == alone
    found = {(fault["code"], fault["commit"]) for fault in together["faults"]}
    assert (FaultCode.RECORD_MISMATCH, wrong) in found


@pytest.mark.parametrize("how", ["dies", "fails"])
def test_what_a_workmate_did_not_answer_for_is_done_here(year: Path, how: str) -> None:
    answers, alone, together = judged(year, how)
    assert not answers
    assert together == alone
