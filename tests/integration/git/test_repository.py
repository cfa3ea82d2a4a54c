"""The clone, through stock git: what is written, what is read, and what goes wrong."""

from __future__ import annotations

import errno
import http.server
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from daypass.adapters.git import GitRepository, remote
from daypass.errors import (
    DaypassError,
    ForgeRefusedError,
    ForgeUnavailableError,
    GitError,
    PushRaceError,
)
from daypass.lifecycle.ports import NewCommit
from daypass.model.names import ALLOWED_SIGNERS_PATH
from daypass.model.secret import Secret
from support.evidence_bot import AUTHOR, START
from support.local_signer import LocalSigner

if TYPE_CHECKING:
    from collections.abc import Iterable

    from support.evidence_bot import Bot


def write(
    repository: GitRepository, parent: str, changes: Iterable[dict[str, bytes | None]]
) -> list[str]:
    commits = (NewCommit(change, f"Change {number}\n") for number, change in enumerate(changes))
    return list(repository.write_commits(parent, commits, LocalSigner(), START))


def fsck(bot: Bot) -> None:
    bot.git("fsck", "--strict", "--full", "--no-dangling")


PERSON = b"A U Thor <a@example.com> 1767600000 +0000"
HEADERS = b"author " + PERSON + b"\ncommitter " + PERSON + b"\n"
UNUSUAL = (
    HEADERS + b"\nNo line feed at the end",
    HEADERS + b"\nMany at the end\n\n\n",
    HEADERS + b"\n\n\nSome before it\n",
    HEADERS + b"\nSpaces at the end  \n  \n and\n    before a line\t\r\n",
    HEADERS + b"\nA NUL \0\n\nDaypass-Event: issued\nDaypass-Sequence: 1\n",
    HEADERS + b"encoding ISO-8859-1\n\nGr\xfc\xdfe\n",
    HEADERS + b"\nNo text: \xff\xfe\n",
    HEADERS + b"mergetag object\n     five\n  two\n\nA header of many lines\n",
    HEADERS + b"\n",
    HEADERS,
)


def stored(work: Path, raw: bytes) -> str:
    """The id of a commit of that content, put into the clone."""
    words = ("hash-object", "-t", "commit", "-w", "--literally", "--stdin")
    return subprocess.check_output(["git", *words], cwd=work, input=raw).decode().strip()


def exact(work: Path, commit: str) -> bytes:
    return subprocess.check_output(["git", "cat-file", "commit", commit], cwd=work)


