"""Running stock git: one environment for every call, and one error for each way it can fail."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import os
import re
import subprocess
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Final, cast

from daypass.adapters.git import time_limit
from daypass.adapters.git.ownership import is_about_ownership, not_ours, safe_directories
from daypass.errors import DaypassError, ForgeRefusedError, ForgeUnavailableError, GitError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from threading import Timer

    from daypass.model.secret import Secret

_TIMEOUT_SECONDS: Final = 600
_AHEAD: Final = 1 << 20  # bytes: the most that Linux lets every user have
_REMOTE: Final = frozenset({"fetch", "push"})
# Where git may not read a repository, it takes it for none here, and says nothing.
_SILENT: Final = frozenset({"config"})
# Variables that git and its transports need from outside. All else stays out: GIT_DIR and the like
# redirect git, GIT_TRACE_CURL writes tokens into logs, GIT_ASKPASS asks.
_PASSED: Final = frozenset(
    {"PATH", "HOME", "TMPDIR", "SSH_AUTH_SOCK", "SSL_CERT_FILE", "SSL_CERT_DIR", "SUDO_UID"}
    | {"GIT_SSL_CAINFO", "http_proxy", "https_proxy", "no_proxy", "all_proxy"}
    | {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"}
)
_FIXED: Final = {
    "LC_ALL": "C",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_LITERAL_PATHSPECS": "1",
    # Local refs and files that show another history than the one that the objects tell.
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_GRAFT_FILE": os.devnull,
    "GIT_OPTIONAL_LOCKS": "0",
    # Or `log` and `rev-list` write each commit by itself.
    "GIT_FLUSH": "0",
}
_CONFIG: Final = (
    ("core.hooksPath", os.devnull),
    ("core.fsmonitor", "false"),
    # A file beside the objects that says of commits what their own bytes might not.
    ("core.commitGraph", "false"),
    ("core.askPass", ""),
    ("core.quotePath", "true"),
    ("credential.helper", ""),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("log.showRoot", "true"),
    # What a clone's own configuration can make of the lists that are read: recoded, cut, painted.
    ("i18n.logOutputEncoding", "UTF-8"),
    ("log.follow", "false"),
    ("diff.orderFile", os.devnull),
    ("diff.relative", "false"),
    ("diff.ignoreSubmodules", "none"),
    ("color.ui", "false"),
    ("log.showSignature", "false"),
    ("push.gpgSign", "false"),
    ("push.followTags", "false"),
    ("push.recurseSubmodules", "no"),
    ("fetch.recurseSubmodules", "no"),
    ("protocol.ext.allow", "never"),
    # A redirect would carry the token to another host.
    ("http.followRedirects", "false"),
    ("http.lowSpeedLimit", "100"),
    ("http.lowSpeedTime", "60"),
)
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")
_CONTROL = re.compile(r"[^\x20-\x7e]+")
_FULL: Final = re.compile(r"No space left on device|Disk quota exceeded")
_NO_REPOSITORY: Final = re.compile(r"not a git repository|cannot change to")
_NO_REMOTE: Final = re.compile(r"No such remote|'([^'/]+)' does not appear to be a git repository")
_SSH_KEY: Final = re.compile(r"Permission denied \([a-z,-]*publickey|Host key verification failed")
_DENIED: Final = re.compile(
    r"Authentication failed|could not read (Username|Password)|error: 40[13]|Permission denied"
    r"|Permission to \S+ denied|Host key verification failed"
)
_UNREACHABLE: Final = re.compile(
    r"unable to access|Could not resolve|Could not read from remote|Connection (refused|timed out)"
    r"|does not appear to be a git repository|unable to connect|early EOF|hung up|RPC failed"
    r"|[Rr]edirect"
)
_NO_BRANCH: Final = re.compile(r"couldn't find remote ref")
_ASKED: Final = re.compile(r"could not read (Username|Password)")
_IF_DENIED: Final = (
    "Check that the App is installed on the repository with contents: write, and that its token "
    "has not expired."
)
_IF_SSH_DENIED: Final = (
    "Over SSH: `ssh -T git@HOST`, with the remote's host, must greet you. Add your key to the "
    "agent (`ssh-add`) and to your account, or let the remote be an https:// address."
)


class Git:
    """stock git in one repository.

    Of the user's and the machine's configuration it has only what they have told git to trust, and
    that once git has refused a repository of another user.
    """

    def __init__(self, directory: Path, if_denied: Callable[[], str] = lambda: _IF_DENIED) -> None:
        """Prepare; `if_denied` gives the remedy when a remote refuses what is sent to it."""
        self.directory = directory
        self._if_denied = if_denied
        self._is_settled = False  # whether git is known to read this repository, or to find none
        self._trusted: tuple[tuple[str, str], ...] | None = None  # as the user's git has it
        self._lent: Callable[[], Sequence[tuple[str, str]]] = tuple
        if not directory.is_dir():
            raise _no_repository(directory)

    def environment(self, settings: Sequence[tuple[str, str]] = ()) -> dict[str, str]:
        """The environment of a call.

        `settings` are configuration for this call: not on its command line, where every process of
        the machine could read the token among it.
        """
        settings = (*_CONFIG, *(self._trusted or ()), *self._lent(), *settings)
        environment = {name: os.environ[name] for name in _PASSED & os.environ.keys()} | _FIXED
        environment |= time_limit.variables()
        environment["GIT_CONFIG_COUNT"] = str(len(settings))
        for number, (key, value) in enumerate(settings):
            environment[f"GIT_CONFIG_KEY_{number}"] = key
            environment[f"GIT_CONFIG_VALUE_{number}"] = value
        return environment

    def lend(self, settings: Callable[[], Sequence[tuple[str, str]]]) -> None:
        """Give these to every call from now on: in a partial clone any of them may fetch."""
        self._lent = settings

    def command(self, *words: str) -> list[str]:
        """The command line of a git command in this repository."""
        return ["git", "-C", str(self.directory), *words]

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
        if not self._is_settled and words[0] in _SILENT:
            self._settle()
        done = self._run_once(words, data, settings, lazy=lazy)
        if not self._is_settled and done.returncode and self._is_trusted_after(done.stderr):
            done = self._run_once(words, data, settings, lazy=lazy)
        self._is_settled = True
        return done

    def _settle(self) -> None:
        """Learn whether the repository is another user's, before a command that cannot tell."""
        self._is_settled = True
        done = self._run_once(("rev-parse", "--git-dir"), b"", (), lazy=False)
        if done.returncode:
            self._is_trusted_after(done.stderr)

    def _is_trusted_after(self, stderr: bytes) -> bool:
        """After a refusal: take over what the user has told git to trust, if it was about that.

        The one thing that is taken of the user's own configuration: it cannot be elsewhere.
        """
        if self._trusted is not None or not is_about_ownership(_text(stderr)):
            return False
        self._trusted = safe_directories()
        return True

    def _run_once(
        self,
        words: Sequence[str],
        data: bytes,
        settings: Sequence[tuple[str, str]],
        *,
        lazy: bool,
    ) -> subprocess.CompletedProcess[bytes]:
        environment = self.environment(settings) | ({} if lazy else time_limit.NOT_LAZY)
        limit = time_limit.in_force()
        try:
            if limit is not None:
                if limit.local and words[0] in _REMOTE:
                    raise limit.passed(words[0])
                return time_limit.run(limit, self.command(*words), words[0], data, environment)
            return subprocess.run(  # noqa: S603  -- a list of words, no shell
                self.command(*words),
                input=data,
                capture_output=True,
                env=environment,
                # only a remote can keep git waiting, and waiting with a limit costs milliseconds
                timeout=_TIMEOUT_SECONDS if words[0] in _REMOTE else None,
                check=False,
            )
        except FileNotFoundError as error:
            raise _not_installed() from error
        except subprocess.TimeoutExpired as error:
            raise time_limit.not_ended(words[0], _TIMEOUT_SECONDS) from error

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

        With `source` it reads from there, and from nobody else.
        """
        if not self._is_settled:
            self._settle()
        return Conversation(self, words, source)

    def explain(self, what: str, stderr: bytes) -> DaypassError:
        """What git's complaint means, and what to do about it."""
        text = _text(stderr)
        if _FULL.search(text):
            return GitError(
                f"`git {what}` found no space left on the disk",
                remedy="Free space, then run the command again: nothing was left half done.",
            )
        if is_about_ownership(text):
            return not_ours(self.directory, text)
        if _NO_REPOSITORY.search(text):
            return _no_repository(self.directory)
        return self._of_remote(what, text) or GitError(
            f"`git {what}` failed: {complaint(text)}",
            remedy="Check `github.defaultBranch` in access/daypass.yaml, and the remote."
            if _NO_BRANCH.search(text)
            else "Check the clone with `git fsck`; a fresh clone (fetch-depth: 0) is safe.",
        )

    def _of_remote(self, what: str, text: str) -> DaypassError | None:
        """What a remote has to do with it; None if nothing."""
        if _DENIED.search(text):
            why = complaint(text)
            if _ASKED.search(why):  # git asks for a name when there is no token, or a bad one
                why = "it was given no token that it takes"
            return ForgeRefusedError(
                f"the remote refused `git {what}`: {why}",
                remedy=_IF_SSH_DENIED if _SSH_KEY.search(text) else self._if_denied(),
            )
        if (named := _NO_REMOTE.search(text)) is not None:
            return GitError(
                f"this clone has no remote `{named[1] or 'origin'}`",
                remedy="Name the governed repository: `git remote add origin URL`; see which ones "
                "there are with `git remote -v`.",
            )
        if _UNREACHABLE.search(text):
            return ForgeUnavailableError(
                f"the remote cannot be reached by `git {what}`: {complaint(text)}",
                remedy="Check the remote's address and the network, then run the command again.",
            )
        return None


