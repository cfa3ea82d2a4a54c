"""Ends are looked for at the database: what reconnects, stays behind or comes back is found."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Self

import psycopg
import pytest
from test_ends_that_fail import granted, open_alarms, opens

from support.looks import look_no_more
from support.town import Town

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daypass.sandbox.box import Box

READ_ROLE = "database/roles/orders-read-1h"
LOOK_ROLE = "database/roles/orders-look"
CLIENTS = 8
# What docs/database.md told people to write before: one transaction, in which nobody else sees
# NOLOGIN before all is done. The pause widens the window in which a client logs in again.
OLD_REVOCATION = [
    'ALTER ROLE "{{name}}" NOLOGIN;',
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{{name}}';",
    "SELECT pg_sleep(0.5);",
    'DROP OWNED BY "{{name}}";',
    'DROP ROLE IF EXISTS "{{name}}";',
]


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    from daypass.sandbox.box import Box  # noqa: PLC0415  -- unit tests need no server

    with Box.create(tmp_path_factory.mktemp("target") / "box") as made:
        made.vault_bootstrap()
        with made.postgres.connect() as superuser:  # a role of before ended what it owned
            superuser.execute("ALTER ROLE vault SET createrole_self_grant = 'set, inherit'")
        cut_off_vault(made)
        yield made


@pytest.fixture(scope="module")
def town(box: Box) -> Town:
    return Town(box)


def cut_off_vault(box: Box) -> None:
    """Ends Vault's own sessions, so that what was changed of its user counts."""
    with box.postgres.connect() as superuser:
        superuser.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'vault'"
        )


