"""OpenBao and PostgreSQL of the box: what survives, what ends, and that nothing is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from daypass.errors import SandboxError
from daypass.model.secret import Secret
from daypass.sandbox.bao_client import BaoClient
from daypass.sandbox.database_engine import set_up_database_engine
from daypass.sandbox.openbao import OpenBao
from daypass.sandbox.postgres import Postgres, reachable

pytestmark = pytest.mark.integration


def gone(pid: int, seconds: float = 10) -> bool:
    """Whether that process ends in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


def test_openbao_keeps_its_storage_over_a_crash_and_unseals_itself(tmp_path: Path) -> None:
    with OpenBao.start(tmp_path / "bao") as bao:
        token = bao.client.write("auth/token/create", {"ttl": "1h"})["auth"]["client_token"]
        bao.kill()
        assert BaoClient(bao.address).status() is None
        bao.restart()
        looked_up = BaoClient(bao.address, Secret(token)).read("auth/token/lookup-self")
        assert looked_up is not None
        pid = bao.pid
    assert pid is not None
    assert gone(pid)


def test_a_sealed_openbao_answers_503_until_it_is_restarted(tmp_path: Path) -> None:
    with OpenBao.start(tmp_path / "bao") as bao:
        bao.seal()
        assert BaoClient(bao.address).status() == 503
        bao.restart()
        assert BaoClient(bao.address).status() == 200


def test_the_audit_log_is_private_and_holds_no_token(bao: OpenBao) -> None:
    token = bao.client.write("auth/token/create", {"ttl": "1h"})["auth"]["client_token"]
    assert bao.audit_log.stat().st_mode & 0o077 == 0
    log = bao.audit_log.read_text()
    assert "auth/token/create" in log
    assert token not in log
    assert bao.root_token.reveal() not in log


def test_a_used_directory_is_refused(bao: OpenBao) -> None:
    with pytest.raises(SandboxError, match="already holds an OpenBao"):
        OpenBao.start(bao.directory)


def test_a_server_that_cannot_start_is_named_with_the_end_of_its_log(
    tmp_path: Path, bao: OpenBao
) -> None:
    taken = int(bao.address.rpartition(":")[2])
    with pytest.raises(SandboxError, match="address already in use"):
        OpenBao.start(tmp_path / "second", port=taken)


def test_postgres_keeps_its_data_over_a_crash(tmp_path: Path) -> None:
    with Postgres.start(tmp_path / "pg") as server:
        with server.connect() as connection:
            connection.execute("INSERT INTO orders VALUES (9, 'bell', 'paid', now())")
        server.kill()
        with pytest.raises(psycopg.OperationalError), server.connect():
            pass
        server.start_again()
        with server.connect() as connection:
            row = connection.execute("SELECT item FROM orders WHERE id = 9").fetchone()
        assert row == ("bell",)
        pid = server.pid
    assert pid is not None
    assert gone(pid)


def test_postgres_runs_though_its_programs_are_out_of_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daypass.sandbox.postgres.reachable", lambda _: False)
    with Postgres.start(tmp_path / "pg") as server:
        assert server.roles() == frozenset()
        home = server._home
    assert not (home / "data").exists()
    assert not (home / "programs").exists()


def test_what_lies_below_a_private_folder_is_out_of_reach(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    binary = private / "postgres"
    binary.touch(mode=0o755)
    assert not reachable(binary)
    assert reachable(Path(os.sep) / "bin" / "sh")


def test_postgres_wants_a_password_and_stores_scram(postgres: Postgres) -> None:
    with (
        pytest.raises(psycopg.OperationalError, match="password authentication failed"),
        postgres.connect("postgres", Secret("wrong")),
    ):
        pass
    with postgres.connect() as connection:
        row = connection.execute("SELECT rolpassword FROM pg_authid WHERE rolname = 'vault'")
        assert row.fetchone()[0].startswith("SCRAM-SHA-256$")


def test_the_engine_lends_a_user_that_ends_with_its_open_session(
    bao: OpenBao, postgres: Postgres, database_engine: str
) -> None:
    answer = bao.client.read(f"{database_engine}/creds/orders-read-1m")
    assert answer is not None
    user, password = answer["data"]["username"], Secret(answer["data"]["password"])
    assert answer["lease_duration"] == 60
    with postgres.connect(user, password) as connection:
        assert connection.execute("SELECT count(*) FROM orders").fetchone() == (3,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DELETE FROM orders")
        bao.client.write("sys/leases/revoke", {"lease_id": answer["lease_id"], "sync": True})
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    assert user not in postgres.roles()
    assert password.reveal() not in postgres.log.read_text()


def test_the_engine_names_the_grant_in_the_database_user(
    bao: OpenBao, database_engine: str
) -> None:
    token = bao.client.write(
        "auth/token/create", {"ttl": "1m", "display_name": "grant-alice-orders-7f3k"}
    )["auth"]["client_token"]
    answer = BaoClient(bao.address, Secret(token)).read(f"{database_engine}/creds/orders-read-1m")
    assert answer is not None
    assert answer["data"]["username"].startswith("g-alice-orders-7f3k-")
    bao.client.write("sys/leases/revoke", {"lease_id": answer["lease_id"], "sync": True})


def test_setting_up_the_engine_twice_is_the_same_as_once(
    bao: OpenBao, postgres: Postgres, database_engine: str
) -> None:
    before = bao.client.list(f"{database_engine}/roles")
    set_up_database_engine(bao, postgres)
    assert bao.client.list(f"{database_engine}/roles") == before


_ORPHANING = """
import pathlib, sys, time
from daypass.sandbox.openbao import OpenBao
from daypass.sandbox.postgres import Postgres
directory = pathlib.Path(sys.argv[1])
bao = OpenBao.start(directory / "bao")
postgres = Postgres.start(directory / "pg")
print(bao.pid, postgres.pid, postgres._data, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_servers_die_with_whoever_started_them(tmp_path: Path, how: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _ORPHANING, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        bao, postgres, data = parent.stdout.readline().split()
        parent.send_signal(how)
    assert gone(int(bao))
    assert gone(int(postgres))
    deadline = time.monotonic() + 60
    while Path(data).exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not Path(data).exists()
