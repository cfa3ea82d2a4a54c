"""What a process takes, with all that it starts: time, processor time, and memory at the most."""

from __future__ import annotations

import os
import resource
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LOOK_EVERY: Final = 0.02  # seconds
_PAGE: Final = resource.getpagesize()
_MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Footprint:
    """One run of a command, from the start of the process to its end."""

    seconds: float
    processor: float  # seconds, user and system, of the process and of its children
    mebibytes: float  # resident at the most, in all its processes together
    output: bytes


def run(
    command: Sequence[str], directory: Path, environment: Mapping[str, str], data: bytes = b""
) -> Footprint:
    """Run it to its end, with `data` on its standard input. Raises SystemExit when it fails.

    Memory is looked at every few milliseconds; pages that processes share count in each of them.
    """
    with tempfile.TemporaryFile() as told, tempfile.TemporaryFile() as complained:
        began = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=directory,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=told,
            stderr=complained,
        )
        peak = _Peak(process.pid)
        peak.start()
        if process.stdin is not None:
            with process.stdin as stream:
                stream.write(data)
        # Of this process alone: the servers of the box start programs meanwhile, too.
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        peak.stop()
        told.seek(0)
        complained.seek(0)
        output, complaints = told.read(), complained.read()
    if process.returncode != 0:
        text = (output + complaints).decode(errors="replace")
        raise SystemExit(f"{' '.join(command[-4:])} ended with {process.returncode}: {text}")
    processor = used.ru_utime + used.ru_stime
    return Footprint(seconds, processor, peak.bytes / _MIB, output)


class _Peak(threading.Thread):
    """Looks at a process and all below it until it is stopped."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.bytes = 0
        self._pid = pid
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(_LOOK_EVERY):
            self.bytes = max(self.bytes, _resident(self._pid))

    def stop(self) -> None:
        self._over.set()
        self.join()


def _resident(pid: int) -> int:
    """Bytes of a process and all below it; what has just ended counts nothing."""
    total = 0
    waiting = [pid]
    while waiting:
        folder = Path(f"/proc/{waiting.pop()}")
        try:
            total += int((folder / "statm").read_text().split()[1]) * _PAGE
            line = (folder / "cmdline").read_bytes()
            for task in (folder / "task").iterdir():
                children = (task / "children").read_text().split()
                waiting += (int(child) for child in children if _differs(child, line))
        except (OSError, IndexError):
            continue
    return total


def _differs(pid: str, line: bytes) -> bool:
    """Whether a child has become what it is to be: before that it shows its parent's memory."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != line
    except OSError:  # it has ended
        return False
