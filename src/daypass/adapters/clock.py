"""This machine's clock: shown to people, and believed by nobody.

Every decision about access asks Vault for the time (`Issuer.now`), because a runner's clock can be
ten minutes off. What is left for this clock: verbs that only read, and run without a Vault.
"""

from __future__ import annotations

import time

from daypass.model.instant import Instant


def machine_now() -> Instant:
    """The time by this machine's clock, for verbs that only show something."""
    return Instant(time.time_ns())
