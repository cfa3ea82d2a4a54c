"""A run that ends early leaves word: in the heartbeat, as one issue, and to the webhook once."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from daypass.errors import ForgeUnavailableError, GitError, LimitError
from daypass.lifecycle.alarming import raise_alarms
from daypass.lifecycle.failed_run import note_failed_run
from daypass.lifecycle.heartbeat import Heartbeat
from daypass.lifecycle.notes import OddNotes
from daypass.lifecycle.outcome import Outcome
from daypass.model.instant import Instant

if TYPE_CHECKING:
    from daypass.errors import DaypassError
    from daypass.lifecycle.context import Ports

AWAY = ForgeUnavailableError("GitHub does not answer", remedy="Wait.")
BROKEN = GitError("the clone is shallow", remedy="Fetch all of it.")
LIMIT = LimitError("this plan revokes 30 grants", remedy="Look.")
GOOD = {"at": "2026-11-23T09:00:00Z", "goodAt": "2026-11-23T09:00:00Z", "head": "a", "looks": "x.y"}


class House:
    """Vault's notes, GitHub's issues and the webhook, of which each can be away."""

    def __init__(self, away: tuple[str, ...] = ()) -> None:
        self.notes: dict[str, Any] = {"heartbeat": GOOD}
        self.odd = OddNotes()
        self.issues: dict[str, tuple[int, str]] = {}
        self.sent: list[str] = []
        self.away = away

    def _reach(self, what: str) -> None:
        if what in self.away:
            raise AWAY

    def read_note(self, name: str) -> Any:
        self._reach("vault")
        return self.notes.get(name)

    def write_note(self, name: str, data: Any) -> None:
        self._reach("vault")
        self.notes[name] = data

    def now(self) -> Instant:
        self._reach("vault")
        return Instant.parse("2026-11-23T09:05:00Z")

    def marked_issues(self, _mark: str) -> dict[str, tuple[int, str]]:
        self._reach("github")
        return dict(self.issues)

    def open_issue(self, marker: str, _title: str, body: str) -> str:
        self.issues[marker] = (len(self.issues) + 1, body)
        return "https://github.example/1"

    def close_issue(self, number: int) -> None:
        self.issues = {mark: item for mark, item in self.issues.items() if item[0] != number}

    def notify(self, text: str) -> None:
        self.sent.append(text)

    @property
    def ports(self) -> Ports:
        run = SimpleNamespace(id="7/1")
        same = dict.fromkeys(("issuer", "registry", "forge", "notifier"), self)
        return cast("Ports", SimpleNamespace(run=run, **same))

    @property
    def beat(self) -> Heartbeat:
        return Heartbeat.from_note(self.notes["heartbeat"])


def test_what_a_run_died_of_is_left_and_alarmed_until_a_run_gets_through() -> None:
    house = House()
    for _ in range(2):
        note_failed_run(house.ports, BROKEN)
        assert list(house.issues) == ["<!-- daypass:alarm:run-failed -->"]
    assert house.beat.died == "GitError: the clone is shallow"
    assert house.beat.looks == ("x.y", "run-failed")
    assert (str(house.beat.at), str(house.beat.good_at)) == ("2026-11-23T09:05:00Z", GOOD["goodAt"])
    assert len(house.sent) == 1
    assert "Fetch all of it." in house.sent[0]
    raise_alarms(house.ports, Outcome())
    assert house.issues == {}
    note_failed_run(house.ports, BROKEN)
    assert len(house.sent) == 2


def test_what_is_temporary_alarms_when_it_ends_two_runs_in_a_row() -> None:
    house = House()
    note_failed_run(house.ports, AWAY)
    assert (house.issues, house.sent, house.beat.looks) == ({}, [], ("x.y",))
    assert house.beat.died == "ForgeUnavailableError: GitHub does not answer"
    note_failed_run(house.ports, AWAY)
    assert (len(house.issues), len(house.sent)) == (1, 1)
    assert house.beat.looks == ("x.y", "run-failed")


def test_a_limit_has_an_alarm_of_its_own() -> None:
    house = House()
    note_failed_run(house.ports, LIMIT)
    assert (house.issues, house.sent, house.beat.looks) == ({}, [], ("x.y", "run-failed"))


def test_alarms_that_are_raised_while_a_run_goes_on_end_no_other_and_are_told_once() -> None:
    house, before = House(), Outcome()
    before.alarm("old", "seen by the run before")
    raise_alarms(house.ports, before)
    run = Outcome()
    run.alarm("new", "seen before anything begins")
    raise_alarms(house.ports, run, is_over=False)
    assert [mark.split(":")[2] for mark in house.issues] == ["old -->", "new -->"]
    house.issues.pop("<!-- daypass:alarm:new -->")  # GitHub's list lags behind
    run.alarm("old", "seen again, later in this run")
    raise_alarms(house.ports, run)
    assert list(house.issues) == ["<!-- daypass:alarm:old -->"]
    assert len(house.sent) == 2
    raise_alarms(house.ports, Outcome())
    assert house.issues == {}


@pytest.mark.parametrize("error", [AWAY, BROKEN])
@pytest.mark.parametrize("away", [("vault",), ("github",), ("vault", "github")])
def test_what_cannot_be_told_hides_no_error(error: DaypassError, away: tuple[str, ...]) -> None:
    house = House(away)
    note_failed_run(house.ports, error)
    assert ("run-failed" in house.notes["heartbeat"]["looks"]) == (
        error is BROKEN and "vault" not in away
    )
    assert len(house.issues) == (error is BROKEN and "github" not in away)
