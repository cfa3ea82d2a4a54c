"""A daypass on a machine whose clock is wrong by so many seconds.

Started as a program: `wrong_clock_run.py SECONDS WORDS...`. Everything else is the real thing.
"""

from __future__ import annotations

import sys
import time

REAL, REAL_NS = time.time, time.time_ns

if __name__ == "__main__":
    SHIFT = int(sys.argv.pop(1))
    # Before daypass is imported, and whatever it imports: all of them ask this clock.
    time.time = lambda: REAL() + SHIFT
    time.time_ns = lambda: REAL_NS() + SHIFT * 1_000_000_000

    from daypass.cli.main import main

    raise SystemExit(main())
