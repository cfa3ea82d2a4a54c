"""`daypass audit`, as an auditor types it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from daypass.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

    from support.evidence_bot import Bot


@pytest.fixture
def told(bot: Bot) -> Bot:
    """A story of four events, one of them of a second grant."""
    issued = bot.issue("one")
    bot.issue("two")
    bot.end("one", issued)
    bot.git("checkout", "-q", "-B", "main", "origin/main")
    return bot


def audit(bot: Bot, *words: str) -> int:
    return main(["audit", "-C", str(bot.work), *words])


def test_the_log_is_a_table_newest_first(told: Bot, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit(told, "log", "--format", "text") == 0
    header, *rows = capsys.readouterr().out.splitlines()
    columns = ["WHEN", "EVENT", "GRANT", "SUBJECT", "RESOURCE", "ACCESS", "LANE"]
    columns += ["UNTIL", "COMMIT"]
    assert header.split() == columns
    assert [row.split()[1:3] for row in rows] == [
        ["expired", "one"],
        ["issued", "two"],
        ["issued", "one"],
    ]
    assert rows[2].split() == [
        "2026-11-23T09:01:00Z",
        "issued",
        "one",
        "alice",
        "orders-db",
        "read",
        "routine",
        "2026-11-23T10:00:00Z",
        told.git("log", "--format=%h", "--abbrev=12", "--grep=Grant: one", "--reverse").split()[0],
    ]


def test_the_log_of_one_grant_in_json(told: Bot, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit(told, "log", "--grant", "one", "--format", "json") == 0
    ended, issued = json.loads(capsys.readouterr().out)
    assert (ended["event"], ended["trailers"]["Daypass-Reason"]) == ("expired", "time")
    assert issued["trailers"]["Daypass-Approver"][0].startswith("1 11 ")
    assert ended["sequence"] == 3
    assert issued["previous"] is None


def test_a_forged_event_is_not_listed(told: Bot, capsys: pytest.CaptureFixture[str]) -> None:
    told.person_commits(
        "Squash\n\nDaypass-Event: issued\nDaypass-Grant: mine\nDaypass-Sequence: 4\n", {"x": "1"}
    )
    assert audit(told, "log", "--format", "json") == 0
    assert len(json.loads(capsys.readouterr().out)) == 3


def test_verify_says_what_it_does_not_know(told: Bot, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit(told, "verify", "--format", "text") == 0
    out = capsys.readouterr().out
    assert out.startswith(f"self-attested: 3 events in 6 commits up to {told.head}\n")
    assert "--fingerprint SHA256:" in out
    assert f"--anchor {told.head}" in out


def test_verify_with_something_from_outside(told: Bot, capsys: pytest.CaptureFixture[str]) -> None:
    fingerprint = told.signer.allowed().fingerprint
    assert audit(told, "verify", "--fingerprint", fingerprint, "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "holds"
    assert audit(told, "verify", "--anchor", told.head, "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "holds"


def test_verify_notes_what_anyone_can_write_and_holds(
    told: Bot, capsys: pytest.CaptureFixture[str]
) -> None:
    forged = told.person_commits("Squash\n\nDaypass-Event: issued\n::error::injected\n", {"x": "1"})
    key = told.signer.allowed().fingerprint
    assert audit(told, "verify", "--fingerprint", key, "--format", "github") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{forged}  unsigned-trailers: ")
    assert lines[0].endswith("(noted: it breaks nothing)")
    assert lines[1].startswith(f"::warning title=unsigned-trailers::{forged}: ")
    assert lines[2].startswith("holds: ")
    assert not any(line.startswith("::error") for line in lines)


def test_verify_names_the_commit_and_ends_with_6(
    told: Bot, capsys: pytest.CaptureFixture[str]
) -> None:
    edited = told.person_commits("Tidy\n\n::error::injected\n", {"access/grants/x.json": "{}"})
    assert audit(told, "verify", "--format", "github") == 6
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{edited}  record-edit: ")
    assert lines[1].startswith(f"::error title=record-edit::{edited}: ")
    assert lines[-1].startswith("broken: 1 fault; ")
    assert not any(line.startswith("::error::injected") for line in lines)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["verify", "--anchor", "abc123"], 2, "a full commit id"),
        (["verify", "--fingerprint", "SHA256:short"], 2, "no fingerprint"),
        (["log", "--grant", "../x"], 2, "no grant id"),
        (["log", "--revision", "nowhere"], 1, "there is no commit 'nowhere'"),
        (["log", "--revision", "--all"], 1, "'--all' is no commit"),
    ],
)
def test_words_that_it_cannot_take(
    told: Bot, capsys: pytest.CaptureFixture[str], words: list[str], code: int, says: str
) -> None:
    flat = words if words[-1] != "--all" else ["log", "--revision=--all"]
    assert audit(told, *flat) == code
    assert says in capsys.readouterr().err


def test_elsewhere_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "-C", str(tmp_path), "log"]) == 1
    assert "is not a git repository" in capsys.readouterr().err


def test_a_list_of_signers_that_was_dropped_hides_no_event(
    told: Bot, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit(told, "log") == 0
    before = capsys.readouterr().out
    told.person_commits("Drop it", {"access/allowed_signers": None})
    assert audit(told, "log") == 0
    assert capsys.readouterr().out == before


def test_without_a_list_of_signers_there_is_no_evidence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    git = ("git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@acme.example")
    subprocess.run([*git, "init", "-q", "-b", "main"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "Begin"], check=True)
    assert main(["audit", "-C", str(tmp_path), "log"]) == 6
    assert "no access/allowed_signers" in capsys.readouterr().err


def test_it_imports_neither_vault_nor_github(told: Bot) -> None:
    script = (
        "import sys; from daypass.cli.main import main; "
        f"main(['audit', '-C', {str(told.work)!r}, 'verify']); "
        "sys.exit(bool({'hvac', 'github', 'requests'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
