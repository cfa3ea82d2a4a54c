"""Counting signers: the keys that count up to a head of main, as `verify` decides it.

The list of allowed signers at the head alone does not say so: any user who may push can empty it,
narrow it, or leave a line that cannot be read. As for `verify`, such a change touches no key that
counts already (see `trust`). With keys named from outside, those count, and the keys of their line
of handovers. Without, main is taken at its word: the first list, and what was listed since.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from daypass.errors import EvidenceError
from daypass.ledger import sshsig
from daypass.ledger.allowed_signers import AllowedSigner, Signers, list_at, parse_allowed_signers
from daypass.ledger.commitobject import parse_commit
from daypass.ledger.succession import is_of_handover, predecessors, read_links, signed_handover
from daypass.ledger.trust import Trust
from daypass.model.event import EventKind
from daypass.model.names import ALLOWED_SIGNERS_PATH

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from daypass.ledger.commitobject import ParsedCommit, RawCommit
    from daypass.model.tree import TreeEntry

_ONE_KEY: Final = 1


class Line(Protocol):
    """What is needed of a clone: main's first-parent line, and the trees of its commits."""

    def walk(self, commit: str) -> Iterator[RawCommit]:
        """First-parent commits from `commit` back, newest first."""

    def touching(self, since: str | None, until: str, paths: Sequence[str]) -> tuple[str, ...]:
        """First-parent commits in (since, until] that change one of `paths`, oldest first."""

    def entries(self, commit: str, folder: str) -> Sequence[TreeEntry]:
        """All entries below a folder (or the one of a file) of that commit's tree."""

    def blobs(self, ids: Sequence[str]) -> Mapping[str, bytes]:
        """The contents of blobs."""


class _Version(NamedTuple):
    """The list as one commit leaves it, or why it cannot be read."""

    signers: tuple[AllowedSigner, ...]  # none: it was removed, or something else took its place
    error: EvidenceError | None


def counting_signers(line: Line, head: str, fingerprints: Iterable[str] = ()) -> Signers | None:
    """The keys that count up to `head`; None where main never had a list.

    One that handed over counts up to the time of its endorsement. All of main is read only where
    it ever listed more than one key.

    Args:
        line: a clone of full depth.
        head: a commit of main.
        fingerprints: of evidence keys, known from elsewhere; none takes main at its word.

    Raises:
        EvidenceError: no key counts, and the newest list cannot be read.
        GitError: an object is not to be had.
    """
    versions = _versions(line, head)
    if not versions:
        return None
    named = frozenset(fingerprints)
    listed = {signer.key: signer for item in versions.values() for signer in item.signers}
    marked = [] if len(listed) <= _ONE_KEY else _marked(line, head, versions)
    if named:
        named |= predecessors(read_links(marked), named).keys()
    reading = _Reading(named)
    for commit in marked or (next(iter(line.walk(sha))) for sha in versions):
        reading.take(commit, versions.get(commit.sha))
    signers = reading.signers(listed)
    newest = next(reversed(versions.values()))
    if not signers.all() and newest.error is not None:
        raise newest.error
    return signers


class _Reading:
    """Trust in the keys, as the commits that concern them are read from the oldest one on."""

    def __init__(self, named: frozenset[str]) -> None:
        self._named = named
        self._trust = Trust(named)
        self._until: dict[bytes, int] = {}  # key → the time of its endorsement of the next one
        self._newest: tuple[AllowedSigner, ...] = ()  # of the newest list that can be read

    def take(self, commit: RawCommit, version: _Version | None) -> None:
        """Take a commit that changes the list, or hands over, or both."""
        parsed = parse_commit(commit.raw)
        key = self._signed_by(parsed)
        if version is not None and version.error is None:
            self._trust.read_list(commit.sha, version.signers, endorsed=key is not None)
            self._newest = version.signers
        if key is not None and is_of_handover(commit):
            self._hand_over(commit, key)

    def signers(self, listed: Mapping[bytes, AllowedSigner]) -> Signers:
        """The keys that count after all that was taken; `listed`: all keys that ever were."""
        found = list(self._trust.counting())
        counting = {item.key for item in found}
        others = {
            key: signer
            for key, signer in listed.items()
            if not self._trust.was_dropped(key) and key not in counting
        }
        if self._named:
            found += [
                AllowedSigner(signer.principals, key)
                for key, signer in others.items()
                if signer.fingerprint in self._named
            ]
        else:  # at main's word
            found += [signer for signer in self._newest if signer.key in others]
        return Signers(
            signer.narrowed_to(replace(signer, valid_before=self._until.get(signer.key)))
            for signer in found
        )

    def _signed_by(self, parsed: ParsedCommit) -> bytes | None:
        """The key that counts by then and signed that commit; None without one."""
        if parsed.signature is None or parsed.committed_at is None:
            return None
        try:
            key = sshsig.verified_key(parsed.signature, parsed.signed_payload)
        except ValueError:
            return None
        return key if self._trust.objection(key, parsed.committed_at) is None else None

    def _hand_over(self, commit: RawCommit, key: bytes) -> None:
        said = signed_handover(commit)
        if said is None or said[0] is not EventKind.KEY_ENDORSED:
            return
        _, handover, _, at = said
        if self._trust.hand_over(key, handover.after, commit.sha) is None:
            self._until[key] = at


def _versions(line: Line, head: str) -> dict[str, _Version]:
    """The list after each commit of main that changes it, oldest first."""
    blobs = {sha: list_at(line, sha) for sha in line.touching(None, head, [ALLOWED_SIGNERS_PATH])}
    contents = line.blobs(sorted({blob for blob in blobs.values() if blob is not None}))
    return {sha: _read(contents[blob] if blob else b"") for sha, blob in blobs.items()}


def _read(data: bytes) -> _Version:
    try:
        return _Version(parse_allowed_signers(data), None)
    except EvidenceError as error:
        return _Version((), error)


def _marked(line: Line, head: str, versions: Mapping[str, _Version]) -> list[RawCommit]:
    """The commits that change the list or say that they hand over, oldest first."""
    found = [item for item in line.walk(head) if item.sha in versions or is_of_handover(item)]
    return found[::-1]
