"""Numbers that people type: positive ones, and those of pull requests."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from daypass.errors import UsageError

if TYPE_CHECKING:
    from daypass.errors import DaypassError
    from daypass.model.settings import GitHubSettings


def positive(text: str) -> int:
    """Read a number from 1 on, for `type=`; `#12` is 12. Raises ArgumentTypeError."""
    digits = text.removeprefix("#")
    if not (digits.isascii() and digits.isdigit() and int(digits) > 0):
        raise argparse.ArgumentTypeError(f"{text!a} is no number from 1 on")
    return int(digits)


def at_least_zero(text: str) -> int:
    """Read a number from 0 on, for `type=`. Raises ArgumentTypeError."""
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!a} is no number from 0 on")
    return int(text)


def no_pull_request(settings: GitHubSettings, number: int) -> DaypassError | None:
    """Make the error of a number that is no pull request's; None if GitHub shows one.

    It asks GitHub, after a refusal, as the person.
    Raises ForgeUnavailableError, ForgeRefusedError.
    """
    from daypass.adapters.github.numbering import Numbered, look_up_number
    from daypass.adapters.github.person import person_token

    found = look_up_number(settings, person_token(settings.server_url), number)
    where = f"{settings.server_url}/{settings.full_name}"
    if found is Numbered.PULL_REQUEST:
        return None
    if found is Numbered.ISSUE:
        return UsageError(
            f"#{number} of {settings.full_name} is an issue, and no pull request",
            remedy=f"Name a pull request: `gh pr list -R {settings.full_name}`, or {where}/pulls.",
        )
    return UsageError(
        f"there is no pull request #{number} in {settings.full_name}",
        remedy=f"Look up its number: `gh pr list -R {settings.full_name}`, or {where}/pulls. If it "
        "is of another repository, run this in a clone of that one.",
    )
