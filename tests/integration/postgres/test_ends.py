"""Ends at PostgreSQL 13 to 18: no log-in and no session outlives them, whatever a holder does."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import psycopg
import pytest

from daypass.model import postgresql
from daypass.model.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from support.targets import Holder, Target

pytestmark = pytest.mark.integration

# The revocation statements up to release 0.1.0, which this module shows to fail.
OLD: Final = (
    'ALTER ROLE "{{name}}" NOLOGIN;',
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{{name}}';",
    'REASSIGN OWNED BY "{{name}}" TO CURRENT_USER;',
    'DROP OWNED BY "{{name}}";',
    'DROP ROLE IF EXISTS "{{name}}";',
)
_SLEEP: Final = "SELECT pg_sleep(0.5)"
_CLIENTS: Final = 8


def widened(statements: Sequence[str]) -> list[str]:
    """Revocation statements with pauses before and after each of them, and within a block.

    A block that commits step by step pauses right before and right after each commit, and before
    the log-in is dropped.
    """
    pause = f"PERFORM pg_catalog.{_SLEEP.removeprefix('SELECT ')};"
    wider = []
    for statement in statements:
        text = statement.replace("\n  COMMIT;", f"\n  {pause}\n  COMMIT;\n  {pause}")
        wider += [_SLEEP, text.replace("\n  IF open = 0", f"\n  {pause}\n  IF open = 0")]
    assert "DO $$" not in statements[-1] or pause in wider[-1]
    return [*wider, _SLEEP]


@contextlib.contextmanager
def clients(holder: Holder, work: Callable[[psycopg.Connection], None]) -> Iterator[None]:
    """Clients of a holder that log in again whenever they are cut off."""
    stop, log_ins = threading.Event(), []

    def client() -> None:
        while not stop.is_set():
            try:
                with holder.session() as session:
                    log_ins.append(session)
                    while not stop.is_set():
                        work(session)
            except psycopg.Error:
                time.sleep(0.01)

    threads = [threading.Thread(target=client, daemon=True) for _ in range(_CLIENTS)]
    for thread in threads:
        thread.start()
    while len(log_ins) < _CLIENTS:
        time.sleep(0.01)
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def survivors(target: Target) -> list[tuple[int]]:
    """Sessions of holders: of names that Vault makes, or whose role was dropped."""
    return target.sql(
        "SELECT pid FROM pg_stat_activity a LEFT JOIN pg_roles r ON r.oid = a.usesysid "
        "WHERE a.usesysid IS NOT NULL AND (r.oid IS NULL OR r.rolname LIKE 'g-%')"
    )


def asks(session: psycopg.Connection) -> None:
    """Needs no right."""
    session.execute("SELECT 1")
    time.sleep(0.01)


def test_no_client_that_logs_in_again_survives(target: Target) -> None:
    """Eight of them, with the windows between the statements widened."""
    target.role("widened", "orders_read", revocation=widened(postgresql.REVOCATION))
    holder = target.mint("widened")
    with clients(holder, asks):
        holder.revoke()
        assert survivors(target) == []
    assert not holder.is_there


def test_the_old_statements_fail_both_ways(target: Target) -> None:
    """Shows that the test above can fail; a plain user of Vault could not even run them."""
    target.role("old", "orders_read", revocation=widened(OLD))
    holder = target.mint("old")
    if target.user == "vault_plain":
        with pytest.raises(AssertionError, match=r"must be a member|permission denied"):
            holder.revoke()
        assert holder.logs_in()
        return
    with clients(holder, asks):
        holder.revoke()
        assert survivors(target) != []


def holds_its_row(session: psycopg.Connection) -> None:
    """Keeps the row locked that an end has to write."""
    with session.transaction():
        session.execute(f"ALTER ROLE CURRENT_USER PASSWORD '{_PASSWORD}'".encode())
        time.sleep(0.05)


def writes_its_row(session: psycopg.Connection) -> None:
    session.execute(f"ALTER ROLE CURRENT_USER PASSWORD '{_PASSWORD}'".encode())


_PASSWORD: Final = "of-the-tests"


@pytest.mark.parametrize("work", [holds_its_row, writes_its_row])
def test_a_holder_who_locks_their_own_row_is_locked_out(
    target: Target, work: Callable[[psycopg.Connection], None]
) -> None:
    holder = target.mint("admin")
    holder.runs(f"ALTER ROLE CURRENT_USER PASSWORD '{_PASSWORD}'")
    holder = replace(holder, password=Secret(_PASSWORD))
    with clients(holder, work):
        holder.revoke()
        assert survivors(target) == []
    assert not holder.is_there


def test_a_session_in_its_start_up_does_not_outlive_the_end(target: Target) -> None:
    """A client may ask its session to wait between the log-in and the first statement."""
    holder = target.mint("reads")
    outcome: list[str] = []

    def late() -> None:
        try:
            with holder.session(options="-c post_auth_delay=30") as session:
                session.execute("SELECT count(*) FROM orders")
                outcome.append("read")
        except psycopg.OperationalError as error:
            outcome.append(str(error))

    before = len(starting(target))
    thread = threading.Thread(target=late)
    thread.start()
    while len(starting(target)) == before:
        time.sleep(0.01)
    assert target.look().sessions == ()  # any client could stretch its start-up
    holder.revoke()
    thread.join()
    assert outcome != ["read"]
    assert not holder.is_there
    assert target.look().sessions == ()


def starting(target: Target) -> list[tuple[int]]:
    """Sessions that have logged in, and run nothing yet."""
    return target.sql(
        "SELECT DISTINCT l.pid FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid "
        "WHERE l.classid = 'pg_database'::regclass AND a.usesysid IS NULL"
    )


ELSEWHERE: Final = {
    "default privileges": "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC",
    "large object": "SELECT lo_create(0)",
    "function": "CREATE FUNCTION f() RETURNS int SECURITY DEFINER LANGUAGE sql AS 'SELECT 1'",
}


@pytest.mark.parametrize("kind", ELSEWHERE)
def test_what_lies_in_another_database_takes_no_lock_out_back(target: Target, kind: str) -> None:
    target.sql("GRANT CREATE ON SCHEMA public TO PUBLIC", "postgres")
    holder = target.mint("reads")
    holder.runs(ELSEWHERE[kind], database="postgres")
    with holder.session("postgres") as session:
        holder.revoke()
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
    assert not holder.logs_in()
    assert holder.memberships() == set()
    (leftover,) = target.look().leftovers
    assert (leftover.login, leftover.databases) == (holder.name, ("postgres",))
    target.sql(f'DROP OWNED BY "{holder.name}"', "postgres")
    assert target.look().leftovers == ()
    assert not holder.is_there


def test_a_log_in_that_is_gone_can_be_revoked_and_revoked_again(target: Target) -> None:
    holder = target.mint("reads")
    target.sql(f'DROP OWNED BY "{holder.name}"; DROP ROLE "{holder.name}"')
    holder.revoke()
    status, body = target.call("POST", "sys/leases/lookup", {"lease_id": holder.lease})
    assert status == 400, body
    again = target.mint("reads")
    again.revoke()
    again.revoke()
    assert target.look().logins == ()


def test_a_session_whose_role_was_dropped_is_ended_by_the_look(target: Target) -> None:
    holder = target.mint("reads")
    with holder.session() as session:
        target.sql(f'DROP OWNED BY "{holder.name}"; DROP ROLE "{holder.name}"')
        assert target.look().sessions == ()
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")


def test_the_look_locks_out_what_has_expired_and_lists_what_works(target: Target) -> None:
    expired, works = target.mint("admin"), target.mint("admin")
    expired.runs("CREATE TABLE of_expired (i int)")
    with expired.session() as session:
        target.sql(f"ALTER ROLE \"{expired.name}\" VALID UNTIL '2020-01-01'")
        report = target.look()
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
    assert [login.name for login in report.logins] == [works.name]
    assert [leftover.login for leftover in report.leftovers] == [expired.name]
    assert expired.memberships() == set()
    assert works.logs_in()
    works.revoke()
    expired.revoke()


def test_the_look_says_what_is_missing(target: Target) -> None:
    report = target.look()
    assert (report.server // 10000, report.database) == (target.version, "orders")
    assert (report.sees, report.ends, report.definers) == (True, True, 0)
    assert set(report.open) == {"postgres", "template1"}
    target.sql("REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC")
    assert target.look().open == ()
    target.sql("GRANT CONNECT ON DATABASE postgres, template1 TO PUBLIC")
    if target.user == "vault_super":
        return
    holder = target.mint("reads")
    with holder.session() as session:
        target.sql(
            f"REVOKE pg_read_all_stats, pg_signal_backend FROM {target.user};"
            f'DROP OWNED BY "{holder.name}"; DROP ROLE "{holder.name}"'
        )
        report = target.look()
        assert (report.sees, report.ends, report.sessions) == (False, False, ())  # and yet:
        session.execute("SELECT 1")
        target.sql(f"GRANT pg_read_all_stats TO {target.user}")
        report = target.look()
        assert (report.sees, report.ends, report.sessions) == (True, False, ("",))
        target.sql(f"GRANT pg_signal_backend TO {target.user}")
        report = target.look()
        assert (report.sees, report.ends, report.sessions) == (True, True, ())
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")


def test_an_end_does_not_need_the_right_to_end_any_session(target: Target) -> None:
    holder = target.mint("reads")
    target.sql(f"REVOKE pg_signal_backend FROM {target.user}")
    with holder.session() as session:
        holder.revoke()
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
    target.sql(f"GRANT pg_signal_backend TO {target.user}")
    assert not holder.is_there


DEFINER: Final = (
    "CREATE FUNCTION public.evil() RETURNS int SECURITY DEFINER LANGUAGE sql AS 'SELECT 1'"
)


@pytest.mark.postgres(15, 16)
def test_no_holder_becomes_the_group_from_16_on_and_the_look_counts_it_before(
    target: Target,
) -> None:
    holder = target.mint("admin")
    with holder.session() as session:
        if target.version >= 16:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute("SET ROLE orders_admin")
            return
        session.execute("SET ROLE orders_admin")
        session.execute(DEFINER.encode())
    holder.revoke()
    other = target.mint("admin")  # whose membership shows a superuser of Vault the group
    assert target.look().definers == 1
    target.sql("DROP FUNCTION public.evil()")
    assert target.look().definers == 0
    other.revoke()


def test_what_an_older_release_gave_to_vaults_user_is_counted(target: Target) -> None:
    target.sql(f"{DEFINER}; ALTER FUNCTION public.evil() OWNER TO {target.user}")
    assert target.look().definers == 1
    target.sql("DROP FUNCTION public.evil()")


@pytest.mark.postgres(14, 15, 16)
def test_members_of_a_log_in_lose_what_it_had(target: Target) -> None:
    """Up to PostgreSQL 14 a log-in can make others its members by itself."""
    target.sql("CREATE ROLE mallory LOGIN")
    holder = target.mint("admin")
    grant = f'GRANT "{holder.name}" TO mallory'
    if target.version < 15:
        holder.runs(grant)
    else:
        target.sql(grant)
    holder.runs("CREATE TABLE own (i int)")
    holder.revoke()
    try:
        if target.version < 16 or target.user == "vault_super":  # what another gave since is theirs
            assert not target.sql(
                "SELECT FROM pg_auth_members WHERE member = 'mallory'::regrole::oid"
            )
        assert not target.sql("SELECT WHERE has_table_privilege('mallory', 'orders', 'SELECT')")
    finally:
        target.sql("DROP OWNED BY mallory; DROP ROLE mallory")
