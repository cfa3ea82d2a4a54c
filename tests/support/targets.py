"""PostgreSQL 13 to 18 behind one OpenBao: log-ins made, ended and looked at by the real SQL."""

from __future__ import annotations

import http.client
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psycopg

from daypass.model import postgresql, postgresql_look
from daypass.model.secret import Secret
from daypass.model.target import TargetReport
from daypass.sandbox.bao_client import BaoClient
from support.session import Session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daypass.sandbox.openbao import OpenBao
    from daypass.sandbox.postgres import Postgres

VERSIONS = (13, 14, 15, 16, 17, 18)
_SESSIONS: dict[tuple[int, str], Session] = {}
_PROGRAMS = Path(__file__).resolve().parents[2] / ".venv" / "postgres" / "node_modules"


def versions(*others: int) -> tuple[int, ...]:
    """The versions that a test runs at, oldest first.

    Args:
        others: where the test or the SQL does something else than at the oldest and the newest.
    """
    if os.environ.get("DAYPASS_WHOLE") == "1":  # `make whole`
        return VERSIONS
    return tuple(sorted({VERSIONS[0], *others, VERSIONS[-1]}))


def close_sessions(postgres: Postgres) -> None:
    """Closes the sessions that are kept open at a server."""
    for key in [key for key in _SESSIONS if key[0] == postgres.port]:
        _SESSIONS.pop(key).close()


def programs(version: int) -> Path:
    """The folder of that version's programs, as scripts/test-tools installs them."""
    found = _PROGRAMS / f"postgres-{version}" / "native" / "bin"
    assert found.is_dir(), f"PostgreSQL {version} is not installed: run scripts/test-tools"
    return found


@dataclass(frozen=True)
class Holder:
    """A log-in that Vault made, and its lease."""

    target: Target
    name: str
    password: Secret
    lease: str

    def session(self, database: str = "orders", options: str = "") -> Session:
        """An open session of the holder; autocommitting."""
        return Session.connect(
            **self.target.where(database),
            user=self.name,
            password=self.password.reveal(),
            autocommit=True,
            options=options,
        )

    def runs(self, *statements: str, database: str = "orders") -> None:
        """Runs statements in a session that ends with them."""
        with self.session(database) as session:
            for statement in statements:
                session.execute(statement.encode())

    def logs_in(self) -> bool:
        """Whether the log-in works."""
        try:
            self.session().close()
        except psycopg.OperationalError:
            return False
        return True

    def revoke(self) -> None:
        """Ends the lease, and waits. Raises AssertionError with Vault's reason."""
        status, body = self.target.call(
            "POST", "sys/leases/revoke", {"lease_id": self.lease, "sync": True}
        )
        assert status == 204, body

    def memberships(self) -> set[str]:
        """The roles whose rights it has."""
        rows = self.target.sql(
            "SELECT r.rolname, g.rolname FROM pg_auth_members m "
            "JOIN pg_roles g ON g.oid = m.roleid JOIN pg_roles r ON r.oid = m.member"
        )
        return {group for member, group in rows if member == self.name}

    @property
    def is_there(self) -> bool:
        """Whether the role exists."""
        return bool(self.target.sql(f"SELECT FROM pg_roles WHERE rolname = '{self.name}'"))


