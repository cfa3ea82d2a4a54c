"""Handing over by standard output: `export` lines for a shell, or JSON for a program."""

from __future__ import annotations

import fcntl
import os
import select
import stat
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from daypass.adapters.handover import ROOM, told_as_loss
from daypass.errors import UsageError

if TYPE_CHECKING:
    from daypass.adapters.handover import Handful

_GONE: Final = select.POLLERR | select.POLLHUP | select.POLLNVAL


@dataclass(frozen=True, slots=True)
class StandardOutput:
    """Prints `export` lines or JSON."""

    form: str  # env | json

    @property
    def is_environment(self) -> bool:
        """Whether it tells the credential by variables."""
        return self.form == "env"

    def prepare(self) -> None:
        """Find a standard output that is closed, that is not read, or whose disk is full."""
        if sys.stdout is None:
            raise _unfit("it is closed")
        number = sys.stdout.fileno()
        told = os.fstat(number)
        if fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise _unfit("it is open for reading only")
        look = select.poll()
        look.register(number, select.POLLOUT)
        if any(seen & _GONE for _, seen in look.poll(0)):
            raise _unfit("what was to read it is gone")
        if stat.S_ISREG(told.st_mode):
            disk = os.fstatvfs(number)
            if disk.f_bavail * disk.f_frsize < ROOM:
                raise _unfit("the disk that it is on is full")

    def give(self, handful: Handful) -> None:
        """Print, in UTF-8: no locale changes a letter of it."""
        grant = handful.grant
        with told_as_loss(grant.id, grant.pull_request):
            text = handful.to_json() if self.form == "json" else handful.to_exports()
            sys.stdout.flush()
            sys.stdout.buffer.write(text.encode())
            sys.stdout.buffer.flush()

    def abandon(self) -> None:
        """There is nothing to undo."""


def _unfit(why: str) -> UsageError:
    return UsageError(
        f"standard output cannot take the credential: {why}",
        remedy="Nothing was opened. Send it to a file or a pipe that is read, or write it with "
        "`--format file --output PATH`.",
    )
