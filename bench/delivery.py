"""From a merge to the delivered comment: the whole run of `daypass apply`, for one request.

The clock starts when GitHub has merged, and stops when the comment with the sealed token is there.
Between them lie the clone that a workflow makes, and one process. OpenBao's own share is the time
between its audit log's entries for each request and for its response, where requests that overlap
count once. What a runner takes to start is not in it: it is GitHub's.
"""

from __future__ import annotations

import json
import statistics
import threading
import time
from datetime import datetime
from typing import TYPE_CHECKING, Final

from bench.figures import Figure, show
from bench.governed import apply, merge_each, organisation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from daypass.sandbox.box import Box

RUNS: Final = 9
_LOOK_EVERY: Final = 0.001  # seconds


class Comment(threading.Thread):
    """Looks, in the box's GitHub itself, for the first comment that is new."""

    def __init__(self, box: Box) -> None:
        super().__init__(daemon=True)
        self._comments = box.repository.comments
        self._before = len(self._comments)
        self._over = threading.Event()
        self.at = 0.0  # seconds since the epoch
        self.start()

    def run(self) -> None:
        while not self._over.wait(_LOOK_EVERY):
            if len(self._comments) > self._before:
                self.at = time.time()
                return

    def stop(self) -> float:
        self._over.set()
        self.join()
        if not self.at:
            raise SystemExit("no comment came: the bench is broken")
        return self.at


def bao_spans(box: Box, since: float, until: float) -> list[tuple[float, float]]:
    """When OpenBao was at work on a request, by its audit log."""
    begun: dict[str, float] = {}
    spans = []
    for line in box.bao.audit_log.read_text().splitlines():
        entry = json.loads(line)
        at = datetime.fromisoformat(entry["time"]).timestamp()
        if entry["type"] == "request":
            begun[entry["request"]["id"]] = at
        else:
            start = begun.get(entry["request"]["id"], at)
            if start >= since and at <= until:
                spans.append((start, at))
    return spans


def union(spans: Iterable[tuple[float, float]]) -> float:
    """Seconds that at least one of them covers."""
    covered, reach = 0.0, 0.0
    for start, end in sorted(spans):
        covered += max(0.0, end - max(start, reach))
        reach = max(reach, end)
    return covered


def once(box: Box, name: str) -> tuple[float, float, float]:
    """Seconds: from merge to comment, the process up to the comment, and OpenBao's share of it."""
    merge_each(box, [name], duration="1h")
    merged = time.time()
    comment = Comment(box)
    run = apply(box)
    at = comment.stop()
    if run.ids("issued") != {name}:
        raise SystemExit("it was not granted: the bench is broken")
    return at - merged, at - run.began, union(bao_spans(box, run.began, at))


def measure() -> list[Figure]:
    with organisation() as box:
        once(box, "warm-up")
        taken = [once(box, f"one-{number}") for number in range(RUNS)]
    whole, process, bao = (statistics.median(column) for column in zip(*taken, strict=True))
    return [
        Figure(
            f"from a merge to the delivered comment, clone and whole process, p50 of {RUNS}",
            f"{whole * 1000:.0f} ms, of it {process * 1000:.0f} ms in `daypass apply`",
            f"OpenBao's own time, {bao * 1000:.0f} ms",
            f"{bao / process:.0%} of apply's time is OpenBao's",
        )
    ]


if __name__ == "__main__":
    show(measure())
