"""What libpq reads of the environment, and what of it a resource's `connection` decides.

libpq takes every variable that the caller does not set. A host address, a service, a weaker TLS
mode or another authority of the holder's own environment would send a password of daypass to
another server, or in clear. So none is left but those that only say how answers look.

Other programs' variables that begin with `PG` stay, as do OpenSSL's: libpq states the mode, the
lowest version and, but for `system`, the authorities by itself, whatever OPENSSL_CONF says.
"""

from __future__ import annotations

import os
import pwd
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from daypass.model.database_connection import (
    SYSTEM_AUTHORITIES,
    VERIFYING_MODES,
    tls_mode,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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
# All that libpq reads, of PostgreSQL 9.3 to 18, but for what only says how answers look or how
# long to wait: PGAPPNAME, PGCLIENTENCODING, PGCONNECT_TIMEOUT, PGDATESTYLE, PGGEQO, PGTZ.
_READ: Final = (
    "PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGPASSWORD", "PGPASSFILE",
    "PGREQUIREAUTH", "PGCHANNELBINDING", "PGSERVICE", "PGSERVICEFILE", "PGOPTIONS", "PGSSLMODE",
    "PGREQUIRESSL", "PGSSLNEGOTIATION", "PGSSLCOMPRESSION", "PGSSLCERT", "PGSSLKEY",
    "PGSSLCERTMODE", "PGSSLROOTCERT", "PGSSLCRL", "PGSSLCRLDIR", "PGSSLSNI", "PGREQUIREPEER",
    "PGSSLMINPROTOCOLVERSION", "PGSSLMAXPROTOCOLVERSION", "PGGSSENCMODE", "PGKRBSRVNAME",
    "PGGSSLIB", "PGGSSDELEGATION", "PGTARGETSESSIONATTRS", "PGLOADBALANCEHOSTS",
    "PGMINPROTOCOLVERSION", "PGMAXPROTOCOLVERSION", "PGSYSCONFDIR", "PGLOCALEDIR",
    "PGOAUTHDEBUG", "PGREALM", "PGAUTHTYPE", "PGTTY", "PGSSLKEYLOGFILE",
)  # fmt: skip
# Where `system` means OpenSSL's own authorities, these would name others.
_AUTHORITIES: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_HERE: Final = threading.Lock()


def names_to_drop(connection: Mapping[str, str]) -> list[str]:
    """Returns the variables that the holder's environment must not decide, sorted."""
    is_system = connection.get("sslrootcert") == SYSTEM_AUTHORITIES
    return sorted({*_READ, *(_AUTHORITIES if is_system else ())})


def why_no_authority(connection: Mapping[str, str]) -> str | None:
    """Returns why libpq cannot verify the server on this machine; None where it can.

    libpq reads `~/.postgresql/root.crt` where no file is named, in HOME or, before PostgreSQL 15,
    in the home folder of the user's passwd entry: one of the two is enough here.
    """
    mode, named = tls_mode(connection), connection.get("sslrootcert")
    if mode not in VERIFYING_MODES or named == SYSTEM_AUTHORITIES:
        return None
    if named is not None:
        if Path(named).is_file() and os.access(named, os.R_OK):
            return None
        return f"the file {named!a} of its `sslrootcert` is missing, or cannot be read"
    if any((home / ".postgresql" / "root.crt").is_file() for home in _homes()):
        return None
    return "it names no `sslrootcert`, and there is no ~/.postgresql/root.crt"


def _homes() -> list[Path]:
    """The home folders in which one libpq or another looks."""
    found = [os.environ.get("HOME", "")]
    with suppress(KeyError):
        found.append(pwd.getpwuid(os.geteuid()).pw_dir)
    return [Path(item) for item in found if item]


@contextmanager
def undecided_by_environment(connection: Mapping[str, str]) -> Iterator[None]:
    """Takes libpq's variables out of this process for a while. One thread at a time."""
    with _HERE:
        names = [name for name in names_to_drop(connection) if name in os.environ]
        taken = {name: os.environ.pop(name) for name in names}
        try:
            yield
        finally:
            os.environ.update(taken)
