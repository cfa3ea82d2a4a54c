"""The SQL of a Vault role, judged as text: daypass's own, another's, and what is unsound."""

from __future__ import annotations

import pytest

from daypass.adapters.vault.compare import State
from daypass.adapters.vault.statements import (
    faults_of_creation,
    faults_of_look,
    faults_of_revocation,
    lent_by,
)
from daypass.model import postgresql, postgresql_look

NOLOGIN = (
    "DO $$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = '{{name}}') THEN "
    'ALTER ROLE "{{name}}" NOLOGIN; END IF; END $$;'
)
END = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{{name}}'"
DROP = 'DROP ROLE IF EXISTS "{{name}}"'


def tidy(heir: str) -> str:
    return (
        "DO $$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = '{{name}}') THEN "
        f'REASSIGN OWNED BY "{{{{name}}}}" TO {heir}; DROP OWNED BY "{{{{name}}}}"; '
        'DROP ROLE "{{name}}"; END IF; END $$;'
    )


def judged(*statements: str) -> list[tuple[State, str]]:
    found = faults_of_revocation(statements, "vault", ("orders_read",))
    return [(fault.state, fault.text) for fault in found]


def test_daypasss_own_text_is_the_same_however_it_is_spaced() -> None:
    assert judged(*postgresql.REVOCATION) == []
    assert judged(*(f"\n  {text.rstrip(';')}  " for text in postgresql.REVOCATION)) == []
    assert faults_of_look(postgresql_look.LOOK) == ()
    assert faults_of_creation(postgresql.creation("orders_read")) == ()


def test_another_text_that_does_what_it_must_is_advice() -> None:
    sound = judged(NOLOGIN, "COMMIT", END, DROP)
    assert [state for state, _ in sound] == [State.ADVICE]
    heir = judged(NOLOGIN, "commit;", END, tidy("leftovers"))
    assert [(state, "leftovers" in text) for state, text in heir] == [(State.ADVICE, True)]


GUARD = "DO $$ BEGIN {} EXCEPTION WHEN OTHERS THEN NULL; END $$"
FORMATTED = GUARD.format("EXECUTE format('REASSIGN OWNED BY %I TO %I', '{{name}}', user);")
JOINED = GUARD.format("EXECUTE 'REASSIGN OWNED BY x TO ' || user; GRANT a TO b;")

