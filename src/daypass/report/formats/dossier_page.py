"""One dossier as text, Markdown and JSON. Whatever people wrote is shown, and does nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from daypass.ledger.compose import safe_text
from daypass.lifecycle.messages import escape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daypass.report.chapters import Chapter
    from daypass.report.dossier import Dossier

_WIDTH: Final = 14
_FENCE: Final = re.compile(r"`{3,}")


def text_lines(dossier: Dossier) -> Iterator[str]:
    """For a terminal: no character of it can steer one."""
    yield f"{dossier.id}  {_plain(dossier.title)}"
    yield f"{'head':<{_WIDTH}}{dossier.head}"
    for chapter in dossier.chapters:
        yield ""
        yield f"{chapter.at}  {chapter.title}"
        yield f"  {'commit':<{_WIDTH}}{_commit(chapter)}"
        for key, value in chapter.facts:
            yield f"  {key:<{_WIDTH}}{_plain(value)}"
        for line in chapter.lines:
            yield f"    {_plain(line)}"


def markdown_lines(dossier: Dossier) -> Iterator[str]:
    """For a pull request or a ticket."""
    yield f"# `{dossier.id}`: {escape(dossier.title)}"
    yield ""
    yield f"Up to `{dossier.head}`."
    for chapter in dossier.chapters:
        yield f"\n## {chapter.title}\n\n| | |\n|---|---|"
        signed = "signed" if chapter.signed else "unsigned"
        yield f"| commit | `{chapter.commit}`, {chapter.at}, {signed} |"
        for key, value in chapter.facts:
            yield f"| {key} | {escape(_plain(value))} |"
        if chapter.lines:
            lines = [_plain(line) for line in chapter.lines]
            longest = max((len(run) for line in lines for run in _FENCE.findall(line)), default=2)
            fence = "`" * (longest + 1)
            yield f"\n{fence}{'diff' if chapter.kind in ('asked', 'changed', 'removed') else ''}"
            yield from lines
            yield fence


def to_json(dossier: Dossier) -> dict[str, Any]:
    """For programs."""
    return {
        "id": dossier.id,
        "head": dossier.head,
        "title": dossier.title,
        "chapters": [
            {
                "kind": chapter.kind,
                "commit": chapter.commit,
                "at": str(chapter.at),
                "signed": chapter.signed,
                "facts": dict(chapter.facts),
                "lines": list(chapter.lines),
            }
            for chapter in dossier.chapters
        ],
    }


def _commit(chapter: Chapter) -> str:
    return chapter.commit + ("" if chapter.signed else "  (not the bot's: unsigned)")


def _plain(text: str) -> str:
    """The text on one line, with what does not print written as an escape."""
    return safe_text(text).replace("\n", "\\n")
