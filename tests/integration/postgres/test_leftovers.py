"""What holders leave behind at PostgreSQL 13 to 18, and what is left of it after the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import psycopg
import pytest

from daypass.model.postgresql import MOST_LEFTOVERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from support.targets import Holder, Target

pytestmark = pytest.mark.integration

_PLPGSQL: Final = "LANGUAGE plpgsql AS 'BEGIN RETURN new; END'"
# Each made by a holder who may create in `public`, and who has all rights on the table `orders`.
CODE: Final = {
    "definer": ["CREATE FUNCTION f_def() RETURNS int SECURITY DEFINER LANGUAGE sql AS 'SELECT 1'"],
    "procedure": ["CREATE PROCEDURE p_inv(a int) LANGUAGE sql AS 'SELECT 1'"],
    "overloaded": [
        "CREATE FUNCTION \"F x\"(a int, VARIADIC b text[]) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE FUNCTION \"F x\"(OUT a int, OUT b text) LANGUAGE sql AS 'SELECT 1, $$x$$'",
        "CREATE FUNCTION \"F x\"(a int) RETURNS TABLE (c int) LANGUAGE sql AS 'SELECT 1'",
    ],
    "chain": [
        "CREATE FUNCTION c_1() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'",
        "CREATE VIEW c_2 AS SELECT c_1() AS one",
        "CREATE VIEW c_3 AS SELECT * FROM c_2",
        "CREATE FUNCTION c_4() RETURNS SETOF c_3 LANGUAGE sql AS 'SELECT * FROM c_3'",
    ],
    "aggregates": [
        "CREATE FUNCTION a_step(int, int) RETURNS int LANGUAGE sql AS 'SELECT $1 + $2'",
        "CREATE FUNCTION a_count(int) RETURNS int LANGUAGE sql AS 'SELECT $1 + 1'",
        "CREATE AGGREGATE a_sum(int) (SFUNC = a_step, STYPE = int, INITCOND = '0')",
        "CREATE AGGREGATE a_all(*) (SFUNC = a_count, STYPE = int, INITCOND = '0')",
    ],
    "operators": [
        "CREATE FUNCTION o_two(int, int) RETURNS int LANGUAGE sql AS 'SELECT $1'",
        "CREATE OPERATOR public.@#@ (LEFTARG = int, RIGHTARG = int, FUNCTION = o_two)",
        "CREATE OPERATOR public.#@# (RIGHTARG = int, FUNCTION = pg_catalog.int4um)",
    ],
    "view": ["CREATE VIEW v_all AS SELECT * FROM orders", "GRANT SELECT ON v_all TO PUBLIC"],
    "trigger": [
        f"CREATE FUNCTION t_new() RETURNS trigger {_PLPGSQL}",
        "CREATE TRIGGER t_one BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION t_new()",
        (
            "CREATE CONSTRAINT TRIGGER t_two AFTER INSERT ON orders DEFERRABLE INITIALLY DEFERRED "
            "FOR EACH ROW EXECUTE FUNCTION t_new()"
        ),
    ],
    "named like a built-in": [
        (
            "CREATE FUNCTION public.format(text, name) RETURNS text LANGUAGE plpgsql AS "
            "'BEGIN PERFORM pg_catalog.lo_create(4711); RETURN $1; END'"
        ),
        (
            "CREATE FUNCTION public.pg_terminate_backend(integer) RETURNS bool LANGUAGE plpgsql AS "
            "'BEGIN PERFORM pg_catalog.lo_create(4711); RETURN true; END'"
        ),
        (
            "CREATE FUNCTION public.same(name, text) RETURNS boolean LANGUAGE plpgsql AS "
            "'BEGIN PERFORM pg_catalog.lo_create(4711); RETURN true; END'"
        ),
        "CREATE OPERATOR public.= (LEFTARG = name, RIGHTARG = text, FUNCTION = public.same)",
    ],
    "foreign server": [
        "CREATE SERVER s_own FOREIGN DATA WRAPPER postgres_fdw",
        "CREATE USER MAPPING FOR PUBLIC SERVER s_own OPTIONS (user 'x', password 'y')",
        "CREATE USER MAPPING FOR CURRENT_USER SERVER theirs OPTIONS (user 'x', password 'y')",
        "CREATE FOREIGN TABLE s_table (i int) SERVER s_own",
    ],
    "default privileges": ["ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC"],
    "temporary table": ["CREATE TEMPORARY TABLE temp_t AS SELECT * FROM orders"],
    "comment on a function": [
        "CREATE FUNCTION commented() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "COMMENT ON FUNCTION commented() IS 'x'",
    ],
}
DATA: Final = {
    "table": ["CREATE TABLE d_t (i serial PRIMARY KEY, x text DEFAULT now()::text)"],
    "partitions": [
        "CREATE TABLE d_p (i int) PARTITION BY LIST (i)",
        "CREATE TABLE d_p1 PARTITION OF d_p FOR VALUES IN (1)",
    ],
    "materialized view": ["CREATE MATERIALIZED VIEW d_m AS SELECT * FROM orders"],
    "sequence": ["CREATE SEQUENCE d_s"],
    "large object": ["SELECT lo_from_bytea(0, 'x')"],
    "enum": ["CREATE TYPE d_e AS ENUM ('a', 'b')"],
    "composite": ["CREATE TYPE d_c AS (a int)"],
    "range": ["CREATE TYPE d_r AS RANGE (SUBTYPE = float8)"],
    "domain": ["CREATE DOMAIN d_d AS int CHECK (value > 0)"],
    "referring table": ["CREATE TABLE d_f (i int REFERENCES orders ON DELETE CASCADE)"],
    "statistics": [
        "CREATE TABLE d_x (a int, b int)",
        "CREATE STATISTICS d_stats ON a, b FROM d_x",
    ],
    "text search": ["CREATE TEXT SEARCH CONFIGURATION d_ts (COPY = simple)"],
    "collation": ['CREATE COLLATION d_coll FROM "C"'],
    "schema": ["CREATE SCHEMA d_schema"],
    "extension": [
        "CREATE EXTENSION hstore",
        "CREATE FUNCTION d_member() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END'",
        "ALTER EXTENSION hstore ADD FUNCTION d_member()",
    ],
    "publication": ["CREATE TABLE d_pt (i int)", "CREATE PUBLICATION d_pub FOR TABLE d_pt"],
    "policy": [
        "CREATE TABLE d_rls (i int)",
        "ALTER TABLE d_rls ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY d_pol ON d_rls USING (true)",
    ],
}


def definers(target: Target) -> list[str]:
    """Routines of PUBLIC's schema that run with their owner's rights."""
    rows = target.sql(
        "SELECT oid::regprocedure::text FROM pg_proc "
        "WHERE prosecdef AND pronamespace = 'public'::regnamespace"
    )
    return [row[0] for row in rows]


def things(target: Target) -> set[str]:
    """Whatever lies in the schema `public`, and triggers, rules and large objects."""
    rows = target.sql(
        "SELECT 'routine ' || proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace "
        "UNION SELECT 'relation ' || relname FROM pg_class "
        "WHERE relnamespace = 'public'::regnamespace "
        "UNION SELECT 'operator ' || oprname FROM pg_operator "
        "WHERE oprnamespace = 'public'::regnamespace "
        "UNION SELECT 'type ' || typname FROM pg_type WHERE typnamespace = 'public'::regnamespace "
        "UNION SELECT 'trigger ' || tgname FROM pg_trigger WHERE NOT tgisinternal "
        "UNION SELECT 'rule ' || rulename FROM pg_rewrite WHERE rulename <> '_RETURN' "
        "UNION SELECT 'server ' || srvname FROM pg_foreign_server "
        "UNION SELECT 'mapping ' || srvname FROM pg_user_mappings WHERE umuser = 0 "
        "UNION SELECT 'large object ' || oid FROM pg_largeobject_metadata"
    )
    return {row[0] for row in rows}


def dependants(target: Target) -> set[str]:
    """What hangs on routines of holders, or lies in the schema of others."""
    rows = target.sql(
        "SELECT DISTINCT pg_describe_object(d.classid, d.objid, d.objsubid) FROM pg_depend d "
        "LEFT JOIN pg_proc p ON d.refclassid = 'pg_proc'::regclass AND p.oid = d.refobjid "
        "WHERE p.proowner::regrole::text LIKE '%g-%' OR (d.refclassid = 'pg_namespace'::regclass "
        "AND d.refobjid = to_regnamespace('others'))"
    )
    return {row[0] for row in rows}


def take_over(target: Target, holder: Holder, owner: str = "postgres") -> None:
    """Takes over what a holder left, as docs/database.md tells administrators."""
    target.sql(f'REASSIGN OWNED BY "{holder.name}" TO {owner}')


def all_of(kinds: Mapping[str, Sequence[str]]) -> list[str]:
    """The statements of every kind."""
    return [statement for statements in kinds.values() for statement in statements]


@pytest.mark.parametrize("role", ["admin", "reads"])
def test_code_goes_with_its_grant(target: Target, role: str) -> None:
    """Of one with all rights on others' tables, and of a reader where anyone may create."""
    before = things(target)
    holder = target.mint(role)
    lent = {"trigger", "foreign server"}  # need rights that a reader does not have
    made = {kind: CODE[kind] for kind in CODE if role == "admin" or kind not in lent}
    holder.runs(*all_of(made))
    assert len(things(target)) > len(before) + len(made)
    holder.revoke()
    assert things(target) == before
    assert not holder.is_there
    assert target.look().leftovers == ()


