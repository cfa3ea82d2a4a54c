"""Core dumps are off: a process that dies while it holds a secret leaves no copy of its memory.

The limit holds for this process and the git that it starts. The command that a claim becomes gets
back the limit that its user set.
"""

from __future__ import annotations

import resource
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_PR_SET_DUMPABLE: Final = 4  # <linux/prctl.h>
_found: list[int] = []  # the limit as this process found it


def forbid() -> None:
    """Set the limit of core files to 0, for this process and what it starts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    if not _found:
        _found.append(soft)
    _limit(0, hard)


def hide_memory() -> None:
    """Keep this process's memory from other processes of its user too, where Linux can.

    A core handler that is a pipe (`kernel.core_pattern`) ignores the limit, and heeds this; so do
    debuggers. A program that takes this process's place is not hidden: execve undoes it.
    """
    forbid()
    if not sys.platform.startswith("linux"):
        return
    import ctypes  # noqa: PLC0415  -- it takes milliseconds, and few verbs hold secrets

    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


@contextmanager
def limit_as_found() -> Iterator[None]:
    """Put the limit back as it was for as long as the block lasts: for what is started in it."""
    now, hard = resource.getrlimit(resource.RLIMIT_CORE)
    _limit(_found[0] if _found else now, hard)
    try:
        yield
    finally:
        _limit(now, hard)


def _limit(soft: int, hard: int) -> None:
    with suppress(OSError, ValueError):  # where there are no such limits
        resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))
