"""The lines of stock git in docs/auditing.md and `daypass audit report`: the same answers."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from daypass.cli.main import main
from daypass.report.questions import QUESTIONS
from support import auditor
from support.doc_pages import blocks
from support.evidence_bot import a_grant, make_bot
from support.evidence_year import PEOPLE, write_year
from support.local_signer import LocalSigner

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LINES = {block.words[1]: block.text for block in blocks("sh") if block.words[:1] == ("answers",)}
EXAMPLE = "2026-11-23T10:00:00Z"  # the time that the page names
Row = dict[str, Any]
# What no history can show: the lines of the page say so.
NOT_IN_GIT = {"vendors-agents", "ungoverned", "vault-against-git"}


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("answers")
    write_year(folder, 60, emergencies=0.1).close()
    prepare(folder)
    return folder


@pytest.fixture(scope="module")
def rows(year: Path) -> dict[str, list[Row]]:
    """Daypass's own answers."""
    return answered(year)


def prepare(folder: Path) -> None:
    """Types the first block of the page, by the fingerprint of the key that wrote the evidence."""
    auditor.typed(folder, auditor.selection(LocalSigner().allowed().fingerprint))


def answered(folder: Path, *words: str) -> dict[str, list[Row]]:
    command = [sys.executable, "-m", "daypass", "-C", folder, "audit", "report"]
    done = subprocess.run(
        [*command, "--format", "jsonl", *words], check=False, capture_output=True, text=True
    )
    assert done.returncode in (0, 6), done.stderr
    found: dict[str, list[Row]] = {}
    for line in map(json.loads, done.stdout.splitlines()):
        if line["type"] == "row":
            found.setdefault(line["question"], []).append(line)
    return found


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", folder, *words], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def typed(folder: Path, question: str, *, at: str = "") -> list[str]:
    script = LINES[question]
    if at:
        assert EXAMPLE in script
        script = script.replace(EXAMPLE, at)
    return auditor.typed(folder, script)


def lasting(rows: list[Row], **which: str) -> list[str]:
    (row,) = [row for row in rows if which.items() <= row.items()]
    return [f"{row['p50Seconds']:.0f} {row['p95Seconds']:.0f} {row['maxSeconds']:.0f}"]


def pair(row: Row) -> str:
    by, who = (900_000_000 + PEOPLE.index(row[key]) for key in ("approver", "requester"))
    return f"{row['grants']} {by} {who}"


# For each line, in the order in which it prints: the same from the rows of that question.
WANTED: dict[str, Callable[[list[Row]], list[str]]] = {
    "access-now": lambda rows: [row["grant"] for row in rows],
    "grants": lambda rows: [
        f"{row['grant']} {kind} {reason or 'time'}"
        for row in rows
        if row["endedAt"]
        for kind, _, reason in [row["outcome"].partition(": ")]
    ],
    "durations": lambda rows: lasting(rows, step="merged to issued", resource="(all)"),
    "endings": lambda rows: lasting(rows, trigger="time"),
    "independence": lambda rows: [row["grant"] for row in rows],
    "approver-pairs": lambda rows: [pair(row) for row in rows],
    "break-glass": lambda rows: [
        f"{row['grant']} {'reviewed' if row['reviewedAt'] else 'not reviewed'}" for row in rows
    ],
    "denials": lambda rows: [
        f"{row['kind']} {row['request']} {row['subject']} {row['reason']}" for row in rows
    ],
    "policy-changes": lambda rows: [
        f"{row['commit']} {row['author'].partition(' <')[0]}" for row in rows
    ],
    "exceptions": lambda rows: [row["name"] for row in rows if row["kind"].startswith("policy")],
    "non-human": lambda rows: [row["identity"] for row in rows if row["identityType"] != "human"],
    "drift": lambda rows: [f"{row['commit']} {row['reason']}" for row in rows],
}


def test_every_question_has_its_line() -> None:
    assert set(LINES) - {"access-at", "excepted"} == set(QUESTIONS) - NOT_IN_GIT
    assert set(LINES) - set(WANTED) == {"access-at", "excepted", "unconfirmed", "gaps"}


@pytest.mark.parametrize("question", sorted(WANTED))
def test_git_alone_gives_the_same_answer(
    year: Path, rows: dict[str, list[Row]], question: str
) -> None:
    wanted = WANTED[question](rows[question])
    assert wanted
    said = [" ".join(line.split()) for line in typed(year, question)]
    assert sorted(said) == sorted(wanted)


def test_who_had_access_at_a_time(year: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """At a time at which somebody did, by both of daypass's own ways."""
    begins = "--format=%(trailers:key=Daypass-Not-Before,valueonly)"
    at = git(year, "log", "--grep=^Daypass-Event: issued$", begins).split()[30]
    said = set(typed(year, "access-at", at=at))
    assert said
    assert said == {row["grant"] for row in answered(year, "--at", at)["access-now"]}
    assert main(["-C", str(year), "audit", "who", "--at", at, "--format", "json"]) == 0
    assert said == {row["grant"] for row in json.loads(capsys.readouterr().out)["holders"]}


def test_grants_under_an_exception(tmp_path: Path) -> None:
    bot = make_bot(tmp_path)
    excepted = replace(a_grant("two"), exceptions=("night", "winter"))
    bot.issue("one")
    bot.issue("two", excepted, said=excepted)
    bot.person_commits("Forge one\n\nDaypass-Event: issued\nDaypass-Exception: x", {"x": "x"})
    bot.git("checkout", "-q", "-B", "main", "origin/main")
    prepare(bot.work)
    assert typed(bot.work, "excepted") == ["two night winter"]
    gone = [row for row in answered(bot.work)["exceptions"] if row["issued"]]
    assert [(row["name"], row["issued"]) for row in gone] == [
        ("night", ["two"]),
        ("winter", ["two"]),
    ]


def test_revocations_that_failed(year: Path, rows: dict[str, list[Row]]) -> None:
    failed = sum(row["failedFirst"] for row in rows["endings"])
    assert len(typed(year, "unconfirmed")) == failed


def test_a_gap_in_the_numbers_is_found_by_both(
    year: Path, rows: dict[str, list[Row]], tmp_path: Path
) -> None:
    assert typed(year, "gaps") == []
    assert "gaps" not in rows
    bot = make_bot(tmp_path)
    bot.issue("one")
    commit = bot.issue("two", sequence=5)
    bot.git("checkout", "-q", "-B", "main", "origin/main")
    prepare(bot.work)
    (said,) = typed(bot.work, "gaps")
    assert said == f"after 1 comes 5 in {bot.git('rev-parse', '--short', commit)}"
    found = [row for row in answered(bot.work)["gaps"] if row["commit"] == commit]
    assert "sequence-gap" in {row["kind"] for row in found}
