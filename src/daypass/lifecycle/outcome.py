"""Outcome: what a run of the loop did, what it could not do, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from daypass.errors import ExitCode, PermanentError
from daypass.model.alarm import Alarm

if TYPE_CHECKING:
    from daypass.errors import DaypassError
    from daypass.ledger.usable import StillUsable
    from daypass.model.instant import Instant


def writable(text: str) -> str:
    """The text as it can be sent and stored: a file's name can hold bytes that are no UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()


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
    calls: dict[str, str] = field(default_factory=dict)  # for reviews that are owed, by their cause
    usable: dict[str, StillUsable] = field(default_factory=dict)  # what Vault forgot, by grant
    issues: dict[str, str] = field(default_factory=dict)  # opened by this run: cause → address
    heard: set[str] = field(default_factory=set)  # of these, what the webhook took from this run
    settled: set[str] = field(default_factory=set)  # causes that turned out to be none

    def add(self, verb: str, grant_id: str, text: str, commit: str | None = None) -> None:
        """Note one thing that was done."""
        self.lines.append(Line(verb, grant_id, text, commit))

    def fail(self, grant_id: str, error: DaypassError) -> None:
        """Note one thing that could not be done; the next run tries again."""
        self.failures.append((grant_id, error))

    def stumble(self, grant_id: str, error: Exception) -> None:
        """Note a bug that one id ran into: where it arose, without its text, which may be secret.

        The run goes on with the others, and a person must look.
        """
        frame = error.__traceback__
        while frame is not None and frame.tb_next is not None:
            frame = frame.tb_next
        place = f" at {frame.tb_frame.f_globals.get('__name__')}:{frame.tb_lineno}" if frame else ""
        text = f"daypass met something it did not expect: {type(error).__name__}{place}"
        remedy = "This is a bug in daypass: please report it. Nothing was granted."
        self.fail(grant_id, PermanentError(text, remedy=remedy))
        self.alarm(f"bug.{grant_id}", f"{grant_id}: {text}")

    @property
    def alarms(self) -> list[str]:
        """What there is to look at, in words."""
        return [alarm.text for alarm in self.causes.values()]

    def alarm(self, cause: str, text: str, *, standing: bool = True) -> None:
        """Note that a person must look; the first word about a cause stands.

        `standing` alarms are over when a run no longer raises them; the others tell of something
        that happened once, and are over when somebody has looked.
        """
        self.causes.setdefault(cause, Alarm(cause, writable(text), standing))

    def settle(self, cause: str) -> None:
        """Note that a cause turned out to be none, or is told of by another: its issue closes."""
        self.causes.pop(cause, None)
        self.settled.add(cause)

    def note_usable(self, found: StillUsable, now: Instant) -> None:
        """Note what a grant opened that Vault has forgotten, if it may still be used."""
        if now < found.until:
            self.usable[found.grant_id] = found
            self.alarm(f"forgotten.{found.grant_id}", found.text, standing=False)

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
