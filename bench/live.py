"""One `daypass apply` over many live grants, when there is nothing to do.

Beside it the floor of any sweep: git lists and reads those records, and Vault is asked once which
tokens live. Shown for 1,000 and 10,000 live grants with 1,000 and 100,000 commits behind them: what
is live may cost, what ever was may not. Each is a whole process; memory is that of the process and
of all that it starts. Each grant has a token of its own in OpenBao, and every grant is decided
again, by policies with expressions, for one of 200 people on one of 40 databases.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from bench.crowd import gather
from bench.figures import Figure, show
from bench.footprint import Footprint, run
from bench.governed import PACKAGE, empty_box
from daypass.model.instant import Instant

if TYPE_CHECKING:
    from bench.crowd import Crowd
    from daypass.sandbox.box import Box

LIVE: Final = (1_000, 10_000)
BEHIND: Final = (1_000, 100_000)
ROUNDS: Final = 3
SECONDS_GOAL: Final = 5.0
MEBIBYTES_GOAL: Final = 300.0
# History may cost so much more: less than the rounds of one measure differ.
GROWTH_GOAL: Final = 1.25

_FLOOR: Final = """
import http.client, json, subprocess, sys
address, token = sys.stdin.read().split()
listed = subprocess.run(["git", "ls-tree", "HEAD:access/grants"], check=True, capture_output=True)
ids = b"".join(line.split()[2] + b"\\n" for line in listed.stdout.splitlines())
read = subprocess.run(["git", "cat-file", "--batch"], input=ids, check=True, capture_output=True)
connection = http.client.HTTPConnection(address.removeprefix("http://"))
connection.request("LIST", "/v1/auth/token/accessors", headers={"X-Vault-Token": token})
keys = json.loads(connection.getresponse().read())["data"]["keys"]
print(len(listed.stdout.splitlines()), len(read.stdout), len(keys))
"""


class World(NamedTuple):
    """What was measured in one."""

    live: int
    behind: int
    apply: Footprint
    floor: Footprint


def measured(crowd: Crowd, live: int, behind: int, head: str, sequence: int) -> World:
    """The fastest round of each: others only had more to wait for."""
    crowd.show(head, sequence)
    box = crowd.box
    with tempfile.TemporaryDirectory(prefix="daypass-job-") as name:
        home = Path(name)
        credentials = box.begin_apply_run("schedule")
        clone = box.checkout(home / "clone", credentials)
        box.github.end_run(credentials)
        sweep(box, clone, home)  # writes bytecode, and the notes of a first look
        sweeps = [sweep(box, clone, home) for _ in range(ROUNDS)]
        floors = [floor(box, clone, live) for _ in range(ROUNDS)]
    fastest = min(sweeps, key=lambda item: item.seconds)
    # What others do on the machine makes runs longer, and none of them smaller.
    most = max(item.mebibytes for item in sweeps)
    least = min(item.processor for item in sweeps)
    apply = Footprint(fastest.seconds, least, most, b"")
    return World(live, behind, apply, min(floors, key=lambda item: item.seconds))


def sweep(box: Box, clone: Path, home: Path) -> Footprint:
    """One run of access-apply's own command, which must find nothing to do."""
    credentials = box.begin_apply_run("schedule")
    environment = box.job_environment(credentials, home) | {"PYTHONPATH": str(PACKAGE.parent)}
    found = run([sys.executable, "-m", "daypass", "apply", "--format", "json"], clone, environment)
    box.github.end_run(credentials)
    outcome = json.loads(found.output)
    if outcome["done"] or outcome["failed"] or outcome["alarms"]:
        raise SystemExit(f"there was something to do: {found.output[:2000]!r}: the bench is broken")
    return found


def floor(box: Box, clone: Path, live: int) -> Footprint:
    """Reading the records and listing the tokens, and nothing else."""
    environment = {"PATH": box.job_environment(box.begin_apply_run(), clone)["PATH"]}
    secret = f"{box.bao.address} {box.bao.root_token.reveal()}".encode()
    found = run([sys.executable, "-I", "-c", _FLOOR], clone, environment, secret)
    records, _, tokens = map(int, found.output.split())
    if records < live or tokens < live:
        raise SystemExit(f"{records} records, {tokens} tokens: the bench is broken")
    return found


def worlds() -> list[World]:
    found = []
    with empty_box() as box:
        crowd = gather(box)
        now = Instant.from_seconds(int(time.time()))
        pasts = {behind: crowd.history(crowd.begin, behind, now) for behind in BEHIND}
        for live in LIVE:
            crowd.make_tokens(live)
            for behind in BEHIND:
                head, sequence = crowd.live(pasts[behind], live, now)
                found.append(measured(crowd, live, behind, head, sequence))
    return found


def measure() -> list[Figure]:
    found = worlds()
    figures = [figure(world) for world in found]
    few, many = found[-2:]
    more = many.apply.processor / few.apply.processor
    figures.append(
        Figure(
            f"the same with {BEHIND[1]:,} commits behind beside {BEHIND[0]:,}, processor time",
            f"{many.apply.processor:.2f} s",
            f"{few.apply.processor:.2f} s",
            f"{more:.2f} x",
            f"at most {GROWTH_GOAL} x",
            more <= GROWTH_GOAL,
        )
    )
    return figures


def figure(world: World) -> Figure:
    taken, least = world.apply, world.floor
    largest = world.live == LIVE[-1]
    return Figure(
        f"apply with nothing to do, {world.live:,} live, {world.behind:,} commits behind",
        f"{taken.seconds:.2f} s ({taken.processor:.2f} s of processor), {taken.mebibytes:.0f} MiB",
        f"reading the records and listing the tokens: {least.seconds:.2f} s "
        f"({least.processor:.2f} s), {least.mebibytes:.0f} MiB",
        f"{taken.seconds / least.seconds:.1f} x",
        f"< {SECONDS_GOAL:.0f} s, < {MEBIBYTES_GOAL:.0f} MiB" if largest else "",
        taken.seconds < SECONDS_GOAL and taken.mebibytes < MEBIBYTES_GOAL if largest else None,
    )


if __name__ == "__main__":
    show(measure())
