"""Reading: a clone's history once, from its head back, into the facts that the questions ask of.

Signatures were judged by `ledger.verify` before: an event is what that counts as one, and nothing
is judged twice by two rules that could disagree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from daypass.errors import EvidenceError
from daypass.ledger.commitobject import parse_commit
from daypass.ledger.fault import FaultCode
from daypass.ledger.history import event_of
from daypass.ledger.records import REQUEST_FOLDERS
from daypass.model.names import FOUNDATION_PATHS
from daypass.report.facts import FactsBuilder
from daypass.report.records import read_record

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from daypass.ledger.commitobject import RawCommit
    from daypass.ledger.records import PathChange
    from daypass.ledger.verify import Report as Verification
    from daypass.model.event import RecordedEvent
    from daypass.report.story import Evidence, RecordFacts

_GRANTS: Final = "access/grants"
_AT_ONCE: Final = 1000
_MARKED: Final = b"\nDaypass-Event: "
# With one of these on a commit that claims to be an event, verify did not take its word.
_NO_EVENT: Final = frozenset(
    {
        FaultCode.UNSIGNED_TRAILERS,
        FaultCode.BAD_SIGNATURE,
        FaultCode.UNKNOWN_SIGNER,
        FaultCode.UNENDORSED_SIGNER,
        FaultCode.SIGNER_NOT_VALID,
    }
)


class Archive(Protocol):
    """What a report needs of a clone."""

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


class _Changes:
    """What commits did to requests, records, and what decisions rest on."""

    def __init__(self, found: Iterable[tuple[str, Sequence[PathChange]]]) -> None:
        self.requests: dict[str, tuple[str, ...]] = {}
        self.records: dict[str, str] = {}  # commit → the blob of the one record that it brought
        self.foundation: dict[str, tuple[str, ...]] = {}
        for commit, changes in found:
            paths = []
            for change in changes:
                if change.path.startswith(_GRANTS + "/"):
                    if change.after is not None and change.before is None:
                        self.records[commit] = change.after
                elif change.path.startswith(REQUEST_FOLDERS):
                    self._touch_request(commit, change)
                else:
                    paths.append(change.path)
            if paths:
                self.foundation[commit] = tuple(paths)

    def _touch_request(self, commit: str, change: PathChange) -> None:
        if change.before is None:
            return  # a request that comes is no end of one
        grant = change.path.rpartition("/")[2].removesuffix(".yaml")
        self.requests[grant] = (*self.requests.get(grant, ()), commit)


def read_evidence(
    archive: Archive, verification: Verification, *, check_inputs: bool = False
) -> Evidence:
    """The stories that main tells up to the head that was verified.

    Args:
        archive: a clone of full depth.
        verification: what verify says of that head; the events that it counts are told.
        check_inputs: also hold each recorded decision input against its digest.

    Raises:
        GitError: the clone is shallow, or an object is not to be had.
        EvidenceError: verify found no fault, and yet counts other events than are read here.
    """
    head = verification.head
    changes = _Changes(archive.changes(head, (*FOUNDATION_PATHS, _GRANTS, *REQUEST_FOLDERS)))
    builder = FactsBuilder(
        requests=changes.requests,
        foundation=changes.foundation,
        side_times={
            commit.sha: parsed.authored_at
            for commit in archive.beside(head)
            if (parsed := parse_commit(commit.raw)).authored_at is not None
        },
        records=_records(archive, changes.records, check_inputs=check_inputs),
    )
    rejected = {fault.commit for fault in verification.faults if fault.code in _NO_EVENT}
    for commit in archive.walk(head):
        try:
            builder.take(commit, _event(commit, rejected))
        except EvidenceError as error:
            builder.take(commit, None)
            builder.odd(commit, str(error.__cause__ or error.message))
    evidence = builder.finish()
    if all(fault.noted for fault in verification.faults) and evidence.events != verification.events:
        raise EvidenceError(
            f"{evidence.events} events were read, and {verification.events} were verified",
            remedy="Run it again; if main did not move meanwhile, this is a bug in daypass.",
        )
    return evidence


def verified_events(archive: Archive, verification: Verification) -> Iterator[RecordedEvent]:
    """The events that verify counts, the newest first; those that cannot be read are its faults.

    Raises:
        GitError: the clone is shallow, or an object is not to be had.
    """
    rejected = {fault.commit for fault in verification.faults if fault.code in _NO_EVENT}
    for commit in archive.walk(verification.head):
        try:
            event = _event(commit, rejected)
        except EvidenceError:
            continue
        if event is not None:
            yield event


def _event(commit: RawCommit, rejected: Collection[str]) -> RecordedEvent | None:
    if _MARKED not in commit.raw or commit.sha in rejected:
        return None
    return event_of(commit.sha, parse_commit(commit.raw))


def _records(
    archive: Archive, blobs: Mapping[str, str], *, check_inputs: bool
) -> dict[str, RecordFacts]:
    found: dict[str, RecordFacts] = {}
    commits = list(blobs.items())
    for start in range(0, len(commits), _AT_ONCE):
        batch = commits[start : start + _AT_ONCE]
        contents = archive.blobs([blob for _commit, blob in batch])
        for commit, blob in batch:
            facts = read_record(contents[blob], check_input=check_inputs)
            if facts is not None:
                found[commit] = facts
    return found
