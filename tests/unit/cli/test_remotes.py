"""Clones as people make them: other names of remotes, forks, other owners, partial ones."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from daypass.adapters.git import process
from daypass.adapters.git.process import Git
from daypass.adapters.git.repository import GitRepository
from daypass.adapters.worktree import WorkTree
from daypass.cli.remotes import governed_remote, if_denied, promisor_of
from daypass.errors import ForgeRefusedError, GitError
from daypass.model.secret import Secret
from daypass.model.settings import GitHubSettings

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = GitHubSettings(
    owner="acme",
    owner_id=1,
    repository="access",
    repository_id=2,
    app_id=3,
    app_user_id=4,
    installation_id=5,
)
GOVERNED = f"https://github.com/{SETTINGS.full_name}.git"
FORK = f"https://github.com/alice/{SETTINGS.repository}.git"


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "clone")
    return tmp_path / "clone"


@pytest.mark.parametrize(
    ("remotes", "expected"),
    [
        ({"origin": GOVERNED}, "origin"),
        ({"upstream": GOVERNED}, "upstream"),
        ({"origin": FORK, "upstream": GOVERNED}, "upstream"),
        ({"origin": FORK, "up": f"git@github.com:{SETTINGS.full_name.upper()}"}, "up"),
        ({"a": GOVERNED, "origin": GOVERNED}, "origin"),
        ({"mirror": "/srv/access.git"}, "mirror"),
        ({"origin": "/srv/access.git", "other": FORK}, "origin"),
        ({"a": FORK, "b": "/srv/access.git"}, "origin"),
        ({}, "origin"),
    ],
)
def test_the_remote_is_the_governed_repository_whatever_its_name(
    clone: Path, remotes: dict[str, str], expected: str
) -> None:
    for name, url in remotes.items():
        git(clone, "remote", "add", name, url)
    assert governed_remote(clone, SETTINGS) == expected


def test_a_partial_clone_is_completed_from_the_remote_that_promised_with_the_persons_token(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GH_TOKEN", "theirs")
    git(clone, "remote", "add", "upstream", GOVERNED)
    assert promisor_of(clone) == ("origin", None)
    git(clone, "config", "remote.upstream.promisor", "true")
    git(clone, "config", "remote.upstream.partialclonefilter", "tree:0")
    assert governed_remote(clone, SETTINGS) == "upstream"
    name, token = promisor_of(clone)
    assert name == "upstream"
    assert token is not None
    assert token().reveal() == "theirs"
    with GitRepository(
        clone, remote=name, branch="main", author=("", ""), token=token
    ) as repository:
        lent = repository._git.environment()
    assert any(value.startswith("Authorization: Basic ") for value in lent.values())


def test_a_whole_clone_lends_its_token_to_no_command(clone: Path) -> None:
    git(clone, "remote", "add", "origin", GOVERNED)
    with GitRepository(
        clone, remote="origin", branch="main", author=("", ""), token=lambda: Secret("theirs")
    ) as repository:
        assert "Authorization" not in str(repository._git.environment())


def test_a_clone_without_the_remote_is_told_so(clone: Path) -> None:
    with (
        GitRepository(
            clone, remote="origin", branch="main", author=("", ""), token=None
        ) as repository,
        pytest.raises(GitError, match="this clone has no remote `origin`") as caught,
    ):
        repository.fetch()
    assert "git remote add origin" in caught.value.remedy


@pytest.mark.parametrize(
    ("said", "token", "remedy"),
    [
        ("could not read Username for 'https://x': terminal prompts", None, "There is no GitHub"),
        ("could not read Username for 'https://x': terminal prompts", "x", "from GH_TOKEN, is wro"),
        ("unable to access 'https://x': The requested URL returned error: 403", "x", "GH_TOKEN"),
        ("git@github.com: Permission denied (publickey).", "x", "ssh -T git@HOST"),
        ("Host key verification failed.", "x", "ssh -T git@HOST"),
    ],
)
def test_a_person_that_the_remote_refuses_hears_nothing_of_the_app(
    clone: Path, monkeypatch: pytest.MonkeyPatch, said: str, token: str | None, remedy: str
) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.setenv("GH_TOKEN", token or "")
    mine = Git(clone, if_denied(Secret(token) if token else None))
    error = mine.explain("fetch", f"fatal: {said}\n".encode())
    assert isinstance(error, ForgeRefusedError)
    assert remedy in error.remedy
    assert "App" not in error.remedy
    assert "App" in Git(clone).explain("fetch", b"fatal: Authentication failed").remedy


@pytest.fixture
def elsewhere(clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone that git takes for another user's, and a home without configuration."""
    git(clone, "-c", "user.name=x", "-c", "user.email=x@x", "commit", "-q", "--allow-empty", "-mx")
    fixed = process._FIXED | {"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"}
    monkeypatch.setattr(process, "_FIXED", fixed)
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("GIT_CONFIG_GLOBAL", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return clone


def test_another_users_clone_is_refused_with_the_command_that_trusts_it(elsewhere: Path) -> None:
    for look in (
        lambda: WorkTree.open(str(elsewhere)),
        lambda: Git(elsewhere).run("rev-parse", "HEAD"),
    ):
        with pytest.raises(GitError, match="belongs to another user") as caught:
            look()
        assert f"--add safe.directory {elsewhere}`" in caught.value.remedy


@pytest.mark.parametrize("trusted", ["{clone}", "*", "~/clone"])
def test_what_the_user_has_told_git_to_trust_is_read(
    elsewhere: Path, tmp_path: Path, trusted: str
) -> None:
    value = trusted.format(clone=elsewhere)
    (tmp_path / ".gitconfig").write_text(f"[safe]\n\tdirectory = {value}\n", encoding="utf-8")
    assert WorkTree.open(str(elsewhere)).root == elsewhere
    with GitRepository(
        elsewhere, remote="origin", branch="main", author=("", ""), token=None
    ) as repository:
        assert repository.resolve("HEAD")


def test_a_clone_cannot_declare_itself_safe(elsewhere: Path) -> None:
    with (elsewhere / ".git" / "config").open("a", encoding="utf-8") as file:
        file.write("[safe]\n\tdirectory = *\n")
    with pytest.raises(GitError, match="belongs to another user"):
        Git(elsewhere).run("rev-parse", "HEAD")
