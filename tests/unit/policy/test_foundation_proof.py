"""The foundation's proof: a change of main is covered only by what its pull request lists."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from policy_world import BLOB, NOW, catalogue, pull_request, review

from daypass.lifecycle.context import Answers
from daypass.lifecycle.stretches import Stretch, proof_of
from daypass.model.pullrequest import ChangedFile
from daypass.model.tree import TreeEntry
from daypass.policy.provenance import FoundationProof

if TYPE_CHECKING:
    from collections.abc import Sequence

OLD, NEW = "access/policies/guard.yaml", "access/policies/guard-two.yaml"
BEFORE, AFTER = "1" * 40, "2" * 40


@dataclass(frozen=True)
class Trees:
    """Two commits, and what lies in them."""

    trees: dict[str, dict[str, str]] = field(default_factory=dict)

    def entries(self, commit: str, folder: str) -> Sequence[TreeEntry]:
        found = self.trees[commit].items()
        return [TreeEntry("100644", blob, path) for path, blob in found if path.startswith(folder)]


def proof(before: dict[str, str], after: dict[str, str], *files: ChangedFile) -> Any:
    pull = pull_request(review("frank"), files=files)
    ports: Any = SimpleNamespace(repository=Trees({BEFORE: before, AFTER: after}))
    forge: Any = SimpleNamespace(team_members=lambda *_: frozenset())
    return proof_of(ports, Answers(forge), Stretch(BEFORE, AFTER, (pull,)), catalogue(), NOW)


@pytest.mark.parametrize(
    ("after", "file"),
    [
        ({NEW: BLOB}, ChangedFile(NEW, "renamed", BLOB, OLD)),
        ({OLD: BLOB, NEW: BLOB}, ChangedFile(NEW, "copied", BLOB, OLD)),
        ({}, ChangedFile(OLD, "removed", BLOB)),
    ],
)
def test_what_the_owners_approved_is_proven(after, file):
    assert isinstance(proof({OLD: BLOB}, after, file), FoundationProof)


@pytest.mark.parametrize(
    ("after", "file"),
    [
        # A merge by hand of a branch that copies a guard, which also takes the guard away.
        ({NEW: BLOB}, ChangedFile(NEW, "copied", BLOB, OLD)),
        ({OLD: "e" * 40}, ChangedFile(OLD, "modified", BLOB)),
        ({}, ChangedFile(NEW, "added", BLOB)),
    ],
)
def test_what_the_owners_were_not_shown_is_not(after, file):
    assert proof({OLD: BLOB}, after, file) == "no pull request lists exactly these changes"
