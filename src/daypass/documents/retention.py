"""The rules of retention: what a pull request may not do to evidence that is still to be kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daypass.documents.finding import Finding
from daypass.model.names import ALLOWED_SIGNERS_PATH, SETTINGS_PATH

if TYPE_CHECKING:
    from daypass.model.instant import Duration


def check_promise(before: Duration, after: Duration, youngest: str | None) -> Finding | None:
    """A retention is lengthened at any time, and shortened only when nothing rests on it.

    Args:
        before: how long the base keeps evidence.
        after: how long this change would.
        youngest: the newest event that is younger than `before`, by its commit; None for none.
    """
    if not after < before or youngest is None:
        return None
    return Finding.of_file(
        SETTINGS_PATH,
        "change-retention",
        f"the retention goes from {before} to {after}, and there is evidence that was promised "
        f"{before} (the newest in commit {youngest[:12]})",
        f"Leave it at {before}, or lengthen it. It can be shortened when the newest event is older "
        "than that.",
    )


def check_signers(lost: int, newest: str | None, retention: Duration) -> Finding | None:
    """A key stays in the list, with the time it was valid for, as long as its evidence is kept."""
    if newest is None:
        return None
    what = "1 event" if lost == 1 else f"{lost:,} events"
    return Finding.of_file(
        ALLOWED_SIGNERS_PATH,
        "change-signers",
        f"{what} younger than {retention} would not verify any more (the newest in commit "
        f"{newest[:12]})",
        "Put the line of that key back. To retire a key, leave its line and give it "
        'valid-before="YYYYMMDDHHMMSSZ", no earlier than its last event.',
    )


def unreadable_signers(line: int, why: str, remedy: str) -> Finding:
    """What cannot be read in the list of allowed signers: a line from 1, or 0 for all of it."""
    column = 1 if line else 0
    return Finding(ALLOWED_SIGNERS_PATH, line, column, "signers-unreadable", why, remedy)
