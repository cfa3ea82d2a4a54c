"""Recorder: writes happenings as signed commits, all of a run in one push.

The push is the compare-and-swap. When it loses a race, each happening is held against the new
head: what still holds is written again, what another run has recorded meanwhile is dropped. A note
requires nothing of the tree, so it is held against what others have told since; so is an end, whose
record may have been gone before.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import chain as joined
from typing import TYPE_CHECKING, Final, Protocol, Self, TypeAlias

from daypass.errors import PushRaceError
from daypass.lifecycle.observe import bot_files, removed_since
from daypass.lifecycle.ports import NewCommit
from daypass.model.event import CLOSES, OF_RUN, EventKind
from daypass.model.names import BOT_FOLDERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from daypass.lifecycle.happening import Happening
    from daypass.lifecycle.key_handover import SignerInForce
    from daypass.lifecycle.ports import Repository, Signer
    from daypass.model.event import Event, RecordedEvent
    from daypass.model.instant import Instant

Told: TypeAlias = tuple[EventKind, str | None, tuple[tuple[str, str], ...]]
_ENDS: Final = CLOSES | {EventKind.REVOKE_FAILED}  # that it ended, or could not
_OWN: Final = tuple(f"{folder}/" for folder in BOT_FOLDERS)
# Each try loses only to somebody who got through: far more than a busy branch needs.
_TRIES: Final = 12


class Chain(Protocol):
    """What the recorder needs of the ledger: the newest events, and the message of the next."""

    @property
    def floor(self) -> int:
        """Numbers up to this one were used: the next event has a higher one, whatever main says."""

    def tip(self, repository: Repository, head: str) -> RecordedEvent | None:
        """The newest event on the way back from `head`."""

    def since(self, repository: Repository, head: str, base: str) -> Iterator[RecordedEvent]:
        """The events on the way back from `head` to `base`."""

    def message(
        self, title: str, body: str, event: Event, *, sequence: int, previous: str | None
    ) -> str:
        """The commit message, trailers included."""

    def signing(
        self, repository: Repository, signer: Signer, tip: RecordedEvent | None
    ) -> SignerInForce:
        """Signs what follows `tip`, by the key that is in force there."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A happening that is on main now."""

    happening: Happening
    commit: str
    sequence: int


@dataclass(frozen=True, slots=True)
class Recording:
    """What became of a run's happenings."""

    head: str
    base: str  # the head that was written on: another than was asked for, when a race was lost
    recorded: tuple[Recorded, ...]
    dropped: tuple[Happening, ...]  # no longer held on the head that was written on


class _Tree:
    """Which blob lies where in access/, kept up as happenings are applied to it."""

    def __init__(self, repository: Repository, head: str) -> None:
        self.blobs = {entry.path: entry.blob for entry in repository.entries(head, "access")}
        # Some of these may be empty by now.
        self._folders = frozenset(joined.from_iterable(map(_above, self.blobs)))

    def admits(self, happening: Happening) -> bool:
        return all(self.blobs.get(path) == blob for path, blob in happening.requires.items())

    def apply(self, happening: Happening) -> dict[str, bytes | None]:
        """The change that the happening makes here; empty if there is nothing left to change."""
        changes: dict[str, bytes | None] = {}
        for path in happening.removes:
            for other in self._at(path):
                del self.blobs[other]
                changes[other] = None
        for path, content in happening.writes.items():
            for other in self._in_the_way_of(path):
                del self.blobs[other]
                changes[other] = None
            blob = _blob_id(content)
            if self.blobs.get(path) != blob:
                self.blobs[path] = blob
                changes[path] = content
        return changes

    def _at(self, path: str) -> list[str]:
        """What must go so that nothing is at that path.

        Of the bot's folders also a folder that was too large to be listed: the path may be in it.
        """
        if path in self.blobs:
            return [path]
        return self._in_the_way_of(path) if path.startswith(_OWN) else []

    def _in_the_way_of(self, path: str) -> list[str]:
        """Files where a folder of the path must be, and below a folder where it must be a file.

        Whoever lays such a thing must not keep all that a run has done from becoming evidence.
        """
        found = [above for above in _above(path) if above in self.blobs]
        if path in self._folders:
            found += [other for other in self.blobs if other.startswith(f"{path}/")]
        return found


def _above(path: str) -> Iterator[str]:
    """The folders that a path leads through."""
    while path := path.rpartition("/")[0]:
        yield path


