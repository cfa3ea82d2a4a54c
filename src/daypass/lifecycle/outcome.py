"""Outcome: what a run of the loop did, what it could not do, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from daypass.errors import ExitCode
from daypass.model.alarm import Alarm

if TYPE_CHECKING:
    from daypass.errors import DaypassError


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that a run did. `verb` is a past participle: granted, denied, expired."""

    verb: str
    grant_id: str
    text: str
    commit: str | None = None


@dataclass(slots=True)
class Outcome:
    """Everything that is to be said at the end of a run."""

    head: str = ""
    lines: list[Line] = field(default_factory=list)
    failures: list[tuple[str, DaypassError]] = field(default_factory=list)
    causes: dict[str, Alarm] = field(default_factory=dict)  # where a person must look

    def add(self, verb: str, grant_id: str, text: str, commit: str | None = None) -> None:
        """Note one thing that was done."""
        self.lines.append(Line(verb, grant_id, text, commit))

    def fail(self, grant_id: str, error: DaypassError) -> None:
        """Note one thing that could not be done; the next run tries again."""
        self.failures.append((grant_id, error))

    @property
    def alarms(self) -> list[str]:
        """What there is to look at, in words."""
        return [alarm.text for alarm in self.causes.values()]

    def alarm(self, cause: str, text: str, *, standing: bool = True) -> None:
        """Note that a person must look; the first word about a cause stands.

        `standing` alarms are over when a run no longer raises them; the others tell of something
        that happened once, and are over when somebody has looked.
        """
        self.causes.setdefault(cause, Alarm(cause, text, standing))

    @property
    def exit_code(self) -> ExitCode:
        """0 when nothing is left to do or to look at, else 5."""
        return ExitCode.PARTLY if self.failures or self.alarms else ExitCode.DONE

    def to_json(self) -> dict[str, Any]:
        """As `apply --format json` prints it."""
        return {
            "head": self.head,
            "done": [
                {
                    "what": line.verb,
                    "grant": line.grant_id,
                    "text": line.text,
                    "commit": line.commit,
                }
                for line in self.lines
            ],
            "failed": [
                {"grant": grant_id, "why": error.message, "remedy": error.remedy}
                for grant_id, error in self.failures
            ],
            "alarms": list(self.alarms),
        }
