"""git in a clone that anyone may have prepared: nothing that it configures runs or decides."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import daypass
from daypass.adapters.git.process import Git
from daypass.adapters.git.repository import GitRepository
from daypass.adapters.worktree import WorkTree
from daypass.errors import DaypassError, ForgeRefusedError, ForgeUnavailableError, GitError
from daypass.model.secret import Secret

SOURCE = Path(daypass.__file__).parent
WRAPPER = SOURCE / "adapters/git/process.py"
# What else starts a program, and which: a person's own command, `gh`, `openssl`.
STARTERS = {
    "adapters/executable.py",
    "adapters/github/person.py",
    "adapters/handover_command.py",
    "adapters/ssh_hosts.py",
    "adapters/timestamp.py",
}
CALLS = {"run", "Popen", "call", "check_call", "check_output", "getoutput", "getstatusoutput"}
MAY_START = re.compile(
    r"subprocess|pty|multiprocessing|\bos\.(exec|spawn|posix_spawn|system|popen)"
)
OF_OS = ("exec", "spawn", "posix_spawn", "system", "popen")


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    done = subprocess.run(
        ["git", "-C", str(folder), *who, *words], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def commit(folder: Path, message: str = "x") -> str:
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", message)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone of `upstream`, with one document."""
    source, folder = tmp_path / "upstream", tmp_path / "clone"
    git(tmp_path, "init", "-q", "-b", "main", str(source))
    (source / "access").mkdir()
    (source / "access/a.yaml").write_text("a: 1\n")
    commit(source)
    git(tmp_path, "clone", "-q", str(source), str(folder))
    return folder


def opened(clone: Path) -> GitRepository:
    return GitRepository(clone, remote="origin", branch="main", author=("", ""), token=None)


def starts_a_program(tree: ast.AST) -> bool:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id == "subprocess" and node.attr in CALLS:
                return True
            if node.value.id == "os" and node.attr.startswith(OF_OS):
                return True
        if isinstance(node, ast.ImportFrom) and node.module in (
            "subprocess",
            "pty",
            "multiprocessing",
        ):
            return True
    return False


def test_git_is_started_in_one_place() -> None:
    """`Popen` in a type of time_limit.py is none of these: it is given what runs."""
    found = set()
    for path in SOURCE.rglob("*.py"):
        name = path.relative_to(SOURCE).as_posix()
        if name.startswith("sandbox/") or path == WRAPPER:
            continue
        text = path.read_text(encoding="utf-8")
        if not MAY_START.search(text):  # parsing all of it takes seconds
            continue
        tree = ast.parse(text)
        body = ast.Module(tree.body, [])
        for node in ast.walk(body):  # annotations name types, and start nothing
            if isinstance(node, ast.arg | ast.AnnAssign):
                node.annotation = ast.Constant(None)
        if starts_a_program(body):
            found.add(name)
            assert not [
                node
                for node in ast.walk(tree)
                if isinstance(node, ast.Constant) and node.value == "git"
            ], f"{name} starts git: let it use daypass.adapters.git.process"
    assert found == STARTERS