def record(
    repository: Repository,
    signer: Signer,
    chain: Chain,
    happenings: Iterable[Happening],
    when: Instant,
    *,
    head: str,
) -> Recording:
    """Write and push; raises PushRaceError when every try lost: then nothing is on main.

    Args:
        repository: where the commits are written, and from where they are pushed.
        signer: signs each commit, by the key that is in force on that head.
        chain: knows the newest event on a head, and the message of the next one.
        happenings: taken one by one as they come about, each when the one before it is signed.
        when: the time of the first commit; none is dated before what it tells of.
        head: the commit of main to write on.
    """
    begin = head
    others = _Others()
    known: list[Happening] = []
    for attempt in range(_TRIES):
        if attempt:
            others = _Others.of(item.event for item in chain.since(repository, head, begin))
        if attempt and (
            not repository.is_ancestor(begin, head) or _tampered(repository, chain, head)
        ):
            # Signing on top would make what was just done by hand the bot's own word, and a
            # main that was just put back to an older state would hold two futures.
            return Recording(head, head, (), tuple(known))
        coming = tuple(known) if attempt else _noted(happenings, known)
        left = (item for item in coming if others.leave_room_for(item))
        written, dropped = _write(repository, signer, chain, head, left, when)
        if not written:
            return Recording(head, head, (), dropped)
        try:
            repository.push(written[-1].commit, head)
        except PushRaceError:
            head = repository.fetch()
            continue
        return Recording(written[-1].commit, head, tuple(written), dropped)
    raise PushRaceError(
        f"main moved {_TRIES} times while this run was writing",
        remedy="Nothing of this run is on main yet; the next run carries on from here.",
    )


@dataclass(frozen=True, slots=True)
class _Others:
    """What other runs have told since this one looked."""

    said: frozenset[Told] = frozenset()
    closed: frozenset[str | None] = frozenset()  # grants that they ended

    @classmethod
    def of(cls, events: Iterable[Event]) -> Self:
        found = tuple(events)
        ends = (event for event in found if event.kind in CLOSES)
        return cls(
            frozenset(told(event) for event in found), frozenset(event.grant for event in ends)
        )

    def leave_room_for(self, happening: Happening) -> bool:
        event = happening.event
        if event.grant in self.closed and event.kind in _ENDS:
            return False
        return not (happening.is_note and told(event) in self.said)


def told(event: Event) -> Told:
    """What an event tells, whichever run wrote it: two that tell the same are one too many."""
    said = tuple(item for item in event.trailers if item[0] not in OF_RUN)
    return (event.kind, event.grant, said)


def _noted(happenings: Iterable[Happening], known: list[Happening]) -> Iterator[Happening]:
    """The happenings as they come, kept in case the race for main is lost."""
    for happening in happenings:
        known.append(happening)
        yield happening


def _tampered(repository: Repository, chain: Chain, head: str) -> bool:
    """Whether the bot's folders differ from those of its last signed commit, or did meanwhile."""
    tip = chain.tip(repository, head)
    signed = bot_files(repository, tip.commit) if tip else {}
    return bot_files(repository, head) != signed or bool(
        removed_since(repository, tip, head, signed)
    )


def _write(
    repository: Repository,
    signer: Signer,
    chain: Chain,
    head: str,
    happenings: Iterable[Happening],
    when: Instant,
) -> tuple[list[Recorded], tuple[Happening, ...]]:
    tree = _Tree(repository, head)
    tip = chain.tip(repository, head)
    signing = chain.signing(repository, signer, tip)
    previous = tip.commit if tip else None
    sequence = max(tip.sequence if tip else 0, chain.floor)
    accepted: list[Happening] = []
    dropped: list[Happening] = []
    written: list[Recorded] = []

    def commits() -> Iterator[NewCommit]:
        for happening in happenings:
            changes = tree.apply(happening) if tree.admits(happening) else {}
            if not (changes or happening.is_note) or not signing.admits(happening.event):
                dropped.append(happening)
                continue
            accepted.append(happening)
            last = written[-1].commit if written else previous
            number = sequence + len(written) + 1
            message = chain.message(
                happening.title, happening.body, happening.event, sequence=number, previous=last
            )
            yield NewCommit(changes, message, happening.since)
            signing.turn(happening.event)  # it is signed now

    for commit in repository.write_commits(head, commits(), signing, when):
        number = sequence + len(written) + 1
        written.append(Recorded(accepted[len(written)], commit, number))
    return written, tuple(dropped)


def _blob_id(content: bytes) -> str:
    # git's own name for these bytes; not a signature of anything
    header = f"blob {len(content)}\0".encode()
    return hashlib.sha1(header + content, usedforsecurity=False).hexdigest()
