"""The event that set a run off, as a file: what is no command needs no log-in to say so."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from daypass.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

PULL = {"number": 7, "pull_request": {}}


@pytest.fixture(autouse=True)
def no_log_in(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("it logged in")

    monkeypatch.setattr("daypass.cli.wiring.commands_bot", refuse)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)


def obey(tmp_path: Path, event: Any) -> int:
    path = tmp_path / "event.json"
    path.write_text(event if isinstance(event, str) else json.dumps(event))
    return main(["command", "--event", str(path)])


@pytest.mark.parametrize(
    "event",
    [
        {"issue": PULL, "comment": {"id": 1, "body": "thank you"}},
        {"issue": PULL, "comment": {"id": 1, "body": None}},
        {"issue": {"number": 7}, "comment": {"id": 1, "body": "/done a1"}},  # an issue's
    ],
)
def test_what_is_no_command_ends_there(
    event: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert obey(tmp_path, event) == 0
    assert capsys.readouterr().out == "no command\n"


@pytest.mark.parametrize(
    "event",
    [
        "",
        "[]",
        "null",
        '"comment"',
        "{}",
        {"comment": {}},
        {"comment": "/done a1", "issue": PULL},
        {"comment": {"body": "/done a1", "id": "$(id)"}, "issue": PULL},
        {"inputs": None},
        {"inputs": {}},
        {"inputs": {"command": "halt --all $(id)"}},
    ],
)
def test_what_is_no_event_is_refused_without_being_repeated(
    event: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert obey(tmp_path, event) == 2
    said = capsys.readouterr()
    assert "error:" in said.err
    assert "$(" not in said.out + said.err


def test_a_file_that_is_not_there_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["command", "--event", str(tmp_path / "none.json")]) == 1
    assert "none.json" in capsys.readouterr().err
