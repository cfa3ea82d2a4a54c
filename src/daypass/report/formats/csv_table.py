"""CSV (RFC 4180), one table a file, safe to open in a spreadsheet."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from daypass.model.instant import Instant
from daypass.model.visible import HIDDEN, as_escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from daypass.report.answer import Answer, Cell
    from daypass.report.heading import Report

# A cell that begins like this is a formula to a spreadsheet (OWASP, CSV injection), after blanks
# that an importer may cut off. Full-width forms count too: some spreadsheets fold them.
_FORMULA: Final = re.compile("[\\s\ufeff]*[-=+@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")
_QUOTED: Final = frozenset('",\r\n')


def answer_csv(answer: Answer) -> str:
    """One answer: a line of keys, then its rows. Times are RFC 3339, lengths seconds."""
    head: list[Cell] = [column.key for column in answer.columns]
    return "".join(map(_line, (head, *answer.rows)))


def summary_csv(report: Report) -> str:
    """The heading and what each question came to: `part,name,value,summary`."""
    rows: list[tuple[Cell, ...]] = [("part", "name", "value", "summary")]
    rows += [("heading", line.key, line.value, None) for line in report.heading]
    rows += [("question", item.name, str(item.standing), item.summary) for item in report.answers]
    return "".join(map(_line, rows))


def _line(cells: Sequence[Cell] | Iterable[Cell]) -> str:
    return ",".join(map(cell, cells)) + "\r\n"


def cell(value: Cell) -> str:
    """A value as one cell. Only text can be a formula: a number of ours is one, minus and all."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    if isinstance(value, int | Instant):
        return str(value)
    # Each of several, too: where semicolons part cells, the second of them begins one.
    text = "; ".join(map(_harmless, value)) if isinstance(value, tuple) else _harmless(value)
    if _QUOTED.isdisjoint(text) and text == text.strip():
        return text
    return '"' + text.replace('"', '""') + '"'


def _harmless(text: str) -> str:
    """Text that is no formula, and no command in a job's log: its line feeds are shown, too."""
    text = text.replace("\0", "")
    line = HIDDEN.sub(lambda found: as_escape(found[0]), text)
    line = line.replace("##[", "##\\u005b")
    begins = _FORMULA.match(text) or line.lstrip().startswith("::")
    return f"'{line}" if begins else line
