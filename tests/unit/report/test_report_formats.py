"""The formats: the same rows in each, and nothing that people wrote can act in any of them."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_world import HOUR, NOW, ended, ground, moment, story

from daypass.model.visible import HIDDEN
from daypass.report.answer import Answer, Column, Shape, Standing
from daypass.report.formats import csv_table, html, json_lines, markdown
from daypass.report.heading import make_report
from daypass.report.questions import QUESTIONS
from daypass.report.story import Authored
from daypass.report.timeline import LEFT, WIDTH, draw

HOSTILE = (
    '=HYPERLINK("http://x","y")',
    "+1+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(1,1)",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "  =1+1",
    "\uff1d1+1",
    "\u00a0=1",
    'a"b,c\r\nd',
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "`code` @team #1 [x](javascript:alert(1)) | pipe",
    "\u202egnp.exe",
)
FORMULA = re.compile(r"[\s\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")


def hostile_answer(*texts: str) -> Answer:
    columns = (Column("what", "What"), Column("number", "Number", Shape.COUNT))
    rows = tuple((text, 1) for text in texts)
    return Answer("gaps", "Gaps", "Is it?", Standing.NOTED, "Some.", columns, rows)


@given(st.lists(st.text(max_size=30), max_size=5))
def test_csv_comes_back_and_no_cell_is_a_formula(texts: list[str]) -> None:
    written = csv_table.answer_csv(hostile_answer(*texts))
    head, *rows = list(csv.reader(io.StringIO(written, newline=""), strict=True))
    assert head == ["what", "number"]
    for text, (cell, number) in zip(texts, rows, strict=True):
        clean = HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text.replace("\0", ""))
        clean = clean.replace("##[", "##\\u005b")
        assert cell in (clean, "'" + clean)
        assert not cell.lstrip().startswith("::")
        assert "\n" not in cell
        assert FORMULA.match(cell) is None
        assert number == "1"


@pytest.mark.parametrize("text", [text for text in HOSTILE if FORMULA.match(text)])
def test_what_a_spreadsheet_would_run_is_text(text: str) -> None:
    assert csv_table.cell(text).lstrip('"').startswith("'")


def test_numbers_of_ours_stay_numbers() -> None:
    assert csv_table.cell(-5) == "-5"
    assert csv_table.cell(1.5) == "1.5"
    assert csv_table.cell(0.0) == "0"
    assert csv_table.cell(None) == ""
    assert csv_table.cell(("=a", "b")) == "'=a; b"
    assert csv_table.cell(("a", "=b")) == "a; '=b"


def test_csv_lines_end_as_rfc_4180_says() -> None:
    written = csv_table.answer_csv(hostile_answer("a"))
    assert written == "what,number\r\na,1\r\n"


def test_json_lines_are_one_object_a_line() -> None:
    report = make_report(ground(story()), "T", (hostile_answer("a\u2028b\n", *HOSTILE),))
    lines = [json.loads(line) for line in "".join(json_lines.report_lines(report)).splitlines()]
    assert [line["type"] for line in lines[:2]] == ["report", "answer"]
    assert lines[0]["verdict"] == "self-attested"
    assert [line["what"] for line in lines[2:]] == ["a\u2028b\n", *HOSTILE]


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_shows_and_does_not_act(text: str) -> None:
    (row,) = [
        line
        for line in "".join(markdown.answer_lines(hostile_answer(text))).splitlines()
        if line.endswith("| 1 |")
    ]
    cell = row.removesuffix("| 1 |")[1:]
    assert re.search(r"(?<!\\)[<`|\[\]*_]", cell) is None
    assert "@" not in cell


class Page(HTMLParser):
    """What a browser would make of the page: elements, attributes, text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def page_of(*texts: str) -> str:
    author = Authored(moment(-60), HOSTILE[11], (HOSTILE[12],), by_bot=False)
    found = ground(story(subject=HOSTILE[12], resource=HOSTILE[11]), foundation=(author,))
    answers = tuple(ask(found) for ask in QUESTIONS.values())
    return "".join(html.page(make_report(found, "T", (*answers, hostile_answer(*texts)))))


def test_the_page_escapes_and_asks_for_nothing() -> None:
    text = page_of(*HOSTILE)
    page = Page(text)
    tags = [tag for tag, _attributes in page.found]
    assert "img" not in tags
    assert tags.count("script") == 1
    assert "onerror" not in {name for _tag, given in page.found for name in given}
    assert not any("src" in given or "style" in given for _tag, given in page.found)
    links = {given["href"] for _tag, given in page.found if given.get("href")}
    assert all(str(link).startswith(("#", "data:,")) for link in links)
    assert HOSTILE[11] in "".join(page.texts)  # shown, as text


def test_the_policy_names_the_one_style_and_the_one_script() -> None:
    text = page_of()
    policy = next(
        str(given["content"])
        for tag, given in Page(text).found
        if given.get("http-equiv") == "Content-Security-Policy"
    )
    for tag in ("style", "script"):
        (content,) = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy


def test_a_long_table_says_what_it_leaves_out() -> None:
    answer = hostile_answer(*(f"row {number}" for number in range(1500)))
    text = "".join(html.page(make_report(ground(), "T", (answer,))))
    assert "Show 800 more rows" in text
    assert "500 of 1,500 rows are not shown here" in text


def test_times_and_lengths_keep_what_they_sort_by() -> None:
    columns = (Column("at", "When", Shape.INSTANT), Column("s", "Took", Shape.SECONDS))
    answer = Answer("x", "X", "?", Standing.NOTED, "s", columns, ((NOW, 3661.0), (None, None)))
    text = "".join(html.page(make_report(ground(), "T", (answer,))))
    assert '<td>2026-11-23 12:00:00<td data-v="3661.0">1h 01m' in text
    assert "<td>\u2013<td>\u2013" in text


def test_bars_lie_in_the_picture_and_beside_each_other() -> None:
    stories = [
        story(
            f"g{number:02d}", begins=-9 * HOUR + number * 600, end=ended(-8 * HOUR + number * 600)
        )
        for number in range(20)
    ]
    picture = draw(ground(*stories, story("live", resource="other")))
    assert picture is not None
    bars = [bar for band in picture.bands for bar in band.bars]
    assert sorted(bar.number for bar in bars) == list(range(21))
    assert all(bar.x >= LEFT and bar.x + bar.width <= WIDTH for bar in bars)
    assert [bar.number for bar in bars if bar.live] == [0]
    for one in bars:
        for other in bars:
            if one is not other and one.y == other.y:
                assert one.x + one.width <= other.x or other.x + other.width <= one.x


def test_no_grants_no_picture() -> None:
    assert draw(ground()) is None