class TestWriting:
    def test_stock_git_says_good(self, bot: Bot) -> None:
        with bot.open() as repository:
            head = repository.head()
            commits = write(repository, head, [{"a/b": b"1"}, {"a/c": b"2"}])
            repository.push(commits[-1], head)
        shown = bot.git(
            "-c",
            f"gpg.ssh.allowedSignersFile={ALLOWED_SIGNERS_PATH}",
            "log",
            "--show-signature",
            "-2",
            "origin/main",
        )
        assert shown.count('Good "git" signature for bot@daypass.example') == 2
        fsck(bot)

    def test_author_committer_and_time_are_as_told(self, bot: Bot) -> None:
        with bot.open() as repository:
            (commit,) = write(repository, repository.head(), [{"a": b"1"}])
        shown = bot.git("log", "-1", "--date=raw", "--format=%an <%ae> %ad|%cn <%ce> %cd", commit)
        person = f"daypass <bot@daypass.example> {START.seconds} +0000"
        assert shown == f"{person}|{person}"

    def test_trees_are_those_that_git_would_write(self, bot: Bot) -> None:
        steps: list[dict[str, bytes | None]] = [
            {"x/y/z": b"1", "x.txt": b"2", "x-": b"3", "x/y.txt": b"4"},
            {"x/y/z": None, "x/y.txt": b"5", "ä/é": b"6"},
            {"x/y.txt": None, "x.txt": None},
            {"x": b"now a file"},
        ]
        with bot.open() as repository:
            commits = write(repository, repository.head(), steps)
        for number, (commit, step) in enumerate(zip(commits, steps, strict=True)):
            bot.git("checkout", "-q", "--detach", commit if number == 0 else commits[number - 1])
            if number == 0:
                continue
            for path, content in step.items():
                target = bot.work / path
                if content is None:
                    bot.git("rm", "-q", path)
                else:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(content)
            bot.git("add", "-A")
            assert bot.git("write-tree") == bot.git("rev-parse", f"{commit}^{{tree}}")
            bot.git("reset", "-q", "--hard")
        fsck(bot)

    def test_large_folders_are_stored_as_differences_that_git_reads(self, bot: Bot) -> None:
        files: dict[str, bytes | None] = {f"access/requests/g{n}.yaml": b"x" for n in range(400)}
        with bot.open() as repository:
            head = repository.head()
            gone = [{f"access/requests/g{n}.yaml": None} for n in range(120)]
            commits = write(repository, head, [files, *gone, {"access/requests/g5.yaml": b"new"}])
            left = {entry.path for entry in repository.entries(commits[-1], "access/requests")}
        expected = {f"access/requests/g{n}.yaml" for n in (5, *range(120, 400))}
        assert left == expected
        listed = bot.git("ls-tree", "-r", "--name-only", commits[-1], "access/requests").split()
        assert set(listed) == expected
        fsck(bot)

    def test_a_commit_that_changes_nothing_has_the_tree_of_its_parent(self, bot: Bot) -> None:
        with bot.open() as repository:
            head = repository.head()
            commits = write(repository, head, [{}, {"a": b"1"}, {}])
        trees = [bot.git("rev-parse", f"{name}^{{tree}}") for name in (head, *commits)]
        assert trees[0] == trees[1] != trees[2] == trees[3]
        fsck(bot)

    def test_each_id_is_known_before_the_next_message_is_asked_for(self, bot: Bot) -> None:
        known: list[str] = []

        def commits() -> Iterable[NewCommit]:
            for number in range(3):
                yield NewCommit({f"f{number}": b""}, f"after {known[-1:] or None}\n")

        with bot.open() as repository:
            for commit in repository.write_commits(
                repository.head(), iter(commits()), LocalSigner(), START
            ):
                known.append(commit)  # noqa: PERF402  -- the next message reads it
            messages = [item.raw.split(b"\n\n", 1)[1] for item in repository.walk(known[-1])]
        assert messages[0] == f"after ['{known[1]}']\n".encode()

    @pytest.mark.parametrize(
        ("change", "why"),
        [
            ({"nowhere": None}, "not there"),
            ({"access/nowhere": None}, "not there"),
            ({"no/where": None}, "not there"),
            ({"access/allowed_signers/x": b""}, "is a file"),
            ({"access": b""}, "a folder"),
            ({"../x": b""}, "no path"),
            ({"/x": b""}, "no path"),
            ({".git/config": b""}, "no path"),
            ({"a/.GIT/config": b""}, "no path"),
        ],
    )
    def test_a_change_that_cannot_be_made_is_refused(
        self, bot: Bot, change: dict[str, bytes | None], why: str
    ) -> None:
        with bot.open() as repository, pytest.raises(GitError, match=why):
            write(repository, repository.head(), [change])

    @pytest.mark.parametrize("kind", ["tree", "blob", "none", "option"])
    def test_a_parent_that_is_no_commit_is_refused(self, bot: Bot, kind: str) -> None:
        parent = {
            "tree": bot.git("rev-parse", "HEAD^{tree}"),
            "blob": bot.git("rev-parse", f"HEAD:{ALLOWED_SIGNERS_PATH}"),
            "none": "e" * 40,
            "option": "--all",
        }[kind]
        with bot.open() as repository, pytest.raises(GitError, match="there is no"):
            write(repository, parent, [{"a": b""}])

    def test_hooks_and_settings_of_the_clone_are_not_run(self, bot: Bot) -> None:
        hooks = bot.work / ".git" / "hooks"
        hooks.mkdir(exist_ok=True)
        for name in ("pre-push", "post-commit", "reference-transaction"):
            (hooks / name).write_text("#!/bin/sh\ntouch ../ran; touch ran; exit 1\n")
            (hooks / name).chmod(0o755)
        bot.git("config", "commit.gpgSign", "true")
        bot.git("config", "core.fsmonitor", "touch ran")
        with bot.open() as repository:
            head = repository.fetch()
            repository.push(write(repository, head, [{"a": b"1"}])[-1], head)
        assert not list(bot.work.rglob("ran"))


