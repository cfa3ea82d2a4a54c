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

_PATH: Final = "PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);"


def fill(text: str, **parts: str) -> str:
    """Puts the parts into a block, each in place of its name in capitals between `@`."""
    for name, part in parts.items():
        text = text.replace(f"@{name.upper()}@", part)
    return text.replace("@PATH@", _PATH)


# Locks out, and commits that before anything else is tried: what fails later cannot undo it. A
# holder who changes their own password in an open transaction locks the row: their sessions end
# first, and again.
_LOCK_OUT: Final = """\

  PERFORM set_config('lock_timeout', '50ms', true);
  WHILE tries < 20 AND to_regrole('"{{name}}"') IS NOT NULL LOOP
    BEGIN
      ALTER ROLE "{{name}}" NOLOGIN;
      EXIT;
    EXCEPTION WHEN OTHERS THEN
      tries := tries + 1;
    END;
    PERFORM set_config('lock_timeout', '500ms', true), pg_stat_clear_snapshot();
    BEGIN
      PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE usesysid = to_regrole('"{{name}}"');
    EXCEPTION WHEN OTHERS THEN
      PERFORM pg_sleep(0.02 * tries);
    END;
  END LOOP;"""

# As a member of the log-in, Vault's user may end its sessions. One in its start-up is in pg_locks
# alone, and a client can stretch that start-up: with the rights of the log-in, pg_terminate_backend
# ends sessions of that log-in and no others. The error gives Vault's user its own rights back.
_END_SESSIONS: Final = """\

  starting := ARRAY(SELECT DISTINCT pid FROM pg_locks
    WHERE locktype = 'object' AND classid = 'pg_database'::regclass AND pid <> pg_backend_pid());
  SELECT count(*) INTO open FROM pg_stat_activity WHERE usesysid = to_regrole('"{{name}}"');
  IF open > 0 OR cardinality(starting) > 0 THEN
    BEGIN
      GRANT "{{name}}" TO CURRENT_USER;
    EXCEPTION WHEN OTHERS THEN NULL;
    END;
    FOREACH one IN ARRAY starting LOOP
      BEGIN
        PERFORM set_config('role', '{{name}}', true), pg_terminate_backend(one);
        RAISE EXCEPTION 'undo';
      EXCEPTION WHEN OTHERS THEN NULL;
      END;
    END LOOP;
    FOR tries IN 1..50 LOOP
      PERFORM pg_stat_clear_snapshot();
      BEGIN
        SELECT count(*), bool_and(pg_terminate_backend(pid)) INTO open, went
          FROM pg_stat_activity WHERE usesysid = to_regrole('"{{name}}"');
      EXCEPTION WHEN OTHERS THEN NULL;
      END;
      EXIT WHEN open = 0;
      PERFORM pg_sleep(0.002 * tries);
    END LOOP;
  END IF;"""

