"""Findings as shown: nothing in a document begins a command, a line or a piece of markup."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daypass.cli import output
from daypass.documents import formats
from daypass.documents.finding import Finding, document_error
from daypass.documents.validation import Report

if TYPE_CHECKING:
    from collections.abc import Callable

HOSTILE = "x\n::set-output name=a::b\r\n##[add-mask]y%0A::error::z\x1b[31m\u202e@team <b>|`*"


def _report(text: str) -> Report:
    return Report(1, (Finding(f"access/{text}", 3, 5, "tree-name", text, text),))


def plain(text: str, *_styles: str) -> str:
    return text


def printed(show: Callable[[], None]) -> str:
    """What a command prints."""
    with redirect_stdout(io.StringIO()) as out:
        show()
    return out.getvalue()


def annotated(report: Report) -> list[str]:
    """The annotations, as `validate --format github` prints them."""

    def show() -> None:
        for level, text, places in formats.annotations_of(report):
            output.annotate(level, text, **places)

    return printed(show).splitlines()


def as_json(report: Report) -> str:
    """As `validate --format json` prints it."""
    return printed(lambda: output.say_json(formats.as_value(report)))


def test_text_tells_place_rule_message_and_remedy() -> None:
    report = Report(2, (Finding("access/a.yaml", 3, 5, "tree-name", "It is wrong", "Mend it."),))
    assert formats.as_text(report, plain).splitlines() == [
        "access/a.yaml:3:5  tree-name",
        "  It is wrong",
        "  Mend it.",
        "",
        "2 documents, 1 finding in 1 file",
    ]


def test_a_clean_run_is_one_line() -> None:
    assert formats.as_text(Report(10_000, ()), plain) == "10,000 documents, no findings"
    assert annotated(Report(1, ())) == []
    assert formats.summary(Report(1, ())) == "1 document, no findings"


def test_annotations_are_workflow_commands() -> None:
    report = Report(
        1, (Finding("access/a,b:c.yaml", 3, 5, "tree-name", "100% wrong", "Mend: it."),)
    )
    assert annotated(report)[0] == (
        "::error file=access/a%2Cb%3Ac.yaml,line=3,col=5,title=tree-name::100%25 wrong. Mend: it."
    )


def test_json_is_for_programs() -> None:
    value = json.loads(as_json(_report(HOSTILE)))
    assert value["documents"] == 1
    assert value["findings"][0]["message"] == HOSTILE
    whole_file = Finding.of_file("a", "tree-mode", "m", "r")
    assert json.loads(as_json(Report(1, (whole_file,))))["findings"][0]["line"] is None


@given(st.text(alphabet="x\n\r:#[]%,=\x1b\u202e\u2028\x85 error"))
def test_no_text_begins_a_command_of_its_own(text: str) -> None:
    _no_command(text)


def test_hostile_text_begins_no_command() -> None:
    _no_command(HOSTILE)


def _no_command(text: str) -> None:
    report = _report(text)
    annotations = annotated(report)
    assert len(annotations) == 1
    assert annotations[0].startswith("::error file=access/")
    for shown in (formats.as_text(report, plain), as_json(report)):
        lines = shown.splitlines()
        assert not [line for line in lines if line.lstrip().startswith("::") or "##[" in line]
    assert len(formats.as_text(report, plain).splitlines()) == 5


def test_markdown_shows_text_as_text() -> None:
    row = formats.as_markdown(_report(HOSTILE)).splitlines()[6]
    assert row.count("|") - row.count("\\|") == 5
    assert "<b>" not in row
    assert "@" not in row
    assert "`" not in row.replace("\\`", "")


def test_a_long_list_is_cut_in_the_summary() -> None:
    many = tuple(Finding("access/a", n, 1, "tree-name", "m", "r") for n in range(1, 500))
    shown = formats.as_markdown(Report(1, many))
    assert shown.count("\n") < 120
    assert "399 more" in shown


def test_an_error_tells_its_first_finding_and_carries_all() -> None:
    error = document_error(
        [Finding("b", 1, 1, "x-y", "second", "r"), Finding("a", 2, 3, "x-y", "first", "mend")]
    )
    assert str(error) == "a:2:3: first (and 1 more)"
    assert error.remedy == "mend"
    assert len(error.findings) == 2


@pytest.mark.parametrize("line", [0, 4])
def test_a_place(line: int) -> None:
    assert Finding("a", line, line, "x-y", "m", "r").place == ("a:4:4" if line else "a")