class TestReading:
    def test_entries_of_folders_files_and_nothing(self, bot: Bot) -> None:
        bot.person_commits("x", {"access/requests/a.yaml": "a", "access/requests/b/c": "c"})
        (bot.work / "link").symlink_to("README")
        bot.git("add", "-A")
        bot.git("commit", "-q", "-m", "link")
        bot.git("push", "-q", "origin", "HEAD:main")
        with bot.open() as repository:
            head = repository.fetch()
            whole = bot.git("ls-tree", "-r", head).splitlines()
            assert [
                f"{item.mode} blob {item.blob}\t{item.path}"
                for item in repository.entries(head, "")
            ] == whole
            assert [item.path for item in repository.entries(head, "access/requests")] == [
                "access/requests/a.yaml",
                "access/requests/b/c",
            ]
            (file,) = repository.entries(head, ALLOWED_SIGNERS_PATH)
            assert repository.blobs([file.blob])[file.blob].startswith(b"bot@daypass.example ")
            assert repository.entries(head, "nothing/here") == ()

    def test_a_blob_that_is_not_there_is_an_error(self, bot: Bot) -> None:
        with bot.open() as repository, pytest.raises(GitError, match="no blob"):
            repository.blobs(["e" * 40])

    def test_introductions_see_merges_by_their_first_parent(self, bot: Bot) -> None:
        bot.git("checkout", "-q", "-b", "topic", "origin/main")
        (bot.work / "new").write_text("1")
        bot.git("add", "-A")
        bot.git("commit", "-q", "-m", "in the branch")
        bot.git("checkout", "-q", "-B", "main", "origin/main")
        bot.git("merge", "-q", "--no-ff", "-m", "the merge", "topic")
        bot.git("push", "-q", "origin", "main")
        merge = bot.git("rev-parse", "main")
        later = bot.person_commits("other", {"other": "x", "new": "2"})
        with bot.open() as repository:
            head = repository.fetch()
            assert repository.introductions(merge, ["new", "absent"]) == {"new": merge}
            assert repository.introductions(head, ["new"]) == {"new": later}
            blob = bot.git("rev-parse", f"{later}:new")
            assert repository.changed_by(merge, head, ["new", "absent"]) == {"new": {later: blob}}
            assert repository.changed_by(later, head, ["new"]) == {}
            assert repository.touching(None, head, ["new"]) == (merge, later)
            assert repository.touching(merge, head, ["new"]) == (later,)
            assert repository.touching(head, head, ["new"]) == ()

    def test_what_a_merge_has_undone_was_changed_all_the_same(self, bot: Bot) -> None:
        before = bot.person_commits("new", {"new": "1"})
        gone = bot.person_commits("gone", {"new": None})
        undoing = ("commit-tree", f"{before}^{{tree}}", "-p", before, "-p", gone, "-m", "undo")
        head = bot.git(*undoing)
        bot.git("push", "-q", "origin", f"{head}:main")
        with bot.open() as repository:
            assert repository.fetch() == head
            assert repository.touching(before, head, ["new"]) == ()
            assert repository.changed_by(before, head, ["new"]) == {"new": {gone: None}}

    def test_many_paths_cost_one_walk(self, bot: Bot) -> None:
        files = {f"access/requests/g{n}.yaml": "x" for n in range(150)}
        first = bot.person_commits("all", files)
        with bot.open() as repository:
            assert repository.introductions(repository.fetch(), list(files)) == dict.fromkeys(
                files, first
            )

    def test_a_walk_reads_the_same_line_as_git(self, bot: Bot) -> None:
        with bot.open() as repository:
            head = repository.fetch()
            commits = write(repository, head, [{"a": str(n).encode()} for n in range(700)])
            walked = [item.sha for item in repository.walk(commits[-1])]
        assert walked == bot.git("rev-list", "--first-parent", commits[-1]).split()

    def test_a_walk_reads_every_byte_that_a_commit_has(self, bot: Bot) -> None:
        """Also where `rev-list` shows a commit otherwise than it is stored."""
        bot.git("config", "i18n.logOutputEncoding", "ISO-8859-1")
        bot.git("config", "color.ui", "always")
        head = bot.head
        for rest in UNUSUAL:
            tree = bot.git("rev-parse", f"{head}^{{tree}}")
            raw = f"tree {tree}\nparent {head}\n".encode() + rest
            head = stored(bot.work, raw)
        with bot.open() as repository:
            commits = write(repository, head, [{"a": str(n).encode()} for n in range(70)])
            walked = list(repository.walk(commits[-1]))
        assert len(walked) > 70 + len(UNUSUAL)
        for item in walked[60 : 75 + len(UNUSUAL)]:
            assert item.raw == exact(bot.work, item.sha)

    def test_replaced_objects_do_not_change_what_is_read(self, bot: Bot) -> None:
        issued = bot.issue("one")
        forged = bot.git("commit-tree", "-m", "nothing", f"{issued}^{{tree}}")
        bot.git("replace", issued, forged)
        with bot.open() as repository:
            assert next(repository.walk(issued)).raw.count(b"Daypass-Event: issued") == 1

    def test_ancestry(self, bot: Bot) -> None:
        first = bot.head
        second = bot.person_commits("x", {"x": "1"})
        with bot.open() as repository:
            assert repository.is_ancestor(first, second)
            assert repository.is_ancestor(second, second)
            assert not repository.is_ancestor(second, first)
            assert not repository.is_ancestor("e" * 40, first), "a complete clone would have it"
            with pytest.raises(GitError, match="no commit"):
                repository.is_ancestor(first, "e" * 40)

    def test_ancestry_far_back_and_beside_the_own_line(self, bot: Bot) -> None:
        """Near first parents are found without asking git, which would look at all of a merge."""
        first = bot.head
        with bot.open() as repository:
            far = write(repository, first, [{"a": str(n).encode()} for n in range(70)])
            (other,) = write(repository, first, [{"b": b"1"}])
            tree = f"{far[-1]}^{{tree}}"
            own = bot.git("commit-tree", tree, "-p", far[-1], "-p", other, "-m", "merge")
            wrong = bot.git(
                "commit-tree", tree, "-p", other, "-p", far[-1], "-m", "wrong way round"
            )
            for merge in (own, wrong, own):
                for known in (first, far[0], far[-1], other):
                    assert repository.is_ancestor(known, merge)
                    assert not repository.is_ancestor(merge, known)
            assert not repository.is_ancestor(own, wrong)
            assert not repository.is_ancestor(far[0], other)
            repository._git = None  # type: ignore[assignment]
            assert repository.is_ancestor(far[-1], own)


