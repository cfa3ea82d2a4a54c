"""What rules while main is frozen: every proven change, and none that nothing proves."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daypass.documents.blob import blob_id
from daypass.errors import ForgeUnavailableError
from daypass.lifecycle import proven
from daypass.lifecycle.looked import Looked
from daypass.lifecycle.proven import ProvenLine
from daypass.lifecycle.stretches import Stretch, odd_modes
from daypass.model.instant import Instant
from daypass.model.pullrequest import ChangedFile
from daypass.model.tree import TreeEntry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from daypass.model.catalogue import Catalogue

NOW = Instant.parse("2026-11-23T09:00:00Z")
SETTINGS = "access/daypass.yaml"
ALICE, BOB = "access/identities/alice.yaml", "access/identities/bob.yaml"


def human(name: str, account: int, status: str = "active", more: str = "") -> str:
    return (
        f"apiVersion: daypass.dev/v1\nkind: Identity\nmetadata: {{name: {name}}}\n"
        f"spec: {{type: human, status: {status}, github: {{id: {account}}}}}\n{more}"
    )


FILES = {
    SETTINGS: """apiVersion: daypass.dev/v1
kind: Settings
metadata: {name: daypass}
spec:
  github:
    {owner: acme, ownerId: 1, repository: access, repositoryId: 2, appId: 3, appUserId: 4,
     installationId: 5}
  vault: {address: "https://vault.example.com:8200", audience: vault}
  evidence: {email: daypass@example.com}
  foundation: {owners: ["team:security"]}
