"""`daypass audit report`, as an auditor types it, on repositories with signed events."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from daypass.cli.main import main
from daypass.model.event import Event, EventKind
from daypass.model.names import ALLOWED_SIGNERS_PATH
from daypass.report.questions import QUESTIONS
from support.evidence_bot import a_grant
from support.evidence_year import write_year

if TYPE_CHECKING:
    from pathlib import Path

    from support.evidence_bot import Bot


@pytest.fixture
def told(bot: Bot) -> Bot:
    """One grant that ended, one that lives, a denial, and a policy that somebody changed."""
    issued = bot.issue("one")
    bot.issue("two")
    bot.end("one", issued)
    bot.person_commits("Loosen it", {"access/policies/loose.yaml": "kind: x\n"})
    denied = Event(EventKind.DENIED, "three", (("Daypass-Reason", "policy"),))
    bot.record(denied, {}, title="Deny: three")
    bot.git("checkout", "-q", "-B", "main", "origin/main")
    return bot


def report(folder: Path, *words: str) -> int:
    return main(["-C", str(folder), "audit", "report", *words])


def lines(capsys: pytest.CaptureFixture[str], folder: Path, *words: str) -> list[dict[str, object]]:
    report(folder, "--format", "jsonl", *words)
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def rows(found: list[dict[str, object]], question: str) -> list[dict[str, object]]:
    return [line for line in found if line["type"] == "row" and line["question"] == question]


def test_a_grant_is_told_from_its_request_to_its_end(
    told: Bot, capsys: pytest.CaptureFixture[str]
) -> None:
    found = lines(capsys, told.work)
    two, one = rows(found, "grants")
    assert (one["grant"], one["approvedBy"], one["outcome"]) == (
        "one",
        ["bob", "account 2"],
        "expired",
    )
    assert (
        one["issuedBy"]
        == told.git("log", "--format=%H", "--grep=Grant: one", "--reverse").split()[0]
    )
    assert two["endedAt"] is None
    assert [row["grant"] for row in rows(found, "access-now")] == ["two"]
    assert [row["request"] for row in rows(found, "denials")] == ["three"]
    (change,) = [row for row in rows(found, "policy-changes") if "loose" in str(row["paths"])]
    assert change["paths"] == ["access/policies/loose.yaml"]
    assert change["author"] == "Mallory <mallory@example.com>"


def test_the_heading_says_what_it_was_made_from(
    told: Bot, capsys: pytest.CaptureFixture[str]
) -> None:
    head = lines(capsys, told.work)[0]
    assert head["head"] == told.head
    assert head["verdict"] == "self-attested"
    assert head["signers"] == told.signer.allowed().fingerprint
    assert head["at"] == told.git(
        "log", "-1", "--format=%cd", "--date=format-local:%Y-%m-%dT%H:%M:%SZ"
    )
    assert str(head["events"]).startswith("4 events in ")
    named = lines(capsys, told.work, "--fingerprint", told.signer.allowed().fingerprint)[0]
    assert named["verdict"] == "holds"


@pytest.mark.parametrize("format_", ["html", "markdown", "jsonl"])
@pytest.mark.parametrize("extra", [[], ["--controls"]])
def test_the_same_head_gives_the_same_bytes(
    year: Path, tmp_path: Path, format_: str, extra: list[str]
) -> None:
    """In other processes, whose hashes are seeded otherwise, in another time zone and language."""
    made = []
    for number, zone in enumerate(("UTC", "Asia/Kathmandu")):
        target = tmp_path / f"{number}.out"
        words = ["--format", format_, "--output", str(target), *extra]
        subprocess.run(
            [sys.executable, "-m", "daypass", "-C", str(year), "audit", "report", *words],
            env={"PATH": "/usr/bin:/bin", "TZ": zone, "PYTHONHASHSEED": str(number), "LC_ALL": "C"},
            check=True,
            capture_output=True,
        )
        made.append(target.read_bytes())
    assert made[0] == made[1]
    assert len(made[0]) > 1000


def test_the_same_story_written_twice_is_the_same_page(year: Path, tmp_path: Path) -> None:
    other = tmp_path / "again"
    other.mkdir()
    write_year(other, 400).close()
    assert report(year, "--output", str(tmp_path / "a.html")) == 0
    assert report(other, "--output", str(tmp_path / "b.html")) == 0
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_a_forged_event_is_not_told_and_breaks_nothing(
    told: Bot, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    forged = told.person_commits(
        "Squash\n\nDaypass-Event: issued\nDaypass-Grant: mine\nDaypass-Sequence: 5\n"
        "Daypass-Subject: mallory\nDaypass-Not-After: 2099-01-01T00:00:00Z\n",
        {"x": "1"},
    )
    told.git("checkout", "-q", "-B", "main", "origin/main")
    target = tmp_path / "report.html"
    assert report(told.work, "--output", str(target)) == 0
    assert "evidence broken" not in target.read_text()
    capsys.readouterr()
    found = lines(capsys, told.work)
    assert "mine" not in {row["grant"] for row in rows(found, "grants")}
    assert (rows(found, "gaps")[0]["kind"], rows(found, "gaps")[0]["commit"]) == (
        "unsigned-trailers",
        forged,
    )


def test_a_path_that_is_no_utf_8_stops_no_format(
    told: Bot, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Among the records and among the rules, as any writer can bring it into history for good."""
    odd = {f"access/{part}/\udcff.json": "x" for part in ("grants", "policies", "requests")}
    told.person_commits("Odd names", dict(odd))
    told.git("checkout", "-q", "-B", "main", "origin/main")
    capsys.readouterr()
    for words in (["--format", "html"], ["--format", "markdown"], ["--format", "jsonl"]):
        assert report(told.work, *words, "--output", str(tmp_path / words[1])) == 6
        assert b"\\udcff" in (tmp_path / words[1]).read_bytes()
    assert report(told.work, "--format", "csv", "--output", str(tmp_path / "csv")) == 6
    assert "access/grants/\\udcff.json" in (tmp_path / "csv/gaps.csv").read_text("utf-8")


