"""The short form of `daypass request`: what was not said is asked for, on the terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from daypass.cli import answers, output
from daypass.documents.nearby import suggestion
from daypass.errors import UsageError
from daypass.model.instant import Duration

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from daypass.model.catalogue import Catalogue
    from daypass.model.resource import Resource

_TRIES: Final = 3


def ask(arguments: argparse.Namespace, catalogue: Catalogue) -> tuple[str, str, str, str]:
    """Resource, level, duration and reason, as they were said or are answered now.

    Raises:
        UsageError: an answer cannot be meant, three times; or the terminal is closed.
    """
    words = [*arguments.words, None, None]
    name = words[0] or _resource(catalogue)
    resource = catalogue.resources.get(name)
    access = words[1] or _level(resource)
    duration = arguments.duration or _duration(resource, access)
    reason = arguments.reason or _line("Why, for the people who approve?", "")
    return name, access, duration, reason


def _resource(catalogue: Catalogue) -> str:
    for resource in catalogue.resources.values():
        levels = ", ".join(resource.levels)
        output.note(
            f"  {output.styled(resource.name, 'bold', stream=sys.stderr)}  {resource.environment}, "
            f"{resource.sensitivity}: {levels}"
        )
    return _one_of("Which resource?", catalogue.resources)


def _level(resource: Resource | None) -> str:
    if resource is None:  # said before, and in vain: the check names what is near
        return "read"
    if len(resource.levels) == 1:
        return next(iter(resource.levels))
    return _one_of(f"Which level? ({', '.join(resource.levels)})", resource.levels)


def _duration(resource: Resource | None, access: str) -> str:
    level = resource.levels.get(access) if resource else None
    longest = min(resource.max_duration, level.longest) if resource and level else None
    bound = f"{longest} at the most" if longest else "such as 30m or 2h"
    for _ in range(_TRIES):
        text = _line(f"For how long? ({bound})", "")
        try:
            Duration.parse(text)
        except ValueError:
            output.note("  Write a number and m, h or d, such as 30m, 2h or 1d.")
        else:
            return text
    raise _lost()


def _one_of(question: str, names: Iterable[str]) -> str:
    known = list(names)
    for _ in range(_TRIES):
        text = _line(question, known[0] if len(known) == 1 else "")
        if text in known:
            return text
        output.note(f"  There is no {output.printable(text)}{suggestion(text, known)}.")
    raise _lost()


def _line(question: str, default: str) -> str:
    """One answer that is not empty. The question goes to standard error: results may be piped."""
    for _ in range(_TRIES):
        shown = f" [{default}]" if default else ""
        text = answers.ask(f"{output.styled(question, 'bold', stream=sys.stderr)}{shown} ")
        if not text:
            break
        if text.strip() or default:
            return text.strip() or default
    raise _lost()


def _lost() -> UsageError:
    return UsageError(
        "nothing was asked for: an answer is missing",
        remedy="Say it in flags: `daypass request RESOURCE ACCESS --duration 2h --reason '…'`.",
    )
