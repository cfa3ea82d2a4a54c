"""Answers that a person types: who can be asked, and what an odd answer counts as."""

from __future__ import annotations

import sys

from daypass.cli import output


def can_ask() -> bool:
    """Return whether a person can read a question on standard error, and answer it."""
    streams = (sys.stdin, sys.stderr)
    return all(stream is not None and stream.isatty() for stream in streams)


def can_read() -> bool:
    """Return whether standard input is a terminal."""
    return sys.stdin is not None and sys.stdin.isatty()


def read_line() -> str:
    """Read one line with its line feed; without one where the input ends, or cannot be read.

    A line whose bytes are none of the terminal's encoding is empty, and so no answer.
    """
    if sys.stdin is None:
        return ""
    try:
        return sys.stdin.readline()
    except UnicodeDecodeError:
        return "\n"
    except (OSError, ValueError):
        return ""


def ask(question: str) -> str:
    """Show the question on standard error, and read one line."""
    output.ask(question)
    return read_line()
