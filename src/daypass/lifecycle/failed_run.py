"""Failed runs: what a run that ends early leaves in Vault and at GitHub, so that somebody sees it.

Such a run has no outcome. Without this no issue is opened, and `daypass doctor` finds nothing until
the last good run is old.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from daypass.errors import DaypassError, LimitError, TemporaryError
from daypass.lifecycle.alarming import raise_at_once
from daypass.lifecycle.heartbeat import HEARTBEAT, HEARTBEAT_NOTE
from daypass.lifecycle.outcome import writable
from daypass.model.alarm import Alarm

if TYPE_CHECKING:
    from daypass.lifecycle.context import Ports

FAILED_RUN: Final = "run-failed"
_LONGEST: Final = 500  # characters of what a run died of


def note_failed_run(ports: Ports, error: DaypassError) -> None:
    """Leave what a run died of in the heartbeat, and alarm, unless the next run may well succeed.

    What is temporary alarms when the run before died, too. Raises nothing: the run's own error is
    the one to show.
    """
    needs_a_person = not isinstance(error, TemporaryError)
    died = writable(f"{type(error).__name__}: {error.message}")[:_LONGEST]
    with suppress(DaypassError):
        before = HEARTBEAT.recall(ports.registry) or {}
        needs_a_person = needs_a_person or bool(before.get("died"))
        looks = dict.fromkeys(str(before.get("looks") or "").split())
        if needs_a_person:
            looks[FAILED_RUN] = None
        now = {"at": str(ports.issuer.now()), "run": ports.run.id, "died": died}
        note = {"head": "", **before, **now, "looks": " ".join(looks)}
        ports.registry.write_note(HEARTBEAT_NOTE, note)
    if needs_a_person and not isinstance(error, LimitError):  # which has an alarm of its own
        text = f"a run of `daypass apply` ended early: {died}. {writable(error.remedy)}"
        raise_at_once(ports, Alarm(FAILED_RUN, text, standing=True))
