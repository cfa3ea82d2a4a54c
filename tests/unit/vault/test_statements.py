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


CREATE = "CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'"
GRANT = 'GRANT orders_read TO "{{name}}"'


@pytest.mark.parametrize(
    ("statements", "words"),
    [
        ((CREATE.replace(" VALID UNTIL '{{expiration}}'", ""), GRANT), "VALID UNTIL"),
        ((f"{CREATE} CREATEROLE", GRANT), "CREATEROLE"),
        ((f"{CREATE} SUPERUSER",), "SUPERUSER"),
        ((CREATE, f"{GRANT} WITH ADMIN OPTION"), "WITH ADMIN OPTION"),
        ((GRANT,), "make no log-in"),
    ],
)
def test_what_a_log_in_must_not_be_is_named(statements: tuple[str, ...], words: str) -> None:
    found = [fault.text for fault in faults_of_creation(statements) if not fault.state.is_sound]
    assert any(words in text for text in found), found


def test_a_creation_of_ones_own_is_no_fault() -> None:
    other = (f"{CREATE} NOSUPERUSER NOCREATEROLE CONNECTION LIMIT 2", GRANT, "GRANT b TO {{name}}")
    assert faults_of_creation(other) == ()
    assert [fault.state for fault in faults_of_creation((CREATE, GRANT))] == [State.ADVICE]


def test_what_is_lent_is_read() -> None:
    texts = (f"{CREATE} IN ROLE a, b;", f"{GRANT};", 'GRANT SELECT ON ALL TABLES TO "{{name}}";')
    assert lent_by(texts) == ("orders_read", "a", "b")


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
