"""A workmate: one forked process that does part of a long work on another core.

It is given tasks, one at a time, and answers; what it would do this process can do as well. So one
that dies, or was never there, costs time and nothing else: nothing is taken for done that it did
not answer for.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

_HEAD: Final = 8  # bytes that tell a message's length
_TASKS: Final = Path("/proc/self/task")


class Workmate:
    """Takes a task, and answers it; a context manager: it ends the process."""

    def __init__(self, process: int, tasks: int, answers: int) -> None:
        self._process: int | None = process
        self._tasks = tasks
        self._answers = answers
        self._busy = False

    @classmethod
    def fork(cls, make: Callable[[], Callable[[bytes], bytes]]) -> Self | None:
        """Fork one; None where there is no second core, or where it is not safe to fork.

        `make` is called in the new process, and gives what answers a task. It must open for itself
        whatever it talks to: what is open here is not for two.
        """
        if not _is_worth_it():
            return None
        tasks, answers = os.pipe(), os.pipe()
        process = os.fork()
        if process == 0:
            os.close(tasks[1])
            os.close(answers[0])
            _work(tasks[0], answers[1], make)
        os.close(tasks[0])
        os.close(answers[1])
        return cls(process, tasks[1], answers[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def give(self, task: bytes) -> bool:
        """Hand it a task; False if it is gone. Only when the answer to the last one was taken."""
        if self._process is None or self._busy:
            return False
        try:
            _send(self._tasks, task)
        except OSError:
            self.close()
            return False
        self._busy = True
        return True

    def is_ready(self) -> bool:
        """Whether its answer can be taken without waiting for it."""
        return self._busy and bool(select.select([self._answers], [], [], 0)[0])

    def take(self) -> bytes | None:
        """Wait for its answer; None if it died over the task."""
        self._busy = False
        answer = _receive(self._answers) if self._process is not None else None
        if answer is None:
            self.close()
        return answer

    def close(self) -> None:
        """End it, whatever it is doing."""
        if self._process is None:
            return
        os.close(self._tasks)
        os.close(self._answers)
        os.kill(self._process, signal.SIGKILL)
        os.waitpid(self._process, 0)
        self._process = None


def _is_worth_it() -> bool:
    """Whether there is another core, and nothing but this thread, which a fork would tear apart."""
    if sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2:  # noqa: PLR2004  -- two cores
        return False
    try:
        return len(list(_TASKS.iterdir())) == 1
    except OSError:
        return False


def _work(tasks: int, answers: int, make: Callable[[], Callable[[bytes], bytes]]) -> None:
    """The life of the new process. It never returns: what is open here belongs to the other one."""
    try:
        answer = make()
        while (task := _receive(tasks)) is not None:
            _send(answers, answer(task))
    # Whatever went wrong is met again, and told, by the process that does the task in its stead.
    finally:
        os._exit(0)


def _send(pipe: int, message: bytes) -> None:
    rest = memoryview(len(message).to_bytes(_HEAD) + message)
    while rest:
        rest = rest[os.write(pipe, rest) :]


def _receive(pipe: int) -> bytes | None:
    """The next message; None where the other side is gone, or went in the middle of one."""
    head = _read(pipe, _HEAD)
    return None if head is None else _read(pipe, int.from_bytes(head))


def _read(pipe: int, length: int) -> bytes | None:
    pieces: list[bytes] = []
    while length:
        piece = os.read(pipe, length)
        if not piece:
            return None
        pieces.append(piece)
        length -= len(piece)
    return b"".join(pieces)
