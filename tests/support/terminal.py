"""A person at a terminal: `daypass` on a pseudo-terminal of 80 columns, and what is typed there."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from typing import TYPE_CHECKING, Final

from support import acting

if TYPE_CHECKING:
    from daypass.sandbox.person import Person

END_OF_INPUT: Final = b"\x04"
INTERRUPT: Final = b"\x03"
_JOBS: Final = ("CI", "GITHUB_ACTIONS")
_QUESTION: Final = b"[y/N] "
_SECONDS: Final = 120  # a machine that takes longer has stopped
# The terminal that Ctrl-C comes from: a session's own, which only a process in it can take.
_TAKE: Final = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "os.execv(sys.argv[1], sys.argv[1:])"
)


def type_daypass(person: Person, *words: str, keys: bytes = b"") -> acting.Done:
    """A person types `daypass …` in their clone, and `keys` when they are asked.

    Returns:
        its exit code, and all that the terminal showed, as standard output.
    """
    environment = acting.person_environment(person)
    environment = {name: item for name, item in environment.items() if name not in _JOBS}
    ours, theirs = pty.openpty()
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-c", _TAKE, *acting.DAYPASS, *words],
        cwd=person.clone,
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        shown = _watch(ours, keys)
        code = process.wait(_SECONDS)
    finally:
        process.kill()
        os.close(ours)
    return acting.Done(code, shown.replace("\r\n", "\n"), "")


def _watch(terminal: int, keys: bytes) -> str:
    """What it shows until it is closed; the keys are typed once, at the question."""
    shown, asked = b"", False
    end = time.monotonic() + _SECONDS
    while select.select([terminal], [], [], max(0, end - time.monotonic()))[0]:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # the other end is closed
            part = b""
        if not part:
            return shown.decode()
        shown += part
        if shown.endswith(_QUESTION) and keys and not asked:
            os.write(terminal, keys)
            asked = True
    raise AssertionError(f"it waits for something: {shown.decode()}")
