"""Retention: the evidence that is still to be kept, and what a change would make of it.

Nothing is ever taken out of main's history (`verify` names what is), so a change can drop evidence
in two ways only: by taking back the promise, and by taking away the key that it verifies with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from daypass.ledger import sshsig
from daypass.ledger.commitobject import parse_commit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from daypass.ledger.allowed_signers import Signers
    from daypass.ledger.commitobject import RawCommit

_MARKED = b"\nDaypass-Event: "


@dataclass(frozen=True, slots=True)
class Kept:
    """One event that is younger than the retention: the key that signed it, and when."""

    commit: str
    key: bytes  # raw, 32 bytes
    at: int  # the committer's time, seconds since the epoch


def kept_evidence(walk: Iterable[RawCommit], signers: Signers, since: int) -> Iterator[Kept]:
    """Events that are not older than `since` (seconds since the epoch), newest first.

    `walk` goes from main's head back, and is read no further than to the first event that is older:
    the bot's own commits follow each other in time, whatever people's say.
    """
    for commit in walk:
        if _MARKED not in commit.raw:
            continue
        parsed = parse_commit(commit.raw)
        if parsed.signature is None or parsed.committed_at is None:
            continue
        try:
            key = sshsig.verified_key(parsed.signature, parsed.signed_payload)
        except ValueError:
            continue
        if not signers.allows(key, parsed.committed_at):
            continue
        if parsed.committed_at < since:
            return
        yield Kept(commit.sha, key, parsed.committed_at)


def orphaned(kept: Iterable[Kept], signers: Signers) -> list[Kept]:
    """Those that would not verify any more by these signers."""
    return [event for event in kept if not signers.allows(event.key, event.at)]