def test_events_signed_by_a_key_that_was_slipped_in_are_not_told(
    told: Bot, capsys: pytest.CaptureFixture[str]
) -> None:
    """Mallory adds his key to the list, and signs a grant of his own: the key does not count."""
    from support.local_signer import LocalSigner  # noqa: PLC0415  -- a second key, here only

    mallory = LocalSigner(seed=66)
    ours = told.signer
    both = f"{ours.allowed().to_line()}\n{mallory.allowed().to_line()}\n"
    told.person_commits("Rotate the key", {ALLOWED_SIGNERS_PATH: both})
    told.signer = mallory
    told.issue("mine", a_grant("mine"))
    told.git("checkout", "-q", "-B", "main", "origin/main")
    found = lines(capsys, told.work, "--fingerprint", ours.allowed().fingerprint)
    assert found[0]["verdict"] == "broken"
    assert "mine" not in {row["grant"] for row in rows(found, "grants")}


def test_one_question_as_csv(told: Bot, capsys: pytest.CaptureFixture[str]) -> None:
    assert report(told.work, "--question", "grants", "--format", "csv") == 0
    found = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert [row["grant"] for row in found] == ["two", "one"]
    assert found[1]["approvedBy"] == "bob; account 2"


def test_all_questions_as_csv_are_a_directory(told: Bot, tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    assert report(told.work, "--format", "csv", "--output", str(folder)) == 0
    assert {path.stem for path in folder.iterdir()} == {"report", *QUESTIONS}
    summary = list(csv.reader((folder / "report.csv").read_text().splitlines()))
    assert ["heading", "head", told.head, ""] in summary


def test_an_author_that_is_a_formula_is_text_in_csv(
    told: Bot, capsys: pytest.CaptureFixture[str]
) -> None:
    (told.work / "access/policies/worse.yaml").write_text("kind: x\n")
    told.git("add", "-A")
    environment = {"GIT_AUTHOR_NAME": "=HYPERLINK(0)", "GIT_AUTHOR_EMAIL": "<script>@x"}
    told.git("commit", "-q", "-m", "Worse", **environment)
    assert report(told.work, "--question", "policy-changes", "--format", "csv") == 0
    found = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert [row["author"][:2] for row in found if "HYPERLINK" in row["author"]] == ["'="]
    assert report(told.work, "--question", "policy-changes", "--format", "html") == 0
    assert "<script>@x" not in capsys.readouterr().out


@pytest.mark.parametrize("form", ["html", "markdown", "csv", "jsonl"])
def test_no_author_and_no_name_of_a_file_steers_a_terminal_or_stops_a_report(
    told: Bot, tmp_path: Path, form: str
) -> None:
    told.git("checkout", "-q", "-B", "main", "origin/main")
    for name in (b"\xff\xfe.yaml", "\x1b[31m\u202e<b>.yaml".encode()):
        (told.work / "access/policies" / os.fsdecode(name)).write_text("kind: x")
    told.git("add", "-A")
    told.git("commit", "-q", "-m", "Any", GIT_AUTHOR_NAME="\x1b]0;x \u202e <i>")
    target = tmp_path / "out"
    words = ("--format", form, "--output", str(target), "--question", "policy-changes")
    assert report(told.work, *words) in (0, 6)
    text = target.read_text("utf-8")
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_now_and_the_window_can_be_set(told: Bot, capsys: pytest.CaptureFixture[str]) -> None:
    late = lines(capsys, told.work, "--at", "2026-11-24T00:00:00Z")
    assert rows(late, "access-now")[0]["state"] == "time is up, end not confirmed"
    early = lines(capsys, told.work, "--until", "2026-11-23T08:00:00Z")
    assert rows(early, "grants") == []


def test_controls_name_what_holds_and_what_cannot_be_told(
    year: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = rows(lines(capsys, year, "--controls"), "controls")
    verdicts = {str(row["control"]): row["verdict"] for row in found}
    assert verdicts["R4"] == "holds"  # every decision was made again
    assert verdicts["R5"] == "holds"  # every input's digest was computed again
    assert verdicts["R26"] == verdicts["R35"] == "not assessable"
    assert len(found) == 33


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--format", "csv"], 2, "a CSV file holds one table"),
        (["--question", "everything"], 2, "there is no question everything"),
        (["--since", "yesterday"], 2, "--since yesterday is no time"),
        (["--since", "2030-01-01T00:00:00Z"], 2, "ends before it begins"),
        (["--anchor", "abc"], 2, "no full commit id"),
        (["--fingerprint", "x"], 2, "no fingerprint"),
        (["--revision", "nowhere"], 1, "there is no commit"),
    ],
)
def test_words_that_it_cannot_take(
    told: Bot, capsys: pytest.CaptureFixture[str], words: list[str], code: int, says: str
) -> None:
    assert report(told.work, *words) == code
    assert says in capsys.readouterr().err


def test_the_ending_of_the_file_says_the_format(told: Bot, tmp_path: Path) -> None:
    for name, begins in (("a.md", "# "), ("a.jsonl", "{"), ("a.html", "<!doctype html>")):
        assert report(told.work, "--output", str(tmp_path / name)) == 0
        assert (tmp_path / name).read_text().startswith(begins)


def test_it_imports_neither_vault_nor_github(told: Bot) -> None:
    script = (
        "import sys; from daypass.cli.main import main; "
        f"main(['-C', {str(told.work)!r}, 'audit', 'report', '--output', '/dev/null']); "
        "sys.exit(bool({'hvac', 'github', 'requests'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
