"""Clones as people make them: other names of remotes, forks, other owners, partial ones."""

from __future__ import annotations

import os
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from daypass.adapters.git import guard
from daypass.adapters.git.process import Git
from daypass.adapters.git.repository import GitRepository
from daypass.adapters.worktree import WorkTree
from daypass.cli import wiring
from daypass.cli.remotes import governed_remote, if_denied, is_partial
from daypass.cli.settings_in_force import settings_of
from daypass.errors import ForgeRefusedError, GitError
from daypass.model.secret import Secret
from daypass.model.settings import GitHubSettings
from unit.documents.documents_world import SETTINGS as WORLD

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
ODD = (
    "https://user:s3cr/et@host/acme/x.git",
    "https://[::1/x/y",
    "https://host:99999/acme/x",
    "https://host:abc/acme/x",
)


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
        ({"origin": FORK, "up": f"git@github.com-work:{SETTINGS.full_name}.git"}, "up"),
        ({"origin": GOVERNED, "a": f"git@elsewhere:{SETTINGS.full_name}.git"}, "origin"),
        ({"aa": f"http://github.com:81/{SETTINGS.full_name}", "b": GOVERNED}, "b"),
        ({"origin": GOVERNED, **{f"odd{n}": url for n, url in enumerate(ODD)}}, "origin"),
        ({}, "origin"),
    ],
)
def test_the_remote_is_the_governed_repository_whatever_its_name(
    clone: Path, remotes: dict[str, str], expected: str
) -> None:
    for name, url in remotes.items():
        git(clone, "remote", "add", name, url)
    assert governed_remote(clone, SETTINGS).name == expected


@pytest.mark.parametrize(
    ("remotes", "is_governed", "says"),
    [
        ({"upstream": GOVERNED, "origin": FORK}, True, ""),
        ({"origin": f"git@work:{SETTINGS.full_name}.git"}, True, ""),
        ({"origin": FORK}, False, "`origin` is github.com/alice/access"),
        ({"origin": f"git@github.com:alice/{SETTINGS.repository}.git"}, False, "github.com/alice"),
        ({"origin": f"https://elsewhere.example/{SETTINGS.full_name}"}, False, "elsewhere.example"),
        ({"a": FORK, "b": "/srv/access.git"}, False, "no remote of this clone is acme/access"),
        ({"origin": "/srv/access.git"}, False, "no remote of this clone is acme/access"),
        *(({"origin": url}, False, "no remote of this clone is acme/access") for url in ODD),
    ],
)
def test_a_clone_without_the_governed_repository_is_told_so(
    clone: Path, remotes: dict[str, str], is_governed: bool, says: str
) -> None:
    for name, url in remotes.items():
        git(clone, "remote", "add", name, url)
    found = governed_remote(clone, SETTINGS)
    said = f"{found.fault}{found.fault.remedy}" if found.fault is not None else found.warning
    assert found.is_governed is is_governed
    assert bool(said) is not is_governed
    assert says in said
    assert "s3cr" not in said
    assert is_governed or "git remote add upstream https://github.com/acme/access" in said


def test_main_is_not_fetched_from_what_is_readably_another_repository(
    clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = settings_of(WORLD.encode())
    git(clone, "remote", "add", "origin", FORK)
    with (
        wiring.person_repository(clone, settings) as repository,
        pytest.raises(GitError, match="no remote of this clone is acme/access") as caught,
    ):
        repository.fetch()
    assert "git remote add upstream" in caught.value.remedy
    git(clone, "remote", "set-url", "origin", str(clone))
    with wiring.person_repository(clone, settings):
        pass
    assert "warning: no remote of this clone is acme/access" in capsys.readouterr().err


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
    server = "https://github.com"
    mine = Git(clone, lambda: if_denied(Secret(token) if token else None, server))
    error = mine.explain("fetch", f"fatal: {said}\n".encode())
    assert isinstance(error, ForgeRefusedError)
    assert remedy in error.remedy
    assert "App" not in error.remedy
    assert "App" in Git(clone).explain("fetch", b"fatal: Authentication failed").remedy


@pytest.fixture
def elsewhere(clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone that git takes for another user's, and a home without configuration."""
    git(clone, "-c", "user.name=x", "-c", "user.email=x@x", "commit", "-q", "--allow-empty", "-mx")
    fixed = guard.FIXED | {"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"}
    monkeypatch.setattr(guard, "FIXED", fixed)
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


def test_what_the_environment_tells_git_to_trust_is_read(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As containers and jobs say it."""
    for number, value in enumerate(("*", "", str(elsewhere))):
        monkeypatch.setenv(f"GIT_CONFIG_KEY_{number}", "Safe.Directory")
        monkeypatch.setenv(f"GIT_CONFIG_VALUE_{number}", value)
    for count in (2, 0):  # an empty one takes back what was said before
        monkeypatch.setenv("GIT_CONFIG_COUNT", str(count))
        with pytest.raises(GitError, match="belongs to another user"):
            Git(elsewhere).run("rev-parse", "HEAD")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "3")
    assert Git(elsewhere).run("rev-parse", "HEAD")


def test_a_trusted_clone_of_another_user_has_the_remotes_that_it_has(
    elsewhere: Path, tmp_path: Path
) -> None:
    (tmp_path / ".gitconfig").write_text("[safe]\n\tdirectory = *\n", encoding="utf-8")
    mine = {"env": {k: v for k, v in os.environ.items() if "ASSUME" not in k}, "cwd": elsewhere}
    for words in (("origin", FORK), ("upstream", GOVERNED)):
        subprocess.run(["git", "remote", "add", *words], check=True, **mine)
    subprocess.run(["git", "config", "remote.upstream.promisor", "true"], check=True, **mine)
    assert governed_remote(elsewhere, SETTINGS).name == "upstream"
    assert is_partial(Git(elsewhere))
    with closing(Git(elsewhere).open("cat-file", "--batch-check")) as talk:
        talk.stdin.write(b"HEAD\n")
        talk.stdin.flush()
        assert b" commit " in talk.stdout.readline()


def test_a_clone_cannot_declare_itself_safe(elsewhere: Path) -> None:
    with (elsewhere / ".git" / "config").open("a", encoding="utf-8") as file:
        file.write("[safe]\n\tdirectory = *\n")
    with pytest.raises(GitError, match="belongs to another user"):
        Git(elsewhere).run("rev-parse", "HEAD")
