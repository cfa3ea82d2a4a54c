"""Trees that git takes and shows otherwise: spellings of modes, depth, trees of trees."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from daypass.adapters.git import listing
from daypass.adapters.git.tree import parse_tree
from daypass.adapters.tree_changes import tree_changes
from daypass.errors import GitError
from daypass.lifecycle.happening import Happening, Run, make_event
from daypass.lifecycle.ports import NewCommit
from daypass.lifecycle.recorded_tree import RecordedTree
from daypass.model.event import EventKind
from daypass.model.tree import DEEPEST, DOUBLED, FOLDER, path_fault
from support.evidence_bot import START
from support.local_signer import LocalSigner

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from daypass.adapters.git import GitRepository
    from support.evidence_bot import Bot

SPELLINGS = (
    *("100644", "100755", "120000", "160000", "40000", "040000", "0100644", "0000100644"),
    *("100664", "100600", "100444", "100777", "100711", "100100", "0100755", "120777", "1120000"),
    *("40755", "0", "644", "755", "10000", "20000", "60000", "140000", "170000", "1100644"),
    *("37777740000", "7777777777100644"),
)


def make_tree(folder: Path, lines: Mapping[bytes, tuple[str, str]]) -> str:
    """A tree object, whatever git thinks of it: name → spelling of the mode, id."""
    content = b"".join(
        mode.encode() + b" " + name + b"\0" + bytes.fromhex(object_id)
        for name, (mode, object_id) in lines.items()
    )
    words = ("git", "hash-object", "-t", "tree", "-w", "--stdin", "--literally")
    return subprocess.run(
        words, cwd=folder, input=content, check=True, capture_output=True, text=False
    ).stdout.decode()[:40]


def write(
    repository: GitRepository, parent: str, changes: list[dict[str, bytes | None]]
) -> list[str]:
    commits = (NewCommit(change, "Change\n") for change in changes)
    return list(repository.write_commits(parent, commits, LocalSigner(), START))


def commit(bot: Bot, tree: str) -> str:
    """Make a commit of that tree on top of main, in this clone alone."""
    return bot.git("commit-tree", tree, "-p", "origin/main", "-m", "A tree")


def test_modes_are_what_git_takes_them_for(bot: Bot) -> None:
    lines = {b"%03d" % at: (mode, "1" * 40) for at, mode in enumerate(SPELLINGS)}
    tree = make_tree(bot.work, lines)
    shown = [line.split(" ")[0] for line in bot.git("ls-tree", tree).splitlines()]
    raw = subprocess.run(
        ["git", "cat-file", "tree", tree], cwd=bot.work, check=True, capture_output=True
    ).stdout
    found = [item.mode for item in parse_tree(raw)]
    assert dict(zip(SPELLINGS, found, strict=True)) == dict(zip(SPELLINGS, shown, strict=True))


def rows(bot: Bot, tree: str) -> dict[bytes, tuple[str, str]]:
    """What a tree holds, with the modes as git shows them."""
    lines = (line.split() for line in bot.git("ls-tree", tree).splitlines())
    return {name.encode(): (mode, object_id) for mode, _kind, object_id, name in lines}


@pytest.mark.parametrize(
    "content", [b"100644 x", b"100644 x\0short", b"100644\0" + b"1" * 20, b" x\0" + b"1" * 20]
)
def test_what_is_no_tree_is_an_error_and_no_bug(content: bytes) -> None:
    with pytest.raises(GitError):
        [item.mode for item in parse_tree(content)]


def test_a_padded_folder_is_the_same_folder_to_read_and_to_write(bot: Bot) -> None:
    bot.person_commits("Files", {"access/requests/a.yaml": "a\n", "access/z.yaml": "z\n"})
    sound, access = bot.head, bot.git("rev-parse", "origin/main:access")
    inner, root = rows(bot, "origin/main:access"), rows(bot, "origin/main")
    padding = {"040000": "0040000", "100644": "0100664"}
    inner = {name: (padding[mode], object_id) for name, (mode, object_id) in inner.items()}
    root[b"access"] = ("040000", make_tree(bot.work, inner))
    padded = commit(bot, make_tree(bot.work, root))
    assert bot.git("rev-parse", f"{padded}:access") != access
    with bot.open() as repository:
        assert repository.entries(padded, "access") == repository.entries(sound, "access")
        assert not repository.touching(sound, padded, ["access"])
        changes = [{"access/requests/b.yaml": b"b\n"}, {"access/requests/a.yaml": None}]
        last = write(repository, padded, changes)[-1]
    listed = bot.git("ls-tree", "-r", "--name-only", last, "access/requests/").splitlines()
    assert "access/requests/b.yaml" in listed
    assert "access/requests/a.yaml" not in listed
    assert bot.git("cat-file", "blob", f"{last}:access/requests/b.yaml") == "b"


def nested(bot: Bot, depth: int, times: int) -> str:
    """A tree that holds a tree `times` times, and so on; in the last one is a file."""
    tree = make_tree(bot.work, {b"x.yaml": ("100644", "2" * 40)})
    for _ in range(depth):
        tree = make_tree(bot.work, {b"%03d" % number: ("40000", tree) for number in range(times)})
    return tree


def test_a_folder_that_is_too_deep_is_listed_and_can_be_removed(bot: Bot) -> None:
    path = "access/" + "000/" * 1200 + "x.yaml"
    stream = f"commit refs/heads/deep\ncommitter <> 1 +0000\ndata 0\nM 100644 inline {path}\n"
    words = ["git", "fast-import", "--quiet"]
    subprocess.run(words, cwd=bot.work, input=f"{stream}data 0\n".encode(), check=True)
    deep = bot.git("rev-parse", "deep")
    with bot.open() as repository:
        (found,) = repository.entries(deep, "access")
        assert found.mode == FOLDER
        assert found.path == "/".join(["access", *["000"] * DEEPEST])
        assert path_fault(f"{found.path}/x") is not None
        assert path_fault(found.path) is None
        assert repository.entries(deep, "access/000/000") == (found,), "wherever one begins"
        with pytest.raises(GitError, match="is not there"):
            write(repository, deep, [{found.path: None}])
        (gone,) = write(repository, deep, [{f"{found.path}/": None}])
    assert not bot.git("ls-tree", "-r", gone)


def test_a_small_tree_that_names_itself_very_often_costs_no_more_than_a_large_one(
    bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten levels of a hundred would be 10²⁰ files, of eleven objects."""
    monkeypatch.setattr(listing, "MOST_ENTRIES", 500)
    bomb = commit(bot, make_tree(bot.work, {b"access": ("40000", nested(bot, 10, 100))}))
    with bot.open() as repository:
        found = repository.entries(bomb, "access")
    assert len(found) < 500 + DEEPEST * 100
    assert {entry.mode for entry in found} == {FOLDER, "100644"}


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("access/requests/a.yaml", None),
        ("docs/über-uns.md", None),
        ("a" * 255, None),
        ("a" * 256, "256 bytes"),
        ("ä" * 128, "256 bytes"),
        ("a/" * (DEEPEST + 1) + "x", "folders deep"),
        ("a/" * DEEPEST + "x", None),
        ("/".join(["a" * 250] * 5), "1254 bytes"),
        ("docs/\udcff", "no UTF-8"),
    ],
)
def test_a_path_that_people_could_not_check_out_is_told(path: str, fault: str | None) -> None:
    found = path_fault(path)
    assert (found is None) if fault is None else (found is not None and fault in found)


