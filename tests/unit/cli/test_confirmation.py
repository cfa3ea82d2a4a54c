"""The question before an end: who is asked, what counts as yes, and who is never kept waiting."""

from __future__ import annotations

import argparse
import os
import pty
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from daypass.cli.confirmation import confirm
from daypass.errors import PermanentError

if TYPE_CHECKING:
    from collections.abc import Iterator


def words(*, yes: bool = False) -> argparse.Namespace:
    return argparse.Namespace(yes=yes)


@pytest.fixture(autouse=True)
def _no_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)


@contextmanager
def terminal(
    monkeypatch: pytest.MonkeyPatch, keys: bytes, before: bytes = b""
) -> Iterator[bytearray]:
    """Standard input and error on a terminal, at which somebody types that when they are asked.

    `before` is typed before the question. Gives what the terminal shows.
    """
    ours, theirs = pty.openpty()
    os.write(ours, before)
    shown = bytearray()

    def type_at_the_question() -> None:
        asked = False
        with suppress(OSError):  # the terminal is closed
            while True:
                shown.extend(os.read(ours, 1000))
                if b"[y/N] " in shown and not asked:
                    asked = True
                    os.write(ours, keys)

    typist = Thread(target=type_at_the_question, daemon=True)
    typist.start()
    with (
        open(theirs, encoding="utf-8", closefd=False) as stdin,
        open(theirs, "w", encoding="utf-8", closefd=False) as stderr,
    ):
        monkeypatch.setattr(sys, "stdin", stdin)
        monkeypatch.setattr(sys, "stderr", stderr)
        yield shown
    os.close(theirs)
    typist.join()
    os.close(ours)


@pytest.mark.parametrize("keys", [b"y\n", b"Y\n", b"yes\n", b" YES \n"])
def test_yes_goes_on(monkeypatch: pytest.MonkeyPatch, keys: bytes) -> None:
    with terminal(monkeypatch, keys) as shown:
        confirm(words(), "End it now?")
    assert b"End it now? [y/N] " in shown


@pytest.mark.parametrize("keys", [b"\n", b"n\n", b"no\n", b"yess\n", b"\x04", b"\xff\xfe\n"])
def test_anything_else_ends_nothing(monkeypatch: pytest.MonkeyPatch, keys: bytes) -> None:
    with (
        terminal(monkeypatch, keys),
        pytest.raises(PermanentError, match="nothing was ended") as caught,
    ):
        confirm(words(), "End it now?")
    assert caught.value.exit_code != 0


@pytest.mark.parametrize("before", [b"y\n", b"y"])
def test_what_was_typed_before_the_question_is_no_answer(
    monkeypatch: pytest.MonkeyPatch, before: bytes
) -> None:
    with (
        terminal(monkeypatch, b"\n", before),
        pytest.raises(PermanentError, match="nothing was ended"),
    ):
        confirm(words(), "End it now?")


@pytest.mark.parametrize("value", ["", "0", "false", "False", "no"])
def test_a_person_who_has_said_that_this_is_no_job_is_asked(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("CI", value)
    with terminal(monkeypatch, b"n\n"), pytest.raises(PermanentError, match="nothing was ended"):
        confirm(words(), "End it now?")


def test_with_yes_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(monkeypatch, b"n\n"):
        confirm(words(yes=True), "End it now?")


@pytest.mark.parametrize("name", ["CI", "GITHUB_ACTIONS"])
def test_the_terminal_of_a_job_is_nobodys(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "true")
    with terminal(monkeypatch, b"n\n"):
        confirm(words(), "End it now?")


@pytest.mark.parametrize("missing", ["stdin", "stderr"])
def test_without_a_terminal_it_goes_on(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    """A pipe, a file, or a stream that is closed: an emergency stop waits for no answer."""
    nowhere = Path(os.devnull)
    with terminal(monkeypatch, b"n\n"), nowhere.open("r+", encoding="utf-8") as nothing:
        monkeypatch.setattr(sys, missing, nothing)
        confirm(words(), "End it now?")
    with terminal(monkeypatch, b"n\n"), monkeypatch.context() as closed:
        closed.setattr(sys, missing, None)
        confirm(words(), "End it now?")
