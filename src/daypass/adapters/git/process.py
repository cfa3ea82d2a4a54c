"""Running stock git: the one place that starts it, guarded, with one error for each failure."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import subprocess
from typing import IO, TYPE_CHECKING, Final, Self, cast

from daypass.adapters.git import guard, time_limit
from daypass.adapters.git.complaints import IF_APP_DENIED, explain
from daypass.adapters.git.guard import Guard
from daypass.adapters.git.place import Place, no_repository
from daypass.errors import DaypassError, GitError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from threading import Timer

    from daypass.model.secret import Secret

_TIMEOUT_SECONDS: Final = 600
# For a command that asks no remote. The configuration is read first, and is small.
_LOCAL_SECONDS: Final = 600
_LISTING_SECONDS: Final = 20
_AHEAD: Final = 1 << 20  # bytes: the most that Linux lets every user have
_REMOTE: Final = frozenset({"fetch", "push", "ls-remote"})
# What may fetch objects that a partial clone lacks. No other command is given a token.
_LAZY: Final = (
    _REMOTE
    | {"cat-file", "diff", "diff-index", "fast-import", "log", "ls-tree"}
    | {
        "merge-base",
        "rev-list",
    }
)
# git heeds the one from 2.39.4 on, and the other ever.
_NOT_LAZY: Final = {"GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": ""}


class Git:
    """stock git in one repository, at its top.

    Which repository that is, no file in it decides; what its configuration may say, the guard does.
    """

    def __init__(
        self,
        directory: Path,
        if_denied: Callable[[], str] = lambda: IF_APP_DENIED,
        *,
        helpers: bool = False,
    ) -> None:
        """Prepare.

        Args:
            directory: a folder of the clone.
            if_denied: the remedy when a remote refuses what is sent to it.
            helpers: whether the user's own log-in helpers serve what a partial clone lacks.
        """
        self.directory = directory
        self._if_denied = if_denied
        self._with_helpers = helpers
        self._place: Place | None = None
        self._guard: Guard | None = None
        self._lent: Callable[[], Sequence[tuple[str, str]]] = tuple
        self._is_lazy = True
        if not directory.is_dir():
            raise no_repository(directory)

    @classmethod
    def new_bare(cls, directory: Path, branch: str) -> Self:
        """Make a bare repository in an empty folder: its configuration is ours."""
        git = cls(directory)
        git._place, git._guard = Place(directory.resolve(), is_bare=True), Guard()
        git.run("init", "--quiet", "--bare", f"--initial-branch={branch}", "--template=", ".")
        return git

    @property
    def place(self) -> Place:
        """Where it runs. Raises GitError if the directory is in no clone, or it is not sure."""
        if self._place is None:
            self._place = Place.of(self.directory)
        return self._place

    def environment(
        self, settings: Sequence[tuple[str, str]] = (), *, lent: bool = True
    ) -> dict[str, str]:
        """The environment of a call; with `lent`, of one that may fetch what the clone lacks.

        Raises:
            GitError: there is no clone, or its configuration cannot be read or be made harmless.
        """
        guarded = self._guarded()
        more = (*guarded.settings, *(guarded.helpers if self._with_helpers else ()))
        more += (*(self._lent() if lent else ()), *settings)
        found = guard.environment(more, is_bare=self.place.is_bare) | self.place.variables()
        found |= guarded.variables
        return found | (_NOT_LAZY if time_limit.forbids_remotes() else {})

    def _guarded(self) -> Guard:
        if self._guard is None:
            environment = guard.listing_environment(is_bare=self.place.is_bare)
            environment |= self.place.variables()
            done = self._end(guard.LISTING, b"", environment)
            if done.returncode:
                raise self.explain("config", done.stderr)
            self._guard = Guard.read(done.stdout)
        return self._guard

    def lend(self, settings: Callable[[], Sequence[tuple[str, str]]]) -> None:
        """Give these to every call that reads objects: in a partial clone it may fetch them."""
        self._lent = settings

    def stay_local(self) -> None:
        """Let no command but a fetch or a push ask a remote for what this clone lacks."""
        self._is_lazy = False

    def command(self, *words: str) -> list[str]:
        """The command line of a git command in this repository."""
        return ["git", "-C", str(self.place.top), *words]

    def try_run(
        self,
        *words: str,
        data: bytes = b"",
        settings: Sequence[tuple[str, str]] = (),
        lazy: bool = True,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run to the end and return what happened.

        Raises GitError if it cannot run, ForgeUnavailableError if the remote keeps it waiting.

        In a partial clone git fetches what it misses, one by one, unless it is not to be `lazy`
        (which git heeds from 2.39.4 on).
        """
        lazy = lazy and self.may_fetch(words[0])
        environment = self.environment(settings, lent=lazy and words[0] in _LAZY)
        return self._end(words, data, environment | ({} if lazy else _NOT_LAZY))

    def may_fetch(self, what: str) -> bool:
        """Whether that git command may ask a remote, for what a partial clone lacks too."""
        return self._is_lazy or what in _REMOTE

    def _end(
        self, words: Sequence[str], data: bytes, environment: Mapping[str, str]
    ) -> subprocess.CompletedProcess[bytes]:
        command = self.command(*words)
        limit = time_limit.in_force()
        if limit is not None:
            time_limit.demand(limit, words[0], asks_remote=words[0] in _REMOTE)
            process = self.start(words, environment, stderr=subprocess.PIPE, leads=True)
            stdout, stderr = time_limit.finish(limit, process, words[0], data)
            return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)
        if words[0] not in _REMOTE:
            process = self.start(words, environment, stderr=subprocess.PIPE, leads=False)
            seconds = _LISTING_SECONDS if words is guard.LISTING else _LOCAL_SECONDS
            stdout, stderr = time_limit.finish_local(process, words[0], data, seconds)
            return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)
        try:
            return subprocess.run(  # noqa: S603  -- a list of words, no shell
                command,
                input=data,
                capture_output=True,
                env=environment,
                timeout=_TIMEOUT_SECONDS,
                check=False,
            )
        except FileNotFoundError as error:
            raise _not_installed() from error
        except subprocess.TimeoutExpired as error:
            raise time_limit.not_ended(words[0], _TIMEOUT_SECONDS) from error

    def start(
        self,
        words: Sequence[str],
        environment: Mapping[str, str],
        *,
        stderr: IO[bytes] | int,
        leads: bool,
        source: IO[bytes] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a command; with `leads`, as the leader of a session of its own."""
        try:
            return subprocess.Popen(  # noqa: S603  -- a list of words, no shell
                self.command(*words),
                stdin=source if source is not None else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=environment,
                start_new_session=leads,
            )
        except FileNotFoundError as error:
            raise _not_installed() from error

    def run(
        self, *words: str, data: bytes = b"", settings: Sequence[tuple[str, str]] = ()
    ) -> bytes:
        """Run and return standard output. Raises the error that `explain` makes of a failure."""
        done = self.try_run(*words, data=data, settings=settings)
        if done.returncode:
            raise self.explain(words[0], done.stderr)
        return done.stdout

    def open(self, *words: str, source: IO[bytes] | None = None) -> Conversation:
        """Start a command that is spoken with for longer; whoever opens it closes it.

        With `source` it reads from there, and from nothing else.
        """
        return Conversation(self, words, source)

    def explain(self, what: str, stderr: bytes) -> DaypassError:
        """What git's complaint means, and what to do about it."""
        ignored = self._guard or Guard()
        return explain(self.directory, what, stderr, self._if_denied, ignored)


class Conversation:
    """A running git command: words go in, answers come out, complaints are kept for an error."""

    def __init__(self, git: Git, words: Sequence[str], source: IO[bytes] | None = None) -> None:
        from tempfile import TemporaryFile  # noqa: PLC0415  -- `validate` does without

        self._git = git
        self._what = words[0]
        lazy = git.may_fetch(words[0])
        environment = git.environment(lent=lazy and words[0] in _LAZY) | ({} if lazy else _NOT_LAZY)
        # A file, not a pipe: nothing reads it while the conversation lasts, and a pipe fills up.
        self._complaints = TemporaryFile()  # noqa: SIM115  -- `close` closes it
        self._limit = limit = time_limit.in_force()
        self._watch: Timer | None = None
        try:
            self._process = git.start(
                words,
                environment,
                stderr=self._complaints,
                leads=limit is not None,
                source=source,
            )
        except GitError:
            self._complaints.close()
            raise
        if limit is not None:
            self._watch = time_limit.watch(limit, self._process)
        _widen(self.stdout)

    @property
    def stdin(self) -> IO[bytes]:
        """Where words go in."""
        return cast("IO[bytes]", self._process.stdin)

    @property
    def stdout(self) -> IO[bytes]:
        """Where answers come out."""
        return cast("IO[bytes]", self._process.stdout)

    def finish(self) -> None:
        """After the last answer: raise the error of a command that failed, and close."""
        try:
            failed = self._process.wait(_TIMEOUT_SECONDS) != 0
            if failed:
                raise self.failure()
        finally:
            self.close()

    def failure(self) -> DaypassError:
        """The error of a command that stopped answering."""
        self._process.terminate()
        self._process.wait()
        if self._limit is not None and not self._limit.left:
            return self._limit.passed(self._what)
        self._complaints.seek(0)
        return self._git.explain(self._what, self._complaints.read())

    def close(self) -> None:
        """End the command, whatever it is doing."""
        if self._watch is not None:
            self._watch.cancel()
            time_limit.end(self._process)
        self._process.terminate()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                # what was not yet sent to a command that is gone is of no use to anybody
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        self._process.wait()
        self._complaints.close()


def _widen(pipe: IO[bytes]) -> None:
    """Let a command write that much before it has to wait: else the two work by turns."""
    # not on every system, and not beyond what it lets a user have
    with contextlib.suppress(AttributeError, OSError):
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _AHEAD)


def authorisation(url: str, token: Secret) -> tuple[tuple[str, str], ...]:
    """Configuration that sends the token to that address and to no other.

    The empty value first drops headers that a checkout left in the repository's own configuration:
    GitHub answers 400 to two of them.
    """
    pair = base64.b64encode(f"x-access-token:{token.reveal()}".encode()).decode()
    key = f"http.{url}.extraHeader"
    return ((key, ""), (key, f"Authorization: Basic {pair}"))


def _not_installed() -> GitError:
    return GitError("git is not installed, or not on the PATH", remedy="Install git 2.39 or newer.")
