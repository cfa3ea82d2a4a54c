"""Messages of evidence commits: a title, a body for people, and trailers for machines.

Whatever a requester wrote ends up in the body at the most, and in a form in which no command of git
takes it for a trailer, the end of a message, a scissors line or the beginning of a patch.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from daypass.ledger.trailers import (
    OBJECT_ID,
    ChainedEvent,
    has_lookalike,
    parse_message,
    trailer_lines,
)
from daypass.model.visible import as_escape, shown

if TYPE_CHECKING:
    from daypass.model.event import Event

TITLE_WIDTH: Final = 72
_SCISSORS = re.compile(r"([<>])(?=[8%])|([8%])(?=[<>])")
# What ends a message, begins a patch or another mail, or is dropped as a comment, at column 1.
_UNSAFE_START = re.compile(r"---|diff -|Index: |From |#|\(cherry picked from", re.IGNORECASE)
_REVERTS = re.compile(rb"^This reverts commit ([0-9a-f]{40})\.$", re.MULTILINE)


def compose(title: str, body: str, event: Event, sequence: int, previous: str | None) -> str:
    """The whole message of an evidence commit.

    `sequence` counts the repository's events from 1; `previous` is the commit of the event before.

    Raises:
        ValueError: an empty title, or an event that the parser would not give back as it is.
    """
    first, rest = _title(title)
    paragraphs = [first]
    text = "\n".join(_body_lines("\n".join(part for part in (rest, body) if part)))
    if text:
        paragraphs.append(text)
    paragraphs.append("\n".join(trailer_lines(event, sequence, previous)))
    message = "\n\n".join(paragraphs) + "\n"
    if parse_message(message.encode()) != ChainedEvent(event, sequence, previous):
        raise ValueError(f"the event {event.kind} does not survive being written")
    return message


def revert_title(title: str) -> str:
    """`Revert "…"`, shortened inside the quotation marks so that it fits on one line."""
    room = TITLE_WIDTH - len('Revert ""')
    inner = _one_line(title)
    return f'Revert "{inner if len(inner) <= room else inner[: room - 1].rstrip() + "…"}"'


def reverts(commit: str) -> str:
    """The line of the body that names the commit whose grant has ended.

    Raises:
        ValueError: not a full object id.
    """
    if OBJECT_ID.fullmatch(commit) is None:
        raise ValueError(f"{commit!r} is no commit")
    return f"This reverts commit {commit}."


def reverted_commit(message: bytes) -> str | None:
    """The commit that a message says it reverts, or None."""
    match = _REVERTS.search(message)
    return match[1].decode() if match else None


def safe_text(text: str) -> str:
    """Text with every character that does not print written as an escape; line feeds stay."""
    return shown(
        text.replace("\r\n", "\n"),
        lambda char: f"\\x{ord(char):02x}" if char.isascii() else as_escape(char),
    )


def _title(title: str) -> tuple[str, str]:
    """The first line, and the whole title once more for the body if it had to be shortened."""
    line = _one_line(title)
    if not line:
        raise ValueError("an evidence commit needs a title")
    if len(line) <= TITLE_WIDTH:
        return line, ""
    return line[: TITLE_WIDTH - 1].rstrip() + "…", line + "\n"


def _one_line(text: str) -> str:
    return _safe_line(" ".join(safe_text(text.replace("\t", " ")).split())).strip()


def _body_lines(body: str) -> list[str]:
    lines = [
        _safe_line(line).rstrip() for line in safe_text(body.replace("\t", "    ")).split("\n")
    ]
    kept: list[str] = []
    for line in lines:
        if line or (kept and kept[-1]):
            kept.append(line)
    while kept and not kept[-1]:
        kept.pop()
    return kept


def _safe_line(line: str) -> str:
    """The line, in a form that no command of git takes for something else."""
    line = _SCISSORS.sub(lambda match: match[0] + " ", line)
    if has_lookalike(line.encode("utf-8", "replace")):
        return "| " + line
    return "| " + line if _UNSAFE_START.match(line) else line
