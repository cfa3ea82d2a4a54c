"""Belief: whether what a clone's main says may be acted on, before a secret is opened by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daypass.adapters.known_repositories import Pin
from daypass.cli import confirmation, output
from daypass.cli.pins import BY_KEY, differences, shown_lines
from daypass.cli.this_command import remembered
from daypass.errors import ChangedPinError, IndeterminateError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from daypass.model.settings import Settings


def demand_sure(directory: Path, fingerprints: Sequence[str]) -> None:
    """Let a secret be opened only where main is known, or a person vouches for it.

    It is known where its evidence key is pinned, or where the remote's address is its server's.

    Args:
        directory: the clone, whose main this command has fetched.
        fingerprints: of evidence keys, as a person names them: these vouch.

    Raises:
        IndeterminateError: nothing vouches for it, and there is no terminal, or the answer is no.
    """
    told = remembered(directory)
    if fingerprints or told is None or told.is_sure:
        return
    for line in shown_lines(told.settings):
        output.note(output.printable(line))
    if confirmation.is_watched() and confirmation.answers_yes(
        "Is that what your platform team published?"
    ):
        return
    raise IndeterminateError(
        f"nothing shows that this clone's main is {told.settings.github.full_name}: nothing is "
        "pinned of it, and the address of its remote does not say so. Nothing was opened",
        remedy="Clone it from its server and run the command there. Or name the evidence key that "
        "your security team published: `--fingerprint SHA256:…`.",
    )


def issued_elsewhere(directory: Path, issued: Settings) -> tuple[tuple[str, str, str], ...]:
    """List how the settings by which a grant was issued lead elsewhere than what is believed.

    That is what is pinned or, where nothing is, what main says now. Which key signed is no matter
    here: the evidence tells.
    """
    told = remembered(directory)
    if told is None:
        return ()
    for pin in told.standing.pins or (Pin.of(told.settings),):
        changed = tuple(row for row in differences(pin, issued) if row[0] not in BY_KEY)
        if changed:
            return changed
    return ()


def demand_issued_here(directory: Path, grant_id: str, issued: Settings) -> None:
    """Refuse a grant that was issued by settings that lead elsewhere. Raises ChangedPinError."""
    changed = issued_elsewhere(directory, issued)
    if not changed:
        return
    rows = (f"the {name} was {new!a}, and {old!a} is believed" for name, old, new in changed)
    raise ChangedPinError(
        f"grant {grant_id} was issued by other settings than your commands believe: "
        f"{'; '.join(rows)}. Nothing was opened",
        remedy="Ask your platform team whether that has moved. If it has, have it delivered "
        f"anew: `daypass redeliver {grant_id}`.",
    )
