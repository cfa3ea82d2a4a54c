"""The SQL through which Vault makes, ends and looks at log-ins of PostgreSQL 13 to 18.

docs/database.md holds the same text for database administrators, the sandbox runs it, and
`daypass vault doctor` compares it with what a Vault role holds. Vault sends each statement as it
stands, once it has replaced `{{name}}`, `{{password}}` and `{{expiration}}`. All statements of a
list run in one transaction, unless a `COMMIT` among them ends it.

Every block runs as Vault's user, so it first sets `search_path` to `pg_catalog`: otherwise a holder
who may create functions could bring one that a call here would prefer.
"""

from __future__ import annotations

from typing import Final

# What the username template makes: `g-GRANT-RANDOM-UNIXTIME`, with the grant's id cut at 36.
LOGIN_PATTERN: Final = "^g-[a-z0-9-]+-[a-z0-9]{6}-[0-9]{10}$"
LOGIN_ID_LENGTH: Final = 36
USERNAME_TEMPLATE: Final = (
    'g-{{ .DisplayName | replace "token-grant-" "" | lowercase | truncate 36 }}'
    "-{{ random 6 | lowercase }}-{{ unix_time }}"
)
LOOK_WORD: Final = "daypass-look"  # the first word of the error by which a look answers
MOST_LOGINS: Final = 5000  # that one look lists
MOST_LEFTOVERS: Final = 50  # that one look tidies and lists


def _sql(text: str, **parts: str) -> str:
    """Puts the parts into a block, each in place of its name in capitals between `@`."""
    parts["path"] = "PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);"
    for name, part in parts.items():
        text = text.replace(f"@{name.upper()}@", part)
    return text


# Committed before anything else is tried: what fails later cannot undo it. A holder who changes
# their own password in an open transaction locks the row: their sessions end first, and again.
_LOCK_OUT: Final = _sql("""\
DO $$ DECLARE
  tries int := 0;
BEGIN
  @PATH@
  PERFORM set_config('lock_timeout', '1s', true);
  WHILE EXISTS (SELECT FROM pg_roles WHERE rolname = '{{name}}' AND rolcanlogin) LOOP
    PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{{name}}';
    BEGIN
      ALTER ROLE "{{name}}" NOLOGIN;
    EXCEPTION WHEN OTHERS THEN
      tries := tries + 1;
      IF tries = 10 THEN RAISE; END IF;
      PERFORM pg_stat_clear_snapshot();
    END;
  END LOOP;
END $$;""")

# Waits only while there are sessions to wait for.
_END_SESSIONS: Final = """\
DO $$ DECLARE
  n int;
  tries int := 0;
BEGIN
  @PATH@
  LOOP
    SELECT count(pg_terminate_backend(a.pid)) INTO n
      FROM pg_stat_activity a LEFT JOIN pg_roles r ON r.oid = a.usesysid
      WHERE @WHICH@;
    EXIT WHEN n = 0 OR tries = 100;
    tries := tries + 1;
    PERFORM pg_sleep(0.02);
    PERFORM pg_stat_clear_snapshot();
  END LOOP;
END $$;"""

# Takes from locked-out log-ins their group roles and their code, and drops those that own nothing
# more. One that owns data stays: it lends no right, and what it owns gains none. No step can fail
# the whole; the look names what is left.
_TIDY: Final = """\
DO $$ DECLARE
  gone record;
  thing record;
BEGIN
  @PATH@
  PERFORM set_config('lock_timeout', '1s', true);
  FOR gone IN
    SELECT oid, rolname FROM pg_roles
    WHERE @WHICH@ AND NOT rolcanlogin AND NOT rolsuper ORDER BY oid LIMIT @MOST@
  LOOP
    BEGIN
      EXECUTE format('GRANT %I TO CURRENT_USER', gone.rolname);
    EXCEPTION WHEN OTHERS THEN NULL;
    END;
    FOR thing IN
      SELECT r.rolname FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid
      WHERE m.member = gone.oid
    LOOP
      BEGIN
        EXECUTE format('REVOKE %I FROM %I', thing.rolname, gone.rolname);
      EXCEPTION WHEN OTHERS THEN NULL;
      END;
    END LOOP;
    FOR thing IN SELECT oid::regprocedure AS name FROM pg_proc WHERE proowner = gone.oid LOOP
      BEGIN
        EXECUTE format('DROP ROUTINE IF EXISTS %s CASCADE', thing.name);
      EXCEPTION WHEN OTHERS THEN NULL;
      END;
    END LOOP;
    CONTINUE WHEN EXISTS (
      SELECT FROM pg_shdepend d
        LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
      WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = gone.oid AND d.deptype = 'o'
        AND d.dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
        AND d.classid <> 'pg_default_acl'::regclass AND c.relpersistence IS DISTINCT FROM 't'
    );
    BEGIN
      EXECUTE format('DROP OWNED BY %I', gone.rolname);
      EXECUTE format('DROP ROLE %I', gone.rolname);
    EXCEPTION WHEN OTHERS THEN NULL;
    END;
  END LOOP;
END $$;"""

