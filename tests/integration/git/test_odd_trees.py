"""Trees that git takes and shows otherwise: spellings of modes, depth, trees of trees."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from daypass.adapters.git import tree as trees
from daypass.adapters.git.tree import parse_tree
from daypass.errors import GitError
from daypass.lifecycle.ports import NewCommit
from daypass.model.tree import DEEPEST, FOLDER, path_fault
from support.evidence_bot import START
from support.local_signer import LocalSigner

if TYPE_CHECKING:
    from collections.abc import Mapping
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
        (gone,) = write(repository, deep, [{found.path: None}])
    assert not bot.git("ls-tree", "-r", gone)


def test_a_small_tree_that_names_itself_very_often_costs_no_more_than_a_large_one(
    bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten levels of a hundred would be 10²⁰ files, of eleven objects."""
    monkeypatch.setattr(trees, "MOST_ENTRIES", 500)
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
