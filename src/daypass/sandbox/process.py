"""Server processes of the box: started, waited for, and gone when whoever started them is gone.

Each server runs in a session of its own, so that a Ctrl-C in the terminal reaches the person's
command and not the server. A guard watches beside it: a shell that reads a pipe which only this
process holds open. When this process ends in whatever way, `kill -9` included, the pipe closes
and the guard ends the server. That works on every POSIX system, and, unlike Linux's
PR_SET_PDEATHSIG, does not depend on the thread that started the server living on.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from typing import TYPE_CHECKING, Final

from daypass.errors import SandboxError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

_TAIL_BYTES: Final = 2000
_POLL_SECONDS: Final = 0.01
# $1 process group, $2 signal, $3 a directory to remove or nothing.
# `cat` ends when the pipe closes; the server gets five seconds to follow the signal.
_GUARD: Final = """
cat >/dev/null
kill -s "$2" -- "-$1" 2>/dev/null
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  kill -s 0 -- "-$1" 2>/dev/null || break
  sleep 0.25
done
kill -s KILL -- "-$1" 2>/dev/null
[ -z "$3" ] || rm -rf -- "$3"
"""


def free_ports(count: int) -> tuple[int, ...]:
    """TCP ports of 127.0.0.1 that nobody listens on at this moment; all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for item in sockets:
            item.bind(("127.0.0.1", 0))
        return tuple(item.getsockname()[1] for item in sockets)
    finally:
        for item in sockets:
            item.close()


def not_installed(what: str) -> SandboxError:
    """The error for a part of the box that is not there, or that this machine cannot run."""
    return SandboxError(
        f"{what} is not installed, or does not run on this machine",
        remedy="Install daypass with its sandbox extra: pip install 'daypass[sandbox]'.",
    )


def clean_environment(home: Path) -> dict[str, str]:
    """An environment that takes no token, proxy or configuration from the person's own."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "LC_ALL": "C",
        "TZ": "UTC",
    }


class ServerProcess:
    """One running server: its process, its log, and the guard beside it."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str],
        death_signal: signal.Signals = signal.SIGKILL,
        user: tuple[int, int] | None = None,
        remove_at_death: Path | None = None,
    ) -> None:
        """Start `command`.

        Args:
            name: what error messages call the server.
            command: the program and its arguments; no secret may be among them.
            log: receives its output; appended to.
            environment: its whole environment.
            death_signal: what ends it when this process dies.
            user: uid and gid to run as; None for the current user.
            remove_at_death: a directory that goes too when this process dies.

        Raises:
            SandboxError: the program cannot be started.
        """
        self.name = name
        self.log = log
        try:
            with log.open("ab") as output:
                self._process: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603  -- our own wheels' programs
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=dict(environment),
                    start_new_session=True,
                    user=None if user is None else user[0],
                    group=None if user is None else user[1],
                    extra_groups=None if user is None else [],
                )
        except OSError as error:
            raise not_installed(name) from error
        self._guard = subprocess.Popen(  # noqa: S603  -- a constant script
            [
                shutil.which("sh") or "/bin/sh",
                "-c",
                _GUARD,
                "guard",
                str(self.pid),
                death_signal.name.removeprefix("SIG"),
                str(remove_at_death or ""),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"PATH": os.environ.get("PATH", os.defpath)},
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """Its process id, which is also the id of its process group."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def run(self, seconds: float) -> None:
        """Wait for it to end with exit code 0, as programs do that are no servers.

        Raises:
            SandboxError: it ended otherwise, or not in time.
        """
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.end(signal.SIGKILL, seconds)
            raise self._error(f"did not end within {seconds:g} s") from None
        self._dismiss_guard()
        if code != 0:
            raise self._error(f"ended with exit code {code}")

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Wait until `ready()`.

        Raises:
            SandboxError: the server ended, or was not ready in time; with the tail of its log.
        """
        deadline = time.monotonic() + seconds
        while not ready():
            if not self.running:
                raise self._error(f"ended with exit code {self._process.returncode}")
            if time.monotonic() > deadline:
                raise self._error(f"was not ready within {seconds:g} s")
            time.sleep(_POLL_SECONDS)

    def end(self, how: signal.Signals, seconds: float) -> None:
        """Signal the server, wait for it, and dismiss the guard. Idempotent.

        Raises:
            SandboxError: it had to be killed because it did not follow the signal in time.
        """
        stubborn = False
        if self.running:
            self._process.send_signal(how)
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                stubborn = True
                os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        self._dismiss_guard()
        if stubborn:
            raise self._error(f"did not follow {how.name} within {seconds:g} s and was killed")

    def _dismiss_guard(self) -> None:
        if self._guard.poll() is None:
            os.killpg(self._guard.pid, signal.SIGKILL)  # its `cat` too
        self._guard.wait()
        if self._guard.stdin is not None:
            self._guard.stdin.close()

    def _error(self, what: str) -> SandboxError:
        tail = self.log.read_bytes()[-_TAIL_BYTES:].decode(errors="replace").strip()
        return SandboxError(
            f"{self.name} {what}. The end of its log:\n{tail}",
            remedy=f"Read {self.log}; free memory, disk space or ports, and start again.",
        )
