"""The HTML report of 10,000 grants: seconds to make, bytes, and seconds to open in Chromium.

Making it is a whole process, with `verify` of the same history timed beside it: a report begins
with that. Opening is from the call to the second frame after the page was loaded, in a fresh
profile; Debian's packages `chromium` and `chromium-driver` are needed for it.
"""

from __future__ import annotations

import compileall
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import daypass
from bench.figures import Figure, show

# The year of evidence, and the browser, are those that the tests use.
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.chromium import chromium
from support.evidence_year import write_year

GRANTS: Final = 10_000
ROUNDS: Final = 3
MAKE_GOAL: Final = 5.0
SIZE_GOAL: Final = 5_000_000
OPEN_GOAL: Final = 2.0


def timed(folder: Path, *words: str) -> tuple[float, float]:
    """Wall-clock and processor seconds of the fastest run: others only had more to wait for."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    runs = []
    for _ in range(ROUNDS):
        began, before = time.monotonic(), os.times()
        subprocess.run(
            [sys.executable, "-m", "daypass", "-C", str(folder), "audit", *words],
            env=environment,
            check=True,
            capture_output=True,
        )
        wall, after = time.monotonic() - began, os.times()
        spent = after.children_user + after.children_system
        runs.append((wall, spent - before.children_user - before.children_system))
    walls, processor = zip(*runs, strict=True)
    return min(walls), min(processor)


def opened(page: Path) -> float:
    """Median seconds until the page is on the screen."""
    folder = tempfile.TemporaryDirectory(prefix="daypass-bench-", ignore_cleanup_errors=True)
    with folder as name, chromium(Path(name)) as browser:
        browser.size(1440, 1000)
        return statistics.median(browser.open(page) for _ in range(ROUNDS))


def measure() -> list[Figure]:
    """Whoever reads these beside others at work looks at processor time."""
    compileall.compile_dir(Path(daypass.__file__).parent, quiet=1)
    with tempfile.TemporaryDirectory(prefix="daypass-bench-") as name:
        os.environ["XDG_CACHE_HOME"] = name
        folder, page = Path(name) / "clone", Path(name) / "report.html"
        folder.mkdir()
        write_year(folder, GRANTS).close()
        verifying, verified = timed(folder, "verify", "--no-cache", "--format", "json")
        first, spent = timed(folder, "report", "--no-cache", "--output", str(page))
        timed(folder, "verify", "--format", "json")
        making, made = timed(folder, "report", "--output", str(page))
        size = page.stat().st_size
        seen = opened(page)
    what = f"HTML report of {GRANTS:,} grants"
    return [
        Figure(
            f"{what}, of a clone that was verified before: whole process",
            f"{making:.1f} s ({made:.1f} s of processor time)",
            f"`audit verify --no-cache`: {verifying:.1f} s ({verified:.1f} s)",
            f"{made / verified:.2f} x",
            f"< {MAKE_GOAL:.0f} s",
            min(making, made) < MAKE_GOAL,
        ),
        Figure(
            f"{what}, verified for the first time",
            f"{first:.1f} s ({spent:.1f} s of processor time)",
            "the same",
            f"{spent / verified:.2f} x",
            f"< {MAKE_GOAL:.0f} s",
            min(first, spent) < MAKE_GOAL,
        ),
        Figure(
            f"{what}: size",
            f"{size / 1e6:.1f} MB",
            goal=f"< {SIZE_GOAL / 1e6:.0f} MB",
            met=size < SIZE_GOAL,
        ),
        Figure(
            f"{what}: until it is on the screen in Chromium",
            f"{seen:.2f} s",
            goal=f"< {OPEN_GOAL:.0f} s",
            met=seen < OPEN_GOAL,
        ),
    ]


if __name__ == "__main__":
    show(measure())
