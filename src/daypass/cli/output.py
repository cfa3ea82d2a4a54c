"""How commands speak: errors with a remedy, colour where a person looks on, JSON when asked.

Nothing else of a command prints. A line is one line, whatever others wrote into its words: names of
files and branches, messages of policies, texts of servers. Only `annotate` writes a workflow
command, and the runner of GitHub Actions finds none in any other line.
"""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import re
import sys
from typing import TYPE_CHECKING, Any, Final, TextIO

from daypass.errors import DaypassError, PermanentError
from daypass.model.visible import HIDDEN, as_escape, shown

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

WIDTH: Final = 80  # columns of a terminal
FORMATS: Final = ("text", "json", "github")
_NO: Final = frozenset({"", "0", "false", "no", "off"})  # values of CI outside of a job
# A style is marked by what nobody can guess, until the line is written: an escape that another
# wrote is none.
_OWN: Final = f"\x1b{os.urandom(8).hex()}"
_STYLE: Final = re.compile(re.escape(_OWN) + r"\[([0-9;]+)m")
_LATE: Final = "##\\u005b"  # `##[` begins a command anywhere in a line
_EARLY: Final = re.compile(r"^(\s*)::")
_UNSEEN: Final = re.compile(f"(?!\n){HIDDEN.pattern}")
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
    return f"{_OWN}[{';'.join(_STYLES[style] for style in styles)}m{text}{_OWN}[0m"


def in_job() -> bool:
    """Whether this runs in a job of a CI system, whose terminal has no reader."""
    job = os.environ.get("CI", "").strip().lower() not in _NO
    return job or os.environ.get("GITHUB_ACTIONS") == "true"


def safe_line(text: str) -> str:
    """The text as one line of a log: it begins no other line, no workflow command, no escape.

    What `styled` made stays; every other character that steers a terminal, and a line feed, is
    shown as its escape.
    """
    pieces = _STYLE.split(text)
    pieces[::2] = [HIDDEN.sub(_as_escape, piece).replace("##[", _LATE) for piece in pieces[::2]]
    pieces[1::2] = [f"\x1b[{codes}m" for codes in pieces[1::2]]
    return _EARLY.sub(r"\1\\u003a:", "".join(pieces))


def _as_escape(found: re.Match[str]) -> str:
    return as_escape(found[0])


def say(text: str = "") -> None:
    """One line to standard output, by `safe_line`. Raises OSError where that is closed."""
    _say(safe_line(text))


def say_text(text: str) -> None:
    """Words of ours on several lines to standard output; what others wrote goes through `say`."""
    for line in text.split("\n"):
        say(line)


def say_pieces(pieces: Iterable[str]) -> None:
    """A format of its own (CSV, HTML, JSON lines) to standard output, as its writer made it.

    The formats escape what people wrote. Bytes that are no text are shown as escapes.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace", newline="")
    if sys.stdout is None:
        raise OSError(errno.EBADF, "standard output is closed")
    sys.stdout.writelines(pieces)


def _say(line: str) -> None:
    if sys.stdout is None:
        raise OSError(errno.EBADF, "standard output is closed")
    sys.stdout.write(line + "\n")


def annotate(level: str, text: str, *, title: str = "", **places: str) -> None:
    """A workflow command that annotates the run at GitHub: the only one that is written.

    Args:
        level: error | warning | notice.
        text: what is said; its line feeds are kept.
        title: of the annotation.
        places: `file`, `line` and `col`, where it is about a file.
    """
    tell_raw = {**places, **({"title": title} if title else {})}
    told = ",".join(f"{name}={_escape_property(value)}" for name, value in tell_raw.items())
    _say(f"::{level}{' ' if told else ''}{told}::{_escape_data(text)}")


def say_wrapped(text: str, indent: str = "") -> None:
    """A paragraph to standard output, at most 80 columns wide; what has no space stays whole.

    Args:
        text: the words; a run of spaces or line feeds counts as one space.
        indent: before each line but the first.
    """
    for line in wrapped(text, indent=indent):
        say(line)


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
    _write(sys.stdout, safe_line(text) + "\n")


def tell_text(text: str) -> None:
    """Words on several lines, of what is done already, each by `tell`."""
    for line in text.split("\n"):
        tell(line)


def note(text: str) -> None:
    """One line to standard error: progress and hints, never results.

    Where that is closed, full or a broken pipe the line is lost, and the command goes on.
    """
    _write(sys.stderr, safe_line(text) + "\n")


def note_wrapped(text: str, indent: str = "  ") -> None:
    """A paragraph as `note` writes it, at a terminal at most 80 columns wide."""
    for line in _for_reader(text, indent):
        note(line)


def _for_reader(text: str, indent: str) -> list[str]:
    """The lines of a paragraph on standard error: one, unless that is a terminal."""
    is_terminal = sys.stderr is not None and sys.stderr.isatty()
    return wrapped(text, indent=indent) if is_terminal else [text]


def ask(question: str) -> None:
    """A question to standard error, as results may be piped; the answer goes on the same line."""
    flush()
    _write(sys.stderr, safe_line(question))


def flush() -> None:
    """Write out what standard output still buffers; where it cannot go, it is lost."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stdout.flush()


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
    for line in _json(value).split("\n"):
        _say(line)


def tell_json(value: Any) -> None:
    """A value as `say_json` writes it, of what is done already, as `tell` writes it."""
    _write(sys.stdout, _json(value) + "\n")


def _json(value: Any) -> str:
    text = json.dumps(value, indent=2, ensure_ascii=False)
    # Of what is not seen only line feeds and spaces are the layout's; the rest stands in a string.
    text = _UNSEEN.sub(lambda found: json.dumps(found[0])[1:-1], text)
    return text.replace("##[", _LATE)


def show_error(error: DaypassError) -> None:
    """What is wrong and what to do about it, to standard error; an annotation in Actions too."""
    if os.environ.get("GITHUB_ACTIONS") == "true":
        with contextlib.suppress(OSError, ValueError):
            annotate("error", "\n".join((f"{error.message}. {error.remedy}", *error.lines)))
            sys.stdout.flush()
    mark = styled("error:", "bold", "red", stream=sys.stderr)
    for number, line in enumerate(_for_reader(f"error: {error.message}", "  ")):
        note(line if number else line.replace("error:", mark, 1))
    for text in (error.remedy, *error.lines):
        for line in _for_reader(f"  {text}", "  "):
            note(line)


def _escape_data(text: str) -> str:
    """Text for the data part of a workflow command: no line of it can begin another command."""
    data = printable(text).replace("##[", _LATE)
    return data.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape_data(text).replace(":", "%3A").replace(",", "%2C")


def printable(text: str) -> str:
    """The text with control and bidirectional characters made visible; line feeds stay."""
    return shown(text, as_escape)


def on_one_line(text: str) -> str:
    """What was typed, to be named in a message: as `printable`, with line feeds visible too."""
    return printable(text).replace("\n", as_escape("\n"))


def from_os_error(error: OSError) -> DaypassError:
    """An operating system's error as one sentence and a remedy."""
    where = f"{error.filename}: " if error.filename else ""
    if error.errno == errno.EFBIG:
        return PermanentError(
            f"{where}a file would be larger than this process may make one",
            remedy="Raise the limit (`ulimit -f unlimited`; `ulimit -f` shows it), or name a file "
            "on another file system; then run the command again.",
        )
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
