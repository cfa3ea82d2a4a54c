"""`daypass doctor runs`: what an operator must act on ends with 1, and the rest is said."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import daypass
from daypass.cli import doctor
from daypass.lifecycle.heartbeat import AT_ONCE, Heartbeat, is_told_at_once, usable_of
from daypass.model.instant import Duration, Instant

NOW = Instant.parse("2026-12-01T10:00:00Z")
HALF_AN_HOUR = Duration(1800)
USABLE = {
    "grant": "a-1",
    "subject": "alice",
    "resource": "orders-db",
    "access": "read",
    "mayLogInUntil": "2026-12-01T11:00:00Z",
}


def note(looks: str = "", **more: str) -> dict[str, str]:
    good = "2026-12-01T09:55:00Z"
    return {"at": good, "goodAt": good, "head": "a" * 40, "looks": looks, **more}


def wrong(found: dict[str, str], stuck: int = 0) -> list[str]:
    beat = Heartbeat.from_note(found)
    return doctor._wrong(beat, NOW, HALF_AN_HOUR, stuck, usable_of(found, NOW))


@pytest.mark.parametrize(
    "cause",
    [
        "frozen.1a2b3c4d",
        "revoke-failed.a-1",
        "overdue-leases.1a2b3c4d",
        "sessions.database-orders",
        "log-ins-without-a-grant.database-orders",
        "strange-log-ins.database-orders",
        "evidence-gone.a-1",
        "evidence-key",
        "main-rolled-back",
        "vault-restored",
        "anchors-forged",
    ],
)
def test_what_must_be_acted_on_is_wrong_however_new_the_last_good_run_is(cause: str) -> None:
    said = json.dumps({cause: "what happened, and the way out"})
    assert wrong(note(f"review-overdue.x {cause}", said=said)) == [
        f"{cause}: what happened, and the way out"
    ]
    # The note of an older release keeps fewer texts.
    assert wrong(note(cause)) == [f"{cause}: look at the issue of that name"]


@pytest.mark.parametrize(
    "cause",
    ["review-overdue.x", "context.oncall", "target.db", "doubt.a-1", "failed.x"],
)
def test_what_can_wait_is_wrong_once_no_run_was_good_for_long(cause: str) -> None:
    assert wrong(note(cause)) == []
    late = {**note(cause), "goodAt": "2026-12-01T09:00:00Z"}
    assert [line.partition(",")[0] for line in wrong(late)] == [
        "the last good run was at 2026-12-01T09:00:00Z",
        "the last run",
    ]


def test_access_that_a_restored_vault_forgot_is_wrong_until_it_is_over() -> None:
    (line,) = wrong(note(mayLogIn=json.dumps([USABLE])))
    assert line.startswith("alice may still log in until 2026-12-01T11:00:00Z")
    over = USABLE | {"mayLogInUntil": "2026-12-01T10:00:00Z"}
    assert wrong(note(mayLogIn=json.dumps([over]))) == []


def test_leases_that_vault_gave_up_are_wrong() -> None:
    assert len(wrong(note(), stuck=2)) == 1


def test_each_cause_of_which_a_monitor_hears_is_raised_somewhere() -> None:
    folder = Path(daypass.__file__).parent / "lifecycle"
    raised = "\n".join(path.read_text() for path in folder.glob("*.py") if path.stem != "heartbeat")
    for cause in AT_ONCE:
        assert re.search(rf'"{cause}["./]', raised), cause
    assert not is_told_at_once("frozen-yoghurt.x")
