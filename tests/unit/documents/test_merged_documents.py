"""What a merge would leave of what decisions rest on, and what is wrong with that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
from documents_world import ALICE_PATH, POLICY, POLICY_PATH, REQUEST_PATH, SETTINGS, SOUND, human
from documents_world import entries as entries_of

from daypass.documents.blob import blob_id
from daypass.lifecycle.foundation_forecast import forecast_documents
from daypass.lifecycle.merged_documents import MergeFaults, merge_faults
from daypass.model.names import ALLOWED_SIGNERS_PATH

if TYPE_CHECKING:
    from daypass.model.tree import TreeEntry

SIGNERS = (
    'daypass@example.com namespaces="git" ssh-ed25519 '
    "AAAAC3NzaC1lZDI1NTE5AAAAIBDhfk5eYozgvKve4pQ66OW1PP89UXivHrYm0y1/Au0i\n"
)
BASE = {**SOUND, ALLOWED_SIGNERS_PATH: SIGNERS}
EXTRA = "access/policies/extra.yaml"
GUARD = """apiVersion: daypass.dev/v1
kind: AccessPolicy
metadata: {name: extra}
spec:
  description: What every holder has to be asked about.
  effect: guard
  enforcement: enforce
  match: {}
  rules:
  - {name: hour, expression: "EXPRESSION", message: "Not at this hour."}
"""


class Trees:
    """Commits by name, each a tree: path → text."""

    def __init__(self, **trees: dict[str, str]) -> None:
        self.trees = trees

    def entries(self, commit: str, folder: str) -> list[TreeEntry]:
        found = entries_of(self.trees[commit])
        return [item for item in found if item.path == folder or item.path.startswith(f"{folder}/")]

    def blobs(self, ids: list[str]) -> dict[str, bytes]:
        every = {text.encode() for tree in self.trees.values() for text in tree.values()}
        return {blob_id(data): data for data in every if blob_id(data) in ids}


def changed(tree: dict[str, str], files: dict[str, str | None]) -> dict[str, str]:
    return {path: text for path, text in {**tree, **files}.items() if text is not None}


def faults(head: dict[str, str | None], main: dict[str, str | None] | None = None) -> MergeFaults:
    trees = Trees(base=BASE, head=changed(BASE, head), main=changed(BASE, main or {}))
    return merge_faults(cast("Any", trees), "main", "base", "head")


def test_a_sound_change_is_nothing_to_speak_of() -> None:
    assert faults({EXTRA: GUARD.replace("EXPRESSION", "now.getHours('Europe/Zurich') >= 0")}) == (
        MergeFaults()
    )
    assert faults({"README.md": "changed"}, {POLICY_PATH: None}) == MergeFaults()


@pytest.mark.parametrize(
    ("head", "why"),
    [
        ({EXTRA: "apiVersion: nonsense\n"}, EXTRA),
        ({POLICY_PATH: POLICY.replace("kind:", "kindd:")}, "kindd"),
        ({EXTRA: POLICY.replace("Reading needs a word from the people", "Short.")}, EXTRA),
        ({EXTRA.replace("yaml", "yml"): POLICY}, "extra.yml"),
        ({"access/daypass.yaml": None}, "access/daypass.yaml"),
        ({"access/identities/second.yaml": human("second", 11)}, "second"),
    ],
    ids=[
        "no document",
        "unknown field",
        "description",
        "ending",
        "no settings",
        "one account twice",
    ],
)
def test_what_does_not_load_would_freeze(head: dict[str, str | None], why: str) -> None:
    found = faults(head)
    assert any(why in line for line in found.freezes), found
    assert found.breaks == ()


@pytest.mark.parametrize(
    ("head", "why"),
    [
        ({EXTRA: GUARD.replace("EXPRESSION", "now.getHours('Mars/Olympus') >= 0")}, "Mars/Olympus"),
        ({EXTRA: GUARD.replace("EXPRESSION", "now ++")}, "cannot be used"),
        ({ALICE_PATH: None}, "alice"),
        ({ALLOWED_SIGNERS_PATH: "x ssh-ed25519 AAAA\n"}, f"{ALLOWED_SIGNERS_PATH}:1"),
        ({ALLOWED_SIGNERS_PATH: None}, "no longer there"),
    ],
    ids=["time zone", "expression", "an owner", "signers", "no signers"],
)
def test_what_validate_refuses_would_break(head: dict[str, str | None], why: str) -> None:
    found = faults(head)
    assert any(why in line for line in found.breaks), found
    assert found.freezes == ()


def test_of_a_file_that_main_changed_too_the_branch_is_updated_first() -> None:
    mine = {POLICY_PATH: f"# top\n{POLICY}"}
    found = faults(mine, {POLICY_PATH: f"{POLICY}# bottom\n"})
    (line,) = found.freezes
    assert line.startswith(f"main changed {POLICY_PATH} too since the branch left it")
    assert line.endswith("update the branch from main first, and have it approved then")
    assert faults(mine, mine) == MergeFaults()
    assert faults({POLICY_PATH: None}, {POLICY_PATH: None}) == MergeFaults()
    assert "update the branch" in faults({POLICY_PATH: None}, mine).freezes[0]


def test_what_only_the_two_together_break_is_seen() -> None:
    gone = {"access/daypass.yaml": SETTINGS.replace("dba: [bob,", "dba: [bob, alice,")}
    found = faults(gone, {ALICE_PATH: None})
    assert any("alice" in line for line in found.breaks), found


def test_what_is_wrong_on_main_already_is_not_laid_to_the_merge() -> None:
    assert faults({EXTRA: GUARD.replace("EXPRESSION", "true")}, {ALICE_PATH: None}).breaks == ()


def test_without_github_a_change_of_the_foundation_is_told_as_one() -> None:
    head = changed(BASE, {EXTRA: "apiVersion: nonsense\n"})
    trees = cast("Any", Trees(base=BASE, head=head))
    found = forecast_documents(trees, "base", "base", "head")
    assert found is not None
    assert found.is_refused
    assert "not asked here" in found.unknown[0]
    same = cast("Any", Trees(base=BASE, head=changed(BASE, {REQUEST_PATH: None})))
    assert forecast_documents(same, "base", "base", "head") is None
