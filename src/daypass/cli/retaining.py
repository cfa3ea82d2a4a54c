"""What a pull request would do to evidence that is still to be kept: for `validate --base`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daypass.adapters.clock import machine_now
from daypass.documents.document import read_document
from daypass.documents.retention import check_promise, check_signers
from daypass.errors import DocumentError, EvidenceError
from daypass.ledger.allowed_signers import Signers
from daypass.ledger.retention import kept_evidence, orphaned
from daypass.model.names import ALLOWED_SIGNERS_PATH, KEEPS, SETTINGS_PATH
from daypass.model.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from daypass.adapters.worktree import WorkTree
    from daypass.documents.changes import Changes
    from daypass.documents.finding import Finding
    from daypass.ledger.retention import Kept


def check_retention(
    tree: WorkTree, commit: str, changed: Changes, read: Callable[[str], bytes]
) -> list[Finding]:
    """What the change takes from evidence that is younger than the base's retention.

    Args:
        tree: the clone.
        commit: where the branch left the base.
        changed: what differs since.
        read: the bytes of a path of the work tree.

    Raises:
        GitError: the clone is shallow: where its history ends, nothing is known.
    """
    before = {entry.path: entry.blob for entry in tree.entries_of(commit) if entry.path in KEEPS}
    content = {path: tree.blobs([blob])[blob] for path, blob in before.items()}
    gone = {entry.path for entry in changed.deleted}
    touched = KEEPS.intersection(changed.paths)
    settings = _settings(content.get(SETTINGS_PATH))
    signers = _signers(content.get(ALLOWED_SIGNERS_PATH))
    if settings is None or signers is None:
        return []  # the base kept nothing that could be read
    retention = settings.evidence.retention
    kept = list(_kept(tree, commit, signers, machine_now().seconds - retention.seconds))
    found: list[Finding | None] = []
    if SETTINGS_PATH in touched and SETTINGS_PATH not in gone:
        after = _settings(read(SETTINGS_PATH))
        if after is not None:  # else it is refused for what it is
            newest = kept[0].commit if kept else None
            found.append(check_promise(retention, after.evidence.retention, newest))
    if ALLOWED_SIGNERS_PATH in touched:
        left = None if ALLOWED_SIGNERS_PATH in gone else _signers(read(ALLOWED_SIGNERS_PATH))
        lost = orphaned(kept, left or Signers(()))
        found.append(check_signers(len(lost), lost[0].commit if lost else None, retention))
    return [finding for finding in found if finding is not None]


def _kept(tree: WorkTree, commit: str, signers: Signers, since: int) -> Iterator[Kept]:
    from daypass.adapters.git import GitRepository

    with GitRepository(
        tree.root, remote="origin", branch="main", author=("", ""), token=None
    ) as repository:
        yield from kept_evidence(repository.walk(commit), signers, since)


def _settings(content: bytes | None) -> Settings | None:
    if content is None:
        return None
    try:
        model = read_document(SETTINGS_PATH, content).model
    except DocumentError:
        return None
    return model if isinstance(model, Settings) else None


def _signers(content: bytes | None) -> Signers | None:
    try:
        return None if content is None else Signers.parse(content)
    except EvidenceError:
        return None
