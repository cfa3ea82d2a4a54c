"""A limit on all of git's calls in a block: for verbs that must act, whatever a remote does."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from contextvars import ContextVar
from dataclasses import dataclass
from threading import Timer
from typing import TYPE_CHECKING, Final

from daypass.errors import ForgeUnavailableError, GitError

if TYPE_CHECKING:
    from collections.abc import Iterator

_GRACE: Final = 0.5  # seconds, for git to clean up
_STEP: Final = 0.01  # seconds


@dataclass(frozen=True, slots=True)
class TimeLimit:
    """When git's calls end, by the monotonic clock, and whether they may ask a remote."""

    seconds: float
    deadline: float
    local: bool

    @property
    def left(self) -> float:
        """Seconds that are left, 0 at the least."""
        return max(0.0, self.deadline - time.monotonic())

    def passed(self, what: str) -> ForgeUnavailableError:
        """The error of a git command that the limit has ended."""
        return not_ended(what, f"{self.seconds:.2g}")


def not_ended(what: str, seconds: float | str) -> ForgeUnavailableError:
    """The error of a git command that has taken so many seconds, as they are to be shown."""
    return ForgeUnavailableError(
        f"`git {what}` did not end within {seconds} s",
        remedy="Check the connection to the remote, then run the command again.",
    )


_LIMIT: ContextVar[TimeLimit | None] = ContextVar("daypass_git_time_limit", default=None)


@contextlib.contextmanager
def within(seconds: float, *, local: bool = False) -> Iterator[None]:
    """End what git does in this block, with all that it has started, when so much time is over.

    The calls of a thread of their own are not limited. Blocks nest: the earlier end counts.

    Args:
        seconds: for all calls together.
        local: no call asks a remote; what a partial clone lacks is missing.
    """
    outer = _LIMIT.get()
    limit = TimeLimit(seconds, time.monotonic() + seconds, local)
    if outer is not None:
        near = min(outer, limit, key=lambda item: item.deadline)
        limit = TimeLimit(near.seconds, near.deadline, local or outer.local)
    token = _LIMIT.set(limit)
    try:
        yield
    finally:
        _LIMIT.reset(token)


@contextlib.contextmanager
def sharing(share: float) -> Iterator[None]:
    """Give what git does in this block that share of the time that is left, if that is limited."""
    limit = _LIMIT.get()
    with within(limit.left * share) if limit is not None else contextlib.nullcontext():
        yield


def in_force() -> TimeLimit | None:
    """The limit of the block that is running; None outside of one."""
    return _LIMIT.get()


def forbids_remotes() -> bool:
    """Whether the block that is running lets no call ask a remote."""
    limit = _LIMIT.get()
    return limit is not None and limit.local


def demand(limit: TimeLimit, what: str, *, asks_remote: bool) -> None:
    """Raise ForgeUnavailableError where a git command may not begin any more."""
    if not limit.left or (limit.local and asks_remote):
        raise limit.passed(what)


def finish(
    limit: TimeLimit, process: subprocess.Popen[bytes], what: str, data: bytes
) -> tuple[bytes, bytes]:
    """Let a process that leads a session run to its end, or to the limit's; what it printed.

    Raises:
        ForgeUnavailableError: the limit has ended it.
    """
    try:
        return process.communicate(data, timeout=limit.left)
    except subprocess.TimeoutExpired as error:
        raise limit.passed(what) from error
    finally:
        end(process)
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def finish_local(
    process: subprocess.Popen[bytes], what: str, data: bytes, seconds: float
) -> tuple[bytes, bytes]:
    """Let a command that asks no remote run to its end; what it printed.

    A timer ends it, because waiting with a limit costs milliseconds.

    Raises:
        GitError: it has taken so many seconds.
    """
    is_over = False

    def stop() -> None:
        nonlocal is_over
        is_over = True
        process.kill()

    timer = Timer(seconds, stop)
    timer.daemon = True
    timer.start()
    try:
        with process:
            try:
                found = process.communicate(data)
            except BaseException:
                process.kill()
                raise
    finally:
        timer.cancel()
    if is_over:
        raise GitError(
            f"`git {what}` did not end within {seconds} s, though it asks no remote",
            remedy="Look for a file of the clone that gives no answer, such as a pipe: `find "
            ".git -type p`, and what `include.path` names in `.git/config`.",
        )
    return found


def watch(limit: TimeLimit, process: subprocess.Popen[bytes]) -> Timer:
    """Have a process that leads a session ended by the limit; whoever closes it cancels that."""
    timer = Timer(limit.left, end, [process])
    timer.daemon = True
    timer.start()
    return timer


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process that leads a session, if it still runs, and all that it has started.

    git is let remove its lock files first; `ssh` and whatever does not obey is killed.
    """
    if process.poll() is not None:
        return
    with contextlib.suppress(ProcessLookupError, PermissionError, ChildProcessError):
        os.killpg(process.pid, signal.SIGTERM)
        over = time.monotonic() + _GRACE
        while time.monotonic() < over and not _has_ended(process.pid):
            time.sleep(_STEP)
        os.killpg(process.pid, signal.SIGKILL)  # not reaped yet, so its id is no one else's
    process.wait()


def _has_ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