""",
    ALICE: human("alice", 1),
    BOB: human("bob", 2),
}
LEFT, BACK, COMMENT = (
    human("alice", 1, "offboarded"),
    human("alice", 1),
    human("alice", 1, "active", "# a\n"),
)
BROKEN = "kind: [\n"


@dataclass
class Main:
    """main since the trusted commit, and what GitHub says of each change."""

    trees: list[dict[str, str]] = field(default_factory=lambda: [dict(FILES)])
    proofs: list[bool] = field(default_factory=list)
    shown: dict[str, dict[str, str]] = field(default_factory=dict)  # approved, of a mixed change
    outage: int | None = None  # from that change on GitHub does not answer
    asked_by: list[Catalogue] = field(default_factory=list)
    asked_about: set[int] = field(default_factory=set)  # changes
    modes: dict[tuple[str, str], str] = field(default_factory=dict)  # (change, path) → odd mode

    def change(self, files: dict[str, str | None], *, is_proven: bool) -> Main:
        tree = {**self.trees[-1], **files}
        self.trees.append({path: text for path, text in tree.items() if text is not None})
        self.proofs.append(is_proven)
        return self

    def approved(self, files: dict[str, str | None]) -> Main:
        return self.change(files, is_proven=True)

    def by_hand(self, files: dict[str, str | None]) -> Main:
        return self.change(files, is_proven=False)

    def entries(self, commit: str, folder: str) -> Sequence[TreeEntry]:
        return [
            TreeEntry(self.modes.get((commit, path), "100644"), blob_id(text.encode()), path)
            for path, text in self.trees[int(commit)].items()
            if path.startswith(folder)
        ]

    def touching(self, since: str, until: str, _paths: Sequence[str]) -> tuple[str, ...]:
        return tuple(map(str, range(int(since) + 1, int(until) + 1)))

    def walk(self, _commit: str) -> Iterator[Any]:
        return iter(())

    def asking(self, _commits: Iterable[str]) -> Any:
        return nullcontext()

    def blobs(self, ids: Sequence[str]) -> dict[str, bytes]:
        texts = [text for tree in (*self.trees, *self.shown.values()) for text in tree.values()]
        return {blob: text.encode() for text in texts if (blob := blob_id(text.encode())) in ids}

    def fetch_pull_request(self, number: int, head: str) -> None:
        assert str(number) == head in self.shown


@pytest.fixture(autouse=True)
def github(monkeypatch: pytest.MonkeyPatch) -> None:
    proven_by_number: dict[int, bool] = {}  # what was not asked about is not proven

    def stretches(
        ports: Any, _answers: Any, since: str, until: str, *, asked: set[str] | None = None
    ) -> Iterator[Stretch]:
        for number in range(int(since), int(until)):
            if asked is None or str(number + 1) in asked:
                ports.repository.asked_about.add(number)
            if number == ports.repository.outage:
                raise ForgeUnavailableError("GitHub is away", remedy="Wait.")
            found = asked is None or str(number + 1) in asked
            proven_by_number[number + 1] = found and ports.repository.proofs[number]
            yield Stretch(str(number), str(number + 1), (), (str(number + 1),))

    def proof_of(ports: Any, _answers: Any, stretch: Stretch, before: Catalogue, _now: Any) -> Any:
        ports.repository.asked_by.append(before)
        return object() if proven_by_number[int(stretch.last)] else "nothing proves it"

    def approved_of(answers: Any, stretch: Stretch, _before: Catalogue, _now: Any) -> Any:
        files = answers.shown.get(stretch.last)
        if files is None:
            return None
        listed = [
            ChangedFile(path, "modified", blob_id(text.encode())) for path, text in files.items()
        ]
        return SimpleNamespace(number=int(stretch.last), head_sha=stretch.last, files=listed)

    monkeypatch.setattr(proven, "stretches", stretches)
    monkeypatch.setattr(proven, "proof_of", proof_of)
    monkeypatch.setattr(proven, "approved_of", approved_of)


def follow(main: Main, looked: Looked | None = None) -> ProvenLine:
    ports: Any = SimpleNamespace(repository=main)
    answers: Any = main
    line = ProvenLine(ports, answers, "0", NOW, looked or Looked())
    line.follow(str(len(main.trees) - 1))
    return line


def active(line: ProvenLine, name: str = "alice") -> list[bool]:
    """Of each catalogue that rules, whether that person is there and active."""
    found = [catalogue.identities.get(name) for catalogue in line.rulings()]
    return [person is not None and person.is_active for person in found]


def test_a_proven_main_rules_as_it_is() -> None:
    line = follow(Main().approved({ALICE: LEFT}))
    assert (line.unproven, line.proven, active(line)) == (None, "1", [False])


@pytest.mark.parametrize("odd", [{BOB: BROKEN}, {SETTINGS: BROKEN}, {SETTINGS: None}, {BOB: None}])
@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
def test_an_offboarding_stands_beside_what_is_not_proven(
    odd: dict[str, str | None], first: bool
) -> None:
    main = Main()
    if first:
        main.by_hand(odd).approved({ALICE: LEFT})
    else:
        main.approved({ALICE: LEFT}).by_hand(odd)
    line = follow(main)
    assert line.unproven is not None
    assert line.proven == ("0" if first else "1"), "never past what is not proven"
    assert active(line) == [False]
    assert active(line, "bob") == [True]


def test_what_is_approved_and_broken_hides_no_offboarding_and_is_not_trusted() -> None:
    line = follow(Main().approved({BOB: BROKEN}).approved({ALICE: LEFT}))
    assert (line.unproven, line.proven, active(line)) == (None, "0", [False])
    assert active(line, "bob") == [True]


@pytest.mark.parametrize("mode", ["100755", "120000"])
def test_a_mode_hides_no_approved_offboarding(mode: str) -> None:
    """Nobody approved that change of a mode, and git merges the offboarding on top of it."""
    main = Main().by_hand({}).approved({ALICE: LEFT})
    main.modes = {("1", ALICE): mode, ("2", ALICE): mode}
    line = follow(main)
    assert line.unproven is not None
    assert (line.proven, False in active(line)) == ("0", True)


@pytest.mark.parametrize("mode", ["100755", "120000", "160000"])
def test_a_mode_is_never_proven_and_approved_bytes_rule(mode: str) -> None:
    """It came with the approved change itself: GitHub's list of files shows no modes."""
    main = Main().approved({BOB: human("bob", 2) + "# a\n"}).approved({ALICE: LEFT})
    main.modes = {("1", BOB): mode, ("2", BOB): mode}
    line = follow(main)
    assert line.unproven is not None
    assert f"{BOB} ({mode})" in line.unproven
    assert (line.proven, active(line), active(line, "bob")) == ("0", [False], [True])
    main = Main().approved({ALICE: LEFT})
    main.modes = {("1", ALICE): mode}
    line = follow(main)
    assert (line.unproven is None, line.proven) == (False, "0")
    assert active(line) == [mode == "160000"], "a submodule has no bytes"


def test_what_is_not_proven_takes_nothing_away() -> None:
    assert active(follow(Main().by_hand({ALICE: LEFT}))) == [True]


