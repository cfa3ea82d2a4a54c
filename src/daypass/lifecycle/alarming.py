"""Alarming: one GitHub issue a cause, opened once, closed when the cause is gone.

It comes last in a run: an alarm that cannot be raised, or that the webhook does not take, fails the
run, which shows red, and the next run raises it.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Self

from daypass.errors import DaypassError
from daypass.lifecycle.messages import escape, fit
from daypass.lifecycle.notes import NoteKind, rows_in, text_in
from daypass.model.alarm import Alarm

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from daypass.lifecycle.context import Ports
    from daypass.lifecycle.outcome import Outcome
    from daypass.lifecycle.ports import Registry

ALARM_MARK: Final = "<!-- daypass:alarm:"
_STANDING: Final = "<!-- daypass:standing -->"
_LEFT_NOTE: Final = "alarms"


def raise_alarms(ports: Ports, outcome: Outcome, *, is_over: bool = True) -> None:
    """Open what is new, close what is over, and tell the webhook once, of what is owed, too.

    What happened once is not seen again: where its issue or its message failed, the next run
    makes up for it. Failures are noted. While the run goes on (`is_over` is False), what it has
    not seen yet may still come: nothing is closed, and nothing counts as over.
    """
    try:
        before = _Left.read(ports.registry)
    except DaypassError as error:
        outcome.fail("alarms", error)
        before = _Left()
    ports.registry.odd.tell(outcome)
    for cause, text in before.unopened:
        if cause not in outcome.settled:
            outcome.alarm(cause, text, standing=False)
    opened = _open(ports, outcome, close=is_over)
    seen = outcome.causes.values()
    messages = dict(before.unsent)
    for alarm in seen:
        if alarm.cause not in before.told:
            messages[alarm.cause] = (
                f"{_title(alarm)}: {alarm.text} ({opened.get(alarm.cause, 'no issue stands yet')})"
            )
    messages |= {
        cause: text
        for cause, text in outcome.calls.items()
        if cause not in before.told and cause not in outcome.heard
    }
    unsent = {
        cause: text for cause, text in messages.items() if not _tell(ports, outcome, cause, text)
    }
    after = _Left(
        told=frozenset((*outcome.causes, *outcome.calls, *(() if is_over else before.told)))
        - unsent.keys(),
        unopened=tuple(
            (alarm.cause, alarm.text)
            for alarm in seen
            if not alarm.standing and alarm.cause not in opened
        ),
        unsent=tuple(sorted(unsent.items())),
    )
    try:
        if after != before:
            after.write(ports.registry)
    except DaypassError as error:
        outcome.fail("alarms", error)


def raise_at_once(ports: Ports, alarm: Alarm) -> None:
    """Open one issue and tell the webhook, where a run ends early: closes nothing.

    Raises nothing: what could not be raised, the next run that ends so raises.
    """
    where = "no issue stands yet"
    with suppress(DaypassError):
        standing = ports.forge.marked_issues(ALARM_MARK)
        if alarm.marker in standing:
            where = f"#{standing[alarm.marker][0]}"
        else:
            where = ports.forge.open_issue(alarm.marker, _title(alarm), _body(alarm, ports.run.id))
    with suppress(DaypassError):
        left = _Left.read(ports.registry)
        if alarm.cause not in left.told:
            ports.notifier.notify(f"{_title(alarm)}: {alarm.text} ({where})")
            replace(left, told=left.told | {alarm.cause}).write(ports.registry)


@dataclass(frozen=True, slots=True)
class _Left:
    """What a run leaves to the next one: pairs of cause and words."""

    told: frozenset[str] = frozenset()  # what is still seen or owed, and the webhook took
    unopened: tuple[tuple[str, str], ...] = ()  # what happened once, and has no issue yet
    unsent: tuple[tuple[str, str], ...] = ()  # what the webhook did not take

    @classmethod
    def read(cls, registry: Registry) -> _Left:
        """As the run before left it. Raises what the registry raises."""
        return LEFT.recall(registry) or cls()

    @classmethod
    def from_note(cls, note: Mapping[str, Any]) -> Self:
        """Reads the note. Raises TypeError, ValueError, RecursionError: it is odd."""
        unopened, unsent = (_pairs(note, name) for name in ("unopened", "unsent"))
        for cause, text in unopened:
            Alarm(cause, text, standing=False)
        return cls(frozenset(text_in(note, "told", "").split()), unopened, unsent)

    def write(self, registry: Registry) -> None:
        """Leave it, as few strings: OpenBao limits how many JSON may hold."""
        registry.write_note(
            _LEFT_NOTE,
            {
                "told": " ".join(sorted(self.told)),
                "unopened": json.dumps(self.unopened),
                "unsent": json.dumps(self.unsent),
            },
        )


LEFT: Final = NoteKind(
    _LEFT_NOTE,
    _Left.from_note,
    "Alarms that an earlier run could not raise may be untold, and others are told twice",
)


def _pairs(note: Mapping[str, Any], name: str) -> tuple[tuple[str, str], ...]:
    found = []
    for cause, text in rows_in(json.loads(text_in(note, name, "[]"))):
        said = {"cause": cause, "text": text}
        found.append((text_in(said, "cause"), text_in(said, "text")))
    return tuple(found)


def _open(ports: Ports, outcome: Outcome, *, close: bool) -> dict[str, str]:
    """One issue a cause; the address of each, or its number where one stood already."""
    try:
        standing = ports.forge.marked_issues(ALARM_MARK)
    except DaypassError as error:
        outcome.fail("alarms", error)
        return {}
    opened = dict(outcome.issues)  # which GitHub's list may not hold yet
    for alarm in outcome.causes.values():
        if alarm.cause in opened:
            continue
        if alarm.marker in standing:
            opened[alarm.cause] = f"#{standing[alarm.marker][0]}"
            continue
        try:
            url = ports.forge.open_issue(alarm.marker, _title(alarm), _body(alarm, ports.run.id))
            outcome.add("alarm", alarm.cause, url)
            opened[alarm.cause] = outcome.issues[alarm.cause] = url
        except DaypassError as error:
            outcome.fail(alarm.cause, error)
    if close:
        _close(ports, outcome, standing)
    return opened


def _tell(ports: Ports, outcome: Outcome, cause: str, text: str) -> bool:
    """Send it to the webhook, if there is one; whether nothing is left to be sent."""
    try:
        ports.notifier.notify(text)
    except DaypassError as error:
        outcome.fail(cause, error)
        return False
    return True


def _close(ports: Ports, outcome: Outcome, open_issues: Mapping[str, tuple[int, str]]) -> None:
    markers = {alarm.marker for alarm in outcome.causes.values()}
    settled = {Alarm(cause, "", standing=False).marker for cause in outcome.settled}
    for marker, (number, body) in open_issues.items():
        if marker in markers or (_STANDING not in body and marker not in settled):
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
    text = fit(escape(alarm.text), "the run's own log shows all of it")
    return f"{text}\n\nSeen by run {escape(run)}. {over}\n"
