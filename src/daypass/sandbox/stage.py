"""The stage of the demo: how each step is shown to the person who watches, and nothing else."""

from __future__ import annotations

import os
import sys
import textwrap
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_STYLES: Final = {"step": "1;36", "command": "1", "quiet": "2", "good": "32", "bad": "33"}
_INDENT: Final = "    "
_WIDTH: Final = 110


class Stage:
    """Shows the story on standard output. Colour only where a person looks on."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._steps = 0
        self._live = sys.stdout.isatty() and not os.environ.get("CI")
        self._colour = self._live and not os.environ.get("NO_COLOR")

    @property
    def seconds(self) -> float:
        """Seconds since the story began."""
        return time.monotonic() - self._began

    def step(self, title: str, explanation: str = "") -> None:
        """The heading of one step, and a sentence about it."""
        self._steps += 1
        self._say("")
        self._say(self._styled(f"{self._steps:>2}. {title}", "step"))
        if explanation:
            self._say(textwrap.indent(textwrap.fill(explanation, _WIDTH - 4), _INDENT))

    def command(self, words: str, *, who: str) -> None:
        """A command that somebody types."""
        self._say(self._styled(f"{_INDENT}{who} $ {words}", "command"))

    def show(self, text: str, *, style: str = "") -> None:
        """What it printed."""
        for line in text.rstrip("\n").splitlines():
            self._say(self._styled(f"{_INDENT}{line}", style) if style else f"{_INDENT}{line}")

    def good(self, text: str) -> None:
        """Something that went as it should."""
        self._say(self._styled(f"{_INDENT}✔ {text}", "good"))

    def wait(self, until: Callable[[], float]) -> None:
        """Wait until the seconds left, which are asked for again and again, are used up."""
        while (left := until()) > 0:
            if self._live:
                sys.stdout.write(f"\r{_INDENT}… {left:4.0f} s left ")
                sys.stdout.flush()
            time.sleep(min(left, 0.5))
        if self._live:
            sys.stdout.write("\r" + " " * 24 + "\r")

    def _say(self, line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    def _styled(self, text: str, style: str) -> str:
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self._colour else text
