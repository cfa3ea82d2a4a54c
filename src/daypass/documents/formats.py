"""Findings as text, JSON, GitHub annotations and Markdown.

Documents are written by people who may wish to deceive whoever reads the log: nothing that they
wrote can begin a workflow command, a line of its own, or a piece of markup.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from daypass.model.visible import as_escape, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from daypass.documents.finding import Report

_SUMMARY_ROWS: Final = 100
_MARKUP = re.compile(r"([\\`*_{}\[\]()#+\-.!|~:/])")


def summary(report: Report) -> str:
    """The last line: how much was judged and how much is wrong."""
    documents = _count(report.documents, "document")
    notices = f", {_count(len(report.notices), 'notice')}" if report.notices else ""
    if not report.findings:
        return f"{documents}, no findings{notices}"
    files = len({finding.path for finding in report.findings})
    found = f"{_count(len(report.findings), 'finding')} in {_count(files, 'file')}"
    return f"{documents}, {found}{notices}"


def as_text(report: Report, style: Callable[..., str]) -> str:
    """For people: place and rule, the message, and the remedy; then the summary.

    Args:
        report: what validation found.
        style: as `daypass.cli.output.styled`: a text and the names of its styles.
    """
    lines: list[str] = []
    shown = [(item, "red", "") for item in report.findings]
    shown += [(item, "yellow", "notice: ") for item in report.notices]
    for finding, colour, kind in shown:
        place = style(_clean(finding.place), "bold")
        lines += [
            f"{place}  {style(f'{kind}{finding.rule}', colour)}",
            f"  {_clean(finding.message)}",
            f"  {style(_clean(finding.remedy), 'dim')}",
            "",
        ]
    return "\n".join([*lines, summary(report)])


def as_value(report: Report) -> dict[str, Any]:
    """For programs: the number of documents, the findings and the notices."""
    return {
        "documents": report.documents,
        "findings": [finding.to_json() for finding in report.findings],
        "notices": [finding.to_json() for finding in report.notices],
    }


def annotations_of(report: Report) -> Iterator[tuple[str, str, dict[str, str]]]:
    """For GitHub: level, text and place of an annotation for each finding and notice."""
    for level, items in (("error", report.findings), ("notice", report.notices)):
        for item in items:
            places = {
                "file": item.path,
                "line": str(max(item.line, 1)),
                "col": str(max(item.column, 1)),
                "title": item.rule,
            }
            yield level, f"{item.message}. {item.remedy}", places


def as_markdown(report: Report) -> str:
    """For GitHub's step summary: a table of the first findings and notices."""
    lines = ["### daypass validate", "", summary(report), ""]
    shown = (*report.findings, *report.notices)
    if shown:
        lines += ["| place | rule | what is wrong | how to mend it |", "|---|---|---|---|"]
    lines += [
        f"| {_escaped(item.place)} | {_escaped(item.rule)} | {_escaped(item.message)} "
        f"| {_escaped(item.remedy)} |"
        for item in shown[:_SUMMARY_ROWS]
    ]
    if len(shown) > _SUMMARY_ROWS:
        lines += ["", f"… and {len(shown) - _SUMMARY_ROWS} more; the log has them all."]
    return "\n".join(lines) + "\n"


def _clean(text: str) -> str:
    """One line for a log: the runner of GitHub Actions finds no command in it, even indented."""
    line = _visible(text).replace("\n", "\\n").replace("##[", "##\\u005b")
    bare = line.lstrip()
    return f"\\u003a{bare[1:]}" if bare.startswith("::") else line


def _escaped(text: str) -> str:
    plain = _visible(text).replace("\n", " ")
    plain = plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKUP.sub(r"\\\1", plain).replace("@", "&#64;")


def _visible(text: str) -> str:
    return shown(text, as_escape)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
