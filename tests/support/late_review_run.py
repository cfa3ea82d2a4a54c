"""A daypass whose reviews are due one second after the issue, instead of a day.

Started as a program, with the words of the command line. Everything else is the real thing: a test
cannot wait for a day, and Vault's clock is not moved.
"""

from __future__ import annotations

from daypass.cli.main import main
from daypass.model import obligation

if __name__ == "__main__":
    obligation.REVIEW_SECONDS = 1
    raise SystemExit(main())
