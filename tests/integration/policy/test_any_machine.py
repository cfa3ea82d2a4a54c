"""The same documents and the same evidence, on machines that have nothing else in common."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support import desk, evidence_bot
from support.desk import RULES, Desk
from support.evidence_bot import make_bot

if TYPE_CHECKING:
    from pathlib import Path

    from support.evidence_bot import Bot

# Of the policy that the evidence is decided by: hours in two zones, one of them an alias.
HOURS = """\
  limits:
    maxDuration: 8h
    times: {timeZone: US/Pacific, days: [sun, mon], from: "00:00", to: "12:00"}
  rules:
    - name: daytime
      expression: now.getHours('Europe/Zurich') < 18 && now.getDayOfWeek('US/Pacific') == 1
      message: Mondays, by day
"""
ASKED = "{subject: alice, resource: orders-db-replica, access: read, duration: 1h, reason: %s}"
REASON = "St\u00f6rung \U0001fae8 in \u0130stanbul"  # a character that Python 3.11 knows nothing of
CASES = f"""\
apiVersion: daypass.dev/v1
kind: PolicyTest
metadata: {{name: hours}}
spec:
  description: {REASON}
  cases:
    - name: by-day
      request: {ASKED % REASON}
      requester: alice
      at: "2026-07-06T15:59:59Z"
      approvals: [carol]
      expect: {{effect: permit}}
    - name: by-night
      request: {ASKED % REASON}
      requester: alice
      at: "2026-07-06T16:00:00Z"
      approvals: [carol]
      expect: {{effect: deny, rules: [everything/daytime]}}
"""
REQUEST = f"""\
apiVersion: daypass.dev/v1
kind: AccessRequest
metadata: {{id: three}}
spec: {ASKED % REASON}
"""
THREE = "access/requests/three.yaml"
HOSTILE_GIT = """\
[core]
    quotePath = false
    abbrev = 4
    autocrlf = true
[i18n]
    logOutputEncoding = UTF-16
    commitEncoding = ISO-8859-9
[log]
    showSignature = true
    decorate = full
    follow = true
    diffMerges = off
[diff]
    renames = copies
    noprefix = true
    relative = true
    orderFile = /nonexistent
[color]
    ui = always
[format]
    pretty = fuller
"""


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bot:
    """Grants that were decided by those hours, a denial in the tests of policies, and their end."""
    rules = RULES.replace("  limits: {maxDuration: 8h}\n", HOURS)
    assert "US/Pacific" in rules
    monkeypatch.setattr(desk, "RULES", rules)
    monkeypatch.setattr(evidence_bot, "DESK", Desk())
    bot = make_bot(tmp_path)
    bot.person_commits(REASON, {"access/policy-tests/hours.yaml": CASES, THREE: REQUEST})
    issued = bot.issue("one")
    bot.issue("two")
    bot.end("one", issued)
    bot.git("checkout", "-q", "-B", "main", "origin/main")
    return bot


def machines(folder: Path) -> dict[str, dict[str, str]]:
    """Environments by name; each has a home of its own, and nothing of this test's."""
    hostile = folder / "hostile"
    hostile.mkdir(parents=True)
    (hostile / ".gitconfig").write_text(HOSTILE_GIT)
    nowhere = str(folder / "nowhere")
    zones = {"TZ": "Pacific/Kiritimati", "TZDIR": nowhere, "PYTHONTZPATH": nowhere}
    turkish = {"LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8", "LANGUAGE": "tr"}
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    found = {
        "plain": {"LC_ALL": "C.UTF-8"},
        "hostile": {**zones, **turkish, "HOME": str(hostile), "PYTHONHASHSEED": "1"},
        "old": {**ascii_only, "TZ": "Asia/Kathmandu", "PYTHONHASHSEED": "2", "TERM": "dumb"},
    }
    for name, environment in found.items():
        home = folder / name
        home.mkdir(exist_ok=True)
        environment.setdefault("HOME", str(home))
        environment["PATH"] = os.environ["PATH"]
    return found


def test_every_machine_says_the_same_to_the_byte(told: Bot, tmp_path: Path) -> None:
    key = told.signer.allowed().fingerprint
    wrong = REQUEST.replace("alice", "\u0131brah\u0131m \U0001fae8")
    (told.work / THREE).write_text(wrong, encoding="utf-8")
    commands = (
        (0, "policy", "test"),
        (0, "audit", "verify", "--fingerprint", key, "--format", "json"),
        (0, "explain", "one", "--format", "json"),
        (3, "validate", "--no-cache"),
    )
    for code, *words in commands:
        said = {}
        for name, environment in machines(tmp_path / words[0]).items():
            if name == "hostile":
                told.git("config", "include.path", f"{environment['HOME']}/.gitconfig")
            done = subprocess.run(
                [sys.executable, "-m", "daypass", *words],
                cwd=told.work,
                env=environment,
                capture_output=True,
                check=False,
            )
            if name == "hostile":
                told.git("config", "--unset", "include.path")
            assert done.returncode == code, (name, words, done.stdout, done.stderr)
            said[name] = done.stdout + done.stderr
        assert len(set(said.values())) == 1, said
        assert said["plain"].decode("utf-8")
