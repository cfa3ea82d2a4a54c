"""verify: reads main from its first commit to its head and names everything that does not hold."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Protocol

from daypass.errors import EvidenceError
from daypass.ledger.allowed_signers import parse_allowed_signers
from daypass.ledger.anchor import AnchorTag
from daypass.ledger.commitobject import parse_commit
from daypass.ledger.fault import Fault, FaultCode
from daypass.ledger.judge import Judge, is_named_by
from daypass.ledger.records import REQUEST_FOLDERS
from daypass.ledger.succession import predecessors, read_links
from daypass.model.names import ALLOWED_SIGNERS_PATH, BOT_FOLDERS, RULES_FOLDERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from daypass.ledger.commitobject import RawCommit
    from daypass.ledger.decisions import Replay
    from daypass.ledger.records import PathChange
    from daypass.ledger.settling import Workmate

_MERGE: Final = re.compile(rb"tree [^\n]*\nparent [^\n]*\nparent ")
_WATCHED: Final = (*BOT_FOLDERS, *REQUEST_FOLDERS, ALLOWED_SIGNERS_PATH, *RULES_FOLDERS)
_KEYS: Final = 2  # of a handover
# What is wrong with a key that main, up to an older head, has not heard of.
_NOT_KNOWN_YET: Final = frozenset({FaultCode.UNKNOWN_SIGNER, FaultCode.UNENDORSED_SIGNER})
# Anybody who may push tags can push such a one: it holds main to nothing, and says nothing of main.
_NOT_SIGNED: Final = frozenset({FaultCode.UNKNOWN_SIGNER, FaultCode.BAD_SIGNATURE})


class Archive(Protocol):
    """What verify needs of a clone."""

    def line(self, since: str | None, until: str) -> Sequence[str]:
        """First-parent commits of (since, until], oldest first.

        Raises GitError where a clone is shallow, or `until` does not lead to `since`.
        """

    def leads(self, older: str, newer: str) -> bool:
        """Whether `older` is on the first-parent line of `newer`; False when there is none such."""

    def commits(self, since: str | None, ids: Sequence[str]) -> Iterator[RawCommit]:
        """The commits of that line, read as they are asked for. Raises GitError if it is none."""

    def beside(self, commit: str, since: str | None = None) -> Iterator[RawCommit]:
        """Commits that `commit` reaches (and `since` does not), not on its first-parent line."""

    def changes(
        self, until: str, paths: Sequence[str], since: str | None = None
    ) -> Iterator[tuple[str, Sequence[PathChange]]]:
        """First-parent commits of (since, until] that change `paths`, oldest first, with what."""

    def blobs(self, ids: Sequence[str]) -> Mapping[str, bytes]:
        """The contents of blobs."""


class Memory(Protocol):
    """What was verified before, so that only what is new is read."""

    def recall(self, leads: Callable[[str], bool]) -> Mapping[str, Any] | None:
        """What was remembered for the same question, of a head that `leads` says yes to."""

    def remember(self, state: Mapping[str, Any]) -> None:
        """Keep what is known now."""


class Verdict(StrEnum):
    """What verify says."""

    HOLDS = "holds"
    BROKEN = "broken"
    SELF_ATTESTED = "self-attested"  # no fault, and nothing from outside that vouches for the key


@dataclass(frozen=True, slots=True)
class Report:
    """The answer of verify."""

    verdict: Verdict
    head: str
    commits: int
    events: int
    faults: tuple[Fault, ...]  # oldest first
    signers: tuple[str, ...]  # fingerprints of the keys that signed events which count
    anchor: str | None
    notices: tuple[str, ...] = ()  # tags with the name of an anchor that are none

    @property
    def open_faults(self) -> tuple[Fault, ...]:
        """Those that break the evidence."""
        return tuple(fault for fault in self.faults if fault.open)


def verify(  # noqa: PLR0913  -- each is told by another side
    archive: Archive,
    head: str,
    *,
    fingerprints: Iterable[str] = (),
    anchor: str | None = None,
    replay: Replay | None = None,
    memory: Memory | None = None,
    tags: Iterable[tuple[str, bytes]] = (),
    named_tags: Iterable[tuple[str, bytes]] = (),
    hire: Callable[[int], Workmate | None] = lambda _count: None,
) -> Report:
    """Judge main up to `head`.

    `fingerprints` (`SHA256:…`) and `anchor` (a commit that was head once, noted elsewhere) come
    from outside the repository that is judged; without either the verdict is `self-attested` at
    the best. A key that took over from others vouches for them, and one that handed over for those
    that came after it. Faults that are not younger than the anchor are reported, and do not count
    again.
    With `replay`, every recorded decision is made again. What `memory` recalls must be of the same
    fingerprints, anchor and replay: it is believed. `tags` are the clone's, by name and content:
    main must go through the commit of each that a key that counts has signed; the others are
    noticed, and are no fault. `named_tags` come from outside, as `anchor` does: each must be
    signed. `hire` is told how many commits there are to read, and may give a workmate: it settles
    a part of the records, by `Settler.answer` of the same archive and replay.
    """
    judging = _Verification(archive, head, frozenset(fingerprints), anchor, replay, memory, hire)
    return judging.report(tags, named_tags)


class _Verification:
    def __init__(
        self,
        archive: Archive,
        head: str,
        fingerprints: frozenset[str],
        anchor: str | None,
        replay: Replay | None,
        memory: Memory | None,
        hire: Callable[[int], Workmate | None],
    ) -> None:
        self._archive = archive
        self._head = head
        self._anchor = anchor
        self._memory = memory
        self._places: dict[str, int] = {}  # commit → its number on main, from 0
        self._anchor_at: int | None = None
        self._faults: list[Fault] = []
        self._notices: list[str] = []
        self._merges = False  # whether a commit was read that has a second parent
        known = self._recall()
        since: str | None = known["head"] if known else None
        line = archive.line(since, head)
        self._root: str = known["root"] if known else line[0]
        begin: int = known["commits"] if known else 0
        self._commits = begin + len(line)
        self._places.update((sha, begin + at) for at, sha in enumerate(line))
        self._changes = dict(archive.changes(head, _WATCHED, since))
        lists = self._signer_lists()
        if anchor is not None and self._anchor_at is None:
            fingerprints |= self._anchored_keys(anchor, lists)
        self._outside = bool(fingerprints)
        self._named = fingerprints
        self._vouched = (
            frozenset[str](known["vouched"]) if known else self._vouched_for(line, lists)
        )
        names = fingerprints | self._vouched
        self._judge = Judge(archive, names, replay, hire(len(line)))
        if known:
            self._outside = known["outside"]
            self._judge.restore(known["judge"])
        self._read(archive.commits(since, line), lists)
        if self._merges:  # else there is no other line, and looking for one is a walk of its own
            for commit in archive.beside(head, since):
                self._look_beside(commit)

    def report(
        self, tags: Iterable[tuple[str, bytes]], named_tags: Iterable[tuple[str, bytes]]
    ) -> Report:
        """Put it together, and remember it."""
        self._judge.settle()
        self._keep()
        for name, raw in tags:
            self._hold_to(name, raw)
        for name, raw in named_tags:
            self._hold_to(name, raw, must_be_signed=True)
        found = (*self._faults, *self._judge.faults)
        faults = tuple(sorted(map(self._dated, found), key=self._age))
        if any(fault.open for fault in faults):
            verdict = Verdict.BROKEN
        else:
            verdict = Verdict.HOLDS if self._outside else Verdict.SELF_ATTESTED
        return Report(
            verdict=verdict,
            head=self._head,
            commits=self._commits,
            events=self._judge.events,
            faults=faults,
            signers=self._judge.signers,
            anchor=self._anchor,
            notices=tuple(self._notices),
        )

    def _read(self, line: Iterable[RawCommit], lists: Mapping[str, bytes]) -> None:
        """Commits that claim something or touch something are judged; all are looked at."""
        for commit in line:
            if not is_named_by(commit.sha, commit.raw):
                self._fault(FaultCode.OBJECT, commit.sha, "its content has another id")
            self._merges = self._merges or _MERGE.match(commit.raw) is not None
            changes = self._changes.pop(commit.sha, None)
            if changes is not None or b"daypass-" in commit.raw.lower():
                place = self._places[commit.sha]
                self._judge.read(place, commit, changes or (), lists.get(commit.sha))

    def _recall(self) -> Mapping[str, Any] | None:
        """What is known up to an older head, if main still goes through it."""
        if self._memory is None:
            return None
        known = self._memory.recall(lambda head: self._archive.leads(head, self._head))
        if known is None:
            return None
        self._anchor_at = known["anchorAt"]
        self._faults = [Fault.from_json(item) for item in known["faults"]]
        self._places = dict(known["faulty"])
        return known

    def _keep(self) -> None:
        if self._memory is None or (self._anchor is not None and self._anchor_at is None):
            return
        if self._may_be_vouched_for():
            return
        commits = {fault.commit for fault in (*self._faults, *self._judge.faults)}
        self._memory.remember(
            {
                "head": self._head,
                "root": self._root,
                "commits": self._commits,
                "outside": self._outside,
                "vouched": sorted(self._vouched),
                "anchorAt": self._anchor_at,
                "judge": self._judge.to_json(),
                "faults": [fault.to_json() for fault in self._faults],
                "faulty": {sha: self._places[sha] for sha in commits if sha in self._places},
            }
        )

    def _signer_lists(self) -> dict[str, bytes]:
        """The list of allowed signers after each commit that changes it, oldest first."""
        blobs = {
            sha: change.after
            for sha, changes in self._changes.items()
            for change in changes
            if change.path == ALLOWED_SIGNERS_PATH
        }
        contents = self._archive.blobs([blob for blob in blobs.values() if blob is not None])
        return {sha: contents[blob] if blob else b"" for sha, blob in blobs.items()}

    def _anchored_keys(self, anchor: str, lists: Mapping[str, bytes]) -> frozenset[str]:
        """The keys that were allowed at the anchor; none if it is not on main's line."""
        place = self._anchor_at = self._places.get(anchor)
        if place is None:
            message = "the anchored commit is not on main: history was rewritten after it was noted"
            self._fault(FaultCode.ANCHOR_LOST, anchor, message)
            return frozenset()
        until = [data for sha, data in lists.items() if self._places[sha] <= place]
        for data in reversed(until):
            try:
                signers = parse_allowed_signers(data)
            except EvidenceError:  # it changed nothing
                continue
            return frozenset(signer.fingerprint for signer in signers)
        return frozenset()

    def _vouched_for(self, line: Sequence[str], lists: Mapping[str, bytes]) -> frozenset[str]:
        """The keys that the named ones took over from. All of main is read for it, if it must be.

        It must not where the first keys are named, or main never listed another one.
        """
        listed = [_fingerprints(data) for data in lists.values()]
        every = frozenset[str]().union(*listed)
        if not self._named or len(every) < _KEYS or (listed[0] and listed[0] <= self._named):
            return frozenset()
        return frozenset(predecessors(read_links(self._archive.commits(None, line)), self._named))

    def _may_be_vouched_for(self) -> bool:
        """Whether what counts for nothing now may count when a named key takes over."""
        faults = (*self._faults, *self._judge.faults)
        return not self._named <= set(self._judge.signers) and any(
            fault.code is FaultCode.UNENDORSED_SIGNER for fault in faults
        )

    def _hold_to(self, name: str, raw: bytes, *, must_be_signed: bool = False) -> None:
        """Hold main to an anchor that was published."""
        try:
            tag = AnchorTag.parse(raw)
        except ValueError as error:
            self._no_anchor(name, self._head, str(error), is_fault=must_be_signed)
            return
        archive, commit = self._archive, tag.commit
        on_main = commit in self._places or archive.leads(commit, self._head)
        is_younger = not on_main and archive.leads(self._head, commit)
        objection = self._judge.objection_to(
            tag.signature, tag.payload, tag.tagged_at, ever=True
        ) or (self._late(tag) if on_main else None)
        if objection is not None:
            if not is_younger or objection[0] not in _NOT_KNOWN_YET:
                is_fault = must_be_signed or objection[0] not in _NOT_SIGNED
                self._no_anchor(name, commit, objection[1], is_fault=is_fault)
            return
        if tag.name != name:  # whoever pushed it so cannot change what it holds main to
            self._no_anchor(name, commit, f"it is the tag {tag.name}", is_fault=False)
        if not on_main and not is_younger:
            message = f"main does not go through the anchor {tag.name}: it was rewritten after that"
            self._fault(FaultCode.ANCHOR_LOST, commit, message)

    def _no_anchor(self, name: str, commit: str, why: str, *, is_fault: bool) -> None:
        if is_fault:
            self._fault(FaultCode.BAD_ANCHOR, commit, f"the anchor {name}: {why}")
        else:
            self._notices.append(f"the tag {name} is no anchor: {why}")

    def _late(self, tag: AnchorTag) -> tuple[FaultCode, str] | None:
        """Why an anchor is not one that its key can have made before it handed over."""
        end = self._judge.handed_over_in(tag.signature, tag.payload)
        if end is None or (tag.commit != end and self._archive.leads(tag.commit, end)):
            return None
        return FaultCode.BAD_ANCHOR, f"its key had handed over to another in {end}"

    def _look_beside(self, commit: RawCommit) -> None:
        """An event on a side line: a merge the wrong way round took it off main's own line."""
        if b"daypass-event: " not in commit.raw.lower():
            return
        parsed = parse_commit(commit.raw)
        if parsed.signature and self._judge.objection(parsed, ever=True) is None:
            message = "this event lies on a side line of history, not on main's own"
            self._fault(FaultCode.OFF_MAIN, commit.sha, message)

    def _fault(self, code: FaultCode, commit: str, message: str) -> None:
        self._faults.append(Fault(code, commit, message))

    def _dated(self, fault: Fault) -> Fault:
        """The fault, with the mark of one that is not younger than the anchor."""
        place = self._places.get(fault.commit)
        if fault.code is FaultCode.BAD_ANCHOR:  # of a tag, which is as old as it likes to be
            return fault
        if self._anchor_at is None or place is None or place > self._anchor_at:
            return fault
        return replace(fault, anchored=True)

    def _age(self, fault: Fault) -> float:
        return self._places.get(fault.commit, float("inf"))


def _fingerprints(data: bytes) -> frozenset[str]:
    """Of the keys in a list of allowed signers; none where it cannot be read, which is a fault."""
    try:
        return frozenset(signer.fingerprint for signer in parse_allowed_signers(data))
    except EvidenceError:
        return frozenset()
