"""From `done` to dead: until PostgreSQL lets nobody in and the session that was open is gone.

Two ways. The holder of an on-claim grant types `daypass done ID`: the clock starts with that
process, which ends the grant by the grant's own token before it says so on GitHub. Anybody else's
`/done ID` is a comment: the clock starts with the command of the run that it sets off, after its
check-out. What GitHub's queue and a runner take before is not ours, and not in it.
The clock stops when PostgreSQL itself has neither the user nor its session any more, by a
connection that looks every few milliseconds. Then the session is tried, and a log-in.
Beside each: one bare revocation of such a token over a kept-alive connection, watched alike.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psycopg
import pyrage

from bench.batch import Bare
from bench.commanded import obey_comment
from bench.figures import Figure, quantile, show
from bench.governed import PACKAGE, apply, merge_together, organisation
from bench.sql_before import BEFORE, allow_before, write_revocation
from daypass.model.postgresql import REVOCATION
from daypass.model.secret import Secret
from daypass.sandbox.organisation import request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from daypass.sandbox.box import Box

GRANTS: Final = 100  # of each way
BARE: Final = 50
GOAL: Final = 1.0  # seconds, of p99
SQL_GOAL: Final = 1.3
_ROLE: Final = "ledger-read-1h"
_LOOK_EVERY: Final = 0.002  # seconds
_PATIENCE: Final = 60.0  # seconds
_ALIVE: Final = (
    "SELECT (SELECT count(*) FROM pg_roles WHERE oid = %(role)s AND rolcanlogin)"
    " + (SELECT count(*) FROM pg_stat_activity WHERE usesysid = %(role)s)"
)


class Dead(threading.Thread):
    """Watches one user of PostgreSQL until it cannot log in, and has no session."""

    def __init__(self, box: Box, user: str) -> None:
        super().__init__(daemon=True)
        self.at: float | None = None  # of perf_counter
        self._box = box
        self._ready = threading.Event()
        with box.postgres.connect() as connection:
            row = connection.execute("SELECT oid FROM pg_roles WHERE rolname = %s", (user,))
            (self._role,) = row.fetchone()
        self.start()
        self._ready.wait()

    def run(self) -> None:
        deadline = time.perf_counter() + _PATIENCE
        with self._box.postgres.connect() as connection:
            self._ready.set()
            while time.perf_counter() < deadline:
                (alive,) = connection.execute(_ALIVE, {"role": self._role}).fetchone()
                if not alive:
                    self.at = time.perf_counter()
                    return
                time.sleep(_LOOK_EVERY)

    def since(self, began: float) -> float:
        self.join()
        if self.at is None:
            raise SystemExit(f"it lived on for {_PATIENCE:.0f} s: the bench is broken")
        return self.at - began


@dataclass(frozen=True, slots=True)
class Held:
    """What somebody holds: a database user, and the grant's own token where they have it."""

    grant: str
    user: str
    password: Secret
    token: Secret | None = None


@contextlib.contextmanager
def session(box: Box, held: Held) -> Iterator[Any]:
    """An open session of the holder; when it is left, it must be dead, and nobody let in."""
    connection = psycopg.connect(
        host=box.postgres.host,
        port=box.postgres.port,
        dbname=box.postgres.database,
        user=held.user,
        password=held.password.reveal(),
        sslmode="disable",
        autocommit=True,
    )
    with contextlib.closing(connection):
        connection.execute("SELECT 1")
        yield connection
        with contextlib.suppress(psycopg.OperationalError):
            connection.execute("SELECT 1")
            raise SystemExit(f"the session of {held.grant} goes on: the bench is broken")
    with (
        contextlib.suppress(psycopg.OperationalError),
        box.postgres.connect(held.user, held.password),
    ):
        raise SystemExit(f"{held.user} is let in: the bench is broken")


def ended(box: Box, held: Held, end: Callable[[Held], float]) -> float:
    """Seconds from when `end` says that it began until it is dead at PostgreSQL."""
    with session(box, held):
        dead = Dead(box, held.user)
        return dead.since(end(held))


def claim(box: Box, who: str, grant: str, number: int) -> Held:
    """Open a delivery by hand, as README tells it."""
    person = box.person(who)
    marker = f"<!-- daypass:delivery:{grant} -->"
    bodies = [
        comment.body
        for comment in box.repository.comments.values()
        if comment.number == number and comment.body.startswith(marker)
    ]
    if len(bodies) != 1:
        raise SystemExit(f"{len(bodies)} deliveries of {grant}: the bench is broken")
    armored = bodies[0][bodies[0].index("-----BEGIN AGE") : bodies[0].rindex("-----") + 5]
    identity = pyrage.ssh.Identity.from_buffer(person.ssh_key.read_bytes())
    wrapping = pyrage.decrypt(armored.encode(), [identity]).decode().split("\n")[0]
    bare = Bare(box)
    try:
        opened = bare.call("POST", "sys/wrapping/unwrap", **{"X-Vault-Token": wrapping})
        if opened.get("auth") is None:
            return _held(grant, opened["data"])
        token = opened["auth"]["client_token"]
        path = "database/creds/ledger-read-1h"
        data = bare.call("GET", path, **{"X-Vault-Token": token})["data"]
        return _held(grant, data, Secret(token))
    finally:
        bare.close()