# Drops locked-out log-ins. One that owns something loses its group roles, its members and its code,
# and stays if that leaves data. Code that others call is emptied in place: a trigger does nothing
# any more, anything else says why. No step can fail the whole, waits for long, or keeps the rest
# from its turn; the look names what is left. Losing this work in a crash costs nothing: the next
# look does it again.
TIDY: Final = fill("""\
DO @QUOTE@ DECLARE
  gone pg_catalog.record;
  thing pg_catalog.record;
  went boolean;
  many boolean;
  cascades int := 0;
  open bigint;
  until pg_catalog.timestamptz;
BEGIN
  @PATH@
  PERFORM set_config('lock_timeout', '100ms', true), set_config('synchronous_commit', 'off', true);
  until := clock_timestamp() + interval '8 seconds';
  FOR thing IN
    SELECT pg_get_userbyid(m.roleid) AS lent, pg_get_userbyid(m.member) AS member,
      pg_get_userbyid(m.grantor) AS grantor
    FROM pg_auth_members m JOIN pg_roles r ON r.oid IN (m.member, m.roleid)
    WHERE @WHICH@ AND NOT rolsuper
      AND (m.member = r.oid OR pg_get_userbyid(m.member) <> current_user)
  LOOP
    EXIT WHEN clock_timestamp() > until;
    BEGIN
      EXECUTE format(CASE WHEN current_setting('server_version_num')::int < 160000
        THEN 'REVOKE %I FROM %I' ELSE 'REVOKE %I FROM %I GRANTED BY %I CASCADE' END,
        thing.lent, thing.member, thing.grantor);
    EXCEPTION WHEN OTHERS THEN NULL;
    END;
  END LOOP;
  FOR gone IN
    SELECT oid, rolname, rolcanlogin FROM pg_roles r WHERE @WHICH@ AND NOT rolsuper
    ORDER BY random() LIMIT @MOST@
  LOOP
    EXIT WHEN clock_timestamp() > until;
    BEGIN
      IF gone.rolcanlogin THEN EXECUTE format('ALTER ROLE %I NOLOGIN', gone.rolname); END IF;
    EXCEPTION WHEN OTHERS THEN NULL;
    END;
    SELECT count(*) INTO open FROM pg_stat_activity WHERE usesysid = gone.oid;
    SELECT count(*) > 10000 INTO many FROM (SELECT FROM pg_shdepend
      WHERE refclassid = 'pg_authid'::regclass AND refobjid = gone.oid LIMIT 10001) d;
    BEGIN
      IF open = 0 AND NOT many THEN
        EXECUTE format('DROP ROLE %I', gone.rolname);
        CONTINUE;
      END IF;
    EXCEPTION WHEN OTHERS THEN NULL;
    END;
    BEGIN
      EXECUTE format('GRANT %I TO CURRENT_USER', gone.rolname);
    EXCEPTION WHEN OTHERS THEN NULL;
    END;
    FOR thing IN
      SELECT format('CREATE OR REPLACE %s %I.%I(%s) %s LANGUAGE plpgsql AS %L',
        CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END, n.nspname, p.proname,
        pg_get_function_arguments(p.oid),
        CASE p.prokind WHEN 'p' THEN '' ELSE 'RETURNS ' || pg_get_function_result(p.oid) END,
        e.body) AS emptied
      FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace, LATERAL (SELECT CASE
        WHEN p.prorettype = 'trigger'::regtype
        THEN 'BEGIN IF TG_OP = ''DELETE'' THEN RETURN OLD; END IF; RETURN NEW; END'
        ELSE 'BEGIN RAISE EXCEPTION ''the access that made this has ended''; END' END AS body) e
      WHERE p.proowner = gone.oid AND p.prokind IN ('f', 'p')
        AND (p.prosrc <> e.body OR p.prosecdef OR p.proconfig IS NOT NULL)
      LIMIT 2000
    LOOP
      EXIT WHEN clock_timestamp() > until;
      BEGIN
        EXECUTE thing.emptied;
      EXCEPTION WHEN OTHERS THEN NULL;
      END;
    END LOOP;
    -- Code that nothing else depends on, in an order that is found by trying. Up to PostgreSQL 13 a
    -- generated column would go with what it calls, unasked.
    FOR pass IN 1..5 LOOP
      went := false;
      FOR thing IN
        SELECT format(c.text, c.name) AS name FROM (
          SELECT 'ROUTINE %s' AS text, oid::regprocedure::text AS name, oid, tableoid
            FROM pg_proc WHERE proowner = gone.oid
          UNION ALL SELECT 'OPERATOR %s', oid::regoperator::text, oid, tableoid
            FROM pg_operator WHERE oprowner = gone.oid) c
          WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.refclassid = c.tableoid
            AND d.refobjid = c.oid AND d.deptype = 'a' AND d.classid = 'pg_class'::regclass)
        UNION ALL SELECT format(CASE c.relkind WHEN 'v' THEN 'VIEW %s' ELSE 'FOREIGN TABLE %s' END,
          c.oid::regclass) FROM pg_class c WHERE c.relowner = gone.oid AND c.relkind IN ('v', 'f')
        UNION ALL SELECT format('RULE %I ON %s', w.rulename, c.oid::regclass) FROM pg_rewrite w
          JOIN pg_class c ON c.oid = w.ev_class
          WHERE c.relowner = gone.oid AND w.rulename <> '_RETURN'
        UNION ALL SELECT format('USER MAPPING FOR %s SERVER %I',
          CASE m.umuser WHEN 0 THEN 'PUBLIC' ELSE quote_ident(m.usename) END, m.srvname)
          FROM pg_user_mappings m JOIN pg_foreign_server s ON s.oid = m.srvid
          WHERE s.srvowner = gone.oid
        UNION ALL SELECT format('SERVER %I', s.srvname) FROM pg_foreign_server s
          WHERE s.srvowner = gone.oid
        LIMIT 2000
      LOOP
        EXIT WHEN clock_timestamp() > until;
        BEGIN
          EXECUTE 'DROP ' || thing.name;
          went := true;
        EXCEPTION WHEN OTHERS THEN NULL;
        END;
      END LOOP;
      EXIT WHEN NOT went OR clock_timestamp() > until;
    END LOOP;
    -- A trigger on a table of others goes with the routine that it alone calls. It needs that
    -- table for a moment, so few are tried at a time.
    FOR thing IN
      SELECT p.oid::regprocedure AS name FROM pg_proc p WHERE p.proowner = gone.oid
        AND NOT EXISTS (SELECT FROM pg_depend WHERE refclassid = 'pg_proc'::regclass
          AND refobjid = p.oid AND classid <> 'pg_trigger'::regclass)
      LIMIT 10
    LOOP
      EXIT WHEN cascades >= 10 OR clock_timestamp() > until;
      cascades := cascades + 1;
      BEGIN
        EXECUTE format('DROP ROUTINE %s CASCADE', thing.name);
      EXCEPTION WHEN OTHERS THEN NULL;
      END;
    END LOOP;
    CONTINUE WHEN open > 0 OR many OR EXISTS (
      SELECT FROM pg_shdepend d
        LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
      WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = gone.oid AND d.deptype = 'o'
        AND d.dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
        AND d.classid NOT IN ('pg_default_acl'::regclass, 'pg_user_mapping'::regclass)
        AND c.relpersistence IS DISTINCT FROM 't'
    );
    BEGIN
      EXECUTE format('DROP OWNED BY %I', gone.rolname);
    EXCEPTION WHEN OTHERS THEN NULL;
    END;
    BEGIN
      EXECUTE format('DROP ROLE %I', gone.rolname);
    EXCEPTION WHEN OTHERS THEN NULL;
    END;
  END LOOP;
END @QUOTE@;""")

