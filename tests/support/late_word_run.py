"""A daypass that waits before it lists Vault's live tokens, until the file `../said` is there.

Started as a program, with the words of the command line; it prints `looking` when it waits. So a
test can say something between the two looks of a run. Everything else is the real thing.
"""

from __future__ import annotations

import time
from pathlib import Path

from daypass.adapters.vault.issuer import VaultIssuer
from daypass.cli.main import main

LIST = VaultIssuer.live_accessors
WAIT_SECONDS = 60


def list_later(issuer: VaultIssuer) -> frozenset[str]:
    VaultIssuer.live_accessors = LIST  # type: ignore[method-assign]
    print("looking", flush=True)
    deadline = time.monotonic() + WAIT_SECONDS
    while not Path("../said").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    return LIST(issuer)


if __name__ == "__main__":
    VaultIssuer.live_accessors = list_later  # type: ignore[method-assign]
    raise SystemExit(main())
