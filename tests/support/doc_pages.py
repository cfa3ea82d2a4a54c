"""The documents for people, taken apart: pages, fenced blocks, links, tables made from code."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
TOP_LEVEL = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
_FENCE = re.compile(r"^( *)```([^\n`]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: `language` and `words` stand after the fence."""

    page: str
    language: str
    words: tuple[str, ...]
    text: str


def pages() -> dict[str, str]:
    """Every page for people: path → text."""
    paths = [ROOT / name for name in TOP_LEVEL] + sorted((ROOT / "docs").rglob("*.md"))
    return {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in paths}


def blocks(language: str | None = None) -> Iterator[Block]:
    """Every fenced block, of one language if it is given."""
    for page, text in pages().items():
        for match in _FENCE.finditer(text):
            name, *words = match[2].split() or [""]
            indent = len(match[1])
            lines = [line[indent:] for line in match[3].splitlines()]
            if language in (None, name):
                yield Block(page, name, tuple(words), "\n".join(lines) + "\n")


def prose(text: str) -> str:
    """A page without its fenced blocks."""
    return _FENCE.sub("", text)


def code(text: str) -> list[str]:
    """What stands between backticks in a page's prose."""
    return _CODE.findall(prose(text))


def links(text: str) -> list[str]:
    """The targets of a page's links."""
    return _LINK.findall(prose(text))


def anchors(text: str) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    found: set[str] = set()
    for heading in _HEADING.findall(prose(text)):
        plain = re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower())
        anchor = plain.replace(" ", "-")
        number = 0
        while (anchor if not number else f"{anchor}-{number}") in found:
            number += 1
        found.add(anchor if not number else f"{anchor}-{number}")
    return found


def marked(page: str, name: str) -> str:
    """What stands between `<!-- name -->` and `<!-- /name -->` in a page."""
    text = pages()[page]
    start, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    assert start in text, f"{page} has no {start.strip()}"
    return text.partition(start)[2].partition(end)[0].strip("\n")


def table(*columns: str, rows: list[tuple[str, ...]]) -> str:
    """A Markdown table; bars within cells are escaped."""
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)