class Pool:
    """Clients that log in again whenever they are cut off, until they are refused."""

    def __init__(self, town: Town, credential: dict[str, str]) -> None:
        self._town = town
        self._credential = credential
        self._stop = threading.Event()
        self.log_ins = 0
        self._threads = [threading.Thread(target=self._client) for _ in range(CLIENTS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        deadline = time.monotonic() + 60
        while self.log_ins < CLIENTS:
            assert time.monotonic() < deadline, "the clients do not get in"
            time.sleep(0.02)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def _client(self) -> None:
        while not self._stop.is_set():
            try:
                with self._town.log_in(self._credential) as session:
                    self.log_ins += 1
                    while not self._stop.is_set():
                        session.execute("select 1")  # needs no right
                        time.sleep(0.01)
            except psycopg.Error:
                time.sleep(0.01)


def sessions(box: Box, username: str) -> int:
    """The open sessions of a log-in, or of one that was dropped."""
    with box.postgres.connect() as superuser:
        row = superuser.execute(
            "select count(*) from pg_stat_activity where backend_type = 'client backend'"
            " and usesysid is not null and (usename = %s or usename is null)",
            (username,),
        ).fetchone()
    return int(row[0])


def rewrite(box: Box, path: str, **fields: Any) -> dict[str, Any]:
    """Changes a role in Vault as a database administrator does; what it was."""
    before: dict[str, Any] = (box.bao.client.read(path) or {})["data"]
    box.bao.client.write(path, before | fields)
    return before


def test_clients_that_log_in_again_do_not_survive_the_event(town: Town, box: Box) -> None:
    """With revocation SQL of before, so that sessions do survive it: the look ends them."""
    before = rewrite(box, READ_ROLE, revocation_statements=OLD_REVOCATION)
    try:
        asked = town.grant("pooled", duration="1h")
        (credential,) = granted(town, asked)
        with Pool(town, credential) as pool:
            begun = pool.log_ins
            town.delete(asked.id)
            done = town.apply()
            assert pool.log_ins > begun  # somebody did come back while it was under way
            assert sessions(box, credential["username"]) == 0
        assert done.code == 0, done.said
        assert town.events(asked.id) == ["issued", "revoked"]
        confirmed = "Daypass-Confirmed: credential,sessions\n"
        assert confirmed in town.message(asked.id, "revoked")
    finally:
        rewrite(box, READ_ROLE, **before)


def test_a_holder_who_locks_the_row_of_their_log_in_is_locked_out(town: Town) -> None:
    """An open transaction that changes one's own password keeps others from ALTER ROLE."""
    asked = town.grant("locks-the-row", duration="1h")
    (credential,) = granted(town, asked)
    session = town.log_in(credential)
    session.execute("begin")
    session.execute(f"""alter role "{credential["username"]}" password 'another'""")
    town.delete(asked.id)
    done = town.apply()
    assert done.code == 0, done.said
    assert town.events(asked.id) == ["issued", "revoked"]
    assert not opens(town, credential)
    session.close()


def test_what_stays_behind_is_named_cannot_log_in_and_goes_when_it_can(
    town: Town, box: Box
) -> None:
    asked = town.grant("leaves-a-table", access="admin", duration="1h")
    (credential,) = granted(town, asked)
    name = credential["username"]
    with town.log_in(credential) as session:
        session.execute("create table kept (id integer)")
        session.execute("insert into kept values (7)")
        session.execute(
            "create function run_it(what text) returns void language plpgsql security definer"
            " as $$ begin execute what; end $$"
        )
    elsewhere = {"dbname": "postgres", "user": name, "password": credential["password"]}
    where: dict[str, Any] = {"host": box.postgres.host, "port": box.postgres.port}
    with psycopg.connect(**where, **elsewhere, autocommit=True) as session:
        session.execute("alter default privileges grant select on tables to public")
    town.delete(asked.id)
    done = town.apply()
    assert done.code == 0, done.said
    assert town.events(asked.id) == ["issued", "revoked"]
    assert not opens(town, credential)
    named = [item for item in done.json()["done"] if item["what"] == "left over"]
    assert [item["grant"] for item in named] == [name]
    assert "orders, postgres" in named[0]["text"]
    with box.postgres.connect() as superuser:
        assert superuser.execute("select id from kept").fetchall() == [(7,)]
        found = "select count(*) from pg_proc where proname = 'run_it'"
        assert superuser.execute(found).fetchone() == (0,)
        rights = "select count(*) from pg_auth_members m join pg_roles r on r.oid = m.member"
        row = superuser.execute(f"{rights} where r.rolname = %s", (name,)).fetchone()
        assert row == (0,)
        superuser.execute(f'reassign owned by "{name}" to postgres')
    with psycopg.connect(
        **where, dbname="postgres", user="postgres", password=box.postgres.admin_password.reveal()
    ) as superuser:
        superuser.execute(f'drop owned by "{name}"')
    done = town.apply("schedule")
    assert done.code == 0, done.said
    assert not [item for item in done.json()["done"] if item["what"] == "left over"]
    with box.postgres.connect() as superuser:
        row = superuser.execute("select 1 from pg_roles where rolname = %s", (name,)).fetchone()
        assert row is None


def test_a_log_in_that_comes_back_from_a_backup_is_named_until_it_is_locked_out(
    town: Town, box: Box
) -> None:
    asked = town.grant("came-back", duration="1h")
    granted(town, asked)
    town.delete(asked.id)
    assert town.apply().code == 0
    name = "g-came-back-abc123-1700000000"
    with box.postgres.connect() as superuser:
        superuser.execute(
            f"""create role "{name}" login password 'as before' in role orders_read"""
        )
    back = {"username": name, "password": "as before"}
    with town.log_in(back) as session:
        done = town.apply("schedule")
        assert done.code == 5, done.said
        (alarm,) = done.json()["alarms"]
        assert name in alarm
        assert "NOLOGIN" in alarm
        assert open_alarms(town) == {"log-ins-without-a-grant.database.orders-look"}
        with box.postgres.connect() as superuser:
            superuser.execute(f'alter role "{name}" nologin')
        done = town.apply("schedule")
        assert done.code == 0, done.said
        with pytest.raises(psycopg.OperationalError):
            session.execute("select 1")
    assert name not in box.postgres.roles()
    assert open_alarms(town) == set()


def test_a_grant_that_lives_explains_its_log_in(town: Town) -> None:
    asked = town.grant("lives-on", duration="1h")
    claimed = town.grant(
        "on-claim",
        duration="1h",
        by="bob",
        resource="ledger-db",
        ticket="OPS-1",
        approvers=("carol", "dave"),
    )
    granted(town, asked, claimed)
    done = town.apply("schedule")
    assert done.code == 0, done.said
    for item in (asked, claimed):
        town.delete(item.id, by=item.who.account.login)
    assert town.apply().code == 0


def test_a_user_who_was_dropped_by_hand_ends_like_any_other(town: Town, box: Box) -> None:
    asked = town.grant("dropped-by-hand", duration="1h")
    beside = town.grant("beside-dropped", by="dave", duration="1h", approvers=("carol",))
    mine, _ = granted(town, asked, beside)
    with box.postgres.connect() as superuser:
        superuser.execute(f'drop owned by "{mine["username"]}"')
        superuser.execute(f'drop role "{mine["username"]}"')
    for item in (asked, beside):
        town.delete(item.id, by=item.who.account.login)
    done = town.apply()
    assert done.code == 0, done.said
    for item in (asked, beside):
        assert town.events(item.id) == ["issued", "revoked"]


@pytest.mark.parametrize(
    ("broken", "mended", "words"),
    [
        (
            "REVOKE pg_read_all_stats FROM vault",
            "GRANT pg_read_all_stats TO vault",
            "run `GRANT pg_read_all_stats TO` Vault's user",
        ),
        (
            "ALTER ROLE vault NOLOGIN",
            "ALTER ROLE vault LOGIN",
            "",
        ),
    ],
    ids=["blind", "away"],
)
def test_what_could_not_be_looked_for_is_not_called_revoked(
    town: Town, box: Box, broken: str, mended: str, words: str
) -> None:
    asked = town.grant(f"unseen-{len(town.head())}-{broken[:3].lower()}", duration="1h")
    granted(town, asked)
    town.delete(asked.id)
    with box.postgres.connect() as superuser:
        superuser.execute(broken)
    cut_off_vault(box)
    try:
        done = town.apply()
    finally:
        with box.postgres.connect() as superuser:
            superuser.execute(mended)
    assert done.code == 5, done.said
    assert words in done.said
    assert town.events(asked.id) == ["issued", "revoke-failed"]
    done = town.apply("schedule")
    assert done.code == 0, done.said
    assert town.events(asked.id) == ["issued", "revoke-failed", "revoked"]
    assert open_alarms(town) == set()


@pytest.mark.parametrize("fault", ["missing", "makes-log-ins"])
def test_a_role_that_does_not_look_confirms_nothing_and_opens_nothing(
    town: Town, box: Box, fault: str
) -> None:
    before = rewrite(box, LOOK_ROLE)
    reader = (box.bao.client.read(READ_ROLE) or {})["data"]
    asked = town.grant(f"no-look-{fault}", duration="1h")
    granted(town, asked)
    town.delete(asked.id)
    roles = box.postgres.roles()
    if fault == "missing":
        box.bao.client.delete(LOOK_ROLE)
    else:
        names = ("creation_statements", "revocation_statements")
        rewrite(box, LOOK_ROLE, **{name: reader[name] for name in names})
    try:
        done = town.apply()
    finally:
        box.bao.client.write(LOOK_ROLE, before)
    assert done.code == 5, done.said
    expected = "there is no role database/orders-look" if fault == "missing" else "made a log-in"
    assert expected in done.said
    assert "docs/database.md" in done.said
    assert town.events(asked.id) == ["issued", "revoke-failed"]
    assert box.postgres.roles() < roles  # and what the wrong role made was given back
    assert town.apply("schedule").code == 0
    assert town.events(asked.id) == ["issued", "revoke-failed", "revoked"]


def test_without_a_role_that_looks_an_end_confirms_the_credential_only(fresh_town: Town) -> None:
    town = fresh_town
    look_no_more(town.box)
    asked = town.grant("not-looked-for", duration="1h")
    granted(town, asked)
    town.delete(asked.id)
    assert town.apply().code == 0
    message = town.message(asked.id, "revoked")
    assert "Daypass-Confirmed: credential\n" in message
    assert "no session of it" not in message


@pytest.fixture
def fresh_town(tmp_path: Any) -> Iterator[Town]:
    from daypass.sandbox.box import Box  # noqa: PLC0415  -- unit tests need no server

    with Box.create(tmp_path / "fresh") as made:
        made.vault_bootstrap()
        yield Town(made)