def test_data_stay_with_a_log_in_that_has_no_rights(target: Target) -> None:
    before = things(target)
    holder = target.mint("admin")
    holder.runs(*all_of(DATA))
    left = things(target)
    holder.runs("CREATE RULE d_rule AS ON INSERT TO d_t DO ALSO SELECT 1", *all_of(CODE))
    holder.revoke()
    assert things(target) == left
    # An extension keeps what its owner put into it, emptied, and with the rights of its caller.
    assert definers(target) == []
    assert not holder.logs_in()
    assert holder.memberships() == set()
    (leftover,) = target.look().leftovers
    assert (leftover.login, leftover.databases) == (holder.name, ("orders",))
    holder.revoke()  # again: nothing fails
    assert things(target) == left

    take_over(target, holder)
    assert target.look().leftovers == ()
    assert not holder.is_there
    assert things(target) == left
    target.sql("SELECT lo_unlink(oid) FROM pg_largeobject_metadata")
    target.sql(CLEAN_UP)
    assert things(target) == before


CLEAN_UP: Final = """
DROP TABLE d_t, d_p, d_f, d_x, d_rls, d_pt CASCADE;
DROP MATERIALIZED VIEW d_m; DROP SEQUENCE d_s;
DROP TYPE d_e, d_c, d_r; DROP DOMAIN d_d; DROP TEXT SEARCH CONFIGURATION d_ts;
DROP COLLATION d_coll; DROP SCHEMA d_schema; DROP EXTENSION hstore; DROP PUBLICATION d_pub
"""


