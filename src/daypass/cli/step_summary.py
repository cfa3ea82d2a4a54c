"""The summary of a step, on the page of a run at GitHub: every count matches the rows below it."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from daypass.lifecycle.messages import escape

if TYPE_CHECKING:
    from daypass.lifecycle.outcome import Outcome

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ./#-]*")
_ROWS: Final = 500  # GitHub takes 1 MiB of a step, and drops what is longer
_LONGEST: Final = 500  # characters of an alarm; the log has all of it


def append(text: str) -> None:
    """Add Markdown to the step's summary; nothing outside of a run."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if path:
        with open(path, "a", encoding="utf-8") as summary:  # noqa: PTH123  -- the runner names it
            summary.write(text)


def of_apply(outcome: Outcome) -> str:
    """What a run did, could not do, and wants looked at; never what a person wrote.

    Alarms come first: they are what a person must read.
    """
    rows = [f"| **look here** | {_short(alarm)} |" for alarm in outcome.alarms]
    rows += [f"| **failed** | {_code(grant_id)} |" for grant_id, _ in outcome.failures]
    rows += [f"| {line.verb} | {_code(line.grant_id or '-')} |" for line in outcome.lines]
    heading = "### daypass apply\n\n"
    if not rows:
        return f"{heading}Nothing to do: main and Vault agree.\n"
    counts = {
        "to look at": len(outcome.alarms),
        "failed": len(outcome.failures),
        "done": len(outcome.lines),
    }
    told = ", ".join(f"{number} {what}" for what, number in counts.items() if number)
    lines = [f"{heading}{told}.", "", "| what | grant, or why |", "|---|---|", *rows[:_ROWS]]
    if len(rows) > _ROWS:
        lines += ["", f"… and {len(rows) - _ROWS} more; the log has them all."]
    return "\n".join(lines) + "\n"


def _code(name: str) -> str:
    """A name as code; one that is none as text, in which nothing of it formats."""
    return f"`{name}`" if _NAME.fullmatch(name) else escape(name)


def _short(text: str) -> str:
    return escape(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")
