"""Succession: how one evidence key hands over to the next, by two signed events of the chain.

`key-endorsed` is signed by the key before: its last event, which names the key after it.
`key-rotated` is signed by the key after: its first event, the very next one. It names the
endorsement by the id of its commit (`Daypass-Previous`), and with it all of main up to there.

So trust follows a handover both ways. The endorsement carries it from the old key to the new one.
The answer carries it back: only the holder of the new key can have made it, and it vouches for the
history that it stands on. A key that handed over signs nothing afterwards, and never comes back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from daypass.ledger import sshsig
from daypass.ledger.commitobject import parse_commit
from daypass.ledger.fault import Fault, FaultCode
from daypass.ledger.trailers import parse_message
from daypass.model.event import KEY_AFTER, KEY_BEFORE, EventKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from daypass.ledger.commitobject import RawCommit
    from daypass.model.event import Event, RecordedEvent

_MARKS: Final = (b"\nDaypass-Event: key-endorsed\n", b"\nDaypass-Event: key-rotated\n")
_KINDS: Final = frozenset({EventKind.KEY_ENDORSED, EventKind.KEY_ROTATED})


class Handover(NamedTuple):
    """The fingerprints (`SHA256:…`) of the key that hands over, and of the one that takes over."""

    before: str
    after: str


class Link(NamedTuple):
    """A handover that both keys have signed."""

    handover: Handover
    endorsed: str  # the commit of the `key-endorsed`
    at: int  # its committer's time, seconds since the epoch


def handover_of(event: Event) -> Handover | None:
    """The keys that an event of a handover names; None for any other event, or without both."""
    before, after = event.first(KEY_BEFORE), event.first(KEY_AFTER)
    if event.kind not in _KINDS or before is None or after is None or before == after:
        return None
    return Handover(before, after)


@dataclass(slots=True)
class Succession:
    """The handovers so far, as the events that count are read from the first one on."""

    _open: tuple[Handover, str] | None = None  # endorsed and not answered, and by which commit

    def concerns(self, event: Event) -> bool:
        """Whether the key that signed this event matters here."""
        return event.kind in _KINDS or self._open is not None

    def take(self, recorded: RecordedEvent, signer: str) -> Iterator[Fault]:
        """Take an event by that key (its fingerprint); gives what is wrong with its handover."""
        kind, named = recorded.event.kind, handover_of(recorded.event)
        waiting, self._open = self._open, None
        if kind is not EventKind.KEY_ROTATED and waiting is not None:
            message = (
                f"{waiting[1]} endorses {waiting[0].after}, and the answer of that key "
                "(key-rotated) does not come right after it"
            )
            yield Fault(FaultCode.ENDORSEMENT, recorded.commit, message)
        if kind is EventKind.KEY_ROTATED:
            if waiting is None or waiting[0] != named or signer != waiting[0].after:
                message = "it answers no endorsement of the key that signed it, right before it"
                yield Fault(FaultCode.ENDORSEMENT, recorded.commit, message)
        elif kind is EventKind.KEY_ENDORSED:
            if named is None or named.before != signer:
                message = f"it is signed by {signer}, and not by the key that it says hands over"
                yield Fault(FaultCode.ENDORSEMENT, recorded.commit, message)
            else:
                self._open = (named, recorded.commit)

    def to_json(self) -> list[str] | None:
        """What waits for its answer, to go on from later."""
        return None if self._open is None else [*self._open[0], self._open[1]]

    @classmethod
    def from_json(cls, value: list[str] | None) -> Self:
        """The inverse of `to_json`."""
        return cls(None if value is None else (Handover(value[0], value[1]), value[2]))


def read_links(commits: Iterable[RawCommit]) -> list[Link]:
    """The handovers that both keys have signed, whether the keys count or not.

    `commits` come oldest first. Commits without a handover are passed over.
    """
    found: list[Link] = []
    opened: Link | None = None
    for commit in commits:
        seen = signed_handover(commit) if is_of_handover(commit) else None
        if seen is None:
            continue
        kind, handover, previous, at = seen
        if kind is EventKind.KEY_ENDORSED:
            opened = Link(handover, commit.sha, at)
        elif opened is not None and (opened.endorsed, opened.handover) == (previous, handover):
            found.append(opened)
            opened = None
    return found


def predecessors(links: Iterable[Link], named: Iterable[str]) -> dict[str, Link]:
    """The keys that `named` keys vouch for by having taken over from them, with that handover.

    All are fingerprints. A key takes over once, and vouches for no other after it handed over:
    else a key that is retired, and stolen, could take in another one.
    """
    links, known = tuple(links), frozenset(named)
    found: dict[str, Link] = {}
    while True:
        before = len(found)
        retired: set[str] = set()
        taken: set[str] = set()  # keys that took over
        for link in links:
            old, new = link.handover
            if {old, new} & retired or new in taken or not {old, new} & (known | found.keys()):
                continue
            retired.add(old)
            taken.add(new)
            if new in known or new in found:
                found.setdefault(old, link)
        if len(found) == before:
            return found


def successors(links: Iterable[Link], named: Iterable[str]) -> dict[str, Link]:
    """The keys that took over from `named` ones, one after the other, with that handover."""
    trusted, retired = frozenset(named), set[str]()
    found: dict[str, Link] = {}
    for link in links:
        old, new = link.handover
        if old in trusted | found.keys() and not {old, new} & retired:
            retired.add(old)
            found.setdefault(new, link)
    return found


def is_of_handover(commit: RawCommit) -> bool:
    """Whether a commit says that it is an event of a handover."""
    return any(mark in commit.raw for mark in _MARKS)


def signed_handover(
    commit: RawCommit,
) -> tuple[EventKind, Handover, str | None, int] | None:
    """What a commit says of a handover, if the key that must say so has signed it."""
    parsed = parse_commit(commit.raw)
    try:
        key = sshsig.verified_key(parsed.signature or b"", parsed.signed_payload)
        chained = parse_message(parsed.message)
    except ValueError:
        return None
    handover = handover_of(chained.event) if chained is not None else None
    if chained is None or handover is None or parsed.committed_at is None:
        return None
    kind = chained.event.kind
    says = handover.before if kind is EventKind.KEY_ENDORSED else handover.after
    if sshsig.fingerprint(key) != says:
        return None
    return kind, handover, chained.previous, parsed.committed_at
