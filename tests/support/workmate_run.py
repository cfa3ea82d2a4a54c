"""Judges a clone alone, and then with a workmate: `workmate_run FOLDER works|dies|fails`.

Prints how often the workmate answered, and both reports. A process of its own: where a test runs
there are threads, and then nothing is forked.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from daypass.adapters.workmate import Workmate
from daypass.cli.audit_words import open_clone
from daypass.ledger.settling import Settler
from daypass.ledger.verify import verify
from daypass.lifecycle.replaying import Replayer

if TYPE_CHECKING:
    from collections.abc import Callable

    from daypass.ledger.verify import Report


class Counted:
    """A workmate whose answers are counted."""

    def __init__(self, mate: Workmate) -> None:
        self.answers = 0
        self.give, self.is_ready = mate.give, mate.is_ready
        self._mate = mate

    def take(self) -> bytes | None:
        answer = self._mate.take()
        self.answers += answer is not None
        return answer


def judge(folder: Path, mate: Counted | None) -> Report:
    with open_clone(folder) as repository:
        head = repository.resolve("HEAD")
        return verify(repository, head, replay=Replayer(repository), hire=lambda _count: mate)


def make(folder: Path, how: str) -> Callable[[bytes], bytes]:
    def dies(_task: bytes) -> bytes:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    def fails(_task: bytes) -> bytes:
        raise ValueError("it cannot be done")

    if how == "works":
        own = open_clone(folder)
        return Settler(own, Replayer(own)).answer
    return {"dies": dies, "fails": fails}[how]


def main() -> None:
    folder, how = Path(sys.argv[1]), sys.argv[2]
    os.sched_getaffinity = lambda _process: {0, 1}  # a machine with one core tries it, too
    alone = judge(folder, None)
    with Workmate.fork(lambda: make(folder, how)) as mate:  # type: ignore[union-attr]  # there are two cores
        counted = Counted(mate)
        together = judge(folder, counted)
    print(json.dumps([counted.answers, asdict(alone), asdict(together)]))


if __name__ == "__main__":
    main()
