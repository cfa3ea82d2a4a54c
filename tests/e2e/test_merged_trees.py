"""Merged trees that git takes, and a checkout or a diff does not show: no run ends by them."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from daypass.errors import SandboxError
from daypass.sandbox.box import Box
from support import acting
from support.town import Town

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.acting import Done

TREES = ("refs/heads/main", "refs/heads/padded")
LONG = "docs/" + "n" * 300 + ".md"
DEEP = "access/requests/" + "a/" * 1200 + "x.yaml"


class Odd(Town):
    """The town, and what mallory gets merged there."""

    def bring(self, name: str, *lines: bytes) -> int:
        """An open pull request of one commit, made by `git fast-import` of these commands."""
        mallory = self.box.person("mallory")
        mallory.git("fetch", "-q", "origin")
        parent = mallory.git("rev-parse", "origin/main").strip()
        stream = f"commit refs/box/{name}\ncommitter M <m@x> 1 +0000\ndata 1\nx\nfrom {parent}\n"
        mallory.git("fast-import", "--quiet", "--force", data=stream.encode() + b"".join(lines))
        return self.open(name, mallory.git("rev-parse", f"refs/box/{name}").strip())

    def open(self, name: str, commit: str) -> int:
        mallory = self.box.person("mallory")
        mallory.git("push", "-q", "origin", f"{commit}:refs/heads/{name}")
        return mallory.open_pull_request(name, f"A change: {name}")

    def let_in(self, number: int) -> None:
        self.box.person("bob").approve(number)
        self.box.person("carol").merge(number, method="merge")

    def pad(self, paths: dict[str, bytes]) -> str:
        """A commit on main that spells the modes at these paths otherwise; its id."""
        mallory = self.box.person("mallory")
        mallory.git("fetch", "-q", "origin")
        tree = self._padded(mallory.git("rev-parse", "origin/main^{tree}").strip(), "", paths)
        return mallory.git("commit-tree", tree, "-p", "origin/main", "-m", "Nothing").strip()

    def _padded(self, tree: str, above: str, paths: dict[str, bytes]) -> str:
        mallory = self.box.person("mallory")
        content = b""
        for line in mallory.git("ls-tree", "-z", tree).split("\0")[:-1]:
            head, _, name = line.partition("\t")
            mode, kind, found = head.split(" ")
            path = above + name
            if kind == "tree" and any(other.startswith(f"{path}/") for other in paths):
                found = self._padded(found, f"{path}/", paths)
            spelling = paths.get(path, mode.lstrip("0").encode())
            content += spelling + b" " + name.encode() + b"\0" + bytes.fromhex(found)
        words = ("hash-object", "-t", "tree", "-w", "--stdin", "--literally")
        return mallory.git(*words, data=content).strip()

    def look(self, commit: str, *words: str) -> Done:
        """What a command says of a commit, in a clone that has nothing checked out."""
        mallory = self.box.person("mallory")
        with tempfile.TemporaryDirectory() as folder:
            for command in (
                ("clone", "-q", "--no-checkout", "--no-tags", str(self.store.path), folder),
                ("-C", folder, "update-ref", "--no-deref", "HEAD", commit),
            ):
                subprocess.run(["git", *command], check=True, env=mallory.environment())
            command = (*acting.DAYPASS, *words, "--format", "json")
            return acting.run(command, mallory.environment(), directory=Path(folder))

    def put(self, path: str, *rows: tuple[bytes, str]) -> str:
        """A commit on main whose folder has these entries, too, before all others; its id."""
        mallory = self.box.person("mallory")
        mallory.git("fetch", "-q", "origin")
        tree, below = "", ""
        inside = b"".join(b"100644 " + name + b"\0" + bytes.fromhex(blob) for name, blob in rows)
        while True:
            lines = mallory.git("ls-tree", "-z", f"origin/main:{path}").split("\0")[:-1]
            content, inside = inside, b""
            for line in lines:
                head, _, name = line.partition("\t")
                mode, _, found = head.split(" ")
                found = tree if tree and name == below else found
                content += mode.lstrip("0").encode() + b" " + name.encode() + b"\0"
                content += bytes.fromhex(found)
            words = ("hash-object", "-t", "tree", "-w", "--stdin", "--literally")
            tree = mallory.git(*words, data=content).strip()
            if not path:
                return mallory.git("commit-tree", tree, "-p", "origin/main", "-m", "Docs").strip()
            path, _, below = path.rpartition("/")

    def validate(self, number: int) -> Done:
        """What access-validate says of it: of commits alone."""
        head = self.box.repository.pulls[number].head_sha
        return self.look(head, "validate", "--base", "origin/main")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Odd]:
    with Box.create(tmp_path_factory.mktemp("box")) as box:
        box.vault_bootstrap()
        town = Odd(box)
        town.grant("odd-live", duration="1h")
        town.grant("odd-gone", duration="1h")
        assert town.apply().code == 0
        yield town


def rules(done: Done) -> set[tuple[str, str]]:
    assert done.code == 3, done.said
    return {(item["path"], item["rule"]) for item in done.json()["findings"]}


def test_modes_that_no_diff_shows_change_nothing(town: Odd) -> None:
    padded = {
        "access": b"040000",
        "access/requests": b"0040000",
        "access/requests/odd-live.yaml": b"100664",
        "access/grants/odd-live.json": b"0100644",
        "access/policies/databases.yaml": b"100600",
        "access/daypass.yaml": b"0100644",
    }
    number = town.open("padded", town.pad(padded))
    assert rules(town.validate(number)) == {(path, "tree-mode") for path in padded}
    town.let_in(number)
    on_main, padded_tree = (town.store.git("rev-parse", f"{name}:access") for name in TREES)
    assert on_main == padded_tree
    # A merge writes the outermost tree anew.
    town.push_to_main(town.pad({"access": b"0040000", "schemas": b"0040000"}), by="mallory")
    honest = town.grant("odd-honest", duration="1h")
    done = town.apply()
    assert done.code == 0, done.said
    assert done.json()["alarms"] == []
    assert [town.events(name) for name in ("odd-live", honest.id)] == [["issued"], ["issued"]]
    assert len(town.live_tokens("odd-live")) == 1
    assert town.verify().json()["faults"] == []


def test_entries_that_a_review_shows_otherwise_end_and_hide_nothing(town: Odd) -> None:
    """A request that stands twice, and a file of `access` that is called like a record."""
    sound, blob = (
        town.store.git("rev-parse", name).strip()
        for name in ("main^{tree}", "main:access/daypass.yaml")
    )
    for name, path, entry in (
        ("slash", "access", b"grants/odd-gone.json"),
        ("twice", "access/requests", b"odd-live.yaml"),
    ):
        number = town.open(name, town.put(path, (entry, blob)))
        assert (f"{path}/{entry.decode()}", "tree-path") in rules(town.validate(number))
    town.let_in(number)  # the second alone: the first keeps `git log` itself from reading on
    done = town.apply()
    assert done.code == 5, (done.code, done.said)
    assert done.json()["failed"] == []
    (alarm,) = done.json()["alarms"]
    assert "access/requests/odd-live.yaml" in alarm
    assert town.events("odd-live") == ["issued"]
    # Git writes the folder anew with what was granted: nothing was ever deleted.
    mallory = town.box.person("mallory")
    mallory.git("fetch", "-q", "origin")
    anew = mallory.git("commit-tree", sound, "-p", "origin/main", "-m", "Anew").strip()
    town.push_to_main(anew, by="mallory")
    done = town.apply()
    assert done.code == 0, done.said
    assert done.json()["alarms"] == []
    assert town.events("odd-live") == ["issued"]
    assert len(town.live_tokens("odd-live")) == 1


def test_names_and_folders_that_nobody_can_check_out_stop_no_run(town: Odd) -> None:
    """And neither do branches and tags that are called like main's full name."""
    number = town.bring(
        "unusable",
        f"M 100644 inline {LONG}\ndata 1\nx\n".encode(),
        f"M 100644 inline {DEEP}\ndata 1\nx\n".encode(),
        b'M 100644 inline "docs/\\377\\376"\ndata 1\nx\n',
        b'M 100644 inline "access/grants/\\377\\nDaypass-Event: issued.json"\ndata 1\nx\n',
        b"M 100644 inline access/obligations/" + b"a/" * 60 + b"x.json\ndata 1\nx\n",
        b"M 160000 " + b"1" * 40 + b" access/requests/no-file.yaml\n",
        b"M 100644 inline .gitattributes\ndata 16\n* text eol=crlf\n\n",
    )
    found = rules(town.validate(number))
    assert {path for path, rule in found if rule == "tree-path"} >= {LONG, "docs/\udcff\udcfe"}
    assert ("access/requests/no-file.yaml", "tree-mode") in found
    town.let_in(number)
    mallory = town.box.person("mallory")
    tip = mallory.git("rev-parse", "origin/main").strip()
    for name in ("heads/refs/heads/main", "tags/refs/remotes/origin/main"):
        with pytest.raises(SandboxError, match="not allowed"):  # as on GitHub
            mallory.git("push", "-q", "origin", f"{tip}:refs/{name}")
        town.store.git("update-ref", f"refs/{name.replace('main', 'trunk')}", tip)  # an old one
    for name in ("tags/origin/main", "tags/main", "tags/" + "t" * 240, "heads/" + "b" * 240):
        mallory.git("push", "-q", "origin", f"{tip}:refs/{name}")
    town.delete("odd-gone")
    done = town.apply()
    alarms = done.json()["alarms"]
    assert (done.code, len(alarms)) == (5, 3), "records were laid by hand, and one odd request"
    assert any("access/requests/no-file.yaml" in str(item) for item in alarms), alarms
    (alarm,) = town.apply("schedule").json()["alarms"]  # until somebody deletes it
    assert "access/requests/no-file.yaml" in str(alarm)
    assert town.events("odd-gone") == ["issued", "revoked"]
    assert town.live_tokens("odd-gone") == []
    assert town.events("odd-live") == ["issued"]
    records = town.files("access/grants") | town.files("access/obligations")
    assert records - {"access/grants/odd-honest.json"} == {"access/grants/odd-live.json"}
    # People cannot pull that main: a clone of it has no work tree.
    words = ("audit", "verify", "--fingerprint", town.box.evidence_fingerprint)
    done = town.look(town.head(), *words)
    assert done.json()["verdict"] == "holds", done.said
