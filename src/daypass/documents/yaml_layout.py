"""Mistakes of layout: colons and dashes without their space, and lines in a column of their own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from daypass.documents.wording import shown
from daypass.documents.yaml_reading import content_of, indent_of, spaces

if TYPE_CHECKING:
    from daypass.documents.yaml_reading import Fault, Reading

_KEY: Final = r"""(?:[A-Za-z_][\w.-]*|"[^"]*"|'[^']*')"""
_PAIR: Final = re.compile(rf"( *(?:- +)*)({_KEY}) *:(?: +(.*))?$")  # a key, and perhaps a value
_NO_SPACE: Final = re.compile(r"( *(?:- +)*)([A-Za-z_][\w.-]*):([^\s:/].*)$", re.DOTALL)
_NO_SPACE_AFTER_DASH: Final = re.compile(r"( *)-([A-Za-z_\"'{\[].*)$", re.DOTALL)
_NO_VALUES: Final = "mapping values are not allowed"  # a second colon where text goes on


def pair_fault(reading: Reading) -> Fault | None:
    """A key without its colon, a colon or dash without its space, or a colon in the text."""
    if "could not find expected ':'" in reading.problem and reading.began is not None:
        begun = reading.began[0]
        return _no_pair(reading, begun) or reading.fault(
            "there is no colon in this line",
            "Write `key: value`; text of several lines goes in quotes.",
            (begun, indent_of(reading.text(begun))),
        )
    if _NO_VALUES not in reading.problem:
        return None
    pair = _PAIR.match(reading.here)
    if pair is not None and reading.here.find(":", pair.end(2)) < reading.column:
        return reading.fault(
            f"the value of {shown(pair[2])} holds a colon and a space",
            f'Put the value in quotes: `{pair[2]}: "{_quotable(pair[3] or "")}"`.',
        )
    above = reading.above(reading.line)
    return _no_pair(reading, above) if above is not None else None


def indentation_fault(reading: Reading) -> Fault | None:
    """A line that begins in a column in which nothing that it could belong to begins."""
    line, above = reading.here, reading.above(reading.line)
    depth = indent_of(line)
    if above is None or not line.strip():
        return None
    if _NO_VALUES in reading.problem:
        return _too_deep(reading, depth, above)
    gave_up = "did not find expected" in reading.problem or "<block end>" in reading.problem
    if not gave_up or reading.column > depth:
        return None
    beside = _columns_above(reading, is_item=line.lstrip().startswith("- "))
    if not beside or depth in beside:
        return None
    places = [f"{spaces(column)} (line {number + 1})" for column, number in beside.items()]
    return reading.fault(
        f"this line is indented by {spaces(depth)}, and those above it that it could stand beside "
        f"by {' or '.join(places)}",
        f"Indent it by {' or by '.join(map(spaces, beside))}.",
        (reading.line, depth),
    )


def text_hint(text: str, *, of_list: bool) -> str:
    """What makes a mapping or a list of what was read as text; empty if nothing is to be seen."""
    if of_list and (found := _NO_SPACE_AFTER_DASH.match(text)) is not None:
        return f"There is no space after the dash: write `- {_first(found[2])}`."
    if not of_list and (found := _NO_SPACE.match(text)) is not None:
        return f"There is no space after the colon: write `{found[2]}: {_first(found[3])}`."
    return ""


def _no_pair(reading: Reading, number: int) -> Fault | None:
    """A line that is read as text, for want of a space or a colon."""
    line = reading.text(number)
    if (found := _NO_SPACE.match(line)) is not None:
        return reading.fault(
            f"there is no space after the colon of {shown(found[2])}",
            f"Write `{found[2]}: {found[3]}`.",
            (number, found.end(2)),
        )
    if (found := _NO_SPACE_AFTER_DASH.match(line)) is not None:
        return reading.fault(
            "there is no space after the dash",
            f"Write `- {found[2]}`.",
            (number, len(found[1])),
        )
    if ":" in line:
        return None
    key, _, value = line.strip().removeprefix("- ").partition(" ")
    return reading.fault(
        "there is no colon in this line",
        f"Write `{key}: {value}`." if value else "Write `key: value`.",
        (number, indent_of(line)),
    )


def _too_deep(reading: Reading, depth: int, above: int) -> Fault:
    column = content_of(reading.text(above))
    return reading.fault(
        f"this line is indented by {spaces(depth)}, as if it belonged to line {above + 1}, which "
        "has a value already",
        f"Indent it by {spaces(column)}, if it stands beside line {above + 1}; or take the value "
        "of that line away.",
        (reading.line, depth),
    )


def _columns_above(reading: Reading, *, is_item: bool) -> dict[int, int]:
    """The nearest columns, deeper and shallower, in which such a line could begin, and where."""
    depth, least = indent_of(reading.here), len(reading.text(reading.line)) + 1
    found: dict[int, int] = {}
    number = reading.above(reading.line)
    while number is not None and least > 0:
        line = reading.text(number)
        dash = line.lstrip().startswith("- ")
        column = indent_of(line) if is_item or not dash else content_of(line)
        if column < least and dash >= is_item:
            found.setdefault(column, number)
        least = min(least, column if dash >= is_item else least)
        if column < depth:
            break
        number = reading.above(number)
    return found


def _quotable(value: str) -> str:
    return value.rstrip().replace("\\", "\\\\").replace('"', '\\"')


def _first(text: str) -> str:
    return text.split(" ", maxsplit=1)[0]
