"""Alarming: one GitHub issue a cause, opened once, closed when the cause is gone.

It comes last in a run and is best effort: an alarm that cannot be raised fails the run, which shows
red, and the next run raises it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.errors import DaypassError
from daypass.lifecycle.messages import escape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daypass.lifecycle.context import Ports
    from daypass.lifecycle.outcome import Outcome
    from daypass.model.alarm import Alarm

ALARM_MARK: Final = "<!-- daypass:alarm:"
_STANDING: Final = "<!-- daypass:standing -->"


def raise_alarms(ports: Ports, outcome: Outcome) -> None:
    """Open what is new, close what is over. Failures are noted in the outcome."""
    try:
        open_issues = ports.forge.marked_issues(ALARM_MARK)
    except DaypassError as error:
        outcome.fail("alarms", error)
        return
    for alarm in outcome.causes.values():
        if alarm.marker in open_issues:
            continue
        try:
            url = ports.forge.open_issue(alarm.marker, _title(alarm), _body(alarm, ports.run.id))
            outcome.add("alarm", alarm.cause, url)
            ports.notifier.notify(f"{_title(alarm)}: {alarm.text} ({url})")
        except DaypassError as error:
            outcome.fail(alarm.cause, error)
    _close(ports, outcome, open_issues)


def _close(ports: Ports, outcome: Outcome, open_issues: Mapping[str, tuple[int, str]]) -> None:
    markers = {alarm.marker for alarm in outcome.causes.values()}
    for marker, (number, body) in open_issues.items():
        if marker in markers or _STANDING not in body:
            continue
        try:
            ports.forge.close_issue(number)
            outcome.add("alarm over", marker.split(":")[2].removesuffix(" -->"), f"#{number}")
        except DaypassError as error:
            outcome.fail(f"issue-{number}", error)


def _title(alarm: Alarm) -> str:
    return f"daypass: look at {alarm.cause.replace('.', ' ')}"


def _body(alarm: Alarm, run: str) -> str:
    over = (
        f"{_STANDING}\nThis issue closes itself when a run no longer sees the cause."
        if alarm.standing
        else "Close this issue when you have looked."
    )
    return f"{escape(alarm.text)}\n\nSeen by run {escape(run)}. {over}\n"
