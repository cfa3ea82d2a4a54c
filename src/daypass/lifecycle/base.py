"""Base: what ruled main just before a request was merged into it.

Most runs find that it is what rules now: one question to git says so. Otherwise the documents of
that commit are read, once for each tree of them, and the request is decided by both.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from daypass.documents.repository import load_catalogue
from daypass.errors import DocumentError
from daypass.ledger.commitobject import parse_commit
from daypass.model.names import FOLDERS, SETTINGS_PATH, Kind
from daypass.policy.compiled import CompiledPolicies, compile_rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from daypass.lifecycle.context import Answers
    from daypass.lifecycle.ports import Repository
    from daypass.model.catalogue import Catalogue
    from daypass.model.tree import TreeEntry
    from daypass.policy.groups import GroupDirectory

_KINDS: Final = (Kind.RESOURCE, Kind.IDENTITY, Kind.ACCESS_POLICY, Kind.POLICY_EXCEPTION)
PATHS: Final = (SETTINGS_PATH, *(path for path, kind in FOLDERS.items() if kind in _KINDS))


@dataclass(frozen=True, slots=True)
class Ruling:
    """The documents of a commit, ready to decide by."""

    commit: str
    catalogue: Catalogue
    policies: CompiledPolicies
    groups: GroupDirectory


@dataclass(slots=True)
class Bases:
    """The bases of one run's requests, where they differ from what HEAD holds."""

    repository: Repository
    answers: Answers
    head: str
    parents: Mapping[str, str] = field(default_factory=dict)  # introducing commit → its base
    _changed: bool = False
    _known: dict[tuple[TreeEntry, ...], Ruling | None] = field(default_factory=dict)

    @classmethod
    def of(
        cls, repository: Repository, answers: Answers, head: str, commits: Iterable[str]
    ) -> Bases:
        """The bases of the commits that brought requests to main. Raises what the ports raise."""
        parents = _parents(repository, head, set(commits))
        bases = cls(repository, answers, head, parents)
        if parents:
            oldest = list(parents.values())[-1]  # the walk goes back in time
            bases._changed = bool(repository.touching(oldest, head, PATHS))
            bases._known[bases._entries(head)] = None
        return bases

    def before(self, commit: str | None) -> Ruling | None:
        """What ruled before that commit; None when it is what HEAD holds.

        Raises:
            DocumentError: the documents of that time were wrong.
        """
        parent = self.parents.get(commit) if commit is not None else None
        if parent is None or not self._changed:
            return None
        entries = self._entries(parent)
        if entries not in self._known:
            catalogue = load_catalogue(entries, self.repository.blobs)
            policies = compile_rules(catalogue)
            groups = self.answers.groups(catalogue)
            self._known[entries] = Ruling(parent, catalogue, policies, groups)
        return self._known[entries]

    def catalogues(self) -> tuple[Catalogue, ...]:
        """Of every base that differs from HEAD. One that is wrong decides nothing, and is left out.

        Raises what the ports raise.
        """
        for commit in self.parents:
            with suppress(DocumentError):
                self.before(commit)
        return tuple(ruling.catalogue for ruling in self._known.values() if ruling is not None)

    def _entries(self, commit: str) -> tuple[TreeEntry, ...]:
        return tuple(entry for path in PATHS for entry in self.repository.entries(commit, path))


def _parents(repository: Repository, head: str, wanted: set[str]) -> dict[str, str]:
    """The first parent of each commit; the oldest commit last."""
    found: dict[str, str] = {}
    walk = repository.walk(head) if wanted else iter(())
    for commit in walk:
        if commit.sha in wanted:
            wanted.discard(commit.sha)
            parents = parse_commit(commit.raw).parents
            if parents:
                found[commit.sha] = parents[0]
            if not wanted:
                break
    return found
