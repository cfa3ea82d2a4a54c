"""How long a person waits for daypass's answer: a flag of every verb that has it do something."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import argparse

_WAIT_SECONDS: Final = 90  # a hosted runner takes some twenty to start


def add_wait(parser: argparse.ArgumentParser) -> None:
    """Declare `--wait`."""
    parser.add_argument(
        "--wait",
        metavar="SECONDS",
        type=_seconds,
        default=_WAIT_SECONDS,
        help=f"how long to wait for daypass's answer; 0 to not wait (default: {_WAIT_SECONDS})",
    )


def _seconds(text: str) -> int:
    value = int(text)
    if value < 0:
        raise ValueError(text)
    return value