class TestPushing:
    def test_an_old_branch_that_is_called_like_mains_full_name_is_told(self, bot: Bot) -> None:
        """GitHub allows no new ones since 2023."""
        bot.git("push", "-q", "origin", f"{bot.head}:refs/heads/refs/heads/main")
        with bot.open() as repository:
            head = repository.fetch()
            mine = write(repository, head, [{"mine": b"1"}])[-1]
            with pytest.raises(GitError, match="ends in refs/heads/main") as caught:
                repository.push(mine, head)
            bot.git(*caught.value.remedy.split("`")[1].split()[1:])
            repository.push(mine, head)
            assert repository.fetch() == mine

    def test_of_two_writers_one_wins_and_nothing_is_lost(self, bot: Bot, tmp_path: Path) -> None:
        bot.git("clone", "-q", str(tmp_path / "remote.git"), str(tmp_path / "second"))
        with (
            bot.open() as one,
            GitRepository(
                tmp_path / "second", remote="origin", branch="main", author=AUTHOR, token=None
            ) as two,
        ):
            head = one.fetch()
            assert two.fetch() == head
            mine = write(one, head, [{"mine": b"1"}])[-1]
            theirs = write(two, head, [{"theirs": b"2"}])[-1]
            one.push(mine, head)
            with pytest.raises(PushRaceError):
                two.push(theirs, head)
            assert two.fetch() == mine
            again = write(two, mine, [{"theirs": b"2"}])[-1]
            two.push(again, mine)
            assert one.fetch() == again
            assert {item.path for item in one.entries(again, "")} >= {"mine", "theirs"}

    def test_a_fetch_waits_for_another_command_that_writes_the_same_refs(
        self, bot: Bot, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Several commands in one clone: a lock of another is no failure, unless it stays."""
        lock = bot.work / ".git" / "refs" / "remotes" / "origin" / "main.lock"
        waited: list[float] = []

        def wait(seconds: float) -> None:
            waited.append(seconds)
            if len(waited) == 2:
                lock.unlink()

        monkeypatch.setattr(remote, "time", SimpleNamespace(sleep=wait))
        with bot.open() as repository:
            head = repository.fetch()
            commit = write(repository, head, [{"a": b"1"}])[-1]
            repository.push(commit, head)
            bot.git("update-ref", "refs/remotes/origin/main", head)
            lock.touch()
            assert repository.fetch() == commit
            assert len(waited) == 2
            bot.git("update-ref", "refs/remotes/origin/main", head)
            lock.touch()
            with pytest.raises(GitError, match=r"main\.lock"):
                repository.fetch()

    def test_after_a_push_the_head_is_known_without_a_rule_for_fetching(self, bot: Bot) -> None:
        bot.git("config", "--unset-all", "remote.origin.fetch")
        with bot.open() as repository:
            head = repository.fetch()
            commit = write(repository, head, [{"a": b"1"}, {"a": b"2"}])[-1]
            repository.push(commit, head)
            assert repository.head() == commit
        assert bot.git("ls-remote", "origin", "main").split()[0] == commit

    def test_a_push_never_rewrites(self, bot: Bot) -> None:
        begin = bot.head
        kept = bot.person_commits("kept", {"kept": "1"})
        with bot.open() as repository:
            repository.fetch()
            beside = write(repository, begin, [{"beside": b"1"}])[-1]
            with pytest.raises(GitError, match="does not build on"):
                repository.push(beside, kept)
            with pytest.raises(PushRaceError):
                repository.push(beside, begin)
            assert repository.fetch() == kept

    def test_a_refusing_rule_is_no_race(self, bot: Bot, tmp_path: Path) -> None:
        hook = tmp_path / "remote.git" / "hooks" / "pre-receive"
        hook.write_text("#!/bin/sh\necho 'GH013: secret words' >&2\nexit 1\n")
        hook.chmod(0o755)
        with bot.open() as repository:
            head = repository.fetch()
            commit = write(repository, head, [{"a": b"1"}])[-1]
            with pytest.raises(ForgeRefusedError) as refused:
                repository.push(commit, head)
            assert "secret words" not in str(refused.value)
            assert repository.fetch() == head

    def test_a_run_killed_while_it_writes_breaks_nothing(self, bot: Bot) -> None:
        script = (
            "import sys; from pathlib import Path\n"
            "from daypass.adapters.git import GitRepository\n"
            "from daypass.lifecycle.ports import NewCommit\n"
            "from daypass.model.instant import Instant\n"
            "from support.local_signer import LocalSigner\n"
            "with GitRepository(Path(sys.argv[1]), remote='origin', branch='main',\n"
            "                   author=('a', 'a@b'), token=None) as repository:\n"
            "    print('ready', flush=True)\n"
            "    while True:\n"
            "        head = repository.fetch()\n"
            "        new = (NewCommit({f'f{n}': b'x' * 9999}, 'm') for n in range(200))\n"
            "        for last in repository.write_commits(head, new, LocalSigner(), Instant(0)):\n"
            "            pass\n"
            "        repository.push(last, head)\n"
        )
        for pause in (0.02, 0.1, 0.25, 0.4):
            with subprocess.Popen(
                [sys.executable, "-c", script, str(bot.work)],
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
                start_new_session=True,
            ) as run:
                assert run.stdout is not None
                assert run.stdout.readline() == b"ready\n"
                time.sleep(pause)
                os.killpg(run.pid, signal.SIGKILL)
            fsck(bot)
            for lock in bot.work.glob(".git/**/*.lock"):
                lock.unlink()  # as a fresh clone has none; a run's clone is not used again
            with bot.open() as repository:
                push_at_last(repository, str(pause).encode())


def push_at_last(repository: GitRepository, content: bytes) -> None:
    """Push as a run does, anew where main moved: the other end may carry on what was killed."""
    for _ in range(20):
        head = repository.fetch()
        try:
            return repository.push(write(repository, head, [{"after": content}])[-1], head)
        except PushRaceError:
            time.sleep(0.1)
    raise AssertionError("main moves on and on")


class TestErrors:
    def test_no_repository(self, tmp_path: Path) -> None:
        for place in (tmp_path, tmp_path / "missing"):
            with pytest.raises(GitError, match="not a git repository"):
                GitRepository(place, remote="origin", branch="main", author=AUTHOR, token=None)

    def test_a_shallow_clone_cannot_tell_provenance(self, bot: Bot, tmp_path: Path) -> None:
        first = bot.head
        bot.person_commits("more", {"x": "1"})
        shallow = tmp_path / "shallow"
        bot.git("clone", "-q", "--depth=1", f"file://{tmp_path}/remote.git", str(shallow))
        with GitRepository(
            shallow, remote="origin", branch="main", author=AUTHOR, token=None
        ) as repository:
            head = repository.head()
            for attempt in (
                repository.assert_complete,
                lambda: repository.is_ancestor(first, head),
                lambda: list(repository.walk(head)),
                lambda: repository.introductions(head, ["x"]),
                lambda: repository.touching(None, head, ["x"]),
            ):
                with pytest.raises(GitError, match=r"shallow|lacks"):
                    attempt()

    def test_an_unreachable_remote(self, bot: Bot) -> None:
        bot.git("remote", "set-url", "origin", "http://user:hunter2@127.0.0.1:9/x.git")
        with (
            bot.open() as repository,
            pytest.raises(ForgeUnavailableError, match="cannot be reached") as failed,
        ):
            repository.fetch()
        assert "hunter2" not in str(failed.value)

    def test_a_branch_that_is_not_there(self, bot: Bot) -> None:
        with GitRepository(
            bot.work, remote="origin", branch="none", author=AUTHOR, token=None
        ) as repository:
            with pytest.raises(GitError, match="there is no commit"):
                repository.head()
            with pytest.raises(GitError, match="remote ref"):
                repository.fetch()

    def test_revisions_that_name_no_commit(self, bot: Bot) -> None:
        with bot.open() as repository:
            head = repository.fetch()
            for name in ("", "--all", f"{head}\ncontents {head}", f"{head}\0", f"{head}:access"):
                with pytest.raises(GitError, match="is no commit"):
                    repository.resolve(name)
            # Nothing of what was refused is taken for the answer to what is asked next.
            assert repository.resolve(head[:12]) == repository.resolve("origin/main") == head

    @pytest.mark.parametrize("word", ["--upload-pack=touch x", "", "a b", "a:b"])
    def test_names_that_git_could_take_for_something_else(self, bot: Bot, word: str) -> None:
        with pytest.raises(GitError, match="no name"):
            GitRepository(bot.work, remote=word, branch="main", author=AUTHOR, token=None)
        with pytest.raises(GitError, match="no name"):
            GitRepository(bot.work, remote="origin", branch=word, author=AUTHOR, token=None)

    def test_a_full_disk(self, bot: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
        folder = bot.work / ".git/objects/pack"

        def full(_descriptor: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with bot.open() as repository:
            head = repository.head()
            before = set(folder.iterdir()) if folder.exists() else set()
            monkeypatch.setattr(os, "fsync", full)
            with pytest.raises(GitError, match="No space left"):
                write(repository, head, [{"a": b"1"}])
            assert set(folder.iterdir()) == before
            monkeypatch.undo()
            repository.push(write(repository, head, [{"a": b"1"}])[-1], head)
        fsck(bot)


class TestToken:
    def test_it_is_in_no_command_line_and_goes_to_the_remote_only(self, bot: Bot) -> None:
        """A server that answers nothing but 404 notes what git sends; `ps` is asked meanwhile."""
        seen: list[str | None] = []
        lines: list[bytes] = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                seen.extend(self.headers.get_all("Authorization") or [None])
                for path in Path("/proc").glob("[0-9]*/cmdline"):
                    try:
                        lines.append(path.read_bytes())
                    except OSError:
                        continue
                self.send_error(404)

            def log_message(self, *_words: object) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            url = f"http://127.0.0.1:{server.server_port}"
            bot.git("remote", "set-url", "origin", f"{url}/owner/repo.git")
            # what actions/checkout leaves behind: two such headers are refused by GitHub
            bot.git("config", f"http.{url}/.extraheader", "AUTHORIZATION: basic bGVmdA==")
            with (
                GitRepository(
                    bot.work,
                    remote="origin",
                    branch="main",
                    author=AUTHOR,
                    token=lambda: Secret("ghs_canary"),
                ) as repository,
                pytest.raises(DaypassError) as failed,
            ):
                repository.fetch()
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
        assert seen == ["Basic eC1hY2Nlc3MtdG9rZW46Z2hzX2NhbmFyeQ=="]
        assert not any(b"canary" in line or b"Z2hzX2Nhbm" in line for line in lines)
        assert "canary" not in str(failed.value)


class TestPartialClone:
    def test_blobs_that_are_missing_come_in_one_fetch(self, bot: Bot, tmp_path: Path) -> None:
        files = {f"access/requests/g{n}.yaml": f"content {n}" for n in range(20)}
        bot.person_commits("many", files)
        bot.git(
            "config",
            "--file",
            str(tmp_path / "remote.git/config"),
            "uploadpack.allowFilter",
            "true",
        )
        partial = tmp_path / "partial"
        source = f"file://{tmp_path}/remote.git"
        bot.git("clone", "-q", "--no-checkout", "--filter=blob:none", source, str(partial))
        with GitRepository(
            partial, remote="origin", branch="main", author=AUTHOR, token=None
        ) as repository:
            entries = repository.entries(repository.head(), "access/requests")
            before = len(list(partial.glob(".git/objects/pack/*.pack")))
            contents = repository.blobs([entry.blob for entry in entries])
            after = len(list(partial.glob(".git/objects/pack/*.pack")))
            assert sorted(contents.values()) == sorted(text.encode() for text in files.values())
            assert after - before == 1
            head = repository.head()
            repository.push(write(repository, head, [{entries[0].path: None}])[-1], head)
