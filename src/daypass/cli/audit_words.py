"""Words that several verbs of `audit` share: keys and heads from outside, times, files to write."""

from __future__ import annotations

import re
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from daypass.cli import output
from daypass.cli.at_root import refuse_elsewhere
from daypass.errors import EvidenceError, UsageError
from daypass.model.instant import Instant
from daypass.model.names import ALLOWED_SIGNERS_PATH

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from daypass.adapters.git import GitRepository
    from daypass.adapters.workmate import Workmate
    from daypass.ledger.verify import Report

_FINGERPRINT: Final = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")
_MANY: Final = 1000  # commits: to read fewer takes no longer than to start a process
_NOTICES: Final = 3  # that are shown: anybody who may push tags can make many
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


def open_clone(directory: Path) -> GitRepository:
    """The clone there, to be read and nothing else. Raises GitError when it is none."""
    from daypass.cli.clones import any_clone

    return any_clone(directory)


def judged(
    repository: GitRepository,
    head: str,
    words: argparse.Namespace,
    named_tags: Iterable[tuple[str, bytes]] = (),
) -> Report:
    """What `daypass audit verify` says of that head. Tags that are no anchors are noted.

    `named_tags` are anchors that somebody named, besides the tags of the clone.
    """
    from daypass.adapters.verified import Verified
    from daypass.ledger.anchor import PREFIX
    from daypass.ledger.verify import verify
    from daypass.lifecycle.replaying import Replayer

    with ExitStack() as mates:
        report = verify(
            repository,
            head,
            fingerprints=words.fingerprint,
            anchor=words.anchor,
            replay=Replayer(repository),
            memory=None if words.no_cache else Verified(words.fingerprint, words.anchor),
            tags=repository.tags(PREFIX),
            named_tags=named_tags,
            hire=lambda count: _hired(repository, count, mates),
        )
    _demand_some(repository, report)
    for notice in report.notices[:_NOTICES]:
        output.note(f"note: {output.printable(notice)}")
    if len(report.notices) > _NOTICES:
        output.note(f"note: and {len(report.notices) - _NOTICES} more tags that are no anchors")
    return report


def _demand_some(repository: GitRepository, report: Report) -> None:
    """Raise where nothing was judged: an empty history, or one that is not a governed main's."""
    from daypass.ledger.counting_signers import counting_signers

    if report.events or report.faults:
        return
    if counting_signers(repository, report.head) is None:
        refuse_elsewhere(repository, report.head)
        raise EvidenceError(
            f"nothing was verified: there is no event up to {report.head}, and no "
            f"{ALLOWED_SIGNERS_PATH}, so no commit counts as evidence",
            remedy="Run it in a clone of the governed repository, or name its main with "
            "--revision. In a new set-up that file comes with the evidence key: `daypass vault "
            "apply --write-signers`.",
        )
    output.note(
        f"note: no event of daypass is in this history up to {report.head[:12]}: if access was "
        "given already, this is not its main"
    )


def _hired(repository: GitRepository, count: int, mates: ExitStack) -> Workmate | None:
    """A workmate for so many commits. One that asks a remote for each few records is no help."""
    from daypass.adapters.workmate import Workmate
    from daypass.ledger.settling import Settler
    from daypass.lifecycle.replaying import Replayer

    if count < _MANY or repository.is_partial:
        return None
    directory = repository.directory

    def make() -> Callable[[bytes], bytes]:
        own = open_clone(directory)
        return Settler(own, Replayer(own)).answer

    mate = Workmate.fork(make)
    return mates.enter_context(mate) if mate is not None else None
