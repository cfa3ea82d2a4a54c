"""This command: what it was told of main already, so that it asks a server once.

Small, for the command line's door empties it before each command, and imports nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

    from daypass.cli.pins import Governed

_TOLD: Final[dict[Path, Governed]] = {}
_FRESH: Final[set[Path]] = set()  # fetched to learn the settings, and not asked for by a verb yet


def begin() -> None:
    """Forget what another command of this process was told."""
    _TOLD.clear()
    _FRESH.clear()


def remember(directory: Path, told: Governed) -> None:
    """Keep what was fetched of a clone's main a moment ago."""
    _TOLD[directory] = told
    _FRESH.add(directory)


def remembered(directory: Path) -> Governed | None:
    """Return what this command was told of that clone's main; None before it asked."""
    return _TOLD.get(directory)


def is_first_use(directory: Path) -> bool:
    """Tell whether nothing was pinned of the repository before this command."""
    told = remembered(directory)
    return told is None or told.is_first


def take_fetch(directory: Path) -> bool:
    """Tell, once, whether main was fetched a moment ago to learn the settings."""
    if directory in _FRESH:
        _FRESH.remove(directory)
        return True
    return False
