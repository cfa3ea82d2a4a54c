"""Each document at its newest version that loads: a broken one hides no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from documents_world import (
    ALICE_PATH,
    DEPLOYER_PATH,
    POLICY_PATH,
    RESOURCE_PATH,
    SETTINGS_PATH,
    SOUND,
    entries,
    human,
)

from daypass.documents.blob import blob_id
from daypass.documents.readable import ReadableDocuments
from daypass.documents.repository import load_catalogue

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from daypass.model.tree import TreeEntry

LEFT = human("alice", 1).replace("active", "offboarded")
OTHER = human("eve", 77)


def read(*trees: Mapping[str, str | None], mode: str = "100644") -> ReadableDocuments:
    """Laid down one on top of the other: path → text, None where it is removed."""
    blobs = {
        blob_id(text.encode()): text.encode() for tree in trees for text in tree.values() if text
    }

    def contents(ids: Sequence[str]) -> dict[str, bytes]:
        return {blob: blobs[blob] for blob in ids}

    found = ReadableDocuments()
    for tree in trees:
        modes = dict.fromkeys(tree, mode) if tree is not trees[0] else None
        there = entries({path: text for path, text in tree.items() if text is not None}, modes)
        gone: dict[str, TreeEntry | None] = {path: None for path, text in tree.items() if not text}
        found = found.after({**gone, **{entry.path: entry for entry in there}}, contents)
    return found


def test_a_sound_tree_is_what_a_catalogue_loads() -> None:
    found = read(SOUND)
    blobs = {blob_id(text.encode()): text.encode() for text in SOUND.values()}
    whole = load_catalogue(entries(SOUND), lambda ids: {blob: blobs[blob] for blob in ids})
    assert found.catalogue() == whole
    assert found.is_whole()


@pytest.mark.parametrize("path", [DEPLOYER_PATH, POLICY_PATH, RESOURCE_PATH, SETTINGS_PATH])
@pytest.mark.parametrize("text", ["kind: [\n", "kind: Identity\n", "a: &a [*a]\n"])
def test_what_does_not_load_stays_as_it_was(path: str, text: str) -> None:
    found = read(SOUND, {path: text, ALICE_PATH: LEFT})
    catalogue, before = found.catalogue(), read(SOUND).catalogue()
    assert catalogue is not None
    assert before is not None
    assert not catalogue.identities["alice"].is_active
    assert catalogue.settings == before.settings
    assert catalogue.resources == before.resources
    assert catalogue.policies == before.policies
    assert found.unreadable == {path}
    assert not found.is_whole()
    mended = read(SOUND, {path: text, ALICE_PATH: LEFT}, {path: SOUND[path]})
    assert mended.is_whole()


def test_a_removed_document_is_gone_and_lost_settings_are_not() -> None:
    found = read(SOUND, {ALICE_PATH: None, SETTINGS_PATH: None})
    catalogue = found.catalogue()
    assert catalogue is not None
    assert "alice" not in catalogue.identities
    assert found.unreadable == {SETTINGS_PATH}


@pytest.mark.parametrize(
    ("path", "mode"),
    [
        ("access/identities/Eve.yaml", "100644"),
        ("access/identities/eve.yml", "100644"),
        ("access/identities/more/eve.yaml", "100644"),
        ("access/identities/eve.yaml", "120000"),
        ("access/identities", "160000"),
    ],
)
def test_what_is_out_of_place_is_left_out_and_makes_it_broken(path: str, mode: str) -> None:
    found = read(SOUND, {path: OTHER}, mode=mode)
    assert found.documents == read(SOUND).documents
    assert not found.is_whole()
    assert read(SOUND, {path: OTHER}, {path: None}, mode=mode).is_whole()


def test_one_account_of_two_identities_keeps_both_and_is_not_clear() -> None:
    twice = human("eve", 1).replace("active", "suspended")
    found = read(SOUND, {"access/identities/eve.yaml": twice, ALICE_PATH: LEFT})
    catalogue = found.catalogue()
    assert catalogue is not None
    assert not catalogue.identities["alice"].is_active
    assert not found.is_clear()
    assert not found.is_whole()


def test_without_settings_there_is_none() -> None:
    files = {path: text for path, text in SOUND.items() if path != SETTINGS_PATH}
    assert read(files).catalogue() is None
