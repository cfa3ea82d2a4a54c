"""History: events read from main, newest first, and no further back than needed.

Only a commit that carries a valid signature of an allowed signer is an event; whatever else says
`Daypass-…:` is text that somebody wrote. What a walk costs grows with what is live, never with
what ever was: it stops at the event that it looks for.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Final

from daypass.errors import EvidenceError
from daypass.ledger import sshsig
from daypass.ledger.commitobject import parse_commit
from daypass.ledger.trailers import parse_message
from daypass.model.event import EventKind, Reason, RecordedEvent
from daypass.model.names import is_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from daypass.ledger.allowed_signers import Signers
    from daypass.ledger.commitobject import ParsedCommit, RawCommit

_SIGNED: Final = b"\ngpgsig " + sshsig.BEGIN
_COMMITTED_AT: Final = re.compile(rb"\ncommitter [^\n]*> ([0-9]{1,15}) [+-][0-9]{4}\n")
_MARKED: Final = b"\nDaypass-Event: "
_NAMED: Final = re.compile(rb"\nDaypass-Grant: ([^\n]+)")
_NEWEST: Final = 2_000  # events: more than the run before can have written
# With these a grant's life begins: nothing older concerns it.
_BEGINNINGS: Final = frozenset({EventKind.ISSUED, EventKind.DENIED})


def read_event(commit: RawCommit, signers: Signers) -> RecordedEvent | None:
    """The event that this commit records; None if it is none.

    Raises:
        EvidenceError: an allowed signer signed trailers that cannot be read.
    """
    if _SIGNED not in commit.raw or _MARKED not in commit.raw:
        return None
    parsed = parse_commit(commit.raw)
    if not is_signed(parsed, signers, commit.sha):
        return None
    return event_of(commit.sha, parsed)


def is_signed(parsed: ParsedCommit, signers: Signers, sha: str) -> bool:
    """Whether that commit carries a valid signature of a signer that counts for it."""
    when = parsed.committed_at
    if parsed.signature is None or when is None:
        return False
    try:
        key = sshsig.verified_key(parsed.signature, parsed.signed_payload)
    except ValueError:
        return False
    return signers.counts(key, when, sha)


def event_of(sha: str, parsed: ParsedCommit) -> RecordedEvent | None:
    """The event of a commit whose signature was found good; None if it records none.

    Raises:
        EvidenceError: its trailers cannot be read.
    """
    try:
        chained = parse_message(parsed.message)
    except ValueError as error:
        raise _unreadable(sha, error) from error
    if chained is None:
        return None
    return RecordedEvent(
        event=chained.event,
        sequence=chained.sequence,
        previous=chained.previous,
        commit=sha,
        recorded_at=parsed.committed_at or 0,
    )


def read_events(walk: Iterable[RawCommit], signers: Signers) -> Iterator[RecordedEvent]:
    """All events of a walk, in its order, read as they are asked for."""
    for commit in walk:
        event = read_event(commit, signers)
        if event is not None:
            yield event


def read_chained(walk: Iterable[RawCommit], signers: Signers) -> Iterator[RecordedEvent]:
    """All events of a walk, newest first, by the bot's own word about its events.

    Each event names the commit of the one before it. So one signature that counts vouches, by the
    ids of commits, for all that it leads to: their signatures are not judged one by one. Where the
    chain is broken they are; what is wrong with it, `verify` says.

    Raises:
        EvidenceError: an allowed signer signed trailers that cannot be read.
    """
    named: str | None = None
    for commit in walk:
        recorded = _vouched(commit) if commit.sha == named else read_event(commit, signers)
        if recorded is not None:
            named = recorded.previous
            yield recorded


def _vouched(commit: RawCommit) -> RecordedEvent | None:
    when = _COMMITTED_AT.search(commit.raw)
    message = commit.raw[commit.raw.find(b"\n\n") + 2 :]
    try:
        chained = parse_message(message)
    except ValueError as error:
        raise _unreadable(commit.sha, error) from error
    if chained is None:
        return None
    return RecordedEvent(
        chained.event,
        chained.sequence,
        chained.previous,
        commit.sha,
        int(when[1]) if when is not None else 0,
    )


def read_tip(walk: Iterable[RawCommit], signers: Signers) -> RecordedEvent | None:
    """The last event of main, given a walk from its head; None if there was never one."""
    return next(read_events(walk, signers), None)


def find_events(
    walk: Iterable[RawCommit], signers: Signers, grant_ids: Iterable[str]
) -> dict[str, list[RecordedEvent]]:
    """The events of each of these grants, newest first, given a walk from main's head.

    The walk ends as soon as the beginning of each is found (`issued`, or a refusal). An id of which
    there is no event has an empty list, and costs the whole history: ask for live grants.
    """
    found: dict[str, list[RecordedEvent]] = {grant: [] for grant in grant_ids}
    missing = set(found)
    if not missing:
        return found
    about = (commit for commit in walk if _names_one(commit.raw, missing))
    for event in read_events(about, signers):
        grant = event.event.grant
        if grant not in missing:
            continue
        found[grant].append(event)
        if begins_life(event):
            missing.discard(grant)
            if not missing:
                break
    return found


def _names_one(raw: bytes, grants: set[str]) -> bool:
    """Whether a commit says the name of one of these grants where an event says it.

    Looking costs a hundredth of checking a signature, and most events are of other grants.
    """
    return any(name.decode("ascii", "replace") in grants for name in _NAMED.findall(raw))


def named_grants(walk: Iterable[RawCommit]) -> frozenset[str]:
    """Every id that a commit names as an event does, signed or not: to guess what was meant."""
    names = (name for commit in walk for name in _NAMED.findall(commit.raw))
    return frozenset(name for word in names if is_name(name := word.decode("ascii", "replace")))


def newest_accessors(
    walk: Iterable[RawCommit], signers: Signers, kind: EventKind
) -> frozenset[str | None]:
    """The accessors' digests in the newest events of that kind: those of a few runs, not of all."""
    newest = islice(read_events(walk, signers), _NEWEST)
    return frozenset(
        item.event.first("Daypass-Accessor") for item in newest if item.event.kind is kind
    )


def begins_life(recorded: RecordedEvent) -> bool:
    """Whether nothing older can concern that grant.

    The denial of a request that used an id again stands in the life of that id's first owner.
    """
    kind = recorded.event.kind
    return kind in _BEGINNINGS and not is_reuse(recorded)


def _unreadable(sha: str, error: ValueError) -> EvidenceError:
    return EvidenceError(
        f"commit {sha} is signed by the evidence key, and its trailers cannot be read: {error}",
        remedy="Run `daypass audit verify`. daypass never writes such a commit: find out who "
        "else could use the evidence key, and rotate it.",
    )


def is_reuse(recorded: RecordedEvent) -> bool:
    """Whether this denies a request whose id had been used before: the grant's life goes on."""
    event = recorded.event
    return event.kind is EventKind.DENIED and event.first("Daypass-Reason") == Reason.ID_REUSED