Rows = list[tuple[bytes, str, str]]  # name, spelling of the mode, id


def odd_tree(bot: Bot, lines: Rows) -> str:
    """A tree object of these lines in this order, some of them twice."""
    content = b"".join(
        mode.encode() + b" " + name + b"\0" + bytes.fromhex(object_id)
        for name, mode, object_id in lines
    )
    words = ("git", "hash-object", "-t", "tree", "-w", "--stdin", "--literally")
    done = subprocess.run(words, cwd=bot.work, input=content, check=True, capture_output=True)
    return done.stdout.decode()[:40]


def with_access(bot: Bot, lines: Rows) -> str:
    """A commit whose folder `access` is that tree."""
    root = rows(bot, "origin/main")
    root[b"access"] = ("40000", odd_tree(bot, lines))
    return commit(bot, make_tree(bot.work, dict(sorted(root.items()))))


RECORDS = {"access/grants/z-one.json": "1\n", "access/grants/z-two.json": "2\n"}
BACK = Happening(
    make_event(EventKind.DRIFT, None, run=Run("7/1", "local")),
    "Put back",
    "It was changed by hand.",
    writes={"access/grants/z-one.json": b"1\n"},
    removes=("access/grants/left.json", "access/grants/left.json/deep/x"),
)


def put_back(repository: GitRepository, head: str) -> str:
    """Apply `BACK` to that commit."""
    (done,) = write(repository, head, [RecordedTree(repository, head).apply(BACK)])
    return done


def files_at(bot: Bot, sha: str) -> list[str]:
    return bot.git("ls-tree", "-r", "--name-only", sha, "access/").splitlines()


