"""100,000 commits of evidence, questioned: `audit log` and `audit who` beside plain `git log`.

Each is a whole process with its output to nowhere, in rounds that take turns: others at work on the
machine slow all of them. What is new is asked of the same history after 100 more commits.
"""

from __future__ import annotations

import compileall
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import daypass
from bench import footprint
from bench.figures import Figure

# The year of evidence is the one that the tests use.
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.evidence_year import write_year

GRANTS: Final = int(os.environ.get("DAYPASS_BENCH_GRANTS", "33200"))  # three commits each
NEW: Final = 100
ROUNDS: Final = 3
GOAL: Final = 2.0
MEMORY_GOAL: Final = 250
NEW_GOAL: Final = 0.3
ENVIRONMENT: Final = {
    key: value for key, value in os.environ.items() if not key.startswith("PYTHON")
}


def spent(*command: str) -> tuple[float, float]:
    """Wall-clock seconds, and seconds of processor time, of a process and all that it starts."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        command,
        env=ENVIRONMENT,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def turns(commands: dict[str, tuple[str, ...]]) -> dict[str, tuple[float, float]]:
    """The least of each over all rounds."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, command in commands.items():
            found[name].append(spent(*command))
    return {
        name: (min(a for a, _ in runs), min(b for _, b in runs)) for name, runs in found.items()
    }


def measure() -> list[Figure]:
    compileall.compile_dir(Path(daypass.__file__).parent, quiet=1)
    with tempfile.TemporaryDirectory(prefix="daypass-bench-") as name:
        folder = Path(name) / "clone"
        folder.mkdir()
        write_year(folder, GRANTS).close()
        git = ("git", "-C", str(folder))
        audit = (sys.executable, "-m", "daypass", "-C", str(folder), "audit")
        count = subprocess.check_output([*git, "rev-list", "--count", "HEAD"], text=True).strip()
        since = subprocess.check_output([*git, "rev-parse", f"HEAD~{NEW}"], text=True).strip()
        at = "2026-07-01T12:00:00Z"
        found = turns(
            {
                "git log": (*git, "log"),
                "log": (*audit, "log"),
                "who": (*audit, "who", "--resource", "orders-db", "--at", at),
                "new": (*audit, "log", "--since", since),
            }
        )
        most = max(
            footprint.run(command, folder, ENVIRONMENT).mebibytes
            for command in ((*audit, "log"), (*audit, "who", "--resource", "orders-db", "--at", at))
        )
    floor, floor_time = found["git log"]
    figures = []
    for what, words in (("log", "`audit log`"), ("who", "`audit who --resource --at`")):
        wall, used = found[what]
        figures.append(
            Figure(
                f"{words}, {int(count):,} commits of evidence",
                f"{wall:.2f} s; {used:.2f} s of processor time",
                f"`git log` to nowhere: {floor:.2f} s; {floor_time:.2f} s",
                f"{wall / floor:.1f} x; {used / floor_time:.1f} x",
                f"≤ {GOAL:.0f} x",
                wall <= GOAL * floor,
            )
        )
    figures.append(
        Figure(
            "the most memory of either, with the git that it starts",
            f"{most:.0f} MiB",
            goal=f"< {MEMORY_GOAL} MiB",
            met=most < MEMORY_GOAL,
        )
    )
    wall, used = found["new"]
    figures.append(
        Figure(
            f"`audit log --since HEAD~{NEW}` of the same",
            f"{wall:.2f} s; {used:.2f} s of processor time",
            goal=f"< {NEW_GOAL} s",
            met=wall < NEW_GOAL,
        )
    )
    return figures
