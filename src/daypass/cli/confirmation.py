"""What a verb is about to end: shown, and at a terminal confirmed. A job never waits for that."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from daypass.cli import answers, output
from daypass.errors import PermanentError
from daypass.report.status import minute, time_left

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from daypass.model.grant import Grant
    from daypass.model.instant import Instant
    from daypass.model.request import AccessRequest

_YES = frozenset({"y", "yes"})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare `--yes` and `--dry-run`."""
    parser.add_argument(
        "--yes", "-y", action="store_true", help="do not ask; without a terminal nothing is asked"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="show what it would end, and end nothing"
    )


def confirm(arguments: argparse.Namespace, question: str) -> None:
    """Ask on the terminal; without one, or with `--yes`, go on: an emergency stop never waits.

    Raises:
        PermanentError: the answer is not yes, or the terminal was closed. Ctrl-C goes through.
    """
    if not asks(arguments):
        return
    if not answers_yes(question):
        raise PermanentError(
            "nothing was ended: the answer was not yes",
            remedy="Run it again and answer `y`, or add `--yes`.",
        )


def answers_yes(question: str) -> bool:
    """Ask on the terminal, and tell whether the answer is yes. Ctrl-C goes through."""
    _forget_what_is_typed()
    answer = answers.ask(f"{question} [y/N] ")
    if not answer.endswith("\n"):
        output.note("")
    return answer.strip().lower() in _YES


def asks(arguments: argparse.Namespace) -> bool:
    """Whether `confirm` asks: without `--yes`, where a person can read the question and answer."""
    return not arguments.yes and is_watched()


def _forget_what_is_typed() -> None:
    """Drop what was typed before the question: it answers another one."""
    with suppress(ImportError, OSError, ValueError):
        import termios

        with suppress(termios.error):
            termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)


def is_watched() -> bool:
    """Tell whether a person reads what is asked here, and can answer."""
    return not output.in_job() and answers.can_ask()


def ends_json(grants: Sequence[Grant]) -> list[dict[str, Any]]:
    """Grants that would be ended, for programs: as `daypass status` names them."""
    return [
        {
            "grant": grant.id,
            "subject": grant.subject,
            "resource": grant.resource,
            "access": grant.access,
            "notAfter": str(grant.not_after),
            "pullRequest": grant.pull_request,
        }
        for grant in grants
    ]


def ends_lines(grants: Sequence[Grant], now: Instant) -> Iterator[str]:
    """Two lines for each grant, at most 80 columns wide unless its names are long."""
    for grant in grants:
        lane = f" ({grant.lane_word})" if grant.lane_word else ""
        yield f"  {grant.id}{lane}"
        left = grant.not_after.since(now)
        until = f"until {minute(grant.not_after)}"
        rest = f"{time_left(left)} left" if left > 0 else "time is up, end not recorded yet"
        yield f"    {grant.subject}: {grant.access} on {grant.resource}, {until} ({rest})"


def refused_lines(requests: Sequence[AccessRequest]) -> Iterator[str]:
    """Two lines for each request that is merged and would not be issued any more."""
    for asked in requests:
        yield f"  {asked.id}"
        yield f"    {asked.subject}: {asked.access} on {asked.resource}, for {asked.duration}"
