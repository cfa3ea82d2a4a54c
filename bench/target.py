"""The revocation SQL beside the one of before, and what each leaves alive.

Four measures on one box, with OpenBao's bare calls only. The revocation SQL of before ran in one
transaction, and failed for a user that was gone. Both end as many users, by turns, and both end a
user whose session is open. OpenBao is killed right when the user goes, before it forgets the lease:
a lease that a restarted OpenBao cannot revoke is stuck. Eight clients log in again whenever they
are cut off, while half a second passes between the end of their sessions and the rest.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final

import psycopg

from bench.batch import Bare
from bench.figures import Figure, quantile, show
from bench.governed import organisation
from bench.sql_before import BEFORE, allow_before, write_revocation
from daypass.model.postgresql import REVOCATION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daypass.sandbox.box import Box

ROUNDS: Final = 4
USERS: Final = 100  # ended in each round, by each
SESSIONS: Final = 40
LIVE: Final = 1000  # log-ins that one look lists
LOOKS: Final = 50
KILLS: Final = 50
KILLS_BEFORE: Final = 10
POOLS: Final = 10
POOLS_BEFORE: Final = 3
CLIENTS: Final = 8
GOAL: Final = 1.3
_READ: Final = "database/creds/orders-read-1h"
_PAUSE: Final = "SELECT pg_sleep(0.5)"


class Bench:
    """One box, and the role whose revocation SQL changes."""

    def __init__(self, box: Box) -> None:
        self.box = box
        allow_before(box)

    def write(self, statements: Sequence[str]) -> None:
        write_revocation(self.box, "orders-read-1h", statements)

    def lease(self) -> dict[str, Any]:
        found: dict[str, Any] = Bare(self.box).call("GET", _READ)
        return found

    def revoke(self, lease: str) -> bool:
        """Whether OpenBao could end it."""
        try:
            Bare(self.box).call("POST", "sys/leases/revoke", {"lease_id": lease, "sync": True})
        except SystemExit:
            return False
        return True

    def log_in(self, data: dict[str, str]) -> psycopg.Connection[Any]:
        postgres = self.box.postgres
        return psycopg.connect(
            host=postgres.host,
            port=postgres.port,
            dbname=postgres.database,
            user=data["username"],
            password=data["password"],
            autocommit=True,
        )

    def users(self, seconds_of: Sequence[str]) -> float:
        """Seconds for as many revocations, one after the other."""
        self.write(seconds_of)
        leases = [self.lease()["lease_id"] for _ in range(USERS)]
        began = time.perf_counter()
        for lease in leases:
            if not self.revoke(lease):
                raise SystemExit("a user could not be ended: the bench is broken")
        return time.perf_counter() - began

    def with_session(self, statements: Sequence[str]) -> list[float]:
        """Seconds of a revocation each, while a session of the user is open."""
        self.write(statements)
        found = []
        for _ in range(SESSIONS):
            made = self.lease()
            with self.log_in(made["data"]) as session:
                began = time.perf_counter()
                if not self.revoke(made["lease_id"]):
                    raise SystemExit("a user could not be ended: the bench is broken")
                found.append(time.perf_counter() - began)
                session.close()
        return found

    def stuck(self, statements: Sequence[str], kills: int) -> int:
        """How many leases cannot be ended after OpenBao was killed as their user went."""
        self.write(statements)
        stuck = 0
        for _ in range(kills):
            made = self.lease()
            watch = threading.Thread(target=self._kill_when_gone, args=(made["data"]["username"],))
            watch.start()
            threading.Thread(target=self._revoke_unheard, args=(made["lease_id"],)).start()
            watch.join()
            self.box.bao.restart()
            stuck += not self._await_end(made["lease_id"])
        return stuck

    def _revoke_unheard(self, lease: str) -> None:
        try:
            self.revoke(lease)
        except (OSError, ValueError):  # OpenBao went away meanwhile
            return

    def _kill_when_gone(self, user: str) -> None:
        with self.box.postgres.connect() as connection:
            asked = "SELECT 1 FROM pg_roles WHERE rolname = %s"
            while connection.execute(asked, (user,)).fetchone():
                pass
            self.box.bao.kill()

    def _await_end(self, lease: str) -> bool:
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline:
            if self.revoke(lease):
                return True
            time.sleep(0.1)
        return False

    def survivors(self, statements: Sequence[str], pools: int) -> int:
        """How many sessions are open right after the revocation was answered."""
        self.write(statements)
        left = 0
        for _ in range(pools):
            made = self.lease()
            stop = threading.Event()
            clients = [
                threading.Thread(target=self._client, args=(made["data"], stop))
                for _ in range(CLIENTS)
            ]
            for client in clients:
                client.start()
            while self._sessions() < CLIENTS:
                time.sleep(0.01)
            self.revoke(made["lease_id"])
            left += self._sessions()
            stop.set()
            for client in clients:
                client.join()
        return left

    def _client(self, data: dict[str, str], stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                with self.log_in(data) as session:
                    while not stop.is_set():
                        session.execute("SELECT 1")  # needs no right
                        time.sleep(0.01)
            except psycopg.Error:
                time.sleep(0.005)

    def _sessions(self) -> int:
        with self.box.postgres.connect() as connection:
            (count,) = connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
                " AND usesysid IS NOT NULL AND (usename LIKE 'g-%' OR usename IS NULL)"
            ).fetchone()
        return int(count)

    def looks(self) -> list[float]:
        """Seconds of a look each, beside as many log-ins as live."""
        with self.box.postgres.connect() as superuser:
            for number in range(LIVE):
                superuser.execute(
                    f'CREATE ROLE "g-live-{number:06d}-abcdef-1700000000" LOGIN IN ROLE orders_read'
                )
        bare, found = Bare(self.box), []
        for _ in range(LOOKS):
            began = time.perf_counter()
            try:
                bare.call("GET", "database/creds/orders-look")
            except SystemExit:  # it answers by an error
                found.append(time.perf_counter() - began)
        bare.close()
        return found


def _widened(statements: Sequence[str]) -> tuple[str, ...]:
    """The same, with a pause once sessions were ended for the first time."""
    if len(statements) == len(REVOCATION):
        pause = f"\n  PERFORM pg_catalog.{_PAUSE.removeprefix('SELECT ')};\n  IF open = 0"
        return tuple(text.replace("\n  IF open = 0", pause, 1) for text in statements)
    at = next(n for n, text in enumerate(statements) if "pg_terminate_backend" in text)
    return (*statements[: at + 1], _PAUSE, *statements[at + 1 :])


def measure() -> list[Figure]:
    with organisation() as box:
        bench = Bench(box)
        took = {"new": 0.0, "before": 0.0}
        for _ in range(ROUNDS):  # by turns: the machine is busier at times
            took["before"] += bench.users(BEFORE)
            took["new"] += bench.users(REVOCATION)
        done_before, done = bench.with_session(BEFORE), bench.with_session(REVOCATION)
        stuck_before = bench.stuck(BEFORE, KILLS_BEFORE)
        stuck = bench.stuck(REVOCATION, KILLS)
        left_before = bench.survivors(_widened(BEFORE), POOLS_BEFORE)
        left = bench.survivors(_widened(REVOCATION), POOLS)
        looks = bench.looks()
    ends, sessions = took["new"] / took["before"], quantile(done, 0.5) / quantile(done_before, 0.5)
    count = ROUNDS * USERS
    return [
        Figure(
            f"{count} users ended one after the other",
            f"{took['new'] / count * 1000:.1f} ms each",
            f"the SQL of before: {took['before'] / count * 1000:.1f} ms",
            f"{ends:.2f} x",
            f"at most {GOAL} x",
            ends <= GOAL,
        ),
        Figure(
            f"a user ended whose session is open, {SESSIONS} times",
            f"p50 {quantile(done, 0.5) * 1000:.1f} ms, p99 {quantile(done, 0.99) * 1000:.1f} ms",
            f"the SQL of before: p50 {quantile(done_before, 0.5) * 1000:.1f} ms",
            f"{sessions:.2f} x",
            f"at most {GOAL} x",
            sessions <= GOAL,
        ),
        Figure(
            f"a look at a server with {LIVE} log-ins, {LOOKS} times",
            f"p50 {quantile(looks, 0.5) * 1000:.1f} ms, p99 {quantile(looks, 0.99) * 1000:.1f} ms",
        ),
        Figure(
            f"OpenBao killed as the user goes, {KILLS} times: leases stuck",
            str(stuck),
            f"the SQL of before: {stuck_before} of {KILLS_BEFORE}",
            "",
            "none",
            stuck == 0,
        ),
        Figure(
            f"{CLIENTS} clients that log in again, window widened, {POOLS} times: sessions left",
            str(left),
            f"the SQL of before: {left_before} in {POOLS_BEFORE}",
            "",
            "none",
            left == 0,
        ),
    ]


if __name__ == "__main__":
    show(measure())
