"""Markdown with GitHub's tables; whatever people could have written is escaped."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from daypass.lifecycle.messages import escape
from daypass.model.instant import Instant
from daypass.report.answer import NOT_RECORDED, Shape, span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daypass.report.answer import Answer, Cell, Column
    from daypass.report.heading import Report

_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
_RIGHT: Final = frozenset({Shape.COUNT, Shape.SECONDS})
_SHORT: Final = 12


def report_lines(report: Report) -> Iterator[str]:
    """The whole report."""
    yield f"# {escape(report.title)}\n\n| | |\n|---|---|\n"
    for line in report.heading:
        yield f"| {line.title} | {_text(line.value)} |\n"
    if len(report.answers) > 1:
        yield "\n| Question | Standing | Answer |\n|---|---|---|\n"
        for answer in report.answers:
            yield f"| {answer.title} | {answer.standing} | {escape(answer.summary)} |\n"
    for answer in report.answers:
        yield from answer_lines(answer)


def answer_lines(answer: Answer) -> Iterator[str]:
    """One answer: its question, its sentence, its table, its note."""
    yield f"\n## {answer.title}\n\n{answer.question}\n\n"
    yield f"**{answer.standing}**: {escape(answer.summary)}\n"
    if answer.rows:
        heads = " | ".join(column.title for column in answer.columns)
        rules = "|".join("---:" if item.shape in _RIGHT else "---" for item in answer.columns)
        yield f"\n| {heads} |\n|{rules}|\n"
        for row in answer.rows:
            yield f"| {' | '.join(map(_cell, row, answer.columns))} |\n"
    if answer.note:
        yield f"\n{answer.note}\n"


def _cell(cell: Cell, column: Column) -> str:
    if cell is None:
        return NOT_RECORDED
    if column.shape is Shape.COMMIT:
        return f"`{_text(str(cell)[:_SHORT])}`"
    if column.shape is Shape.SECONDS and isinstance(cell, int | float):
        return span(cell)
    if isinstance(cell, int | float | Instant):
        return str(cell)
    return _text(", ".join(cell) if isinstance(cell, tuple) else cell)


def _text(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else escape(text)
