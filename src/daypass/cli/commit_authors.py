"""What `validate` says of the co-authors that the commits of this branch name."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast

from daypass.documents.changes import is_governed
from daypass.errors import DaypassError
from daypass.model.names import SETTINGS_PATH

if TYPE_CHECKING:
    from daypass.adapters.worktree import WorkTree
    from daypass.documents.commit_authors import NewCommit
    from daypass.documents.finding import Report
    from daypass.model.settings import Settings

_REMOTE_HEAD: Final = "refs/remotes/origin/HEAD"  # where a clone says which branch is main
_MOST: Final = "250"  # commits, of which GitHub lists no more
_LINE: Final = b"co-authored-by"


def with_co_authors(report: Report, tree: WorkTree, revision: str | None) -> Report:
    """The report with what is wrong, or may be, with the co-authors that new commits name.

    Args:
        report: what validation found of the documents.
        tree: the work tree.
        revision: what the branch is to be merged into; None for the remote's main branch, if the
            clone says which that is.
    """
    since = tree.commit(revision or _REMOTE_HEAD)
    commits = _new_commits(tree, since) if since is not None else []
    path = _governed_path(tree, since) if since is not None and commits else None
    if since is None or path is None:
        return report
    from daypass.documents.commit_authors import check_co_authors

    settings = _settings(tree, since)
    if settings is None:
        return report  # the documents of the base are wrong, and findings say so
    found = check_co_authors(commits, settings, path)
    return replace(
        report,
        findings=tuple(sorted({*report.findings, *found.findings})),
        notices=tuple(sorted({*report.notices, *found.notices})),
    )


def _new_commits(tree: WorkTree, since: str) -> list[NewCommit]:
    """The commits that HEAD has and `since` has not, if one of them names a co-author."""
    from daypass.documents.commit_authors import NewCommit

    told = tree.ask(
        "log", "-z", f"-n{_MOST}", "--format=%H%n%B", "--end-of-options", f"{since}..HEAD", "--"
    )
    if told is None or _LINE not in told.lower():
        return []
    records = (item.partition("\n") for item in told.decode("utf-8", "replace").split("\0"))
    return [NewCommit(sha.strip(), message) for sha, _, message in records if sha.strip()]


def _governed_path(tree: WorkTree, since: str) -> str | None:
    """The first file that these commits change and daypass judges approvals for."""
    told = tree.ask(
        "diff",
        "--name-only",
        "-z",
        "--no-renames",
        "--no-ext-diff",
        "--no-textconv",
        f"{since}...HEAD",
        "--",
    )
    paths = (told or b"").decode("utf-8", "surrogateescape").split("\0")
    return next((path for path in sorted(paths) if is_governed(path)), None)


def _settings(tree: WorkTree, since: str) -> Settings | None:
    from daypass.documents.document import read_document

    name = f"{since}:{SETTINGS_PATH}"
    try:
        return cast("Settings", read_document(SETTINGS_PATH, tree.blobs([name])[name]).model)
    except DaypassError:
        return None