class Conversation:
    """A running git command: words go in, answers come out, complaints are kept for an error."""

    def __init__(self, git: Git, words: Sequence[str], source: IO[bytes] | None = None) -> None:
        self._git = git
        self._what = words[0]
        # A file, not a pipe: nobody reads it while the conversation lasts, and a pipe fills up.
        self._complaints = TemporaryFile()  # noqa: SIM115  -- `close` closes it
        self._limit = limit = time_limit.in_force()
        self._watch: Timer | None = None
        try:
            self._process = subprocess.Popen(  # noqa: S603  -- a list of words, no shell
                git.command(*words),
                stdin=source if source is not None else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._complaints,
                env=git.environment(),
                start_new_session=limit is not None,
            )
        except FileNotFoundError as error:
            self._complaints.close()
            raise _not_installed() from error
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


def complaint(text: str) -> str:
    """What git complained of, as one line: not what the remote said, no password."""
    lines = [line for line in text.splitlines() if line.startswith(("fatal: ", "error: "))]
    line = lines[0].partition(": ")[2] if lines else "it gave no reason"
    return _CONTROL.sub(" ", _CREDENTIALS.sub("***@", line))[:300]


def authorisation(url: str, token: Secret) -> tuple[tuple[str, str], ...]:
    """Configuration that sends the token to that address and to no other.

    The empty value first drops headers that a checkout left in the repository's own configuration:
    GitHub answers 400 to two of them.
    """
    pair = base64.b64encode(f"x-access-token:{token.reveal()}".encode()).decode()
    key = f"http.{url}.extraHeader"
    return ((key, ""), (key, f"Authorization: Basic {pair}"))


def _text(output: bytes) -> str:
    return output.decode("utf-8", "replace")


def _not_installed() -> GitError:
    return GitError("git is not installed, or not on the PATH", remedy="Install git 2.39 or newer.")


def _no_repository(directory: Path) -> GitError:
    return GitError(
        f"{directory} is not a git repository",
        remedy="Go to the clone of the governed repository, or name it with -C.",
    )
