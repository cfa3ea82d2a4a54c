"""What a person did wrong where a text is no YAML: the line, the mistake, and how to mend it.

A parser tells where it gave up, in the words of its grammar, and that is often a line too late. The
lines themselves show the common mistakes: an indentation, a space, a quote or a bracket.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from daypass.documents.wording import shown
from daypass.documents.yaml_layout import indentation_fault, pair_fault
from daypass.documents.yaml_reading import Reading

if TYPE_CHECKING:
    import yaml

    from daypass.documents.yaml_reading import Fault

_MARKER: Final = re.compile(r"<{7} |={7}$|>{7} ")
_QUOTED: Final = re.compile(r"""(?:^|[\s:,\[{-])("(?:[^"\\]|\\.)*"|'(?:[^']|'')*')""")
_OPENED: Final = re.compile(r"""(?:^ *|[:,\[{-] +|[\[{])(["'])""")
_CLOSING: Final = {"[": "]", "{": "}"}
_NEAR: Final = 2  # lines: a quote that was opened further above was meant to


def fault_of(text: str, error: yaml.MarkedYAMLError) -> Fault:
    """Find the mistake that made the parser give up on that text."""
    reading = Reading.of(text, error)
    return (
        _leftover(reading)
        or _flow(reading)
        or _quote(reading)
        or _beginning(reading)
        or pair_fault(reading)
        or indentation_fault(reading)
        or reading.fault(reading.problem, "Correct the syntax here, or in the line above.")
    )


def comment_hint(text: str, line: int, column: int) -> str:
    """What to do about a value that is missing because a comment stands in its place."""
    lines = text.split("\n")
    if line >= len(lines) or re.match(r"\s*#", lines[line][column:]) is None:
        return ""
    return "What follows ` #` is a comment: put text that begins with # in quotes."


def _leftover(reading: Reading) -> Fault | None:
    """What a tool left: a merge's conflict, or the fence of a code block."""
    for number, line in enumerate(reading.lines):
        if _MARKER.match(line):
            return reading.fault(
                "the conflict of a merge stands here",
                "Keep one of the two sides, and delete the lines of <<<<<<<, ======= and >>>>>>>.",
                (number, 0),
            )
    if reading.here.startswith("```"):
        return reading.fault("this is the fence of a code block", "Delete the line.")
    return None


def _flow(reading: Reading) -> Fault | None:
    """A bracket that is not closed, or closes nothing."""
    if "flow" in reading.context and reading.began is not None:
        line, column = reading.began
        mark = reading.text(line)[column : column + 1]
        if mark not in _CLOSING:  # an entry is missing: the bracket is somewhere before it
            line, column = _open_bracket(reading) or (line, column)
            mark = reading.text(line)[column : column + 1] or "bracket"
        return reading.fault(
            f"the {mark} of line {line + 1}, column {column + 1}, is not closed, or a comma is "
            "missing here",
            f"Close it with {_CLOSING.get(mark, 'its bracket')}, or put a comma between two "
            "entries.",
        )
    char = reading.here[reading.column : reading.column + 1]
    if char in ("]", "}"):
        return reading.fault(f"this {char} closes nothing", "Delete it.")
    return None


def _open_bracket(reading: Reading) -> tuple[int, int] | None:
    """The last bracket before the place that nothing closes."""
    opened: list[tuple[int, int]] = []
    for number in range(min(reading.line + 1, len(reading.lines))):
        end = reading.column if number == reading.line else None
        for column, char in enumerate(reading.text(number)[:end]):
            if char in _CLOSING:
                opened.append((number, column))
            elif char in _CLOSING.values() and opened:
                opened.pop()
    return opened[-1] if opened else None


def _quote(reading: Reading) -> Fault | None:
    """A quote that is not closed, or closed too early; an escape that there is not."""
    if "escape" in reading.problem and "quoted" in reading.context:
        return reading.fault(
            "in double quotes a backslash begins an escape, and this is none",
            r"Write each backslash twice (`\\`), or put the text in single quotes.",
        )
    if "quoted" in reading.context and reading.began is not None:
        return _unclosed(reading, reading.began)
    line = reading.here
    for found in _QUOTED.finditer(line):
        if found.end() <= reading.column and not line[found.end() : reading.column].strip():
            return _after_quote(reading, found[1])
    number = reading.above(reading.line + 1)
    while number is not None and reading.line - number <= _NEAR:
        column = _open_quote(reading.text(number))
        if column is not None:
            return _unclosed(reading, (number, column))
        number = reading.above(number)
    return None


def _unclosed(reading: Reading, place: tuple[int, int]) -> Fault:
    mark = reading.text(place[0])[place[1] : place[1] + 1]
    return reading.fault(
        f"the quote that opens here is not closed in its line: {mark}",
        f"Close it with {mark} at the end of the text.",
        place,
    )


def _after_quote(reading: Reading, quoted: str) -> Fault:
    if quoted[0] == "'":
        remedy = "Write an apostrophe within single quotes twice (''), or use double quotes."
    else:
        remedy = r"Write a quote within double quotes as `\"`, or use single quotes."
    return reading.fault("text follows after the quote that closes the value", remedy)


def _beginning(reading: Reading) -> Fault | None:
    """What cannot begin a value, a text of several lines, or the document."""
    if "cannot start any token" in reading.problem:
        char = reading.here[reading.column : reading.column + 1]
        return reading.fault(
            f"{'a backtick' if char == '`' else shown(char)} cannot begin a value",
            "Put text that begins with this character in quotes.",
        )
    if "block scalar" in reading.context:
        return reading.fault(
            "text follows after the | or > that begins a text of several lines",
            "Let the line end there, and indent the text below it; or put it in quotes.",
        )
    if "<document start>" not in reading.problem:
        return None
    first = reading.above(reading.line)
    if first is not None and reading.text(first).startswith(" ") and reading.column == 0:
        return reading.fault(
            "this line is indented, and those that belong beside it are not",
            "Let the first key begin in the first column.",
            (first, 0),
        )
    return reading.fault(
        "this stands behind the end of the document", "Delete it, or the line `...` above it."
    )


def _open_quote(line: str) -> int | None:
    """The column of a quote that the line opens and does not close."""
    at = 0
    while (opened := _OPENED.search(line, at)) is not None:
        begin = opened.start(1)
        closed = _QUOTED.match(line, max(begin - 1, 0)) or _QUOTED.match(line, begin)
        if closed is None:
            return begin
        at = closed.end()
    return None
