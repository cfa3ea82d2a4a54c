"""JSON Lines: the heading, then each answer and its rows, one JSON object a line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from daypass.model.instant import Instant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daypass.report.answer import Answer, Cell
    from daypass.report.heading import Report


def report_lines(report: Report) -> Iterator[str]:
    """The whole report. `type` says what a line is: report, answer, or row."""
    head: dict[str, Any] = {"type": "report", "title": report.title}
    head |= {line.key: line.value for line in report.heading}
    head["verdict"] = str(report.ground.verification.verdict)
    yield _line(head)
    for answer in report.answers:
        yield from answer_lines(answer)


def answer_lines(answer: Answer) -> Iterator[str]:
    """One answer. Times are RFC 3339, lengths of time seconds, null what is not recorded."""
    yield _line(
        {
            "type": "answer",
            "question": answer.name,
            "standing": str(answer.standing),
            "summary": answer.summary,
            "rows": len(answer.rows),
        }
    )
    keys = [column.key for column in answer.columns]
    for row in answer.rows:
        values = dict(zip(keys, map(_value, row), strict=True))
        yield _line({"type": "row", "question": answer.name, **values})


def _value(cell: Cell) -> Any:
    if isinstance(cell, Instant):
        return str(cell)
    return list(cell) if isinstance(cell, tuple) else cell


def _line(value: dict[str, Any]) -> str:
    # ASCII only: no reader takes a line separator of Unicode for the end of a line.
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return text.replace("##[", "##\\u005b") + "\n"  # a command to the runner of GitHub Actions