# What could not be done fails the whole at last, once everything else was tried and committed.
_CHECK: Final = fill("""\
DO $check$ DECLARE
  open int;
  tries int := 0;
BEGIN
  @PATH@
  PERFORM set_config('lock_timeout', '1s', true);
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = '{{name}}' AND rolcanlogin) THEN
    ALTER ROLE "{{name}}" NOLOGIN;
  END IF;
  LOOP
    SELECT count(pg_terminate_backend(pid)) INTO open
      FROM pg_stat_activity WHERE usesysid = to_regrole('"{{name}}"');
    EXIT WHEN open = 0;
    tries := tries + 1;
    IF tries > 50 THEN RAISE EXCEPTION '% session(s) of {{name}} are still open', open; END IF;
    PERFORM pg_sleep(0.002 * tries), pg_stat_clear_snapshot();
  END LOOP;
END $check$;""")

# Most log-ins own nothing and go at once: the longer texts are read only where one does not. Vault
# begins a transaction of its own; it ends first, so that this block may commit step by step.
_END: Final = """\
DO $$ DECLARE
  tries int := 0;
  open bigint;
  one int;
  went boolean;
  starting int[];
BEGIN
  @PATH@
@LOCK_OUT@
  COMMIT;
  @PATH@
  PERFORM set_config('lock_timeout', '1s', true), set_config('synchronous_commit', 'off', true);
@SESSIONS@
  IF open = 0 AND NOT EXISTS (SELECT FROM pg_shdepend
      WHERE refclassid = 'pg_authid'::regclass AND refobjid = to_regrole('"{{name}}"')) THEN
    BEGIN
      DROP ROLE IF EXISTS "{{name}}";
      RETURN;
    EXCEPTION WHEN OTHERS THEN NULL;
    END;
  END IF;
  EXECUTE $text$
@TIDY@
  $text$;
  COMMIT;
  EXECUTE $text$
@CHECK@
  $text$;
END $$;"""

_CREATE: Final = (
    "CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' "
    "VALID UNTIL '{{expiration}}' CONNECTION LIMIT 8;"
)
# From PostgreSQL 16 on, the holder has the group's rights and cannot become the group: what they
# make is theirs, and ends with them.
_LEND: Final = """\
DO $$ BEGIN
  @PATH@
  IF current_setting('server_version_num')::int < 160000 THEN
    GRANT @GROUP@ TO "{{name}}";
  ELSE
    EXECUTE 'GRANT @GROUP@ TO "{{name}}" WITH INHERIT TRUE, SET FALSE';
  END IF;
END $$;"""


def creation(group: str) -> tuple[str, ...]:
    """Returns the creation statements of a Vault role that lends the rights of `group`."""
    return (_CREATE, fill(_LEND, group=group))


REVOCATION: Final = (
    "COMMIT",
    fill(
        _END,
        lock_out=_LOCK_OUT,
        sessions=_END_SESSIONS,
        tidy=fill(TIDY, quote="$tidy$", which="rolname = '{{name}}'", most="1"),
        check=_CHECK,
    ),
)
ROLLBACK: Final = ('DROP ROLE IF EXISTS "{{name}}";',)
