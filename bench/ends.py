"""A thousand grants ended by one word: until the last of their users is gone from PostgreSQL.

`daypass halt` dispatches a run of access-commands; the clock starts with that run's own command, a
whole process, after its check-out. Beside it OpenBao's bare revoke loop: as many tokens, each with
a credential of the same role, revoked one after the other over one kept-alive connection, with
nothing noted, asked, compared or confirmed. For both the clock stops when a connection that looks
at PostgreSQL every few milliseconds sees no user of theirs any more.
The next run of `daypass apply` confirms each end and writes a signed commit for it, in one push.
"""

from __future__ import annotations

import json
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.batch import Bare
from bench.commanded import obey_dispatch
from bench.figures import Figure, show
from bench.governed import apply, merge_together, organisation, pushes
from bench.sql_before import BEFORE, allow_before, write_revocation
from daypass.model.postgresql import REVOCATION

if TYPE_CHECKING:
    from bench.governed import Run
    from daypass.sandbox.box import Box

GRANTS: Final = 1000
ASKED_AT_ONCE: Final = 100
GOAL: Final = 1.3
_LOOK_EVERY: Final = 0.01  # seconds
_PATIENCE: Final = 300.0  # seconds
_ROLE: Final = "orders-read-8h"  # what `duration: 8h` reads
_LEFT: Final = "SELECT count(*) FROM pg_roles WHERE rolname LIKE %s"


class Gone(threading.Thread):
    """Watches PostgreSQL until no user with that prefix is left; `at` is when, of perf_counter."""

    def __init__(self, box: Box, prefix: str) -> None:
        super().__init__(daemon=True)
        self.at: float | None = None
        self._box = box
        self._pattern = f"{prefix}%"

    def run(self) -> None:
        deadline = time.perf_counter() + _PATIENCE
        with self._box.postgres.connect() as connection:
            while time.perf_counter() < deadline:
                (left,) = connection.execute(_LEFT, (self._pattern,)).fetchone()
                if left == 0:
                    self.at = time.perf_counter()
                    return
                time.sleep(_LOOK_EVERY)


def watched(box: Box, prefix: str, count: int) -> Gone:
    """A watch over so many users; it must be that many."""
    found = sum(name.startswith(prefix) for name in box.postgres.roles())
    if found != count:
        raise SystemExit(f"{found} users {prefix}… instead of {count}: the bench is broken")
    gone = Gone(box, prefix)
    gone.start()
    return gone


def seconds(gone: Gone, began: float) -> float:
    gone.join()
    if gone.at is None:
        raise SystemExit(f"users were left after {_PATIENCE:.0f} s: the bench is broken")
    return gone.at - began


def bare_loop(box: Box) -> float:
    """Seconds from the first revocation until the last user is gone."""
    bare = Bare(box)
    minted = [bare.mint(f"bare-{number:04d}")[0] for number in range(GRANTS)]
    gone = watched(box, "g-bare-", GRANTS)
    began = time.perf_counter()
    for accessor in minted:
        bare.call("POST", "auth/token/revoke-accessor", {"accessor": accessor})
    bare.close()
    return seconds(gone, began)


def halt(box: Box, label: str) -> tuple[float, float]:
    """Seconds until the last user is gone, and those that the whole command took."""
    gone = watched(box, f"g-{label}-", GRANTS)
    with tempfile.TemporaryDirectory(prefix="daypass-job-") as home:
        run = obey_dispatch(box, "carol", "halt --subject alice", Path(home))
    ended = {item["grant"] for item in json.loads(run.output)["answers"]}
    if len(ended) != GRANTS:
        raise SystemExit(f"{len(ended)} of {GRANTS} were ended: the bench is broken")
    return seconds(gone, run.began), run.seconds


def halted(box: Box, label: str) -> tuple[float, float, Run]:
    """A thousand grants and their `halt`, and the run that records it."""
    ids = [f"{label}-{number:04d}" for number in range(GRANTS)]
    for first in range(0, GRANTS, ASKED_AT_ONCE):
        merge_together(box, ids[first : first + ASKED_AT_ONCE], duration="8h")
    if apply(box).ids("issued") != set(ids):
        raise SystemExit("not all were granted: the bench is broken")
    taken, command = halt(box, label)
    before = pushes(box)
    after = apply(box, "schedule")
    if after.ids("revoked") != set(ids) or pushes(box) != before + 1:
        raise SystemExit("not all were reverted by one push: the bench is broken")
    return taken, command, after


def measure() -> list[Figure]:
    with organisation() as box:
        allow_before(box)
        write_revocation(box, _ROLE, BEFORE)
        earlier, _, _ = halted(box, "past")
        write_revocation(box, _ROLE, REVOCATION)
        taken, command, after = halted(box, "many")
        bare = bare_loop(box)
    return [
        Figure(
            f"{GRANTS} grants ended by one `halt`, by today's revocation SQL",
            f"{taken:.2f} s",
            f"by the SQL of before: {earlier:.2f} s",
            f"{taken / earlier:.2f} x",
            f"at most {GOAL} x",
            taken <= GOAL * earlier,
        ),
        Figure(
            f"{GRANTS} grants ended by one `halt`, until the last user is gone from PostgreSQL",
            f"{taken:.2f} s (the command, a whole process: {command:.2f} s)",
            f"OpenBao's bare revoke loop, until then: {bare:.2f} s",
            f"{taken / bare:.2f} x",
            f"at most {GOAL} x",
            taken <= GOAL * bare,
        ),
        Figure(
            f"the next run of `daypass apply` confirms and reverts these {GRANTS}, whole process",
            f"{after.seconds:.2f} s: a signed commit each, one push",
        ),
    ]


if __name__ == "__main__":
    show(measure())
