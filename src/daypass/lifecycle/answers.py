"""Answers: what daypass says to a command. Its own words only; nothing that a person wrote."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from daypass.lifecycle.messages import escape
from daypass.model.intent import IntentKind


class Result(StrEnum):
    """What became of a command."""

    ENDING = "ending"  # noted, and the token is gone; the next run confirms the rest of it
    UNCONFIRMED = "unconfirmed"  # noted, and Vault does not show that the token is gone
    NOTED = "noted"  # noted; the next run carries it out
    ENDED = "ended"  # it had ended before, by the evidence: nothing was left to do
    REFUSED = "refused"  # nothing was done


_ESCAPED: Final = re.compile(r"\\([^\w\s])")
_RESULT: Final = re.compile(r"<!-- daypass:result:([a-z]+) -->")
_NOTED: Final = {
    IntentKind.REDELIVER: "noted: the next run delivers again what is left of its time",
    IntentKind.ACTIVITY: "noted: the next run writes it into the evidence",
    IntentKind.HALT: "noted: it was asked for and is not issued yet, and the next run refuses it",
}
_NEXT: Final = (
    "The next run of access-apply confirms that nothing of it lives, and writes the evidence."
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said about one grant. `why` is daypass's own sentence, without a full stop."""

    grant_id: str | None
    kind: IntentKind
    result: Result
    why: str = ""

    @property
    def sentence(self) -> str:
        """One line for a log."""
        said = {
            Result.ENDING: "asked Vault to end it: its token is gone; the next run confirms the "
            "rest and writes the evidence",
            Result.UNCONFIRMED: f"noted, and not confirmed: {self.why}; the next run tries again",
            Result.ENDED: f"it has ended already: {self.why}",
            Result.NOTED: _NOTED.get(self.kind, "noted: the next run carries it out"),
            Result.REFUSED: f"nothing was done: {self.why}",
        }
        return said[self.result]


def command_marker(comment_id: int) -> str:
    """The first line of the comment that answers a command; there is one a command."""
    return f"<!-- daypass:command:{comment_id} -->"


def answer_body(answer: Answer) -> str:
    """The comment that answers, without its marker. Its first line is for programs."""
    name = f" `{answer.grant_id}`" if answer.grant_id else ""
    if answer.result is Result.ENDING:
        title = f"Ending{name}"
        text = (
            "Vault was asked to end it, and its token is gone. What the token leased goes with it: "
            f"log-ins, and sessions that are open. {_NEXT}"
        )
    elif answer.result is Result.UNCONFIRMED:
        title = f"Not yet ended:{name}"
        text = (
            f"It is noted, and Vault does not confirm an end: {escape(answer.why)}. Every run of "
            "access-apply tries again until nothing of it lives."
        )
    elif answer.result is Result.ENDED:
        title = f"Ended already:{name}"
        text = f"{escape(answer.why)}. Nothing was left to do."
    elif answer.result is Result.NOTED and answer.kind is IntentKind.ACTIVITY:
        title = f"To be recorded:{name}"
        text = "The next run of access-apply writes the digest and the counts into the evidence."
    elif answer.result is Result.NOTED:
        title = f"To be delivered again:{name}"
        text = (
            "The next run of access-apply revokes what was delivered, and mints anew what is left "
            "of the time, once."
        )
    else:
        title, text = f"Not done:{name}" if name else "Not done", f"{escape(answer.why)}."
    return f"<!-- daypass:result:{answer.result} -->\n### {title}\n\n{text}\n"


def result_of(body: str) -> Result | None:
    """What a comment that answers says; None when it cannot be read."""
    lines = body.replace("\r\n", "\n").split("\n")
    found = _RESULT.fullmatch(lines[1].strip()) if len(lines) > 1 else None
    if found is None or found[1] not in set(Result):
        return None
    return Result(found[1])


def plain(body: str) -> str:
    """The text of a comment that answers, for a terminal: without markers and Markdown."""
    lines = body.replace("\r\n", "\n").split("\n")[2:]
    text = "\n".join(line.removeprefix("### ") for line in lines).strip()
    return _ESCAPED.sub(r"\1", text).replace("&#64;", "@").replace("`", "")
