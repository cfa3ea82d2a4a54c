"""Handing over to a command: this process becomes it, with the credential in its environment."""

from __future__ import annotations

import errno
import os
import signal
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from daypass.adapters import core_dumps, executable, found_locale
from daypass.adapters.handover import ROOM, told_as_loss
from daypass.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from daypass.adapters.handover import Handful


@dataclass(slots=True)
class Command:
    """Becomes the command, with the credential in its environment: its exit code is ours."""

    words: Sequence[str]
    _path: str = ""

    @property
    def is_environment(self) -> bool:
        """Whether it tells the credential by variables."""
        return True

    def prepare(self) -> None:
        """Find all that would keep the command from starting."""
        try:
            Path.cwd()
        except OSError as error:
            raise UsageError(
                f"the working directory cannot be found ({error.strerror})",
                remedy="Nothing was opened. Go to one that is there, and run the claim again.",
            ) from None
        self._path = executable.find_program(self.words[0])
        executable.try_room(self.words, ROOM)

    def give(self, handful: Handful) -> None:
        """Replace this process. No copy of the credential stays behind, and no parent waits."""
        grant = handful.grant
        with told_as_loss(grant.id, grant.pull_request), _as_found():
            environment = _encoded(handful)
            for stream in (sys.stdout, sys.stderr):
                if stream is not None:
                    stream.flush()
            try:
                os.execve(self._path, list(self.words), environment)  # noqa: S606  -- no shell
            except OSError as error:
                if error.errno != errno.ENOEXEC:
                    raise
            # A script without a first line that names its shell: as a shell itself would run it.
            command = ["/bin/sh", self._path, *self.words[1:]]
            os.execve(command[0], command, environment)  # noqa: S606  -- the path is not parsed

    def abandon(self) -> None:
        """There is nothing to undo."""


def _encoded(handful: Handful) -> dict[bytes, bytes]:
    """The environment as bytes: what is told is UTF-8, whatever the locale can write."""
    told = handful.told()
    return {
        os.fsencode(name): value.encode() if name in told else os.fsencode(value)
        for name, value in found_locale.as_found(handful.environment()).items()
    }


@contextmanager
def _as_found() -> Iterator[None]:
    """Undo what Python, and daypass, changed of this process: a command expects none of it."""
    ignored = [
        number
        for number in (getattr(signal, name, None) for name in ("SIGPIPE", "SIGXFSZ"))
        if number is not None and signal.getsignal(number) is signal.SIG_IGN
    ]
    with core_dumps.limit_as_found():
        for number in ignored:
            signal.signal(number, signal.SIG_DFL)
        try:
            yield
        finally:  # the command did not start, and this process has something to say
            for number in ignored:
                signal.signal(number, signal.SIG_IGN)