def test_a_trigger_that_cannot_go_does_nothing_any_more(target: Target) -> None:
    """A default of the holder's own table, and another holder's grant, keep its function."""
    holder, other = target.mint("admin"), target.mint("reads")
    holder.runs(
        "CREATE TABLE copied (i int, item text)",
        "GRANT SELECT ON copied TO PUBLIC",
        "CREATE FUNCTION tampers() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN "
        "INSERT INTO public.copied VALUES (new.id, new.item); "
        "new.item := ''tampered''; RETURN new; END'",
        "CREATE TABLE keeps (i int, b boolean DEFAULT (tampers() IS NULL))",
        "CREATE TRIGGER a_trigger BEFORE INSERT OR DELETE ON orders "
        "FOR EACH ROW EXECUTE FUNCTION tampers()",
    )
    other.runs("SELECT lo_create(4711)", f'GRANT SELECT ON LARGE OBJECT 4711 TO "{holder.name}"')
    holder.revoke()
    target.look()
    target.sql("INSERT INTO orders VALUES (100, 'lamp', 'paid', now())")
    assert target.sql("SELECT item FROM orders WHERE id = 100") == [("lamp",)]
    assert target.sql("DELETE FROM orders WHERE id = 100 RETURNING item") == [("lamp",)]
    assert target.sql("SELECT * FROM copied") == []
    other.revoke()
    target.sql("SELECT lo_unlink(4711); DROP TABLE keeps, copied")
    assert target.look().leftovers == ()
    assert not holder.is_there


def test_what_is_taken_over_runs_no_code_of_its_holder(target: Target) -> None:
    holder = target.mint("admin")
    holder.runs(
        "CREATE FUNCTION runs(q text) RETURNS int LANGUAGE plpgsql AS "
        "'BEGIN EXECUTE q; RETURN 1; END'",
        "CREATE PROCEDURE proceeds(q text) LANGUAGE plpgsql AS 'BEGIN EXECUTE q; END'",
        "CREATE TABLE asks (i int, n int DEFAULT (runs('SELECT 1')))",
    )
    holder.revoke()
    take_over(target, holder)
    with pytest.raises(psycopg.errors.RaiseException, match="made this has ended"):
        target.sql("SELECT runs('CREATE ROLE backdoor SUPERUSER')")
    target.sql("DROP TABLE asks; DROP FUNCTION runs")
    assert target.look().leftovers == ()


