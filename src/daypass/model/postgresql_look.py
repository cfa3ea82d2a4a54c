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
# A session that stays in its start-up for two seconds could be anybody's: it counts as open.
_REPORT: Final = fill(
    """\
DO $$ DECLARE
  report json;
  tries int := 0;
  starting int[];
BEGIN
  @PATH@
  LOOP
    starting := ARRAY(
      SELECT l.pid FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
      WHERE l.locktype = 'object' AND l.classid = 'pg_database'::regclass AND l.pid IS NOT NULL
        AND a.usesysid IS NULL AND (tries = 0 OR l.pid = ANY (starting)));
    EXIT WHEN cardinality(starting) = 0 OR tries = 50;
    tries := tries + 1;
    PERFORM pg_sleep(0.002 * tries), pg_stat_clear_snapshot();
  END LOOP;
  SELECT json_build_object(
    'server', current_setting('server_version_num')::int,
    'database', current_database(),
    'sees', me.rolsuper OR pg_has_role(me.oid, 'pg_read_all_stats', 'USAGE'),
    'ends', me.rolsuper OR pg_has_role(me.oid, 'pg_signal_backend', 'USAGE'),
    'prepared', current_setting('max_prepared_transactions')::int,
    'sessions', (
      SELECT coalesce(json_agg(s.name), '[]') FROM (
        SELECT coalesce(r.rolname, '') AS name
        FROM pg_stat_activity a LEFT JOIN pg_roles r ON r.oid = a.usesysid
        WHERE @ENDED@
        UNION ALL SELECT '' FROM unnest(starting)) s),
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
    'definers', (
      SELECT count(*) FROM (
        SELECT 'pg_proc'::regclass AS kind, oid, proowner AS owner FROM pg_proc WHERE prosecdef
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
