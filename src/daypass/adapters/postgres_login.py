"""A log-in to PostgreSQL from this machine, for `daypass vault doctor --try` alone.

psycopg is an extra (`daypass[postgres]`): the jobs that mint never log in to a target.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from daypass.adapters import libpq
from daypass.model.database_connection import tls_mode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daypass.model.secret import Secret

_SECONDS: Final = 5  # to connect, and for each statement
# libpq lets these override the host: the password would go to where they point.
_REDIRECTING: Final = ("PGHOSTADDR", "PGSERVICE")
# Refusals of the place or the moment, and not of the log-in.
_OF_THE_PLACE: Final = (
    "no pg_hba.conf entry",
    "too many ",
    "remaining connection slots",
    "starting",
)
_NO_AUTHORITY: Final = "root certificate file"  # libpq's word, where it is to verify and has none
_NEEDED: Final = ("host", "database")

# What the log-in, or a role that it can become, may do beyond its group's rights.
_POWERS: Final = """
SELECT DISTINCT r.rolname, p.power FROM pg_catalog.pg_roles r CROSS JOIN LATERAL (VALUES
  ('SUPERUSER', r.rolsuper), ('CREATEROLE', r.rolcreaterole),
  ('REPLICATION', r.rolreplication), ('BYPASSRLS', r.rolbypassrls)) p (power, has)
WHERE p.has AND pg_catalog.pg_has_role(current_user, r.oid, 'MEMBER') ORDER BY 1, 2
"""
_LENDABLE: Final = """
SELECT r.rolname FROM pg_catalog.pg_auth_members m
  JOIN pg_catalog.pg_roles r ON r.oid = m.roleid
WHERE m.admin_option AND pg_catalog.pg_has_role(current_user, m.member, 'MEMBER') ORDER BY 1
"""
_PUBLIC_CREATES: Final = """
SELECT n.nspname FROM pg_catalog.pg_namespace n
WHERE pg_catalog.has_schema_privilege('public', n.oid, 'CREATE') ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class NotReached:
    """The target was not asked, and why."""

    why: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The target refused the log-in."""


@dataclass(frozen=True, slots=True)
class Rights:
    """What a log-in may do that no log-in of a grant should."""

    server: int  # server_version_num
    powers: tuple[str, ...]
    lendable: tuple[str, ...]  # roles that it may lend to others
    public_creates: tuple[str, ...]  # schemas where everybody may create


class OpenSession:
    """One session at the target."""

    def __init__(self, connection: Any) -> None:
        """Take over a connection of psycopg."""
        self._connection = connection

    def rights(self) -> Rights:
        """Asks what this log-in may do."""
        execute = self._connection.execute
        return Rights(
            server=int(execute("SHOW server_version_num").fetchone()[0]),
            powers=tuple(f"{power} by {role}" for role, power in execute(_POWERS).fetchall()),
            lendable=tuple(str(row[0]) for row in execute(_LENDABLE).fetchall()),
            public_creates=tuple(str(row[0]) for row in execute(_PUBLIC_CREATES).fetchall()),
        )

    def is_open(self) -> bool:
        """Whether the target still answers in this session."""
        import psycopg  # noqa: PLC0415  -- an extra

        try:
            self._connection.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True

    def close(self) -> None:
        """Closes it from this side."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def log_in(
    connection: Mapping[str, str], username: str, password: Secret
) -> OpenSession | Refused | NotReached:
    """Opens a session, if the target can be reached from here.

    Args:
        connection: as the resource describes it.
        username: to log in as.
        password: sent to that host and to no other.
    """
    why = _why_not(connection)
    if why is not None:
        return NotReached(why)
    import psycopg  # noqa: PLC0415  -- an extra

    words = {
        "host": connection["host"],
        "port": connection.get("port", "5432"),
        "dbname": connection["database"],
        **{name: connection[name] for name in ("sslrootcert",) if name in connection},
    }
    mode = tls_mode(connection)
    words |= {"sslmode": mode} if mode is not None else {}
    try:
        with libpq.undecided_by_environment(connection):
            link = psycopg.connect(
                user=username,
                password=password.reveal(),
                connect_timeout=_SECONDS,
                options=f"-c statement_timeout={_SECONDS}s",
                application_name="daypass vault doctor",
                autocommit=True,
                **words,  # type: ignore[arg-type]  # all of them are texts
            )
    except psycopg.OperationalError as error:
        said = str(error)
        if _NO_AUTHORITY in said:
            return NotReached(
                f"no authority for the certificate of {_place(connection)} is known here: name "
                "`sslrootcert` or another `sslmode` in the resource's `connection`"
            )
        if "FATAL:" in said and not any(words in said for words in _OF_THE_PLACE):
            return Refused()
        return NotReached(f"{_place(connection)} takes no log-in from this machine")
    return OpenSession(link)


def _why_not(connection: Mapping[str, str]) -> str | None:
    """What stands between here and the target; None when a log-in can be tried."""
    if any(name not in connection for name in _NEEDED):
        return "the resource's `connection` names no host and database"
    redirecting = [name for name in _REDIRECTING if os.environ.get(name)]
    if redirecting:
        return f"{redirecting[0]} is set, and would send the password elsewhere: unset it"
    try:
        import psycopg  # noqa: F401, PLC0415  -- an extra
    except ImportError:
        return "psycopg is not installed: `pip install 'daypass[postgres]'`"
    try:
        address = (connection["host"], int(connection.get("port", "5432")))
        socket.create_connection(address, timeout=_SECONDS).close()
    except (OSError, ValueError):
        return f"{_place(connection)} cannot be reached from this machine"
    return None


def _place(connection: Mapping[str, str]) -> str:
    return f"{connection['host']}:{connection.get('port', '5432')}"
