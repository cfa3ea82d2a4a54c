"""The SQL by which a Vault role looks at PostgreSQL 13 to 18, and answers by an error.

Its statements end what should be gone, tidy what ended log-ins left, and raise what they found.
"""

from __future__ import annotations

from typing import Final

from daypass.model.postgresql import (
    LOGIN_PATTERN,
    LOOK_WORD,
    MOST_LEFTOVERS,
    MOST_LOGINS,
    TIDY,
    fill,
)

# Of log-ins that may not log in, or no longer, or that are dropped.
_ENDED: Final = fill(
    "a.backend_type IN ('client backend', 'walsender') AND a.usesysid IS NOT NULL AND "
    "(r.oid IS NULL\n        OR r.rolname ~ '@PATTERN@' "
    "AND (NOT r.rolcanlogin OR r.rolvaliduntil <= now()))",
    pattern=LOGIN_PATTERN,
)

# What cannot be ended is in the report.
_END_ENDED: Final = fill(
    """\
DO $$ DECLARE
  n int;
  tries int := 0;
  ended pg_catalog.record;
BEGIN
  @PATH@
  LOOP
    n := 0;
    FOR ended IN
      SELECT a.pid FROM pg_stat_activity a LEFT JOIN pg_roles r ON r.oid = a.usesysid
      WHERE @ENDED@
    LOOP
      BEGIN
        n := n + pg_terminate_backend(ended.pid)::int;
      EXCEPTION WHEN OTHERS THEN NULL;
      END;
    END LOOP;
    EXIT WHEN n = 0 OR tries = 50;
    tries := tries + 1;
    PERFORM pg_sleep(0.002 * tries), pg_stat_clear_snapshot();
  END LOOP;
END $$;""",
    ended=_ENDED,
)

# Raises, so that the transaction makes no log-in and Vault no lease: the error is the answer.
# A session in its start-up is not in it: the revocation has ended those of its own log-in, by
# their rights, and any client could stretch another.
_REPORT: Final = fill(
    """\
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
    'strange', (
      SELECT count(*) FROM pg_roles r WHERE rolcanlogin AND rolvaliduntil > now()
        AND rolname !~ '@PATTERN@' AND NOT rolsuper AND (rolname ~ '^v-'
          OR current_setting('server_version_num')::int >= 160000 AND EXISTS (
            SELECT FROM pg_auth_members m
            WHERE m.roleid = r.oid AND m.member = me.oid AND m.admin_option))),
    'leftovers', (
      SELECT coalesce(json_agg(json_build_array(l.rolname, (
        SELECT coalesce(json_agg(DISTINCT coalesce(b.datname, '')), '[]')
        FROM (SELECT dbid FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass
          AND refobjid = l.oid LIMIT 10000) d LEFT JOIN pg_database b ON b.oid = d.dbid))), '[]')
      FROM (
        SELECT oid, rolname FROM pg_roles WHERE rolname ~ '@PATTERN@' AND NOT rolcanlogin
        ORDER BY oid LIMIT @LEFTOVERS@ + 1) l),
    'definers', (
      SELECT count(*) FROM (
        SELECT 'pg_proc'::regclass AS kind, oid, proowner AS owner FROM pg_proc
          WHERE prosecdef OR prorettype = 'trigger'::regtype
        UNION ALL SELECT 'pg_class'::regclass, oid, relowner FROM pg_class WHERE relkind = 'v') c
      WHERE (c.owner = me.oid AND (c.kind = 'pg_proc'::regclass OR NOT me.rolsuper)
          OR c.owner IN (
            SELECT m.roleid FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
            JOIN pg_roles h ON h.oid = m.member
            WHERE (m.member = me.oid OR h.rolname ~ '@PATTERN@')
              AND g.rolname !~ '@PATTERN@' AND NOT g.rolsuper))
        AND NOT EXISTS (SELECT FROM pg_depend d
          WHERE d.classid = c.kind AND d.objid = c.oid AND d.deptype = 'e')),
    'open', (
      SELECT coalesce(json_agg(datname), '[]') FROM pg_database
      WHERE datallowconn AND datname <> current_database()
        AND has_database_privilege('public', oid, 'CONNECT'))
  ) INTO report FROM pg_roles me WHERE me.rolname = current_user;
  RAISE EXCEPTION '@WORD@ %', report;
END $$;""",
    ended=_ENDED,
    pattern=LOGIN_PATTERN,
    logins=str(MOST_LOGINS),
    leftovers=str(MOST_LEFTOVERS),
    word=LOOK_WORD,
)

# The creation statements of the role that looks: they make no log-in.
LOOK: Final = (
    _END_ENDED,
    fill(
        TIDY,
        quote="$$",
        which=f"rolname ~ '{LOGIN_PATTERN}' AND (NOT rolcanlogin OR rolvaliduntil <= now())",
        most=str(MOST_LEFTOVERS),
    ),
    "COMMIT",
    _REPORT,
)