def test_an_approved_change_on_top_of_an_unproven_one_carries_nothing_along() -> None:
    main = Main().approved({ALICE: LEFT}).by_hand({ALICE: BACK}).approved({ALICE: COMMENT})
    assert active(follow(main)) == [True, False], "one that denies is enough"


def test_what_was_shown_to_its_owners_rules_where_main_has_a_mixture() -> None:
    main = Main().by_hand({ALICE: COMMENT}).by_hand({ALICE: LEFT + "# a\n"})
    main.shown["2"] = {ALICE: LEFT}
    assert active(follow(main)) == [True, False]


def test_a_stale_change_that_no_unproven_one_touched_rules_nothing() -> None:
    """Two approved changes of one file that git merged: the first was not meant to be undone."""
    main = Main().approved({ALICE: COMMENT}).by_hand({ALICE: LEFT + "# a\n"})
    main.shown["2"] = {ALICE: LEFT}
    assert active(follow(main)) == [True]


def test_no_approver_is_made_by_what_is_not_proven() -> None:
    own = FILES[SETTINGS].replace("team:security", "team:mine")
    main = Main().by_hand({SETTINGS: own}).approved({ALICE: LEFT})
    follow(main)
    assert {item.settings.foundation_owners for item in main.asked_by} == {("team:security",)}


def test_an_outage_leaves_what_was_proven_before_it() -> None:
    main = Main().approved({ALICE: LEFT}).approved({BOB: None})
    main.outage = 1
    line = follow(main)
    assert line.unproven is not None
    assert "GitHub is away" in line.unproven
    assert (line.proven, active(line), active(line, "bob")) == ("1", [False], [True])


def test_of_very_many_changes_by_hand_github_is_asked_about_some() -> None:
    main = Main()
    for number in range(150):
        main.by_hand({ALICE: human("alice", 1, "suspended", f"# {number}\n")})
    line = follow(main)
    assert len(main.asked_about) == 101
    assert line.looked.left == 49
    assert {0, 1, 149} <= main.asked_about
    assert active(line) == [True]


def test_padding_hides_an_approved_offboarding_for_a_few_runs_at_most() -> None:
    """Each run goes on where the one before it stopped, and says what is left."""
    main = Main()
    for number in range(400):
        files: dict[str, str | None] = {BOB: human("bob", 2, "active", f"# {number}\n")}
        if number == 220:
            main.approved({ALICE: LEFT})
        else:
            main.by_hand(files)
    note, left = None, []
    for _ in range(8):
        line = follow(main, Looked.from_note(note, "0"))
        left.append(line.looked.left)
        note = json.loads(json.dumps(line.looked.to_note("0")))
        if active(line) == [False]:
            break
    assert left == [299, 249, 199, 149, 99]
    assert active(follow(main, Looked.from_note(note, "0"))) == [False], "it is not forgotten"


TEXTS = {
    ALICE: [LEFT, BACK, COMMENT, BROKEN, None],
    BOB: [human("bob", 2, "suspended"), human("bob", 2), BROKEN, None],
    SETTINGS: [FILES[SETTINGS], BROKEN, None],
}
changes = st.sampled_from(sorted(TEXTS)).flatmap(
    lambda path: st.sampled_from(TEXTS[path]).map(lambda text: {path: text})
)


@given(st.lists(st.tuples(changes, st.booleans()), max_size=7))
def test_the_newest_ruling_is_that_of_the_proven_changes_alone(
    story: list[tuple[dict[str, str | None], bool]],
) -> None:
    main, honest = Main(), Main()
    for number, (text, is_proven) in enumerate(story):
        files = {path: words and f"{words}# {number}\n" for path, words in text.items()}
        main.change(files, is_proven=is_proven)
        if is_proven and main.trees[-1] != main.trees[-2]:  # else main shows nothing of it
            honest.approved(files)
    line, other = follow(main), follow(honest)
    assert line.documents.documents == other.documents.documents
    unproven = [number for number, (_, is_proven) in enumerate(story) if not is_proven]
    assert int(line.proven) <= (unproven[0] if unproven else len(story))
    assert (line.unproven is not None) is bool(unproven)


def test_scripts_of_workflows_may_be_executable() -> None:
    script, link = ".github/scripts/run.sh", ".github/link"
    changed = {
        script: TreeEntry("100755", "1" * 40, script),
        link: TreeEntry("120000", "2" * 40, link),
        ALICE: TreeEntry("100755", "3" * 40, ALICE),
    }
    assert odd_modes(changed) == (f"{link} (120000)", f"{ALICE} (100755)")
