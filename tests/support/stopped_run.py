"""A daypass that gets signals while it sends a request: a person or a machine stops it there.

Started as a program: `stopped_run.py SIGNALS PATTERN WORDS...`. The signals, such as `TERM` or
`INT,INT`, come with the first request whose line fits the pattern. Everything else is real.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import time


def stop_at(pattern: str, numbers: list[int]) -> None:
    """Send this process the signals, one handled after the other, with such a request."""
    left = list(numbers)

    def see(event: str, arguments: tuple[object, ...]) -> None:
        if event != "http.client.send" or not left:
            return
        data = arguments[1]
        if isinstance(data, bytes) and re.match(pattern, data.decode("latin-1")):
            while left:
                os.kill(os.getpid(), left.pop(0))
                time.sleep(0)  # Python handles one here

    sys.addaudithook(see)


if __name__ == "__main__":
    NAMES, PATTERN = sys.argv.pop(1), sys.argv.pop(1)
    stop_at(PATTERN, [signal.Signals[f"SIG{name}"] for name in NAMES.split(",")])

    from daypass.cli.main import main

    raise SystemExit(main())
