"""Printing: one place prints, and nothing that others wrote begins a line or a command there."""

from __future__ import annotations

import ast
import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from daypass.cli import output, step_summary
from daypass.errors import PermanentError
from daypass.lifecycle import messages
from daypass.lifecycle.outcome import Outcome
from daypass.model.visible import HIDDEN
from support.doc_pages import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

HOSTILE = (
    "x\n::error title=forged::FORGED\n::stop-commands::zz\n##[add-mask]x\n@acme/dba <b>|`*",
    "::error::at the beginning",
    "  \t ::error::after white space",
    "\u3000\u00a0::error::after white space of others",
    "\r\n##[group]x\r",
    "\x1b[2J\x1b]0;owned\x07\x1b[31m",
    "evil\u202ebranch`$(id)`;--error \u2028::error::x \x85::error::y",
    "\udcff\udcfe bytes that are no text",
)
# The printing place, the handover of `claim`, which is the secret's own, and the demo's stage.
PRINTERS = {
    "src/daypass/cli/output.py",
    "src/daypass/adapters/handover.py",
    "src/daypass/sandbox/stage.py",
}
COMMANDS = ("::error", "::warning", "::notice", "::add-mask", "##[e", "##[w", "##[g")
hostile_texts = st.one_of(st.sampled_from(HOSTILE), st.text("x:#[ \n\r\t\x1b\u202e\u2028|@`"))


def printed(show: Callable[[], Any]) -> str:
    """What a call writes to both streams."""
    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(out):
        show()
    return out.getvalue()


def assert_harmless(text: str, most: int = 1) -> None:
    """No line begins a workflow command, and nothing steers a terminal; at most so many lines."""
    lines = text.removesuffix("\n").split("\n")
    assert len(lines) <= most, text
    for line in lines:
        assert not line.lstrip().startswith("::"), line
        assert "##[" not in line, line
        assert HIDDEN.search(line) is None, ascii(line)


@given(hostile_texts)
def test_no_text_begins_a_line_or_a_command(text: str) -> None:
    for speak in (output.say, output.tell, output.note, output.ask):
        assert_harmless(printed(lambda speak=speak: speak(text)))  # type: ignore[misc]  # a lambda's default
        assert_harmless(printed(lambda speak=speak: speak(f"{text}: {text}")))  # type: ignore[misc]  # likewise
    assert_harmless(printed(lambda: output.say(output.styled(text, "bold", "red"))))
    assert_harmless(printed(lambda: output.say_wrapped(text, "  ")), most=1 + len(text))
    for speak in (output.say_text, output.tell_text):
        assert_harmless(printed(lambda speak=speak: speak(text)), most=1 + text.count("\n"))  # type: ignore[misc]  # likewise
    error = PermanentError(text, remedy=text)
    assert_harmless(printed(lambda: output.show_error(error)), most=2)


@given(hostile_texts)
def test_an_annotation_is_one_command_however_hostile_its_words(text: str) -> None:
    said = printed(lambda: output.annotate("error", text, title=f"t{text}", file=text))
    head, sep, _ = said.removesuffix("\n").removeprefix("::error ").partition("::")
    assert said.count("\n") == 1
    assert said.startswith("::error file=")
    assert sep == "::"
    assert head.count(",") == 1
    assert HIDDEN.search(said.removesuffix("\n")) is None
    assert "##[" not in said


def test_in_a_job_an_error_is_annotated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    for text in HOSTILE:
        error = PermanentError(text, remedy=text)
        said = printed(lambda error=error: output.show_error(error))  # type: ignore[misc]  # likewise
        commands = [line for line in said.splitlines() if line.startswith("::")]
        assert len(commands) == 1
        assert_harmless(said.partition("\n")[2], most=2)


@given(hostile_texts)
def test_json_comes_back_and_begins_no_command(text: str) -> None:
    value = {"a": [text, {"b": text}], text: 1}
    for speak in (output.say_json, output.tell_json):
        said = printed(lambda speak=speak: speak(value))  # type: ignore[misc]  # likewise
        assert_harmless(said, most=10)
        assert json.loads(said) == value


@given(hostile_texts)
def test_markdown_shows_text_as_text_on_one_line(text: str) -> None:
    shown = messages.escape(text)
    assert HIDDEN.search(shown) is None
    assert "@" not in shown
    shown = shown.replace("&#64;", "")
    for mark in "#>|<`[":
        assert mark not in shown.replace(f"\\{mark}", ""), shown


def test_a_summary_of_hostile_words_has_one_row_for_each() -> None:
    outcome = Outcome()
    for number, text in enumerate(HOSTILE):
        outcome.alarm(f"odd.{number}", text)
        outcome.fail(text, PermanentError(text, remedy=text))
        outcome.add("denied", text, text)
    rows = step_summary.of_apply(outcome).split("| what | grant, or why |\n|---|---|\n")[1]
    assert rows.count("\n") == 3 * len(HOSTILE)
    assert "@" not in rows
    assert "<b>" not in rows
    for row in rows.splitlines():
        assert row.replace("\\|", "").count("|") == 3
        assert_harmless(row)


def test_a_style_is_what_this_process_has_made(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for name in ("NO_COLOR", "CI", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)
    out = Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    output.say(output.styled("a\x1b[5m", "bold", "red"))
    assert out.getvalue() == "\x1b[1;31ma\\u001b[5m\x1b[0m\n"


def test_nothing_else_of_daypass_prints_or_writes_a_workflow_command() -> None:
    """What begins with `::` and a level is a command: `annotate` makes them all."""
    found = set()
    for path in (ROOT / "src/daypass").rglob("*.py"):
        name, text = str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
        if not any(word in text for word in ("print(", "sys.std", "sys.__std", "::", "##[")):
            continue
        for node in ast.walk(ast.parse(text)):
            if _is_command(node) or (name not in PRINTERS and _prints(node)):
                found.add(f"{name}:{getattr(node, 'lineno', 0)}")
    assert found == set()


def _is_command(node: ast.AST) -> bool:
    value = node.value if isinstance(node, ast.Constant) else None
    return isinstance(value, str) and value.startswith(COMMANDS)


def _prints(node: ast.AST) -> bool:
    """Whether it calls `print`, or `write` and the like of a standard stream."""
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Name):
        return node.func.id == "print"
    return (
        isinstance(node.func, ast.Attribute)
        and node.func.attr in ("write", "writelines", "buffer")
        and isinstance(node.func.value, ast.Attribute)
        and node.func.value.attr in ("stdout", "stderr", "__stdout__", "__stderr__")
    )
