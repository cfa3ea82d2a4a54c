"""Which log-ins a run calls strangers, and what it says of what a look found."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from test_endings import TARGET, TARGET_ROLE, a_report
from test_lifecycle_plan import a_grant

from daypass.lifecycle.outcome import Outcome
from daypass.lifecycle.targets import Target, Targets, tell
from daypass.model.instant import Instant
from daypass.model.postgresql import MOST_LOGINS
from daypass.model.target import Leftover, Login, TargetReport

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = Instant.parse("2026-11-30T12:00:00Z")
HOUR = 3600


def login(name: str, *, before: int) -> Login:
    """A log-in that was made that many seconds ago."""
    return Login(f"g-{name}-abc123-{NOW.seconds - before}")


def told(
    report: TargetReport,
    known: dict[str, Instant | None] | None = None,
    used: Callable[[str], bool] = lambda _: True,
) -> Outcome:
    outcome = Outcome()
    tell(Targets({TARGET_ROLE: TARGET}, {TARGET: report}), outcome, known or {}, NOW, used)
    return outcome


def test_the_log_ins_of_another_repository_are_its_own() -> None:
    ours, theirs = login("alice-orders", before=HOUR), login("bob-orders", before=HOUR)
    (alarm,) = told(a_report(logins=(ours, theirs)), used=ours.is_of).alarms
    assert ours.name in alarm
    assert theirs.name not in alarm


@pytest.mark.parametrize(
    ("known", "is_stranger"),
    [
        ({}, True),
        ({"alice-orders": NOW.plus(-HOUR)}, False),
        ({"alice-orders": None}, False),  # work under way: since when is not told
        ({"alice-orders": NOW.plus(-HOUR / 2)}, True),  # older than the grant it names
        ({"alice-other": NOW.plus(-HOUR)}, True),
        ({"alice-orders-2": NOW.plus(-HOUR)}, True),
    ],
)
def test_a_log_in_without_a_grant_is_named(
    known: dict[str, Instant | None], is_stranger: bool
) -> None:
    found = login("alice-orders", before=HOUR)
    alarms = told(a_report(logins=(found,)), known).alarms
    assert [found.name in text for text in alarms] == ([True] if is_stranger else [])


def test_what_a_run_beside_this_one_may_have_made_waits_for_the_next_look() -> None:
    assert told(a_report(logins=(login("new", before=60),))).alarms == []


def test_a_long_id_is_known_by_what_its_log_in_holds_of_it() -> None:
    found = login("a" * 36, before=HOUR)
    assert told(a_report(logins=(found,)), {"a" * 50: None}).alarms == []


def test_many_strangers_are_one_alarm_of_bounded_length() -> None:
    many = tuple(login(f"ghost-{number}", before=HOUR) for number in range(MOST_LOGINS + 1))
    outcome = told(a_report(logins=many))
    assert len(outcome.alarms) == 2  # and that the list was cut
    assert all(len(text) < 2000 for text in outcome.alarms)


def test_what_is_left_behind_is_said_and_is_no_alarm() -> None:
    left = Leftover("g-alice-orders-abc123-1700000000", ("", "orders"))
    outcome = told(a_report(leftovers=(left,)))
    assert outcome.alarms == []
    assert [(line.verb, line.grant_id) for line in outcome.lines] == [("left over", left.login)]
    assert "the cluster, orders" in outcome.lines[0].text


@pytest.mark.parametrize(
    ("lacks", "remedy"),
    [({"sees": False}, "GRANT pg_read_all_stats"), ({"ends": False}, "GRANT pg_signal_backend")],
)
def test_a_right_that_is_missing_is_named_with_its_remedy(
    lacks: dict[str, bool], remedy: str
) -> None:
    (alarm,) = told(a_report(**lacks)).alarms
    assert remedy in alarm


def test_no_two_targets_share_an_alarm() -> None:
    names = {
        Target(mount, look, ("orders-db",)).name
        for mount, look in (("a", "b"), ("a/b", "c"), ("a", "B"), ("a", "b_c"), ("a", "b" * 127))
    }
    assert len(names) == 5
    outcome = Outcome()
    for name in names:
        outcome.alarm(f"target.{name}", "a name of a cause")
    assert len(outcome.alarms) == 5


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ERROR: something else",
        "daypass-look",
        "daypass-look {",
        'daypass-look {"server": 180006}',
        "daypass-look " + "[" * 5000,
        'daypass-look {"server": "x", "database": 1, "sees": 1, "ends": 1}',
    ],
)
def test_what_is_no_report_is_none(text: str) -> None:
    assert TargetReport.find(text) is None


def test_a_report_that_does_not_say_that_it_sees_does_not_see() -> None:
    fields: dict[str, Any] = {
        "server": 180006,
        "database": "orders",
        "sees": None,
        "ends": 1,
        "prepared": 0,
        "sessions": [],
        "logins": [],
        "leftovers": [["g-x-abc123-1700000000", ["orders"]]],
        "definers": 0,
        "open": [],
    }
    report = TargetReport.find(f"ERROR: daypass-look {json.dumps(fields)} (SQLSTATE P0001)")
    assert report is not None
    assert not report.sees
    assert not report.ends
    assert report.leftovers == (Leftover("g-x-abc123-1700000000", ("orders",)),)


def test_a_grant_of_another_role_is_confirmed_by_its_credential_only() -> None:
    targets = Targets({TARGET_ROLE: TARGET}, {TARGET: a_report()})
    elsewhere = replace(a_grant(), role="another")
    assert str(targets.confirms(a_grant())) == "credential,sessions"
    assert str(targets.confirms(elsewhere)) == "credential"