@pytest.mark.parametrize("folder", ["aaa", "grants/aaa", "requests/aaa"])
def test_one_record_is_put_back_whatever_lies_beside_it(
    bot: Bot, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.setattr(listing, "MOST_ENTRIES", 5)
    foreign = {f"access/{folder}/d{number}/x": "x\n" for number in range(9)}
    asked = {"access/requests/z-live.yaml": "z\n"}
    head = bot.person_commits(
        "Files", {**RECORDS, **foreign, **asked, "access/grants/z-one.json": "odd\n"}
    )
    with bot.open() as repository:
        assert set(RECORDS) <= {entry.path for entry in repository.entries(head, "access/grants")}
        assert asked.keys() <= {entry.path for entry in repository.entries(head, "access/requests")}
        done = put_back(repository, head)
    changed = bot.git("diff-tree", "-r", "--name-status", head, done)
    assert changed == "M\taccess/grants/z-one.json"


def test_a_folder_goes_only_where_it_is_in_the_way_and_none_of_ours(bot: Bot) -> None:
    way = {f"access/grants/{name}/deep/x": "x\n" for name in ("left.json", "z-one.json")}
    two = {"access/grants/z-two.json": "2\n"}
    head = bot.person_commits("Files", {**way, **two, "access/requests/new.yaml": "a\n"})
    with bot.open() as repository:
        done = put_back(repository, head)
        tree = RecordedTree(repository, head)
        assert tree.apply(replace(BACK, removes=("access/grants", "access"), writes={})) == {}
        below = replace(BACK, removes=(), writes={"access/requests/new.yaml/x": b"x\n"})
        assert list(tree.apply(below)) == ["access/requests/new.yaml", *below.writes]
        with pytest.raises(GitError, match="is not there"):
            write(repository, head, [{"access/grants": None}])
    own = [path for path in files_at(bot, done) if path.startswith("access/grants/")]
    assert own == [*RECORDS]


def test_names_that_git_refuses_are_none_and_stay_where_they_are(bot: Bot) -> None:
    bot.person_commits("Files", {**RECORDS, "access/grants/z-one.json": "odd\n"})
    access, blob = rows(bot, "origin/main:access"), "3" * 40
    names = (b"grants/z-one.json", b"grants/", b"", b".", b"..", b".GIT", b"grants//x")
    lines = [(name, *access[name]) for name in sorted(access)]
    head = with_access(bot, [*((name, "100644", blob) for name in names), *lines])
    with bot.open() as repository:
        found = repository.entries(head, "access")
        assert blob not in {entry.blob for entry in found}
        assert blob not in {entry.blob for entry in repository.children(head, "access")}
        done = put_back(repository, head)
        assert repository.entries(done, "access/grants/z-one.json")[0].blob != blob
        after = {entry.path: entry.blob for entry in repository.entries(done, "access")}
    before = {entry.path: entry.blob for entry in found}
    assert {path for path in before if before[path] != after.get(path)} == {
        "access/grants/z-one.json"
    }
    (raw,) = read_trees(bot, [f"{done}:access"]).values()
    assert {item.name for item in parse_tree(raw)} == {name for name, *_ in lines} | {*names}
    changes = tree_changes(
        lambda ids: read_trees(bot, ids), "origin/main^{tree}", f"{head}^{{tree}}"
    )
    assert {path.removeprefix("access/") for path in changes.faults} >= {
        "grants/z-one.json",
        ".",
        "..",
        ".GIT",
    }


def read_trees(bot: Bot, ids: Sequence[str]) -> dict[str, bytes]:
    return {
        name: subprocess.run(
            ["git", "cat-file", "tree", name], cwd=bot.work, check=True, capture_output=True
        ).stdout
        for name in ids
    }


def test_what_stands_twice_is_one_fault_and_is_mended_whole(bot: Bot) -> None:
    bot.person_commits("Files", RECORDS)
    access, grants = rows(bot, "origin/main:access"), rows(bot, "origin/main:access/grants")
    mode, blob = grants[b"z-one.json"]
    other = bot.git("hash-object", "-w", "access/grants/z-two.json")
    # Two folders of one name, out of order, and in one of them a file twice.
    halves = (
        odd_tree(bot, [(b"z-one.json", mode, other), (b"z-one.json", mode, blob)]),
        odd_tree(bot, [(b"z-two.json", *grants[b"z-two.json"])]),
    )
    lines = [(name, *access[name]) for name in sorted(access, reverse=True) if name != b"grants"]
    head = with_access(bot, [*((b"grants", "40000", half) for half in halves), *lines])
    with bot.open() as repository:
        found = {entry.path: entry for entry in repository.entries(head, "access/grants")}
        assert found.keys() == RECORDS.keys()
        one = found["access/grants/z-one.json"]
        assert (one.mode, one.content) == (DOUBLED, f"{other} {blob}")
        assert repository.entries(head, one.path) == (one,)
        assert one in repository.children(head, "access/grants")
        done = put_back(repository, head)
        (gone,) = write(repository, done, [{"access/grants/z-two.json": None}])
        after = repository.entries(done, "access/grants")
    assert [(entry.mode, entry.path) for entry in after] == [("100644", path) for path in RECORDS]
    assert bot.git("rev-parse", f"{done}:access/grants/z-one.json") == blob
    assert "access/grants/z-two.json" not in files_at(bot, gone)
    assert set(files_at(bot, done)) == set(files_at(bot, "origin/main"))
    changes = tree_changes(
        lambda ids: read_trees(bot, ids), "origin/main^{tree}", f"{head}^{{tree}}"
    )
    assert {"access/grants", "access"} <= changes.faults.keys()