@dataclass(frozen=True)
class Target:
    """One server as one user of Vault reaches it."""

    bao: OpenBao
    postgres: Postgres
    mount: str
    version: int
    user: str  # Vault's, at the server

    def where(self, database: str = "orders") -> dict[str, Any]:
        """Where psycopg connects to."""
        return {
            "host": self.postgres.host,
            "port": self.postgres.port,
            "dbname": database,
            "sslmode": "disable",
            "connect_timeout": 10,
        }

    def superuser(self, database: str = "orders") -> Session:
        """A session that may do everything, kept for the next call; autocommitting."""
        held = _SESSIONS.get((self.postgres.port, database))
        if held is None or held.closed:
            login = {"user": "postgres", "password": self.postgres.admin_password.reveal()}
            held = Session.connect(**self.where(database), **login, autocommit=True)
            _SESSIONS[self.postgres.port, database] = held
        return held

    def sql(self, statement: str, database: str = "orders") -> list[Any]:
        """Runs statements as the superuser: the rows of the first, if it has any."""
        cursor = self.superuser(database).execute(statement.encode())
        return cursor.fetchall() if cursor.description is not None else []

    def call(self, method: str, path: str, body: object = None, token: str = "") -> tuple[int, Any]:
        """One call of OpenBao's API, as root unless told otherwise: status and body."""
        at = urlsplit(self.bao.address)
        connection = http.client.HTTPConnection(at.hostname or "", at.port, timeout=120)
        try:
            connection.request(
                method,
                f"/v1/{path}",
                body=json.dumps(body) if body is not None else None,
                headers={"X-Vault-Token": token or self.bao.root_token.reveal()},
            )
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text else {}
        finally:
            connection.close()

    def role(
        self,
        name: str,
        group: str,
        *,
        revocation: Sequence[str] = postgresql.REVOCATION,
        creation: Sequence[str] | None = None,
    ) -> None:
        """Writes a role of the engine that lends a group's rights."""
        status, body = self.call(
            "POST",
            f"{self.mount}/roles/{name}",
            {
                "db_name": "orders",
                "default_ttl": 3600,
                "max_ttl": 3600,
                "creation_statements": list(creation or postgresql.creation(group)),
                "revocation_statements": list(revocation),
                "rollback_statements": list(postgresql.ROLLBACK),
            },
        )
        assert status == 204, body

    def mint(self, role: str, grant: str = "alice-orders-7f3k") -> Holder:
        """Makes a log-in as daypass does: with a token that is named after its grant."""
        made = self.bao.client.write(
            "auth/token/create", {"display_name": f"grant-{grant}", "ttl": "1h"}
        )
        token = Secret(made["auth"]["client_token"])
        answer = BaoClient(self.bao.address, token).read(f"{self.mount}/creds/{role}")
        assert answer is not None
        data = answer["data"]
        return Holder(self, data["username"], Secret(data["password"]), answer["lease_id"])

    def look(self) -> TargetReport:
        """Looks at the server, and reads the error that is the answer."""
        status, body = self.call("GET", f"{self.mount}/creds/orders-look")
        assert status >= 400, "the look made a log-in"
        report = TargetReport.find("\n".join(body["errors"]))
        assert report is not None, body
        return report

    def clean(self) -> None:
        """Removes whatever log-ins and tests left, in the databases that they could reach."""
        names = self.sql("SELECT quote_ident(rolname) FROM pg_roles WHERE rolname LIKE 'g-%'")
        for database in ("orders", "postgres"):
            self.sql("DROP SCHEMA IF EXISTS others CASCADE", database)
            for (name,) in names:
                self.sql(f"DROP OWNED BY {name} CASCADE", database)
        for (name,) in names:
            self.sql(f"DROP ROLE {name}")


def connect(bao: OpenBao, postgres: Postgres, version: int, *, superuser: bool) -> Target:
    """Mounts an engine over a server for one user of Vault, with the roles of the tests."""
    kind = "super" if superuser else "plain"
    target = Target(bao, postgres, f"pg{version}-{kind}-{postgres.port}", version, f"vault_{kind}")
    password = postgres.vault_password.reveal()  # base64url: it cannot end the literal
    rights = "SUPERUSER" if superuser else "CREATEROLE"
    target.sql(f"CREATE ROLE {target.user} LOGIN {rights} PASSWORD '{password}'")
    if not superuser:
        target.sql(
            f"GRANT pg_signal_backend, pg_read_all_stats TO {target.user};"
            f"GRANT orders_read, orders_admin TO {target.user} WITH ADMIN OPTION;"
            f"GRANT CONNECT ON DATABASE orders TO {target.user}"
        )
    bao.client.write(f"sys/mounts/{target.mount}", {"type": "database"})
    bao.client.write(
        f"{target.mount}/config/orders",
        {
            "plugin_name": "postgresql-database-plugin",
            "connection_url": "postgresql://{{username}}:{{password}}@"
            f"{postgres.host}:{postgres.port}/orders?sslmode=disable",
            "username": target.user,
            "password": password,
            "password_authentication": "scram-sha-256",
            "username_template": postgresql.USERNAME_TEMPLATE,
            "allowed_roles": ["*"],
        },
    )
    bao.client.write(
        f"{target.mount}/roles/orders-look",
        {"db_name": "orders", "creation_statements": list(postgresql_look.LOOK)},
    )
    target.role("reads", "orders_read")
    target.role("admin", "orders_admin")
    return target