def _held(grant: str, data: Any, token: Secret | None = None) -> Held:
    return Held(grant, data["username"], Secret(data["password"]), token)


def by_comment(box: Box) -> list[float]:
    """`/done ID` as a comment, and the run that it sets off."""
    ids = [f"said-{number:03d}" for number in range(GRANTS)]
    number = merge_together(box, ids, duration="1h")
    if apply(box).ids("issued") != set(ids):
        raise SystemExit("not all were granted: the bench is broken")

    def end(held: Held) -> float:
        comment = box.person("alice").comment(number, f"/done {held.grant}")
        with tempfile.TemporaryDirectory(prefix="daypass-job-") as home:
            return obey_comment(box, comment, Path(home)).began

    return [ended(box, claim(box, "alice", name, number), end) for name in ids]


def by_own_token(box: Box, label: str, grants: int) -> list[float]:
    """`daypass done ID`, typed by the holder of the grant's own token."""
    ids = [f"{label}-{number:03d}" for number in range(grants)]
    holder = box.person("bob")
    asked = {"subject": "bob", "resource": "ledger-db", "duration": "1h", "ticket": "OPS-1"}
    files = {path: text for name in ids for path, text in request(name, **asked).items()}
    number = holder.propose(label, files, "Many at once")
    for name in ("carol", "dave"):
        box.person(name).approve(number)
    box.person("carol").merge(number)
    if apply(box).ids("issued") != set(ids):
        raise SystemExit("not all were granted: the bench is broken")
    holder.git("fetch", "-q")
    environment = holder.environment() | {"PYTHONPATH": str(PACKAGE.parent)}
    state = holder.home / ".local" / "state" / "daypass"
    state.mkdir(parents=True, exist_ok=True)

    def end(held: Held) -> float:
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "daypass", "done", held.grant, "--wait", "0"],
            cwd=holder.clone,
            env=environment,
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode != 0 or "its own token is revoked, and gone" not in done.stderr:
            raise SystemExit(f"done ended with {done.returncode}: {done.stdout}{done.stderr}")
        return began

    found = []
    for name in ids:
        held = claim(box, "bob", name, number)
        if held.token is None:
            raise SystemExit(f"{name} came without its token: the bench is broken")
        (state / f"{name}.token").write_text(held.token.reveal())
        found.append(ended(box, held, end))
    return found


def bare_calls(box: Box) -> list[float]:
    """One revocation each, of tokens with a credential of the same kind."""
    bare = Bare(box)

    def end(held: Held) -> float:
        began = time.perf_counter()
        bare.call("POST", "auth/token/revoke-accessor", {"accessor": accessors[held.grant]})
        return began

    accessors: dict[str, str] = {}
    found = []
    for number in range(BARE):
        name = f"bare-{number:03d}"
        accessors[name], _, wrapping = bare.mint_wrapped(name)
        opened = bare.call("POST", "sys/wrapping/unwrap", **{"X-Vault-Token": wrapping})
        found.append(ended(box, _held(name, opened["data"]), end))
    bare.close()
    return found


def measure() -> list[Figure]:
    with organisation() as box:
        allow_before(box)
        write_revocation(box, _ROLE, BEFORE)
        earlier = by_own_token(box, "past", BARE)
        write_revocation(box, _ROLE, REVOCATION)
        floor = bare_calls(box)
        said = by_comment(box)
        own = by_own_token(box, "own", GRANTS)
    p50, before = quantile(own, 0.5), quantile(earlier, 0.5)
    return [
        Figure(
            f"`daypass done` by today's revocation SQL, {GRANTS} grants",
            f"p50 {p50 * 1000:.0f} ms",
            f"by the SQL of before, {BARE} grants: {before * 1000:.0f} ms",
            f"{p50 / before:.2f} x",
            f"at most {SQL_GOAL} x",
            p50 <= SQL_GOAL * before,
        ),
        figure("`daypass done` with the grant's token, from the start of its process", own, floor),
        figure("`/done` as a comment, from the start of its run's command", said, floor),
    ]


def figure(what: str, found: list[float], floor: list[float]) -> Figure:
    p50, p99 = quantile(found, 0.5), quantile(found, 0.99)
    least, most = quantile(floor, 0.5), quantile(floor, 0.99)
    return Figure(
        f"{what}, {len(found)} grants, open sessions included: dead at PostgreSQL after",
        f"p50 {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms",
        f"OpenBao's bare revocation: p50 {least * 1000:.0f} ms, p99 {most * 1000:.0f} ms",
        f"{p50 / least:.1f} x, {p99 / most:.1f} x",
        f"p99 < {GOAL:.0f} s",
        p99 < GOAL,
    )


if __name__ == "__main__":
    show(measure())
