"""The limit on git's calls: a remote that hangs keeps no emergency stop waiting."""

from __future__ import annotations

import os
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from daypass.adapters.git import time_limit
from daypass.adapters.git.process import Git
from daypass.adapters.git.repository import GitRepository
from daypass.errors import DaypassError, ForgeUnavailableError

if TYPE_CHECKING:
    from pathlib import Path

SSH = """#!/bin/sh
echo $$ > {pid}
exec sleep 1000
"""


def git(folder: Path, *words: str) -> str:
    settings = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    command = ["git", "-C", str(folder), *settings, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone without trees, whose remote is reached by an `ssh` that hangs."""
    source, folder = tmp_path / "source", tmp_path / "clone"
    source.mkdir()
    git(source, "init", "-q", "-b", "main")
    (source / "file").write_text("x")
    git(source, "add", "-A")
    git(source, "commit", "-q", "-m", "One")
    git(source, "config", "uploadpack.allowFilter", "true")
    address = f"file://{source}"
    git(tmp_path, "clone", "-q", "--no-checkout", "--filter=tree:0", address, str(folder))
    ssh = tmp_path / "ssh"
    ssh.write_text(SSH.format(pid=tmp_path / "pid"))
    ssh.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(ssh))
    git(folder, "remote", "set-url", "origin", "git@127.0.0.1:acme/access.git")
    return folder


def opened(clone: Path) -> GitRepository:
    return GitRepository(clone, remote="origin", branch="main", author=("", ""), token=None)


def demand_that_ssh_has_ended(tmp_path: Path) -> None:
    pid = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    raise AssertionError("ssh has outlived git")


def test_a_fetch_ends_with_all_that_it_has_started(clone: Path, tmp_path: Path) -> None:
    with (
        opened(clone) as repository,
        time_limit.within(2),
        pytest.raises(ForgeUnavailableError, match="`git fetch` did not end within 2 s"),
    ):
        repository.fetch()
    demand_that_ssh_has_ended(tmp_path)


def test_an_object_that_git_fetches_by_itself_is_not_waited_for(
    clone: Path, tmp_path: Path
) -> None:
    with (
        time_limit.within(2),
        opened(clone) as repository,
        pytest.raises(ForgeUnavailableError, match="`git cat-file` did not end within 2 s"),
    ):
        repository.entries(git(clone, "rev-parse", "HEAD"), "")
    demand_that_ssh_has_ended(tmp_path)


def test_what_is_local_asks_no_remote(clone: Path, tmp_path: Path) -> None:
    with time_limit.within(60, local=True), opened(clone) as repository:
        for ask in (repository.fetch, lambda: repository.entries(repository.head(), "")):
            with pytest.raises(DaypassError):
                ask()
    assert not (tmp_path / "pid").exists()


def test_blocks_nest_and_the_earlier_end_counts(clone: Path) -> None:
    with time_limit.within(0, local=True), time_limit.within(60):
        limit = time_limit.in_force()
        assert limit is not None
        assert (limit.left, limit.local) == (0, True)
        with pytest.raises(ForgeUnavailableError):
            Git(clone).run("rev-parse", "HEAD")
    assert time_limit.in_force() is None
    assert Git(clone).run("rev-parse", "HEAD")
