"""The question before an end: who is asked, what counts as yes, and who is never kept waiting."""

from __future__ import annotations

import argparse
import os
import pty
import sys
from contextlib import contextmanager
from pathlib import Path
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
def terminal(monkeypatch: pytest.MonkeyPatch, keys: bytes) -> Iterator[int]:
    """Standard input and error on a terminal at which somebody has typed that."""
    ours, theirs = pty.openpty()
    os.write(ours, keys)
    with (
        open(theirs, encoding="utf-8", closefd=False) as stdin,
        open(theirs, "w", encoding="utf-8", closefd=False) as stderr,
    ):
        monkeypatch.setattr(sys, "stdin", stdin)
        monkeypatch.setattr(sys, "stderr", stderr)
        yield ours
    os.close(theirs)
    os.close(ours)


@pytest.mark.parametrize("keys", [b"y\n", b"Y\n", b"yes\n", b" YES \n"])
def test_yes_goes_on(monkeypatch: pytest.MonkeyPatch, keys: bytes) -> None:
    with terminal(monkeypatch, keys) as shown:
        confirm(words(), "End it now?")
        seen = b""
        while b"End it now? [y/N] " not in seen:  # the keys are shown, too, before or after
            seen += os.read(shown, 1000)


@pytest.mark.parametrize("keys", [b"\n", b"n\n", b"no\n", b"yess\n", b"\x04", b"\xff\xfe\n"])
def test_anything_else_ends_nothing(monkeypatch: pytest.MonkeyPatch, keys: bytes) -> None:
    with (
        terminal(monkeypatch, keys),
        pytest.raises(PermanentError, match="nothing was ended") as caught,
    ):
        confirm(words(), "End it now?")
    assert caught.value.exit_code != 0


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