# Of log-ins that may not log in, or no longer, or that are dropped.
_ENDED: Final = _sql(
    "a.backend_type IN ('client backend', 'walsender') AND a.usesysid IS NOT NULL AND "
    "(r.oid IS NULL\n        OR r.rolname ~ '@PATTERN@' "
    "AND (NOT r.rolcanlogin OR r.rolvaliduntil <= now()))",
    pattern=LOGIN_PATTERN,
)

# Raises, so that the transaction makes no log-in and Vault no lease: the error is the answer.
_REPORT: Final = """\
DO $$ DECLARE
  report json;
BEGIN
  @PATH@
  SELECT json_build_object(
    'server', current_setting('server_version_num')::int,
    'database', current_database(),
    'sees', me.rolsuper OR pg_has_role(me.oid, 'pg_read_all_stats', 'USAGE'),
    'ends', me.rolsuper OR pg_has_role(me.oid, 'pg_signal_backend', 'USAGE'),
    'prepared', current_setting('max_prepared_transactions')::int,
    'sessions', (
      SELECT coalesce(json_agg(coalesce(r.rolname, '')), '[]')
      FROM pg_stat_activity a LEFT JOIN pg_roles r ON r.oid = a.usesysid
      WHERE @ENDED@),
    'logins', (
      SELECT coalesce(json_agg(l.rolname), '[]') FROM (
        SELECT rolname FROM pg_roles
        WHERE rolname ~ '@PATTERN@' AND rolcanlogin
          AND (rolvaliduntil IS NULL OR rolvaliduntil > now())
        ORDER BY rolname LIMIT @LOGINS@ + 1) l),
    'leftovers', (
      SELECT coalesce(json_agg(json_build_array(l.rolname, (
        SELECT coalesce(json_agg(DISTINCT coalesce(b.datname, '')), '[]')
        FROM pg_shdepend d LEFT JOIN pg_database b ON b.oid = d.dbid
        WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = l.oid))), '[]')
      FROM (
        SELECT oid, rolname FROM pg_roles WHERE rolname ~ '@PATTERN@' AND NOT rolcanlogin
        ORDER BY oid LIMIT @LEFTOVERS@ + 1) l),
    'definers', (SELECT count(*) FROM pg_proc WHERE prosecdef AND proowner = me.oid),
    'open', (
      SELECT coalesce(json_agg(datname), '[]') FROM pg_database
      WHERE datallowconn AND datname <> current_database()
        AND has_database_privilege('public', oid, 'CONNECT'))
  ) INTO report FROM pg_roles me WHERE me.rolname = current_user;
  RAISE EXCEPTION '@WORD@ %', report;
END $$;"""


_CREATE: Final = (
    "CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' "
    "VALID UNTIL '{{expiration}}' CONNECTION LIMIT 8;"
)


def creation(group: str) -> tuple[str, ...]:
    """Returns the creation statements of a Vault role that lends the rights of `group`."""
    return (_CREATE, f'GRANT {group} TO "{{{{name}}}}";')


_SESSIONS: Final = _sql(_END_SESSIONS, which="a.usename = '{{name}}'")
REVOCATION: Final = (
    _LOCK_OUT,
    "COMMIT",
    _SESSIONS,
    _sql(_TIDY, which="rolname = '{{name}}'", most="1"),
    _SESSIONS,
)
ROLLBACK: Final = ('DROP ROLE IF EXISTS "{{name}}";',)

# The creation statements of the role that looks: they make no log-in.
LOOK: Final = (
    _sql(_END_SESSIONS, which=_ENDED),
    _sql(_TIDY, which=f"rolname ~ '{LOGIN_PATTERN}'", most=str(MOST_LEFTOVERS)),
    "COMMIT",
    _sql(
        _REPORT,
        ended=_ENDED,
        pattern=LOGIN_PATTERN,
        logins=str(MOST_LOGINS),
        leftovers=str(MOST_LEFTOVERS),
        word=LOOK_WORD,
    ),
)
