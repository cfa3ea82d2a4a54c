"""How late access ends at PostgreSQL when daypass does not run at all.

Grants of one minute are minted by one run of `daypass apply`, which then is over. From there on
only OpenBao acts. A connection to PostgreSQL looks every few milliseconds at which users are still
there; late is how long after Vault's own expiry of the grant's token its user was last seen to
exist and then gone. Both times are of one machine's clock.
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Final

from bench.figures import Figure, quantile, show
from bench.governed import apply, merge_together, organisation, pushes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daypass.sandbox.box import Box

GRANTS: Final = 100
GOAL_MS: Final = 250.0
_LOOK_EVERY: Final = 0.003  # seconds
_PATIENCE: Final = 60.0  # seconds after the last expiry
_USERS: Final = "SELECT rolname FROM pg_roles WHERE rolname LIKE 'g-late-%'"


def expiries(box: Box, ids: set[str]) -> dict[str, float]:
    """When Vault will end each grant's token: seconds since the epoch."""
    client, found = box.bao.client, {}
    for accessor in client.list("auth/token/accessors"):
        token = client.write("auth/token/lookup-accessor", {"accessor": accessor})["data"]
        name = (token.get("meta") or {}).get("daypass_grant")
        if name in ids:
            found[name] = _seconds(token["expire_time"])
    if found.keys() != ids:
        raise SystemExit(f"{len(found)} of {len(ids)} tokens live: the bench is broken")
    return found


def watch(box: Box, until: Mapping[str, float]) -> dict[str, float]:
    """For each grant, when its user was first seen to be gone: seconds since the epoch."""
    gone: dict[str, float] = {}
    deadline = max(until.values()) + _PATIENCE
    with box.postgres.connect() as connection:
        present = _users(connection.execute(_USERS).fetchall())
        if present != until.keys():
            raise SystemExit(f"{len(present)} users of {len(until)}: the bench is broken")
        while present and time.time() < deadline:
            time.sleep(_LOOK_EVERY)
            left = _users(connection.execute(_USERS).fetchall())
            now = time.time()
            gone |= dict.fromkeys(present - left, now)
            present = left
    if present:
        raise SystemExit(f"{len(present)} users outlived their grants by {_PATIENCE:.0f} s")
    return gone


def measure() -> list[Figure]:
    ids = {f"late-{number:03d}" for number in range(GRANTS)}
    with organisation() as box:
        merge_together(box, sorted(ids), duration="1m")
        if apply(box).ids("issued") != ids:
            raise SystemExit("not all were granted: the bench is broken")
        until = expiries(box, ids)
        gone = watch(box, until)
        before = pushes(box)
        swept = apply(box, "schedule")
        if swept.ids("expired") != ids or pushes(box) != before + 1:
            raise SystemExit("not all were reverted by one push: the bench is broken")
    late = [(gone[name] - until[name]) * 1000 for name in ids]
    if min(late) < 0:
        raise SystemExit(f"a user was gone {-min(late):.0f} ms early: the bench is broken")
    p50, p99, most = quantile(late, 0.5), quantile(late, 0.99), max(late)
    return [
        Figure(
            f"access ends at PostgreSQL without daypass, {GRANTS} grants: late by",
            f"p50 {p50:.0f} ms, p99 {p99:.0f} ms, max {most:.0f} ms",
            "Vault's own expiry of each grant's token",
            goal=f"p99 < {GOAL_MS:.0f} ms",
            met=p99 < GOAL_MS,
        ),
        Figure(
            f"the next run of `daypass apply` confirms and reverts these {GRANTS}, whole process",
            f"{swept.seconds:.2f} s: a signed commit each, one push",
        ),
    ]


def _users(rows: list[tuple[str]]) -> set[str]:
    """The grants whose users these are: a user's name is g-<grant id>-<random>-<time>."""
    return {name.removeprefix("g-").rsplit("-", 2)[0] for (name,) in rows}


def _seconds(text: str) -> float:
    """RFC 3339 with nanoseconds, which datetime reads to the microsecond."""
    return datetime.fromisoformat(text).timestamp()


if __name__ == "__main__":
    show(measure())
