"""The rules of a pull request: what may change together, and what may not change at all.

Judged by git's entries before and after, so that nothing in a work tree can hide a change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from daypass.documents.finding import Finding
from daypass.documents.tree import check_path
from daypass.documents.wording import first_of
from daypass.model.names import BOT_FOLDERS, FOUNDATION_PATHS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from daypass.model.tree import TreeEntry

REQUESTS: Final = "access/requests/"
BREAK_GLASS: Final = "access/break-glass/"
_RECORDS: Final = tuple(f"{folder}/" for folder in BOT_FOLDERS)
_KEEPERS: Final = frozenset(f"{folder}/.gitkeep" for folder in BOT_FOLDERS)
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Changes:
    """What differs between two trees."""

    added: tuple[TreeEntry, ...]
    modified: tuple[tuple[TreeEntry, TreeEntry], ...]  # before, after
    deleted: tuple[TreeEntry, ...]

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path that differs, sorted."""
        after = (entry.path for _, entry in self.modified)
        return tuple(
            sorted([*(e.path for e in self.added), *after, *(e.path for e in self.deleted)])
        )

    @property
    def touches_requests(self) -> bool:
        """Whether a request is added, edited or deleted: it is judged by the base's catalogue."""
        return any(path.startswith((REQUESTS, BREAK_GLASS)) for path in self.paths)

    @property
    def touches_foundation(self) -> bool:
        """Whether something changes that decisions rest on."""
        return any(is_foundation(path) for path in self.paths)


def changes(base: Iterable[TreeEntry], head: Iterable[TreeEntry]) -> Changes:
    """What differs between two trees; entries that are equal in both may be left out of both."""
    before = {entry.path: entry for entry in base}
    after = {entry.path: entry for entry in head}
    return Changes(
        added=tuple(entry for path, entry in after.items() if path not in before),
        modified=tuple(
            (before[path], entry)
            for path, entry in after.items()
            if path in before and before[path] != entry
        ),
        deleted=tuple(entry for path, entry in before.items() if path not in after),
    )


def check_changes(changed: Changes) -> tuple[Finding, ...]:
    """What a pull request may not do, whatever its documents say."""
    return tuple(
        finding
        for check in (
            _check_records,
            _check_live_requests,
            _check_renames,
            _check_mixed,
            _check_emergencies,
            _check_paths,
        )
        for finding in check(changed)
    )


def check_number(changed: Changes, most: int) -> tuple[Finding, ...]:
    """Refuses more requests than one pull request may add. What it deletes is not counted."""
    added = sorted(entry.path for entry in changed.added if entry.path.startswith(REQUESTS))
    asked = [path for path in added if path.endswith(".yaml")]
    if len(asked) <= most:
        return ()
    return (
        Finding.of_file(
            asked[most],
            "change-number",
            f"one pull request asks for {len(asked)} requests, and the limit is {most}: this one "
            "and those after it would be refused",
            f"Split it: keep {most} of them here, and bring the rest in other pull requests. "
            "Owners of the foundation can raise limits.requestsPerPullRequest in "
            "access/daypass.yaml. To delete requests, no limit holds.",
        ),
    )


def _check_records(changed: Changes) -> Iterator[Finding]:
    for what, paths in (
        ("added", [entry.path for entry in changed.added]),
        ("edited", [entry.path for _, entry in changed.modified]),
        ("deleted", [entry.path for entry in changed.deleted]),
    ):
        for path in paths:
            if path.startswith(_RECORDS) and path not in _KEEPERS:
                yield Finding.of_file(
                    path,
                    "change-record",
                    f"a record is {what} by hand; only the bot writes here",
                    "Take it out of this pull request. To end a grant, delete its request in "
                    "access/requests.",
                )


def _check_live_requests(changed: Changes) -> Iterator[Finding]:
    for _, after in changed.modified:
        if after.path.startswith((REQUESTS, BREAK_GLASS)):
            yield Finding.of_file(
                after.path,
                "change-live-request",
                "a request that is on the base branch is edited; what was approved stays as it is",
                "Undo the edit. To ask for something else, add a request with a new id (and "
                "`renews` if it continues this one); to end this one, delete its file.",
            )


def _check_renames(changed: Changes) -> Iterator[Finding]:
    gone = {entry.blob: entry.path for entry in changed.deleted if entry.path.startswith(REQUESTS)}
    for entry in changed.added:
        if entry.path.startswith(REQUESTS) and entry.blob in gone:
            yield Finding.of_file(
                entry.path,
                "change-renamed-request",
                f"this is {gone[entry.blob]} under another name: that would end one grant and "
                "ask for another",
                "Keep the name. To ask anew, add a request with a new id.",
            )


def _check_mixed(changed: Changes) -> Iterator[Finding]:
    paths = changed.paths
    requests = [path for path in paths if path.startswith(REQUESTS)]
    emergency = [path for path in paths if path.startswith(BREAK_GLASS)]
    others = [path for path in paths if not path.startswith((REQUESTS, BREAK_GLASS, *_RECORDS))]
    if requests and emergency:
        yield _mixed(emergency[0], "break-glass requests", "requests", requests)
    if (requests or emergency) and others:
        foundation = any(is_foundation(path) for path in others)
        what = "what decisions rest on" if foundation else "other files"
        yield _mixed((requests or emergency)[0], "requests", what, others)


def _check_emergencies(changed: Changes) -> Iterator[Finding]:
    added = [entry.path for entry in changed.added if entry.path.startswith(BREAK_GLASS)]
    for path in [path for path in added if not path.endswith("/.gitkeep")][1:]:
        yield Finding.of_file(
            path,
            "change-emergencies",
            f"one pull request asks for more than one emergency ({added[0]} is another)",
            "Keep one: each is merged, reviewed and answered for by itself.",
        )


def _check_paths(changed: Changes) -> Iterator[Finding]:
    for entry in changed.added:
        if (finding := check_path(entry)) is not None:
            yield finding


def _mixed(path: str, these: str, what: str, others: Sequence[str]) -> Finding:
    named = first_of(others, _SHOWN)
    files = " ".join(sorted({_unit(other) for other in others}))
    return Finding.of_file(
        path,
        "change-mixed",
        f"one pull request changes {these} together with {what} ({named}): whoever asks must not "
        "change the rules on the way",
        f"Split it. Keep the {these} here and take the rest out: `git checkout BASE -- {files}` "
        f"and commit. Bring it in a pull request of its own: `git switch -c NAME BASE`, "
        f"`git checkout THIS-BRANCH -- {files}` and commit.",
    )


def _unit(path: str) -> str:
    """What to name in a command: the folder of documents, or the top-level entry."""
    parts = path.split("/")
    return "/".join(parts[:2]) if parts[0] == "access" else parts[0]


def is_governed(path: str) -> bool:
    """Whether approvals are counted for a change of that file: a request, or the foundation."""
    return path.startswith((REQUESTS, BREAK_GLASS)) or is_foundation(path)


def is_foundation(path: str) -> bool:
    """Whether decisions rest on that file: policies, resources, identities, settings, workflows."""
    return any(path == part or path.startswith(f"{part}/") for part in FOUNDATION_PATHS)
