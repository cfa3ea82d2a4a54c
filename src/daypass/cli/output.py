"""How commands speak: errors with a remedy, colour where a person looks on, JSON when asked."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import sys
from typing import TYPE_CHECKING, Any, Final, TextIO

from daypass.errors import DaypassError, PermanentError
from daypass.model.visible import as_escape, shown

if TYPE_CHECKING:
    import argparse

WIDTH: Final = 80  # columns of a terminal
FORMATS: Final = ("text", "json", "github")
_NO: Final = frozenset({"", "0", "false", "no", "off"})  # values of CI outside of a job
_STYLES: Final = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


def add_format(parser: argparse.ArgumentParser) -> None:
    """Add `--format text|json|github`."""
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="github" if os.environ.get("GITHUB_ACTIONS") == "true" else "text",
        help="text for people, json for programs, github for annotations and a step summary "
        "(default: text; github inside GitHub Actions)",
    )


def settle_descriptors() -> None:
    """Fill the places of standard streams that are closed: no file that is opened gets one.

    `sys.stdin`, `sys.stdout` and `sys.stderr` stay None, and a program that is started gets none.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest that is free: this one


def settle_encoding() -> None:
    """Write UTF-8 into files and pipes, whatever the locale, so that they are the same everywhere.

    A terminal keeps its encoding; what that lacks is shown as an escape.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            encoding = stream.encoding if stream.isatty() else "utf-8"
            stream.reconfigure(encoding=encoding, errors="backslashreplace")


def styled(text: str, *styles: str, stream: TextIO | None = None) -> str:
    """The text with terminal styles, if the stream is a terminal and NO_COLOR is not set."""
    target = stream or sys.stdout
    plain = os.environ.get("NO_COLOR") or in_job() or target is None or not target.isatty()
    if plain or not styles:
        return text
    return f"\x1b[{';'.join(_STYLES[style] for style in styles)}m{text}\x1b[0m"


def in_job() -> bool:
    """Whether this runs in a job of a CI system, whose terminal has no reader."""
    job = os.environ.get("CI", "").strip().lower() not in _NO
    return job or os.environ.get("GITHUB_ACTIONS") == "true"


def say(text: str = "") -> None:
    """One line to standard output. Raises OSError where that is closed."""
    if sys.stdout is None:
        raise OSError(errno.EBADF, "standard output is closed")
    sys.stdout.write(text + "\n")


def say_wrapped(text: str, indent: str = "") -> None:
    """A paragraph to standard output, at most 80 columns wide; what has no space stays whole.

    Args:
        text: the words; a run of spaces or line feeds counts as one space.
        indent: before each line but the first.
    """
    say("\n".join(wrapped(text, indent=indent)))


def wrapped(text: str, width: int = WIDTH, indent: str = "") -> list[str]:
    """The lines of a paragraph, as `say_wrapped` says it, `width` columns wide."""
    import textwrap  # this module is part of every start, and few commands wrap

    return textwrap.wrap(
        text,
        width,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def tell(text: str) -> None:
    """One line to standard output, of what is done already: where it cannot go, it is lost.

    An exit code says what was done, and must not become another because a reader went away.
    """
    _write(sys.stdout, text + "\n")


def note(text: str) -> None:
    """One line to standard error: progress and hints, never results.

    Where that is closed, full or a broken pipe the line is lost, and the command goes on.
    """
    _write(sys.stderr, text + "\n")


def _write(stream: TextIO | None, text: str) -> None:
    if stream is None:
        return
    try:
        stream.write(text)
        stream.flush()
    except (OSError, ValueError):
        give_up(stream)


def give_up(stream: TextIO | None) -> None:
    """Let what is still buffered go nowhere, or the interpreter complains of it as it ends."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        number = stream.fileno() if stream is not None else None
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            if number is not None:
                os.dup2(nowhere, number)
        finally:
            if nowhere != number:
                os.close(nowhere)


def say_json(value: Any) -> None:
    """A value as indented JSON to standard output."""
    say(_json(value))


def tell_json(value: Any) -> None:
    """A value as `say_json` writes it, of what is done already, as `tell` writes it."""
    tell(_json(value))


def _json(value: Any) -> str:
    text = json.dumps(value, indent=2, ensure_ascii=False)
    # A file's name can hold bytes that are no UTF-8; what stands for one becomes JSON's escape.
    return text.encode("utf-8", "backslashreplace").decode()


def show_error(error: DaypassError) -> None:
    """What is wrong and what to do about it, to standard error; an annotation in Actions too."""
    if os.environ.get("GITHUB_ACTIONS") == "true":
        tell(f"::error::{escape_command(f'{error.message}. {error.remedy}')}")
    mark = styled("error:", "bold", "red", stream=sys.stderr)
    note(f"{mark} {printable(error.message)}\n  {printable(error.remedy)}")


def escape_command(text: str) -> str:
    """Text for the data part of a workflow command: no line of it can begin another command."""
    return printable(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def printable(text: str) -> str:
    """The text with control and bidirectional characters made visible; line feeds stay."""
    return shown(text, as_escape)


def on_one_line(text: str) -> str:
    """What was typed, to be named in a message: as `printable`, with line feeds visible too."""
    return printable(text).replace("\n", as_escape("\n"))


def from_os_error(error: OSError) -> DaypassError:
    """An operating system's error as one sentence and a remedy."""
    where = f"{error.filename}: " if error.filename else ""
    return PermanentError(
        f"{where}{error.strerror or type(error).__name__}",
        remedy="Free space, or check that the path exists and may be read and written; then run "
        "the command again.",
    )


def from_bug(error: BaseException) -> DaypassError:
    """An error that daypass did not expect: where it arose, without its text."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    place = f" at {frame.tb_frame.f_globals.get('__name__')}:{frame.tb_lineno}" if frame else ""
    return PermanentError(
        f"daypass met something it did not expect: {type(error).__name__}{place}",
        remedy="This is a bug in daypass. Nothing more was changed. Please report it; with "
        "DAYPASS_TRACEBACK=1 the command shows a traceback (it may hold secrets).",
    )
