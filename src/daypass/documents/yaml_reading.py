"""The lines of a text that is no YAML, and the place where the parser gave up."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import yaml


class Fault(NamedTuple):
    """What is wrong, where (line and column from 1), and what to do about it."""

    line: int
    column: int
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Reading:
    """A document's lines, and what the parser said. Lines and columns are from 0."""

    lines: list[str]
    problem: str
    context: str
    line: int
    column: int
    began: tuple[int, int] | None  # where what the parser was reading began

    @classmethod
    def of(cls, text: str, error: yaml.MarkedYAMLError) -> Reading:
        """Take the error apart. Both parsers of PyYAML make such errors, in their own words."""
        mark, began = error.problem_mark or error.context_mark, error.context_mark
        return cls(
            lines=text.split("\n"),
            problem=error.problem or error.context or "this is not YAML",
            context=error.context or "",
            line=mark.line if mark else 0,
            column=mark.column if mark else 0,
            began=(began.line, began.column) if began else None,
        )

    def fault(self, what: str, remedy: str, place: tuple[int, int] | None = None) -> Fault:
        """Say it of that place, or of the one where the parser gave up."""
        line, column = place or (self.line, self.column)
        return Fault(line + 1, column + 1, f"not YAML: {what}", remedy)

    def text(self, line: int) -> str:
        """A line; empty behind the end."""
        return self.lines[line] if 0 <= line < len(self.lines) else ""

    @property
    def here(self) -> str:
        """The line where the parser gave up."""
        return self.text(self.line)

    def above(self, line: int) -> int | None:
        """The nearest line above that holds more than a comment."""
        for number in range(min(line, len(self.lines)) - 1, -1, -1):
            bare = self.lines[number].strip()
            if bare and not bare.startswith("#"):
                return number
        return None


def indent_of(line: str) -> int:
    """The spaces that a line begins with."""
    return len(line) - len(line.lstrip(" "))


def content_of(line: str) -> int:
    """The column, from 0, in which a line's key or text begins, behind the dashes of lists."""
    found = re.match(r" *(?:- +)*", line)
    return found.end() if found else 0


def spaces(number: int) -> str:
    """`no space`, `1 space`, `2 spaces`."""
    return "no space" if number == 0 else f"{number} space{'' if number == 1 else 's'}"