UNSOUND = {
    "nothing": ((), State.DIFFERENT, "leaves sessions open"),
    "no session is ended": ((NOLOGIN, "COMMIT", DROP), State.DIFFERENT, "outlive the end"),
    "a comment ends none": (
        (NOLOGIN, "COMMIT", f"-- {END}\n{DROP}"), State.DIFFERENT, "outlive the end",
    ),
    "no lock-out": ((END, DROP), State.DIFFERENT, "no NOLOGIN before the clean-up"),
    "one transaction": ((NOLOGIN, END, DROP), State.DIFFERENT, "one transaction"),
    "one transaction in one text": (
        (f'ALTER ROLE "{{{{name}}}}" NOLOGIN; {END}; {DROP}',), State.DIFFERENT, "one transaction",
    ),
    "one block": (
        (f'DO $$ BEGIN ALTER ROLE "{{{{name}}}}" NOLOGIN; {END}; {DROP}; END $$; -- pg_roles',
         "COMMIT", END), State.DIFFERENT, "one transaction",
    ),
    "sessions before the commit": (
        (NOLOGIN, END, "COMMIT", DROP), State.DIFFERENT, "logs in again stays",
    ),
    "not twice": (
        ('ALTER ROLE "{{name}}" NOLOGIN', "COMMIT", END, DROP), State.DIFFERENT, "gone already",
    ),
    "dropped once only": (
        (NOLOGIN, "COMMIT", END, 'DROP ROLE "{{name}}"'), State.DIFFERENT, "gone already",
    ),
    "to Vault's user, by its place": (
        (NOLOGIN, "COMMIT", END, tidy("CURRENT_USER")), State.WRONG, "Vault's own user",
    ),
    "to Vault's user, by its name": (
        (NOLOGIN, "COMMIT", END, tidy('"vault"')), State.WRONG, "Vault's own user",
    ),
    "to a role whose rights are lent": (
        (NOLOGIN, "COMMIT", END, tidy("orders_read")), State.WRONG, "whose rights are lent",
    ),
    "to what cannot be read": (
        (NOLOGIN, "COMMIT", END, FORMATTED), State.DIFFERENT, "cannot be read",
    ),
    "to what is put together": (
        (NOLOGIN, "COMMIT", END, JOINED), State.DIFFERENT, "cannot be read",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(UNSOUND))
def test_what_an_end_must_not_be_is_named(name: str) -> None:
    statements, state, words = UNSOUND[name]
    assert any(found == state and words in text for found, text in judged(*statements)), judged(
        *statements
    )


def test_every_part_of_daypasss_own_text_counts() -> None:
    for at, _ in enumerate(postgresql.REVOCATION[:2]):
        cut = postgresql.REVOCATION[:at] + postgresql.REVOCATION[at + 1 :]
        assert any(not state.is_sound for state, _ in judged(*cut))


LOOP = (
    "DO $$ DECLARE t record; BEGIN FOR t IN SELECT oid::regprocedure p FROM pg_proc WHERE "
    "proowner = (SELECT oid FROM pg_roles WHERE rolname = '{{name}}') LOOP "
    "EXECUTE format('@', t.p); END LOOP; EXCEPTION WHEN OTHERS THEN NULL; END $$;"
)


def loop(statement: str) -> str:
    """A block that runs a statement for each function of the log-in."""
    return LOOP.replace("@", statement)


AGAIN = GUARD.format('ALTER ROLE "{{name}}" LOGIN;')
KEEP = (NOLOGIN, "COMMIT", END)
SELF = "Vault's own user"

GIVES = {
    "a function to the current user": ((*KEEP, "ALTER FUNCTION f() OWNER TO CURRENT_USER"), SELF),
    "each function, in a loop": ((*KEEP, loop("ALTER FUNCTION %s OWNER TO CURRENT_USER")), SELF),
    "to the session's user": ((*KEEP, loop("ALTER FUNCTION %s OWNER TO SESSION_USER")), SELF),
    "to Vault's user by name": ((*KEEP, loop('ALTER FUNCTION %s OWNER TO "vault"')), SELF),
    "in capitals": ((*KEEP, loop("ALTER FUNCTION %s OWNER TO VAULT")), SELF),
    "to a lent role": ((*KEEP, loop("ALTER VIEW %s OWNER TO orders_read")), "rights are lent"),
    "to what is formatted": ((*KEEP, loop("ALTER VIEW %s OWNER TO %I")), "cannot be read"),
    "another's NOLOGIN": (
        (GUARD.format("ALTER ROLE other NOLOGIN;"), "COMMIT", END), "does not name the log-in",
    ),
    "another's NOLOGIN, formatted": (
        (GUARD.format("EXECUTE format('ALTER ROLE %I NOLOGIN', 'other');"), "COMMIT", END),
        "does not name the log-in",
    ),
    "another's NOLOGIN as well": (
        (*KEEP, GUARD.format("ALTER ROLE other NOLOGIN;")), "ALTER ROLE other NOLOGIN: it cannot",
    ),
    "another's sessions": (
        (NOLOGIN, "COMMIT", END.replace("{{name}}", "other")), "no pg_terminate_backend for",
    ),
    "LOGIN again": ((*KEEP, AGAIN), "no role log in"),
    "LOGIN behind a comment in a string": (
        (NOLOGIN, "COMMIT", END, AGAIN.replace("BEGIN ", "BEGIN PERFORM '--'; ")), "role log in",
    ),
    "LOGIN added to daypass's own text": ((*postgresql.REVOCATION, AGAIN), "no role log in"),
    "another name": (
        (*KEEP, GUARD.format('ALTER ROLE "{{name}}" RENAME TO old;')), "read as taking something",
    ),
    "a later end": (
        (*KEEP, GUARD.format("ALTER ROLE \"{{name}}\" VALID UNTIL 'infinity';")),
        "read as taking something",
    ),
    "ROLLBACK": ((NOLOGIN, "ROLLBACK", "COMMIT", END), "takes the lock-out back"),
    "ROLLBACK inside": (
        (NOLOGIN.replace("END IF;", "END IF; ROLLBACK;"), "COMMIT", END), "takes the lock-out back",
    ),
    "prepared": ((NOLOGIN, "PREPARE TRANSACTION 'x'", "COMMIT", END), "takes the lock-out back"),
    "an error that is caught": (
        (GUARD.format(f'ALTER ROLE "{{{{name}}}}" NOLOGIN; PERFORM {END[7:]};'), "COMMIT", END),
        "an error after NOLOGIN is caught",
    ),
    "a new log-in": ((*KEEP, "CREATE USER b"), "must make no role"),
    "rights": ((*KEEP, GUARD.format("GRANT orders_admin TO b;")), "must give no rights"),
    "the log-in's rights": ((*KEEP, GUARD.format('GRANT "{{name}}" TO b;')), "give no rights"),
    "a member": ((*KEEP, "ALTER GROUP a ADD USER b"), "must give no rights"),
    "the catalog": ((*KEEP, "UPDATE pg_authid SET rolcanlogin = true"), "change of the catalog"),
    "another's drop": ((*KEEP, "DROP ROLE IF EXISTS other"), "removing"),
    "two drops": ((*KEEP, 'DROP ROLE IF EXISTS "{{name}}", other'), "removing"),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(GIVES))
def test_an_end_that_gives_or_takes_back_is_named(name: str) -> None:
    statements, words = GIVES[name]
    found = [text for state, text in judged(*statements) if not state.is_sound]
    assert any(words in text for text in found), judged(*statements)


FORMAT = "EXECUTE format('ALTER ROLE %I NOLOGIN', '{{name}}');"
QUOTE = "EXECUTE 'ALTER ROLE ' || quote_ident('{{name}}') || ' NOLOGIN';"


@pytest.mark.parametrize(
    "statements",
    [
        (GUARD.format(FORMAT), "COMMIT", END, DROP),
        (GUARD.format(QUOTE), "COMMIT", END, DROP),
        (NOLOGIN.replace("NOLOGIN", "WITH NOLOGIN NOINHERIT CONNECTION LIMIT 0"), "COMMIT", END),
        (NOLOGIN.replace("NOLOGIN", "NOLOGIN VALID UNTIL '-infinity'"), "COMMIT", END, DROP),
        (*KEEP, GUARD.format('GRANT "{{name}}" TO CURRENT_USER; DROP OWNED BY "{{name}}";')),
        (*KEEP, GUARD.format('REVOKE orders_read FROM "{{name}}" CASCADE;'), DROP),
        ("ROLLBACK", *KEEP, 'DROP USER MAPPING IF EXISTS FOR "{{name}}" SERVER s', DROP),
        (*KEEP, "/* no LOGIN; GRANT */ " + DROP),
    ],
)
def test_an_administrators_own_end_stays_advice(statements: tuple[str, ...]) -> None:
    assert [state for state, _ in judged(*statements)] == [State.ADVICE], judged(*statements)


CREATE = "CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'"
GRANT = 'GRANT orders_read TO "{{name}}"'
ALTER = 'ALTER ROLE "{{name}}"'


@pytest.mark.parametrize(
    ("statements", "words"),
    [
        ((CREATE.replace(" VALID UNTIL '{{expiration}}'", ""), GRANT), "VALID UNTIL"),
        ((f"{CREATE} CREATEROLE", GRANT), "CREATEROLE"),
        ((f"{CREATE} SUPERUSER",), "SUPERUSER"),
        ((CREATE, f"{GRANT} WITH ADMIN OPTION"), "WITH ADMIN OPTION"),
        ((GRANT,), "make no log-in"),
        ((CREATE, f"{GRANT} WITH INHERIT TRUE, ADMIN TRUE"), "ADMIN TRUE"),
        ((CREATE, f"{GRANT} WITH  GRANT\n OPTION"), "WITH GRANT OPTION"),
        ((CREATE, GRANT, f"{ALTER} VALID UNTIL 'infinity'"), "VALID UNTIL 'infinity'"),
        ((f"{CREATE} VALID UNTIL '2999-01-01'", GRANT), "VALID UNTIL '2999-01-01'"),
        ((CREATE.replace("{{password}}", "x"), GRANT), "PASSWORD is not"),
        ((CREATE, f"{ALTER} PASSWORD 'x'"), "PASSWORD is not"),
        ((CREATE, 'GRANT pg_execute_server_program TO "{{name}}"'), "the server itself"),
        ((CREATE, "GRANT pg_read_server_files TO team"), "the server itself"),
        ((f"{CREATE} IN ROLE PG_WRITE_SERVER_FILES CONNECTION LIMIT 2",), "the server itself"),
        (postgresql.creation("pg_execute_server_program"), "the server itself"),
        ((CREATE, 'GRANT pg_signal_backend TO "{{name}}"'), "sessions of others"),
        ((CREATE, 'GRANT pg_maintain TO "{{name}}"'), "every owner"),
        ((CREATE, 'GRANT pg_of_tomorrow TO "{{name}}"'), "pg_of_tomorrow: what this role"),
        ((f"{CREATE} CREATEDB", GRANT), "CREATEDB: what a holder makes"),
        ((CREATE, CREATE.replace("{{name}}", "{{name}}x")), "a second log-in"),
        ((CREATE, "CREATE USER b"), "a second log-in"),
        ((CREATE, CREATE), "more than one log-in"),
        ((CREATE, 'CREATE ROLE team ADMIN "{{name}}"'), "makes members"),
        ((CREATE, 'CREATE ROLE team NOLOGIN ROLE "{{name}}"'), "makes members"),
        ((f"{CREATE} ADMIN team",), "makes members"),
        ((CREATE, "ALTER ROLE team LOGIN"), "changes another role"),
        ((CREATE, f"{ALTER} RENAME TO b"), "or its name"),
        ((CREATE, "ALTER GROUP a ADD USER b"), "past the grant"),
        ((CREATE, f"{GRANT}, team"), "past the grant"),
        ((CREATE, "GRANT orders_read TO team"), "past the grant"),
        ((CREATE, 'GRANT "{{name}}" TO team'), "past the grant"),
        ((CREATE, "DO $$ BEGIN EXECUTE format('GRANT %I TO x', 'a'); END $$"), "past the grant"),
        ((CREATE, "UPDATE pg_authid SET rolvaliduntil = NULL"), "change of the catalog"),
    ],
)
def test_what_a_log_in_must_not_be_is_named(statements: tuple[str, ...], words: str) -> None:
    found = [fault.text for fault in faults_of_creation(statements) if not fault.state.is_sound]
    assert any(words in text for text in found), found


def test_a_creation_of_ones_own_is_no_fault() -> None:
    other = (f"{CREATE} NOSUPERUSER NOCREATEROLE CONNECTION LIMIT 2", GRANT, "GRANT b TO {{name}}")
    assert faults_of_creation(other) == ()
    assert [fault.state for fault in faults_of_creation((CREATE, GRANT))] == [State.ADVICE]


@pytest.mark.parametrize(
    "more",
    [
        (f"{ALTER} SET statement_timeout = '30s'", f"{ALTER} NOCREATEDB"),
        ('ALTER GROUP admin ADD USER "{{name}}"', 'GRANT "{{name}}" TO CURRENT_USER'),
        ('GRANT admin, b TO "{{name}}" WITH ADMIN FALSE, SET FALSE',),
        ('GRANT USAGE ON SCHEMA s TO "{{name}}"', 'CREATE USER MAPPING FOR "{{name}}" SERVER s'),
        ('ALTER DEFAULT PRIVILEGES IN SCHEMA s GRANT SELECT ON TABLES TO "{{name}}"',),
    ],
)
def test_an_administrators_own_log_in_is_no_fault(more: tuple[str, ...]) -> None:
    assert faults_of_creation((f"{CREATE} IN ROLE admin CONNECTION LIMIT 2", *more)) == ()


@pytest.mark.parametrize(
    "more", ['GRANT pg_read_all_data TO "{{name}}"', 'GRANT pg_monitor TO "{{name}}"',
             "CREATE ROLE team NOLOGIN"],
)  # fmt: skip
def test_what_reaches_far_is_advice(more: str) -> None:
    found = faults_of_creation((f"{CREATE} CONNECTION LIMIT 2", GRANT, more))
    assert [fault.state for fault in found] == [State.ADVICE]


def test_a_look_that_gives_is_named() -> None:
    own = list(postgresql_look.LOOK)
    for more, words in (
        (AGAIN, "no role log in"),
        (loop("ALTER VIEW %s OWNER TO CURRENT_USER"), SELF),
    ):
        assert any(words in fault.text for fault in faults_of_look([*own, more]))
    assert [fault.state for fault in faults_of_look([*own, "SELECT 1"])] == [State.ADVICE]


def test_what_is_lent_is_read() -> None:
    texts = (f"{CREATE} IN ROLE a, b;", f"{GRANT};", 'GRANT SELECT ON ALL TABLES TO "{{name}}";')
    assert lent_by(texts) == ("orders_read", "a", "b")
    texts = (f"{CREATE} IN ROLE a CONNECTION LIMIT 2", 'ALTER GROUP b ADD USER "{{name}}"')
    assert lent_by(texts) == ("a", "b")
    assert lent_by(postgresql.creation("orders_read")) == ("orders_read",)


@pytest.mark.parametrize(
    ("statements", "words"),
    [
        (postgresql.creation("orders_read"), "make none"),
        (("SELECT 1",), "do not answer"),
        (postgresql_look.LOOK[-1:], "end no session"),
    ],
)
def test_a_role_that_does_not_look_is_named(statements: tuple[str, ...], words: str) -> None:
    [fault] = faults_of_look(statements)
    assert fault.state is State.DIFFERENT
    assert words in fault.text
