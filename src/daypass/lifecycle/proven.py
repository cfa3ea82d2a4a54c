"""Proven: what the approved changes of main amount to, without those that nothing proves.

While main is frozen, access still ends by what is proven. A change that came by no approved pull
request is left out, whatever it broke or removed; what was approved after it counts nevertheless.
Nothing is granted by what this module makes.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from daypass.documents.readable import ReadableDocuments
from daypass.documents.repository import CATALOGUE_PATHS
from daypass.errors import DaypassError
from daypass.ledger.commitobject import parse_commit
from daypass.ledger.history import is_signed
from daypass.lifecycle.looked import Looked
from daypass.lifecycle.stretches import (
    Looking,
    Stretch,
    approved_of,
    by_bytes,
    changed_between,
    odd_modes,
    proof_of,
    stretches,
)
from daypass.model.tree import REGULAR_FILE, TreeEntry

if TYPE_CHECKING:
    from daypass.documents.readable import Changes
    from daypass.lifecycle.context import Answers
    from daypass.model.catalogue import Catalogue
    from daypass.model.instant import Instant

WAY_OUT: Final = (
    "Undo it by a pull request that its owners approve, then let an operator set the trusted "
    "commit anew with `daypass vault apply --trust REV`"
)


@dataclass(slots=True)
class ProvenLine:
    """The documents of the trusted commit, with every proven change of one line since."""

    ports: Looking
    answers: Answers
    trusted: str
    now: Instant
    looked: Looked = field(default_factory=Looked)
    proven: str = ""  # the newest commit up to which everything is proven, and loads
    unproven: str | None = None  # why the first change that is not proven is not
    _documents: ReadableDocuments | None = None
    _approvers: Catalogue | None = None  # who may approve the next change
    # For each path that an unproven change touched: what was proven before it.
    _before: dict[str, ReadableDocuments] = field(default_factory=dict)
    _also: list[ReadableDocuments] = field(default_factory=list)
    _touched: set[str] = field(default_factory=set)  # paths of every unproven change
    _looked_at: set[str] = field(default_factory=set)  # commits of main

    def __post_init__(self) -> None:
        """Begin at the trusted commit. Its documents are read when they are asked for."""
        self.proven = self.trusted

    @property
    def documents(self) -> ReadableDocuments:
        """Each document at the newest version that is proven and loads."""
        if self._documents is None:
            self._documents = ReadableDocuments.of(self.ports.repository, self.trusted)
        return self._documents

    def follow(self, tip: str) -> None:
        """Look at each change between the trusted commit and `tip`, oldest first.

        What GitHub does not tell is not proven. It does not keep the rest of a run from ending what
        must end.
        """
        try:
            for stretch in stretches(self.ports, self.answers, self.trusted, tip):
                self._take(stretch)
                if self.unproven is not None:
                    self._go_on(stretch.last, tip)
                    self._look_for_the_unseen(tip)
                    break
        except DaypassError as error:
            self._freeze(f"it is not known who brought what decisions rest on: {error.message}")

    def rulings(self) -> tuple[Catalogue, ...]:
        """The catalogues that a live grant must hold under, the newest first.

        There is more than one where an approved change may carry bytes of an unproven one before
        it: it was made on top of them. Then what was proven before both rules, too.
        """
        states = [self.documents, *self._also]
        found = (state.catalogue() for state in states)
        return tuple(catalogue for catalogue in found if catalogue is not None)

    def _take(self, stretch: Stretch) -> bool:
        """Let one stretch count, or not; whether something that its owners approved counts."""
        repository = self.ports.repository
        changed = changed_between(repository, stretch.before, stretch.last)
        self._looked_at.add(stretch.last)
        why = self._fault(stretch)
        if why is not None:
            self._freeze(why)
            kept = False
            with suppress(DaypassError):
                kept = self._keep_what_was_approved(stretch)
            self._touched |= changed.keys()
            for path in changed:
                self._before.setdefault(path, self.documents)
            return kept
        odd = odd_modes(changed)
        if odd:
            self._freeze(
                f"{stretch.last[:12]} changes what decisions rest on: {', '.join(odd)} is no "
                f"regular file (mode 100644), and no pull request shows that. {WAY_OUT}"
            )
        self._keep_what_was_before(changed)
        self._documents = self.documents.after(by_bytes(changed), repository.blobs)
        if self._documents.is_clear():
            self._approvers = self._documents.catalogue()
        if self.unproven is None and self._documents.is_whole():
            self.proven = stretch.last
        return True

    def _fault(self, stretch: Stretch) -> str | None:
        if self._approvers is None:  # the first change
            self._approvers = self.documents.catalogue()
            if not self.documents.is_whole():
                self._freeze(
                    f"the documents of {self.trusted[:12]} are broken, so no owner can approve "
                    "changes: mend them, then let an operator run `daypass vault apply --trust REV`"
                )
        if self._approvers is None:
            return f"no settings load at {self.trusted[:12]}"
        proof = proof_of(self.ports, self.answers, stretch, self._approvers, self.now)
        if isinstance(proof, str):
            return f"{stretch.last[:12]} changes what decisions rest on: {proof}. {WAY_OUT}"
        return None

    def _freeze(self, why: str) -> None:
        if self.unproven is None:
            self.unproven = why

    def _go_on(self, since: str, tip: str) -> None:
        """Look at what came after an unproven change: side by side, and not at all of very many."""
        commits = self.ports.repository.touching(since, tip, CATALOGUE_PATHS)
        asked = self.looked.changes.choose(commits)
        approved: list[str] = []
        with self.answers.asking(asked):
            for stretch in stretches(self.ports, self.answers, since, tip, asked=set(asked)):
                if self._take(stretch):
                    approved += stretch.commits
        self.looked.changes.done(approved)

    def _look_for_the_unseen(self, tip: str) -> None:
        """Find approved changes that left no mark on main: an unproven one had made them before."""
        if not self._touched:
            return
        commits: list[str] = []
        for commit in self.ports.repository.walk(tip):
            if commit.sha == self.proven:
                break
            if commit.sha not in self._looked_at and not is_signed(
                parse_commit(commit.raw), self.ports.signers, commit.sha
            ):
                commits.append(commit.sha)
        asked = self.looked.others.choose(commits[::-1])
        approved: list[str] = []
        with self.answers.asking(asked):
            for sha in asked:
                brought = self.answers.pull_requests_of(sha)
                if self._keep_what_was_approved(Stretch(None, sha, brought)):
                    approved.append(sha)
        self.looked.others.done(approved)

    def _keep_what_was_approved(self, stretch: Stretch) -> bool:
        """Let an approved change rule that was merged on top of an unproven one of the same file.

        Main has other bytes than its pull request then, or had the same before, and so nothing is
        proven. A person who wants to keep access could bring that about before an offboarding is
        merged.
        """
        if not self._touched or self._approvers is None:
            return False
        found = approved_of(self.answers, stretch, self._approvers, self.now)
        mixed = {item.path for item in found.files} & self._touched if found is not None else set()
        if found is None or not mixed:
            return False
        repository = self.ports.repository
        repository.fetch_pull_request(found.number, found.head_sha)
        shown: dict[str, TreeEntry | None] = {}
        for item in found.files:
            if item.path in mixed and item.status == "removed":
                shown[item.path] = None
            elif item.path in mixed and item.blob is not None:
                shown[item.path] = TreeEntry(REGULAR_FILE, item.blob, item.path)
        self._also.append(self.documents.after(shown, repository.blobs))
        return True

    def _keep_what_was_before(self, changed: Changes) -> None:
        for path in changed:
            before = self._before.pop(path, None)
            if before is not None and before not in self._also:
                self._also.append(before)
