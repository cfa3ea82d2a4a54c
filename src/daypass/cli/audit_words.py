"""Words that several verbs of `audit` share: keys and heads from outside, times, files to write."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from daypass.cli import output
from daypass.errors import UsageError
from daypass.model.instant import Instant

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from daypass.adapters.git import GitRepository
    from daypass.ledger.verify import Report

_FINGERPRINT: Final = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")


def add_outside(parser: argparse.ArgumentParser) -> None:
    """Declare `--revision`, `--fingerprint` and `--anchor`."""
    parser.add_argument(
        "--revision", metavar="REV", default="HEAD", help="of this head (default: HEAD)"
    )
    parser.add_argument(
        "--fingerprint",
        metavar="SHA256:…",
        action="append",
        default=[],
        help="as for `daypass audit verify` (may be repeated)",
    )
    parser.add_argument(
        "--anchor", metavar="COMMIT", help="a head of main that was noted elsewhere, in full"
    )
    parser.add_argument(
        "--no-cache",
        action="store_true",
        help="verify all of it, whatever was verified before on this machine",
    )


def check_outside(words: argparse.Namespace) -> None:
    """Raise UsageError if a fingerprint or an anchor cannot be one."""
    for fingerprint in words.fingerprint:
        if _FINGERPRINT.fullmatch(fingerprint) is None:
            raise UsageError(
                f"{output.printable(fingerprint)} is no fingerprint",
                remedy="Give it as `ssh-keygen -l` prints it: SHA256: and 43 characters.",
            )
    if words.anchor is not None and _COMMIT.fullmatch(words.anchor) is None:
        raise UsageError(
            f"{output.printable(words.anchor)} is no full commit id",
            remedy="An anchor is a commit id of 40 hex digits: shorter ones can be forged.",
        )


def instant_of(flag: str, text: str | None) -> Instant | None:
    """The time that a flag names; None without one. Raises UsageError."""
    if text is None:
        return None
    try:
        return Instant.parse(text)
    except ValueError as error:
        raise UsageError(
            f"{flag} {output.printable(text)} is no time",
            remedy="Write it as 2026-11-23T09:00:00Z: RFC 3339, with an offset.",
        ) from error


def demand_free(remedy: str, *paths: Path) -> None:
    """Raise UsageError if there is something at one of them, a link to nothing included."""
    for path in paths:
        if path.exists() or path.is_symlink():  # a link to nothing would be written through
            raise UsageError(f"{output.printable(str(path))} is there already", remedy=remedy)


def judged(repository: GitRepository, head: str, words: argparse.Namespace) -> Report:
    """What `daypass audit verify` says of that head, for a verb that rests on it."""
    from daypass.adapters.verified import Verified
    from daypass.ledger.anchor import PREFIX
    from daypass.ledger.verify import verify
    from daypass.lifecycle.replaying import Replayer

    return verify(
        repository,
        head,
        fingerprints=words.fingerprint,
        anchor=words.anchor,
        replay=Replayer(repository),
        memory=None
        if words.no_cache
        else Verified(repository.root(head), words.fingerprint, words.anchor),
        tags=list(repository.tags(PREFIX)),
    )
