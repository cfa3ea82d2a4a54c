"""What libpq reads of the environment, and what of it a resource's `connection` decides.

libpq takes every variable that the caller does not set. A host address, a service, a weaker TLS
mode or another authority of the holder's own environment would send a password of daypass to
another server, or in clear. So none is left but those that only say how answers look.
"""

from __future__ import annotations

import os
import re
import threading
from contextlib import contextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

# libpq's names for what a resource's `connection` may say, and Vault gives.
VARIABLES: Final = {
    "host": "PGHOST",
    "port": "PGPORT",
    "database": "PGDATABASE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "username": "PGUSER",
    "password": "PGPASSWORD",
}
# These say how answers look, or where a server's own files are: they weaken nothing.
_HARMLESS: Final = frozenset(
    {"PGAPPNAME", "PGCLIENTENCODING", "PGCONNECT_TIMEOUT", "PGDATA", "PGDATESTYLE", "PGGEQO"}
    | {"PGTZ"}
)
# Of PostgreSQL 13 to 18. Others that begin with PG are left out too, where they are set.
_READ: Final = (
    "PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGPASSWORD", "PGPASSFILE",
    "PGREQUIREAUTH", "PGCHANNELBINDING", "PGSERVICE", "PGSERVICEFILE", "PGOPTIONS", "PGSSLMODE",
    "PGREQUIRESSL", "PGSSLNEGOTIATION", "PGSSLCOMPRESSION", "PGSSLCERT", "PGSSLKEY",
    "PGSSLCERTMODE", "PGSSLROOTCERT", "PGSSLCRL", "PGSSLCRLDIR", "PGSSLSNI", "PGREQUIREPEER",
    "PGSSLMINPROTOCOLVERSION", "PGSSLMAXPROTOCOLVERSION", "PGGSSENCMODE", "PGKRBSRVNAME",
    "PGGSSLIB", "PGGSSDELEGATION", "PGTARGETSESSIONATTRS", "PGLOADBALANCEHOSTS",
    "PGMINPROTOCOLVERSION", "PGMAXPROTOCOLVERSION", "PGSYSCONFDIR", "PGLOCALEDIR",
    "PGOAUTHDEBUG",
)  # fmt: skip
_NAME: Final = re.compile(r"PG[A-Z0-9_]{1,60}")
_SAFE_MODE: Final = "verify-full"
_HERE: Final = threading.Lock()


def names_to_drop(environment: Iterable[str]) -> list[str]:
    """Returns the variables that the holder's environment must not decide, sorted."""
    seen = {name for name in environment if _NAME.fullmatch(name) and not name.startswith("PG_")}
    return sorted({*_READ, *seen} - _HARMLESS)


def tls_mode(connection: Mapping[str, str]) -> str | None:
    """Returns the TLS mode of a connection; None leaves it to libpq, on this very machine.

    Where a resource says nothing, the server proves by its certificate that it is the one that the
    resource names: libpq's own default goes on in clear with whatever answers.
    """
    return connection.get("sslmode") or (None if _is_here(connection) else _SAFE_MODE)


@contextmanager
def undecided_by_environment() -> Iterator[None]:
    """Takes libpq's variables out of this process for a while. One thread at a time."""
    with _HERE:
        names = [name for name in names_to_drop(os.environ) if name in os.environ]
        taken = {name: os.environ.pop(name) for name in names}
        try:
            yield
        finally:
            os.environ.update(taken)


def _is_here(connection: Mapping[str, str]) -> bool:
    """Whether every host of it is this machine: a socket, or the loopback interface."""
    hosts = connection.get("host", "").split(",")
    return all(map(_is_local, hosts))


def _is_local(host: str) -> bool:
    if host == "localhost" or host.startswith(("/", "@")):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
