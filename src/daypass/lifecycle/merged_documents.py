"""Merged documents: what decisions would rest on after a merge, and what is wrong with that.

The tree is put together path by path, as git merges what only one side changed. Of a file that both
sides changed, main would get bytes that no pull request lists, and nothing would prove them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from daypass.documents.repository import is_part, load_catalogue
from daypass.documents.validation import validate
from daypass.errors import DocumentError
from daypass.ledger.allowed_signers import UnreadableListError, parse_allowed_signers
from daypass.lifecycle.examining import examine
from daypass.lifecycle.stretches import changed_between, foundation_at
from daypass.model.names import ALLOWED_SIGNERS_PATH

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from daypass.documents.document import Document
    from daypass.documents.finding import Finding
    from daypass.lifecycle.ports import Repository
    from daypass.model.tree import TreeEntry


_UPDATE: Final = "update the branch from main first, and have it approved then"


@dataclass(frozen=True, slots=True)
class MergeFaults:
    """What is wrong with the foundation as a merge would leave it, for people."""

    freezes: tuple[str, ...] = ()  # nothing would be granted any more
    breaks: tuple[str, ...] = ()  # `validate` refuses it


def merge_faults(repository: Repository, main: str, ancestor: str, head: str) -> MergeFaults:
    """Tells what is wrong with what decisions would rest on, if `head` were merged into `main`.

    What is wrong on main already is not laid to the merge.

    Args:
        repository: has all three commits.
        main: the commit that is merged into.
        ancestor: where the branch left main.
        head: of the branch.
    """
    base, ours = foundation_at(repository, ancestor), foundation_at(repository, main)
    changed = dict(sorted(changed_between(repository, ancestor, head).items()))
    stale = [
        path for path, entry in changed.items() if ours.get(path) not in (base.get(path), entry)
    ]
    merged = {path: entry for path, entry in {**ours, **changed}.items() if entry is not None}
    before, after = _Documents(repository, ours), _Documents(repository, merged)
    broken, lost = after.that_do_not_load(), tuple(after.lost_signers())
    refused = after.refused() if not broken else ()
    # Main's own faults are looked for only where there is one to compare.
    broken_before = before.that_do_not_load() if broken else ()
    known = {_key(item) for item in before.refused()} if refused else set()
    lost_before = tuple(before.lost_signers()) if lost else ()
    return MergeFaults(
        (
            *(f"main changed {path} too since the branch left it: {_UPDATE}" for path in stale),
            *(_said(item) for item in broken if item not in broken_before),
        ),
        (
            *(_said(item) for item in refused if _key(item) not in known),
            *(item for item in lost if item not in lost_before),
        ),
    )


@dataclass(frozen=True, slots=True)
class _Documents:
    """What decisions rest on in one tree: path → entry."""

    repository: Repository
    entries: Mapping[str, TreeEntry]

    def that_do_not_load(self) -> tuple[Finding, ...]:
        """What keeps the catalogue from loading."""
        try:
            load_catalogue(self.entries.values(), self.repository.blobs)
        except DocumentError as error:
            return cast("tuple[Finding, ...]", tuple(error.findings))
        return ()

    def refused(self) -> tuple[Finding, ...]:
        """What `validate` has against documents that load."""
        mine = [entry for entry in self.entries.values() if is_part(entry.path)]
        contents = self.repository.blobs(sorted({entry.blob for entry in mine}))
        read = {entry.path: contents[entry.blob] for entry in mine}
        return validate(mine, read.__getitem__, _Nothing(), examine=examine).findings

    def lost_signers(self) -> Iterator[str]:
        """Why nobody could tell by the list which evidence is the bot's."""
        entry = self.entries.get(ALLOWED_SIGNERS_PATH)
        if entry is None or not entry.is_file:
            yield f"{ALLOWED_SIGNERS_PATH} is no longer there: evidence is verified by it"
            return
        try:
            parse_allowed_signers(self.repository.blobs([entry.blob])[entry.blob])
        except UnreadableListError as error:
            yield f"{error.message}. {error.remedy}"


class _Nothing:
    """Every document is read: nothing is known of any."""

    def get(self, _entry: TreeEntry) -> Document | None:
        """Nothing is known."""
        return None

    def put(self, _entry: TreeEntry, _document: Document) -> None:
        """Nothing is remembered."""


def _key(finding: Finding) -> tuple[str, str, str]:
    """What it is, wherever in the file it stands."""
    return finding.path, finding.rule, finding.message


def _said(finding: Finding) -> str:
    stop = "" if finding.message.endswith("?") else "."
    return f"{finding.place}: {finding.message}{stop} {finding.remedy}"
