"""`daypass validate` on branches with commits that name co-authors."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from daypass.cli.main import main
from daypass.model.names import SETTINGS_PATH

SOURCE = Path(__file__).resolve().parents[3]
REQUEST = """apiVersion: daypass.dev/v1
kind: AccessRequest
metadata: {id: alice-1}
spec: {subject: alice, resource: orders-db-replica, access: read, duration: 2h, reason: Orders}
"""
TOOL = "noreply@assistant.example"


class Clone:
    """A clone of a governed repository, this project's own examples, on a branch of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("access", "schemas"):
            shutil.copytree(SOURCE / name, root / name)
        self.git("init", "-q", "-b", "main")
        self.commit("Begin")
        self.is_main()

    def is_main(self) -> None:
        """What is checked out is what the remote's main branch holds."""
        self.git("update-ref", "refs/remotes/origin/main", "HEAD")
        self.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")

    def git(self, *words: str) -> None:
        who = {"NAME": "Alice", "EMAIL": "alice@example.com"}
        names = {
            f"GIT_{role}_{key}": it for role in ("AUTHOR", "COMMITTER") for key, it in who.items()
        }
        environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, **names}
        subprocess.run(["git", "-C", self.root, *words], check=True, env=environment)

    def commit(self, message: str, files: dict[str, str] | None = None) -> None:
        for path, text in (files or {}).items():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


def told(
    clone: Clone, capsys: pytest.CaptureFixture[str], *words: str
) -> tuple[int, list[str], list[str]]:
    """The exit code, and what findings and notices say of co-authors."""
    code = main(["-C", str(clone.root), "validate", "--format", "json", *words])
    report = json.loads(capsys.readouterr().out)
    kinds = (
        [
            f"{item['path']}: {item['message']} {item['remedy']}"
            for item in report[kind]
            if item["rule"] == "change-co-author"
        ]
        for kind in ("findings", "notices")
    )
    return (code, *kinds)


@pytest.mark.parametrize("words", [("--base", "main", "--no-cache"), (), ("--no-cache",)])
def test_a_co_author_that_only_github_knows_is_a_notice(
    clone: Clone, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    clone.git("checkout", "-q", "-b", "ask")
    trailers = f"Co-authored-by: A <{TOOL}>\nCo-authored-by: B <47+b@users.noreply.github.com>"
    clone.commit(f"Ask\n\n{trailers}\n", {"access/requests/alice-1.yaml": REQUEST})
    code, findings, notices = told(clone, capsys, *words)
    assert (code, findings) == (0, [])
    (notice,) = notices
    assert notice.startswith("access/requests/alice-1.yaml: commit ")
    assert f"names the co-author `{TOOL}`" in notice
    assert "git commit --amend" in notice
    assert "machineCoAuthors" in notice


def test_one_without_an_address_is_a_finding(
    clone: Clone, capsys: pytest.CaptureFixture[str]
) -> None:
    clone.git("checkout", "-q", "-b", "ask")
    files = {"access/requests/alice-1.yaml": REQUEST}
    clone.commit("Ask\n\nCo-authored-by: Bob\n", files)
    code, findings, notices = told(clone, capsys, "--base", "main")
    assert (code, notices) == (3, [])
    assert "names the co-author `Bob`, which is no e-mail address" in findings[0]


def test_listed_tools_and_other_files_are_not_worth_a_word(
    clone: Clone, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = (clone.root / SETTINGS_PATH).read_text()
    clone.git("checkout", "-q", "-b", "code")
    message = f"Work\n\nCo-authored-by: A <{TOOL.upper()}>\n"
    clone.commit(message, {"src/main.py": "x = 1\n"})
    assert told(clone, capsys, "--base", "main") == (0, [], [])
    clone.git("checkout", "-q", "-b", "ask", "main")
    clone.commit(message, {"access/requests/alice-1.yaml": REQUEST})
    assert len(told(clone, capsys, "--base", "main")[2]) == 1
    clone.git("checkout", "-q", "main")
    clone.commit("List it", {SETTINGS_PATH: f"{settings}  machineCoAuthors: [{TOOL}]\n"})
    clone.is_main()
    clone.git("checkout", "-q", "ask")
    assert told(clone, capsys, "--base", "main") == (0, [], [])
    assert told(clone, capsys) == (0, [], [])


def test_a_branch_cannot_list_its_own(clone: Clone, capsys: pytest.CaptureFixture[str]) -> None:
    settings = (clone.root / SETTINGS_PATH).read_text()
    clone.git("checkout", "-q", "-b", "list")
    listed = {SETTINGS_PATH: f"{settings}  machineCoAuthors: [{TOOL}]\n"}
    clone.commit(f"List it\n\nCo-authored-by: A <{TOOL}>\n", listed)
    assert len(told(clone, capsys, "--base", "main")[2]) == 1