def test_many_leftovers_keep_no_log_in_in_its_group(target: Target) -> None:
    """More than one look tidies, which own nothing and cannot be dropped."""
    reader = target.mint("reads")
    reader.runs("SELECT lo_create(4712)")
    for number in range(MOST_LEFTOVERS + 2):
        name = f"g-many-{number:03d}-abcdef-1700000000"
        target.sql(f'CREATE ROLE "{name}" NOLOGIN')
        target.sql(f'GRANT "{name}" TO {target.user} WITH ADMIN OPTION')
        reader.runs(f'GRANT SELECT ON LARGE OBJECT 4712 TO "{name}"')
    holder = target.mint("admin")
    target.sql(f'ALTER ROLE "{holder.name}" NOLOGIN')
    target.look()
    assert holder.memberships() == set()
    reader.revoke()
    target.sql("SELECT lo_unlink(4712)")
    for _ in range(3):
        target.look()
    assert target.look().leftovers == ()


def test_a_view_that_others_built_on_lends_nothing(target: Target) -> None:
    holder = target.mint("admin")
    holder.runs("CREATE VIEW kept_v AS SELECT * FROM orders", "GRANT SELECT ON kept_v TO PUBLIC")
    target.sql("CREATE SCHEMA others; CREATE VIEW others.v AS SELECT * FROM kept_v")
    holder.revoke()
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        target.sql("SELECT * FROM others.v")
    target.sql("DROP VIEW others.v")
    assert target.look().leftovers == ()
    assert "relation kept_v" not in things(target)


def test_nothing_of_others_goes_with_what_a_holder_made(target: Target) -> None:
    """A routine that others, or the holder's own data, built on stays, and is emptied."""
    holder = target.mint("admin")
    holder.runs(
        "CREATE FUNCTION used(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS "
        "'BEGIN PERFORM FROM public.orders; RETURN 1; EXCEPTION "
        "WHEN insufficient_privilege THEN RETURN 2; END'",
        "CREATE OPERATOR public.@@## (RIGHTARG = int, FUNCTION = used)",
        "CREATE TABLE own (i int, d int GENERATED ALWAYS AS (used(1)) STORED)",
        "INSERT INTO own VALUES (7)",
    )
    target.sql(
        "CREATE SCHEMA others; CREATE TABLE others.t (i int); INSERT INTO others.t VALUES (7)"
    )
    for statement in OTHERS.values():
        target.sql(statement)
    before = dependants(target)
    assert len(before) > len(OTHERS)
    holder.revoke()
    assert dependants(target) == before
    assert target.sql("SELECT i FROM others.t") == [(7,)]
    assert target.sql("SELECT * FROM own") == [(7, 1)]
    with pytest.raises(psycopg.errors.RaiseException, match="made this has ended"):
        target.sql("SELECT used(1)")
    assert target.look().leftovers[0].login == holder.name
    assert dependants(target) == before
    target.sql("DROP SCHEMA others CASCADE; DROP TABLE own")
    assert target.look().leftovers == ()
    assert not holder.is_there


OTHERS: Final = {
    "default": "ALTER TABLE others.t ADD COLUMN d int DEFAULT used(1)",
    "generated": "ALTER TABLE others.t ADD COLUMN g int GENERATED ALWAYS AS (used(i)) STORED",
    "operator": "ALTER TABLE others.t ADD COLUMN o int GENERATED ALWAYS AS (@@## i) STORED",
    "index": "CREATE INDEX an_index ON others.t (used(i))",
    "check": "ALTER TABLE others.t ADD CONSTRAINT a_check CHECK (used(i) > 0)",
    "policy": "CREATE POLICY a_policy ON others.t AS RESTRICTIVE USING (used(i) > 0)",
    "rule": "CREATE RULE a_rule AS ON INSERT TO others.t DO ALSO SELECT used(1)",
    "view": "CREATE VIEW others.v AS SELECT used(1)",
    "materialized view": "CREATE MATERIALIZED VIEW others.m AS SELECT used(1)",
    "domain": "CREATE DOMAIN others.d AS int CHECK (used(value) > 0)",
    "aggregate": "CREATE AGGREGATE others.a (int) (SFUNC = int4pl, STYPE = int, FINALFUNC = used)",
    "their operator": "CREATE OPERATOR others.## (RIGHTARG = int, FUNCTION = used)",
}
