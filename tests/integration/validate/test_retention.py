"""What a pull request may not do to evidence that is still to be kept."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from daypass.cli.main import main
from daypass.model.names import ALLOWED_SIGNERS_PATH, SETTINGS_PATH
from support.evidence_bot import make_bot
from support.local_signer import LocalSigner

if TYPE_CHECKING:
    from support.evidence_bot import Bot

SOURCE = Path(__file__).resolve().parents[3]
DAY = 86400
OLD, RECENT = 100 * DAY, 2 * DAY  # ago
NEXT = LocalSigner(seed=7)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Bot:
    """One grant of a hundred days ago by a first key, one of two days ago by a second one."""
    bot = make_bot(tmp_path_factory.mktemp("retained"))
    first, second = LocalSigner(seed=5), LocalSigner(seed=6)
    ignore = shutil.ignore_patterns(".gitkeep")
    for name in ("access", "schemas"):
        shutil.copytree(SOURCE / name, bot.work / name, ignore=ignore, dirs_exist_ok=True)
    settings = (bot.work / SETTINGS_PATH).read_text()
    kept = settings.replace("  evidence:\n", "  evidence:\n    retention: 30d\n")
    lines = f"{first.allowed().to_line()}\n{second.allowed().to_line()}\n"
    bot.person_commits("Begin anew", {SETTINGS_PATH: kept, ALLOWED_SIGNERS_PATH: lines})
    for signer, ago, grant in ((first, OLD, "one"), (second, RECENT, "two")):
        bot.signer, bot.seconds = signer, int(time.time()) - ago
        bot.end(grant, bot.issue(grant))
    bot.git("checkout", "-q", "-B", "main", "origin/main")
    return bot


@pytest.fixture
def branch(told: Bot) -> Bot:
    told.git("checkout", "-q", "-B", "change", "main")
    told.git("reset", "-q", "--hard")
    return told


def judged(bot: Bot, capsys: pytest.CaptureFixture[str]) -> list[tuple[str, str]]:
    bot.git("commit", "-q", "-a", "-m", "Change")
    main(["-C", str(bot.work), "validate", "--base", "main", "--no-cache", "--format", "json"])
    findings = json.loads(capsys.readouterr().out)["findings"]
    return [(item["rule"], item["message"]) for item in findings]


def keep(bot: Bot, retention: str) -> None:
    path = bot.work / SETTINGS_PATH
    path.write_text(path.read_text().replace("retention: 30d", f"retention: {retention}"))


def test_a_retention_is_lengthened_and_not_shortened(
    branch: Bot, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(branch, "31d")
    assert judged(branch, capsys) == []
    branch.git("reset", "-q", "--hard", "main")
    keep(branch, "29d")
    ((rule, message),) = judged(branch, capsys)
    assert rule == "change-retention"
    newest = branch.git("log", "-1", "--format=%h", "--abbrev=12", "main")
    assert message.startswith("the retention goes from 30d to 29d")
    assert newest in message


def test_a_retention_that_is_not_said_is_400_days(
    branch: Bot, capsys: pytest.CaptureFixture[str]
) -> None:
    path = branch.work / SETTINGS_PATH
    path.write_text(path.read_text().replace("    retention: 30d\n", ""))
    assert judged(branch, capsys) == []


def test_it_can_be_shortened_when_nothing_is_that_young(
    branch: Bot, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(branch, "1d")
    branch.git("commit", "-q", "-a", "-m", "Merged over the check")
    branch.git("branch", "-q", "-f", "shorter")
    branch.git("checkout", "-q", "-B", "change")
    path = branch.work / SETTINGS_PATH
    path.write_text(path.read_text().replace("retention: 1d", "retention: 1h"))
    branch.git("commit", "-q", "-a", "-m", "Change")
    words = ["validate", "--base", "shorter", "--format", "json"]
    assert main(["-C", str(branch.work), *words]) == 0, capsys.readouterr().out


@pytest.mark.parametrize(
    ("lines", "lost"),
    [
        pytest.param("{new}\n{second}\n", 0, id="an old key goes, a new one comes"),
        pytest.param("{first}\n{new}\n", 2, id="a key whose evidence is young goes"),
        pytest.param("", 2, id="all go"),
        pytest.param("nonsense\n", 2, id="nobody can read it"),
        pytest.param("{second_retired}\n", 0, id="retired after its last event"),
        pytest.param("{second_too_early}\n", 1, id="retired before its last event"),
    ],
)
def test_a_key_stays_as_long_as_its_evidence(
    branch: Bot, capsys: pytest.CaptureFixture[str], lines: str, lost: int
) -> None:
    first, second = LocalSigner(seed=5), LocalSigner(seed=6)
    last = branch.seconds
    (branch.work / ALLOWED_SIGNERS_PATH).write_text(
        lines.format(
            first=first.allowed().to_line(),
            second=second.allowed().to_line(),
            new=NEXT.allowed().to_line(),
            second_retired=second.allowed(valid_before=last).to_line(),
            second_too_early=second.allowed(valid_before=last - 1).to_line(),
        )
    )
    found = judged(branch, capsys)
    rules = ["change-signers"] if lost else []
    assert [rule for rule, _ in found if rule != "signers-unreadable"] == rules
    if lost:
        assert found[0][1].startswith("1 event y" if lost == 1 else f"{lost} events y")


def test_a_list_that_is_taken_away_takes_all_evidence_with_it(
    branch: Bot, capsys: pytest.CaptureFixture[str]
) -> None:
    (branch.work / ALLOWED_SIGNERS_PATH).unlink()
    assert [rule for rule, _ in judged(branch, capsys)] == ["change-signers"]


def test_a_line_that_cannot_be_read_is_named(
    branch: Bot, capsys: pytest.CaptureFixture[str]
) -> None:
    path = branch.work / ALLOWED_SIGNERS_PATH
    path.write_text(path.read_text() + "x y z\n")
    branch.git("commit", "-q", "-a", "-m", "Change")
    for words in (["--base", "main"], []):
        assert main(["-C", str(branch.work), "validate", *words, "--no-cache"]) == 3
        assert f"{ALLOWED_SIGNERS_PATH}:3:1" in capsys.readouterr().out
