"""Broken documents on main keep no person from ending access."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from daypass.documents.blob import blob_id
from daypass.errors import DocumentError
from daypass.lifecycle.standing import _catalogue
from daypass.model.tree import TreeEntry

if TYPE_CHECKING:
    from collections.abc import Sequence

SETTINGS = """apiVersion: daypass.dev/v1
kind: Settings
metadata: {name: daypass}
spec:
  github:
    {owner: acme, ownerId: 1, repository: access, repositoryId: 2, appId: 3, appUserId: 4,
     installationId: 5}
  vault: {address: "https://vault.example.com:8200", audience: vault}
  evidence: {email: daypass@example.com}
  foundation: {owners: ["team:security"]}
"""
BOB = """apiVersion: daypass.dev/v1
kind: Identity
metadata: {name: bob}
spec: {type: human, status: active, github: {id: 2}}
"""
FILES = {"access/daypass.yaml": SETTINGS, "access/identities/bob.yaml": BOB}
ODD = {"access/policies/Odd Name.yaml": "kind: [\n"}


class Commits:
    def __init__(self, **trees: dict[str, str]) -> None:
        self.trees = trees

    def entries(self, commit: str, folder: str) -> Sequence[TreeEntry]:
        return [
            TreeEntry("100644", blob_id(text.encode()), path)
            for path, text in self.trees[commit].items()
            if path.startswith(folder)
        ]

    def blobs(self, ids: Sequence[str]) -> dict[str, bytes]:
        texts = [text.encode() for tree in self.trees.values() for text in tree.values()]
        return {blob_id(text): text for text in texts if blob_id(text) in ids}


def look(**trees: dict[str, str]) -> Any:
    repository: Any = Commits(**trees)
    return _catalogue(repository, list(trees))


def test_one_odd_document_on_both_commits_hides_no_other() -> None:
    found = look(head={**FILES, **ODD}, signed={**FILES, **ODD})
    assert set(found.identities) == {"bob"}


def test_a_whole_catalogue_comes_before_a_newer_one_in_parts() -> None:
    found = look(head={**ODD, "access/daypass.yaml": SETTINGS}, signed=FILES)
    assert set(found.identities) == {"bob"}


def test_without_settings_that_load_there_is_none() -> None:
    broken = {**FILES, "access/daypass.yaml": "{"}
    with pytest.raises(DocumentError):
        look(head=broken, signed=broken)
