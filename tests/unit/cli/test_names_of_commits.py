"""Names of commits: one meaning each, whatever refs and files a clone has."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from daypass.adapters.git.repository import GitRepository
from daypass.adapters.worktree import WorkTree
from daypass.errors import GitError

if TYPE_CHECKING:
    from pathlib import Path


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    done = subprocess.run(
        ["git", "-C", str(folder), *who, *words], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def clone(tmp_path: Path) -> tuple[Path, str, str]:
    """A clone with main, and a commit that no honest ref names."""
    git(tmp_path, "init", "-q", "-b", "main", "clone")
    folder = tmp_path / "clone"
    git(folder, "commit", "-q", "--allow-empty", "-m", "one")
    honest = git(folder, "rev-parse", "HEAD")
    git(folder, "update-ref", "refs/remotes/origin/main", honest)
    other = git(folder, "commit-tree", "-p", honest, "-m", "other", f"{honest}^{{tree}}")
    return folder, honest, other


def both(folder: Path, name: str) -> set[str | None]:
    """What jobs and people read, and what `validate` reads: the same."""
    with GitRepository(
        folder, remote="origin", branch="main", author=("", ""), token=None
    ) as repository:
        try:
            found: str | None = repository.resolve(name)
        except GitError as error:
            if "there is no commit" not in error.message:
                with pytest.raises(GitError, match=re.escape(error.message)):
                    WorkTree.open(str(folder)).commit(name)
                raise
            found = None
    return {found, WorkTree.open(str(folder)).commit(name)}


@pytest.mark.parametrize("file", ["main", "refs/main", "origin/main", "refs/origin/main"])
def test_a_file_that_git_reads_first_decides_nothing(
    clone: tuple[Path, str, str], file: str
) -> None:
    folder, honest, other = clone
    place = folder / ".git" / file
    place.parent.mkdir(exist_ok=True)
    place.write_text(f"{other}\n")
    assert git(folder, "rev-parse", file.removeprefix("refs/")) == other  # stock git is taken in
    assert both(folder, "main") == both(folder, "origin/main") == {honest}


@pytest.mark.parametrize(
    ("ref", "name"),
    [
        ("refs/heads/refs/heads/trunk", "refs/heads/trunk"),
        ("refs/tags/refs/remotes/origin/trunk", "refs/remotes/origin/trunk"),
        ("refs/trunk", "trunk"),
        ("refs/heads/trunk/x", "trunk"),
    ],
)
def test_a_ref_that_is_not_there_is_not_looked_for_elsewhere(
    clone: tuple[Path, str, str], ref: str, name: str
) -> None:
    folder, _honest, other = clone
    git(folder, "update-ref", ref, other)
    assert both(folder, name) == {None}


@pytest.mark.parametrize(
    ("ref", "name", "as_well"),
    [
        ("refs/tags/main", "main", "refs/heads/main"),
        ("refs/heads/origin/main", "origin/main", "refs/remotes/origin/main"),
        ("refs/tags/origin/main", "origin/main", "refs/remotes/origin/main"),
        ("refs/remotes/main/HEAD", "main", "refs/heads/main"),
    ],
)
def test_a_name_of_two_commits_is_refused_with_both(
    clone: tuple[Path, str, str], ref: str, name: str, as_well: str
) -> None:
    folder, honest, other = clone
    git(folder, "update-ref", ref, honest)
    assert both(folder, name) == {honest}
    git(folder, "update-ref", ref, other)
    with pytest.raises(GitError, match="ambiguous") as caught:
        both(folder, name)
    assert ref in caught.value.message
    assert as_well in caught.value.message
    assert both(folder, as_well) == {honest}
    assert both(folder, ref) == {other}


def test_head_and_ids_are_what_they_are(clone: tuple[Path, str, str]) -> None:
    folder, honest, other = clone
    for name in ("HEAD", honest, honest[:8]):
        git(folder, "update-ref", f"refs/heads/{name}", other)
    assert both(folder, "HEAD") == both(folder, honest) == both(folder, "@") == {honest}
    with pytest.raises(GitError, match="ambiguous"):
        both(folder, honest[:8])
    assert both(folder, other[:10]) == {other}
    assert both(folder, f"{other}^") == both(folder, "refs/heads/HEAD~1") == {honest}
    git(folder, "tag", "-a", "-m", "x", "noted", other)
    assert both(folder, "noted") == both(folder, "noted^{commit}") == {other}
    for odd in ("main@{1}", ":/one", "-x", "main..HEAD", "main:x", "", "ma\nin", "HEAD^{tree}"):
        with pytest.raises(GitError, match="are not taken") as caught:
            both(folder, odd)
        assert ("git rev-parse --verify 'main@{1}'" in caught.value.remedy) == ("@{" in odd)


def test_what_git_prints_of_a_ref_is_taken(clone: tuple[Path, str, str]) -> None:
    """As `git branch --all`, `git log --decorate` and `git describe` say it."""
    folder, honest, other = clone
    git(folder, "tag", "v1", honest)
    for name in ("heads/main", "remotes/origin/main", "tags/v1", "@", "heads/main^{commit}"):
        assert both(folder, name) == {honest}
    git(folder, "tag", "-f", "-a", "-m", "x", "v1", honest)
    described = git(folder, "describe", other)
    assert described.startswith("v1-1-g")
    assert both(folder, described) == {other}
    assert both(folder, f"{described}~1") == both(folder, "tags/v1^{}") == {honest}
    git(folder, "update-ref", f"refs/tags/{described}", honest)
    git(folder, "update-ref", "refs/heads/tags/v1", other)
    for name in (described, "tags/v1"):
        with pytest.raises(GitError, match="ambiguous"):
            both(folder, name)
