"""verify: reads main from its first commit to its head and names everything that does not hold."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

from daypass.errors import EvidenceError
from daypass.ledger import sshsig
from daypass.ledger.allowed_signers import parse_allowed_signers
from daypass.ledger.chain import Chain
from daypass.ledger.commitobject import parse_commit
from daypass.ledger.fault import Fault, FaultCode
from daypass.ledger.history import event_of
from daypass.ledger.records import REQUEST_FOLDERS, Records, compare
from daypass.ledger.trailers import has_lookalike
from daypass.ledger.trust import Trust
from daypass.model.names import ALLOWED_SIGNERS_PATH, BOT_FOLDERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from daypass.ledger.commitobject import ParsedCommit, RawCommit
    from daypass.ledger.records import PathChange
    from daypass.model.event import RecordedEvent

_WATCHED: Final = (*BOT_FOLDERS, *REQUEST_FOLDERS, ALLOWED_SIGNERS_PATH)
_BLOBS_AT_ONCE: Final = 1000


class Archive(Protocol):
    """What verify needs of a clone."""

    def walk(self, commit: str) -> Iterator[RawCommit]:
        """First-parent commits from `commit` back, newest first."""

    def beside(self, commit: str) -> Iterator[RawCommit]:
        """Commits that `commit` reaches, and that are not on its first-parent line."""

    def changes(
        self, until: str, paths: Sequence[str]
    ) -> Iterator[tuple[str, Sequence[PathChange]]]:
        """For each first-parent commit up to `until` that changes `paths`: what, oldest first."""

    def blobs(self, ids: Sequence[str]) -> Mapping[str, bytes]:
        """The contents of blobs."""


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

    @property
    def open_faults(self) -> tuple[Fault, ...]:
        """Those that break the evidence."""
        return tuple(fault for fault in self.faults if fault.open)


def verify(
    archive: Archive, head: str, *, fingerprints: Iterable[str] = (), anchor: str | None = None
) -> Report:
    """Judge main up to `head`.

    `fingerprints` (`SHA256:…`) and `anchor` (a commit that was head once, noted elsewhere) come
    from outside the repository that is judged; without either the verdict is `self-attested` at
    the best. Faults that are not younger than the anchor are reported, and do not count again.
    """
    return _Verification(archive, head, frozenset(fingerprints), anchor).report()


class _Verification:
    def __init__(
        self, archive: Archive, head: str, fingerprints: frozenset[str], anchor: str | None
    ) -> None:
        self._archive = archive
        self._head = head
        self._anchor = anchor
        self._changes = dict(archive.changes(head, _WATCHED))
        self._places: dict[str, int] = {}  # commit → how far from head
        self._faults: list[Fault] = []
        interesting = list(self._interesting())
        lists = self._signer_lists()
        if anchor is not None:
            fingerprints |= self._anchored_keys(anchor, lists)
        self._outside = bool(fingerprints)
        self._trust = Trust(fingerprints)
        self._chain = Chain()
        self._records = Records()
        self._seen: dict[str, None] = {}
        for commit in reversed(interesting):
            self._read(commit, lists.get(commit.sha))
        for commit in archive.beside(head):
            self._look_beside(commit)

    def report(self) -> Report:
        """Put it together."""
        self._faults.extend(self._records.faults)
        for start in range(0, len(self._records.claims), _BLOBS_AT_ONCE):
            claims = self._records.claims[start : start + _BLOBS_AT_ONCE]
            contents = self._archive.blobs([blob for _event, blob in claims])
            for recorded, blob in claims:
                self._faults.extend(compare(recorded, contents[blob]))
        faults = tuple(sorted(map(self._dated, self._faults), key=self._age))
        if any(fault.open for fault in faults):
            verdict = Verdict.BROKEN
        else:
            verdict = Verdict.HOLDS if self._outside else Verdict.SELF_ATTESTED
        return Report(
            verdict=verdict,
            head=self._head,
            commits=len(self._places),
            events=self._chain.length,
            faults=faults,
            signers=tuple(self._seen),
            anchor=self._anchor,
        )

    def _interesting(self) -> Iterator[RawCommit]:
        """Commits that claim something or touch something, newest first; all are counted."""
        for place, commit in enumerate(self._archive.walk(self._head)):
            self._places[commit.sha] = place
            if not _is_named_by(commit.sha, commit.raw):
                self._fault(FaultCode.OBJECT, commit.sha, "its content has another id")
            if commit.sha in self._changes or b"daypass-" in commit.raw.lower():
                yield commit

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
        place = self._places.get(anchor)
        if place is None:
            message = "the anchored commit is not on main: history was rewritten after it was noted"
            self._fault(FaultCode.ANCHOR_LOST, anchor, message)
            return frozenset()
        until = [data for sha, data in lists.items() if self._places[sha] >= place]
        signers = parse_allowed_signers(until[-1]) if until else ()
        return frozenset(signer.fingerprint for signer in signers)

    def _read(self, commit: RawCommit, signers: bytes | None) -> None:
        parsed = parse_commit(commit.raw)
        changes = self._changes.get(commit.sha, ())
        by_bot, recorded = self._judge(commit.sha, parsed)
        if recorded is not None:
            self._faults.extend(self._chain.add(recorded, parsed.message))
        self._records.apply(commit.sha, changes, recorded, by_bot=by_bot)
        if signers is not None:
            try:
                self._trust.read_file(commit.sha, signers, endorsed=by_bot)
            except EvidenceError as error:
                self._fault(FaultCode.SIGNERS_UNREADABLE, commit.sha, error.message)

    def _judge(self, sha: str, parsed: ParsedCommit) -> tuple[bool, RecordedEvent | None]:
        """Whether the bot's signature is on it, and the event if it records one.

        People sign their commits too: a signature that does not count is a fault only where the
        message claims to be evidence. What it does to the bot's folders is held against it there.
        """
        says = has_lookalike(parsed.message)
        if parsed.signature is None or not (
            parsed.signature.startswith(sshsig.BEGIN) or not parsed.signature
        ):
            if says:
                self._fault(
                    FaultCode.UNSIGNED_TRAILERS,
                    sha,
                    "it carries Daypass- trailers, and not the bot's signature",
                )
            return False, None
        objection = self._objection(parsed)
        if objection is not None:
            if says:
                self._fault(objection[0], sha, objection[1])
            return False, None
        try:
            return True, event_of(sha, parsed)
        except EvidenceError as error:
            self._fault(FaultCode.MALFORMED_TRAILERS, sha, str(error.__cause__))
            return True, None

    def _objection(self, parsed: ParsedCommit) -> tuple[FaultCode, str] | None:
        when = parsed.committed_at
        if when is None:
            return FaultCode.BAD_SIGNATURE, "the committer's time cannot be read"
        try:
            key = sshsig.verified_key(parsed.signature or b"", parsed.signed_payload)
        except ValueError as error:
            return FaultCode.BAD_SIGNATURE, str(error)
        objection = self._trust.objection(key, when)
        if objection is None:
            self._seen[sshsig.fingerprint(key)] = None
        return objection

    def _look_beside(self, commit: RawCommit) -> None:
        """An event on a side line: a merge the wrong way round took it off main's own line."""
        if b"daypass-event: " not in commit.raw.lower():
            return
        parsed = parse_commit(commit.raw)
        if parsed.signature and self._objection(parsed) is None:
            message = "this event lies on a side line of history, not on main's own"
            self._fault(FaultCode.OFF_MAIN, commit.sha, message)

    def _fault(self, code: FaultCode, commit: str, message: str) -> None:
        self._faults.append(Fault(code, commit, message))

    def _dated(self, fault: Fault) -> Fault:
        """The fault, with the mark of one that is not younger than the anchor."""
        anchor = self._places.get(self._anchor or "")
        place = self._places.get(fault.commit)
        if anchor is None or place is None or place < anchor:
            return fault
        return replace(fault, anchored=True)

    def _age(self, fault: Fault) -> int:
        return -self._places.get(fault.commit, -1)


def _is_named_by(sha: str, raw: bytes) -> bool:
    header = f"commit {len(raw)}\0".encode()
    # git's name for these bytes; what vouches for them is the signature, over SHA-512
    return hashlib.sha1(header + raw, usedforsecurity=False).hexdigest() == sha