def bare_folder(folder: Path, config: str) -> None:
    """What a pull request brings to have a folder taken for a repository."""
    for name, text in {
        "HEAD": "ref: refs/heads/main\n",
        "config": config,
        "objects/x": "",
        "refs/x": "",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


@pytest.mark.parametrize("where", ["access", "docs/x"])
def test_a_folder_that_looks_like_a_repository_never_becomes_it(
    clone: Path, tmp_path: Path, where: str
) -> None:
    ran = tmp_path / "ran"
    folder = clone / where
    bare_folder(
        folder,
        "[core]\n\trepositoryformatversion = 0\n\tbare = false\n"
        f'\tworktree = {clone}\n\tfsmonitor = "touch {ran}; false"\n',
    )
    shutil.copy(clone / ".git/index", folder)
    subprocess.run(["git", "-C", folder, "status"], check=False, capture_output=True)
    assert ran.exists()  # stock git is taken in
    ran.unlink()
    below = folder / "deeper"
    below.mkdir()
    for place in (folder, below):
        for look in (
            lambda at: WorkTree.open(str(at)).entries(),
            lambda at: opened(at).resolve("HEAD"),
        ):
            with pytest.raises(GitError, match=f"{folder} looks like a git repository") as caught:
                look(place)
            assert f"daypass -C {clone}" in caught.value.remedy
    assert WorkTree.open(str(clone)).root == clone
    with opened(clone) as repository:
        assert repository.resolve("HEAD") == git(clone, "rev-parse", "HEAD")
    assert not ran.exists()


def test_a_bare_repository_of_its_own_is_read_where_it_is_named(
    clone: Path, tmp_path: Path
) -> None:
    git(tmp_path, "clone", "-q", "--bare", str(clone), str(tmp_path / "mirror"))
    with opened(tmp_path / "mirror") as repository:
        assert repository.resolve("HEAD") == git(clone, "rev-parse", "HEAD")
    with pytest.raises(GitError, match="is not a git repository"):
        opened(tmp_path / "mirror" / "refs")
    with pytest.raises(GitError, match="without a work tree"):
        WorkTree.open(str(tmp_path / "mirror"))


def test_what_is_no_work_tree_is_told_apart(clone: Path) -> None:
    for place in (clone / ".git", clone / ".git/refs"):
        with pytest.raises(GitError, match="the folder in which git keeps the clone") as caught:
            WorkTree.open(str(place))
        assert f"daypass -C {clone} " in caught.value.remedy
    (clone / "access/.git").mkdir()
    with pytest.raises(GitError, match=r"access/\.git is not a git repository: it has no HEAD"):
        WorkTree.open(str(clone / "access"))


def test_where_the_work_tree_is_no_configuration_says(clone: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "access").mkdir(parents=True)
    (elsewhere / "access/b.yaml").write_text("b: 1\n")
    git(clone, "config", "core.worktree", str(elsewhere))
    tree = WorkTree.open(str(clone / "access"))
    assert (tree.root, tree.prefix) == (clone, "access/")
    assert [entry.path for entry in tree.entries()] == ["access/a.yaml"]


def test_a_linked_work_tree_is_one(clone: Path, tmp_path: Path) -> None:
    git(clone, "worktree", "add", "-q", "-b", "ask", str(tmp_path / "linked"))
    tree = WorkTree.open(str(tmp_path / "linked"))
    assert (tree.root, tree.prefix) == (tmp_path / "linked", "")
    assert [entry.path for entry in tree.entries()] == ["access/a.yaml"]


def trap(clone: Path, script: Path) -> None:
    """Have a clone name a program wherever git lets it."""
    (clone / ".git/info/attributes").write_text(
        "a.txt filter=trap diff=trap merge=trap\naccess/a.yaml filter=trap diff=trap\n"
    )
    program = str(script)
    for key in (
        *("core.fsmonitor", "core.sshCommand", "core.pager", "core.editor", "core.askPass"),
        *("core.gitProxy", "core.alternateRefsCommand", "credential.helper", "gpg.program"),
        *("gpg.ssh.program", "diff.external", "diff.trap.command", "diff.trap.textconv"),
        *("merge.trap.driver", "filter.trap.clean", "filter.trap.smudge", "filter.trap.process"),
        *("uploadpack.packObjectsHook", "trailer.x.command", "alias.log", "alias.rev-parse"),
        *("sequence.editor", "pager.log", "credential.https://127.0.0.1.helper"),
    ):
        git(clone, "config", "--add", key, program)
    git(clone, "config", "filter.trap.required", "true")
    git(clone, "config", "log.showSignature", "true")
    git(clone, "config", "protocol.ext.allow", "always")
    git(clone, "config", "core.hooksPath", str(script.parent))


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """A program that leaves `ran` beside it; also a hook of every name that matters."""
    folder = tmp_path / "trap"
    folder.mkdir()
    script = folder / "run"
    script.write_text(f"#!/bin/sh\necho $0 $* >> {tmp_path}/ran\nexit 1\n")
    script.chmod(0o755)
    for hook in ("pre-push", "reference-transaction", "post-index-change"):
        (folder / hook).symlink_to(script)
    return script


def test_no_program_that_a_clone_names_is_run(clone: Path, tmp_path: Path, script: Path) -> None:
    (clone / "a.txt").write_text("one\n")
    base = commit(clone)
    git(clone, "push", "-q", "origin", "HEAD:refs/heads/main2")
    other = tmp_path / "other.git"
    git(tmp_path, "clone", "-q", "--bare", str(clone), str(other))
    (clone / ".git/objects/info/alternates").write_text(f"{other}/objects\n")
    trap(clone, script)
    (clone / "access/a.yaml").write_text("a: 2\n")  # of the same size: git must look
    (clone / "a.txt").write_text("two\n")
    subprocess.run(["git", "-C", clone, "status"], check=False, capture_output=True)
    assert (tmp_path / "ran").exists()  # stock git is taken in
    (tmp_path / "ran").unlink()
    tree = WorkTree.open(str(clone))
    (entry,) = tree.entries()
    assert tree.reader([entry])("access/a.yaml") == b"a: 2\n"
    # What no filter was asked about, and is none of daypass's, counts as it was committed.
    assert sorted(tree.changed_since(base).now) == ["access/a.yaml"]
    (tmp_path / "upstream/access/b.yaml").write_text("b: 1\n")
    commit(tmp_path / "upstream")
    with opened(clone) as repository:
        head = repository.fetch()
        assert len(list(repository.walk(head))) == 2
        assert repository.touching(None, head, ["access"])
        repository.push_tag("x", f"object {head}\ntype commit\ntag x\n\nx\n".encode())
    for address in (f"ext::touch {tmp_path}/ran", "git://127.0.0.1:9/x"):
        git(clone, "remote", "set-url", "origin", address)
        with opened(clone) as repository, pytest.raises(DaypassError):
            repository.fetch()
    assert not (tmp_path / "ran").exists(), (tmp_path / "ran").read_text()


@pytest.mark.parametrize("key", ["uploadpack", "receivepack", "vcs"])
def test_what_cannot_be_overruled_is_refused_with_its_key(
    clone: Path, script: Path, tmp_path: Path, key: str
) -> None:
    (tmp_path / "more").write_text(f'[remote "origin"]\n\t{key} = {script}\n')
    git(clone, "config", "include.path", str(tmp_path / "more"))
    for look in (lambda: WorkTree.open(str(clone)), lambda: opened(clone)):
        with pytest.raises(GitError, match=f"sets remote.origin.{key}") as caught:
            look()
        assert f"git config --unset-all remote.origin.{key}" in caught.value.remedy
    assert not (tmp_path / "ran").exists()


def test_ssh_is_what_the_person_says_and_never_what_the_clone_says(
    clone: Path, script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(clone, "remote", "set-url", "origin", "git@127.0.0.1:acme/access.git")
    git(clone, "config", "core.sshCommand", str(script))
    monkeypatch.delenv("GIT_SSH", raising=False)
    monkeypatch.delenv("GIT_SSH_COMMAND", raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "mine"))
    said = []
    for word in ("of-the-user", "of-the-environment"):
        mine = tmp_path / word
        mine.write_text("#!/bin/sh\necho 'Permission denied (publickey).' >&2\nexit 255\n")
        mine.chmod(0o755)
        if word == "of-the-user":
            (tmp_path / "mine").write_text(f"[core]\n\tsshCommand = {mine}\n")
        else:
            (tmp_path / "mine").write_text("[core]\n\tsshCommand = false\n")
            monkeypatch.setenv("GIT_SSH_COMMAND", str(mine))
        with opened(clone) as repository, pytest.raises(DaypassError) as caught:
            repository.fetch()
        assert isinstance(caught.value, ForgeRefusedError | ForgeUnavailableError)
        said.append(caught.value)
    assert all("GIT_SSH_COMMAND" in error.remedy for error in said)
    assert not (tmp_path / "ran").exists()


def test_no_token_reaches_a_command_that_needs_none(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GH_TOKEN", "GITHUB_TOKEN", "VAULT_TOKEN", "DAYPASS_CLONE_TOKEN", "GIT_DIR"):
        monkeypatch.setenv(name, "canary")
    for key, value in (
        ("remote.origin.promisor", "true"),
        ("remote.origin.url", "https://127.0.0.1:9/acme/access"),
    ):
        git_config(clone, key, value)
    seen: dict[str, bool] = {}
    started = Git._end

    def end(self: Git, words: tuple[str, ...], data: bytes, environment: dict[str, str]) -> object:
        assert "canary" not in environment.values()
        seen[words[0]] = "Authorization" in str(environment)
        return started(self, words, data, environment)

    monkeypatch.setattr(Git, "_end", end)
    with GitRepository(
        clone, remote="origin", branch="main", author=("", ""), token=lambda: Secret("theirs")
    ) as repository:
        assert repository.resolve("origin/main")
        repository.touching(None, repository.resolve("HEAD"), ["access"])
        with pytest.raises(DaypassError):
            repository.fetch()
    with_token = {word for word, has in seen.items() if has}
    assert with_token == {"rev-list", "fetch"}
    assert {"config", "for-each-ref", "rev-parse"} <= seen.keys()


def git_config(clone: Path, key: str, value: str) -> None:
    mine = {name: text for name, text in os.environ.items() if name != "GIT_DIR"}
    subprocess.run(["git", "-C", clone, "config", key, value], check=True, env=mine)


def test_what_files_are_to_git_the_user_says(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ignored").write_text("*.swp\n")
    (tmp_path / "mine").write_text(f"[core]\n\texcludesFile = {tmp_path / 'ignored'}\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "mine"))
    (clone / "access/a.swp").write_text("x")
    assert [entry.path for entry in WorkTree.open(str(clone)).entries()] == ["access/a.yaml"]
