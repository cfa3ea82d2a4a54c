"""One HTML page that needs nothing else: no request, no script from elsewhere, works from a disk.

Jinja2 escapes everything. The policy in the page's head lets only its own style and script run,
each named by its digest, so that even what slipped through could not act.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

from daypass.ledger.verify import Verdict
from daypass.model.instant import Instant
from daypass.model.visible import HIDDEN, as_escape
from daypass.report.answer import NOT_RECORDED, Shape, Standing, span
from daypass.report.keyfigures import key_figures
from daypass.report.story import State
from daypass.report.timeline import BAR_HEIGHT, COLUMN, FLOOR, TALLEST, TOP, draw

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daypass.report.answer import Answer, Cell, Column
    from daypass.report.heading import Report

_MOST_ROWS: Final = {"grants": 20_000}
_ROWS: Final = 1_000  # of any other table: the rest is in the other formats, and the page says so
_OPEN: Final = 200  # rows that are laid out at once; the rest waits in a part that opens
_SHORT: Final = 12
_MARKS: Final = {
    Standing.NONE: "none",
    Standing.NOTED: "noted",
    Standing.ATTENTION: "look",
    Standing.UNKNOWN: "unknown",
}
_GROUPS: Final = {
    "look": "Needs a look",
    "unknown": "Cannot be told from here",
    "noted": "Noted",
    "none": "Nothing found",
}
# What a state means at first glance; any other is shown as it is.
_STATES: Final = {
    "holds": "good",
    "does not hold": "bad",
    "not assessable": "unknown",
    "not exercised": "none",
    str(State.OVER): "look",
    str(State.FAILED): "bad",
    "overdue": "bad",
    "reviewed late": "look",
    "not proven": "bad",
    "reviewed by its requester": "bad",
}
_CODE: Final = re.compile("`([^`]+)`")
_BADGES: Final = {
    Verdict.HOLDS: "good",
    Verdict.SELF_ATTESTED: "unknown",
    Verdict.BROKEN: "bad",
}


def page(report: Report) -> Iterator[str]:
    """The page, in pieces."""
    style, script = _asset("report.css"), _asset("report.js")
    answers = [_shown(answer) for answer in report.answers]
    figures = key_figures(report.ground, report.answers)
    yield from _template().generate(
        report=report,
        heading={line.key: line.value for line in report.heading},
        verdict=report.ground.verification.verdict,
        badge=_BADGES[report.ground.verification.verdict],
        answers=answers,
        groups=[
            (title, shown)
            for mark, title in _GROUPS.items()
            if (shown := [item for item in answers if item["mark"] == mark])
        ],
        figures=[(item, _MARKS[item.standing]) for item in figures],
        picture=draw(report.ground) if any(item["name"] == "grants" for item in answers) else None,
        bar_height=BAR_HEIGHT,
        column=COLUMN,
        floor=FLOOR,
        tallest=TALLEST,
        top=TOP,
        span=span,
        style=Markup(style),  # noqa: S704  -- a file of this package, not of anybody's making
        script=Markup(script),  # noqa: S704  -- likewise
        policy="default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src '{_digest(style)}'; script-src '{_digest(script)}'",
    )


def _shown(answer: Answer) -> dict[str, Any]:
    most = _MOST_ROWS.get(answer.name, _ROWS)
    kept = [at for at, column in enumerate(answer.columns) if not column.detail]
    columns = [answer.columns[at] for at in kept]
    rows = [
        [_cell(row[at], column.shape) for at, column in zip(kept, columns, strict=True)]
        for row in answer.rows[:most]
    ]
    return {
        "name": answer.name,
        "title": answer.title,
        "question": answer.question,
        "mark": _MARKS[answer.standing],
        "standing": str(answer.standing),
        "summary": answer.summary,
        "note": answer.note,
        "columns": columns,
        "layout": _layout(columns),
        "count": len(answer.rows),
        "omitted": len(answer.rows) - len(rows),
        "first": rows[:_OPEN],
        "rest": rows[_OPEN:],
        "details": len(kept) < len(answer.columns),
    }


def _layout(columns: list[Column]) -> str:
    """Classes of the table that say which columns wrap and which are numbers."""
    letters = {Shape.TEXT: "w", Shape.COUNT: "n", Shape.SECONDS: "n", Shape.COMMIT: "c"}
    return " ".join(
        f"{letters[column.shape]}{at}"
        for at, column in enumerate(columns, start=1)
        if column.shape in letters
    )


def _cell(cell: Cell, shape: Shape) -> str | tuple[str, float | str]:
    """What is shown; with the number that a length of time sorts by, or a state's mark."""
    if cell is None:
        return NOT_RECORDED
    if isinstance(cell, str):
        return _words(cell, shape)
    if isinstance(cell, Instant):
        return str(cell)[:19].replace("T", " ")
    if isinstance(cell, tuple):
        return ", ".join(cell) or NOT_RECORDED
    return (span(cell), cell) if shape is Shape.SECONDS else str(cell)


def _words(text: str, shape: Shape) -> str | tuple[str, str]:
    if shape is Shape.STATE and text in _STATES:
        return text, _STATES[text]
    if shape is Shape.TEXT and "`" in text:
        return _prose(text)
    return text[:_SHORT] if shape is Shape.COMMIT else text


@cache
def _template() -> Any:
    environment = Environment(
        loader=FunctionLoader(_asset),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_visible,
    )
    environment.filters["prose"] = _prose
    return environment.get_template("report.html")


def _visible(value: Any) -> Any:
    """Text with what is not seen shown as its escape: no line of the page begins with what it is.

    In a job's log a line could be a command to the runner of GitHub Actions.
    """
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return HIDDEN.sub(lambda found: as_escape(found[0]), value).replace("##[", "##\\u005b")


def _prose(text: str) -> Markup:
    """Text with what stands between backticks as code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(_visible(text)))))  # noqa: S704  -- escaped first


def _asset(name: str) -> str:
    return files("daypass.report").joinpath("templates", name).read_text("utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
