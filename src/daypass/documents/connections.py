"""Connections of databases: that the TLS mode holds, and that it keeps the password from others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.documents.problem import Problem
from daypass.model.database_connection import CLEAR_MODES, SYSTEM_AUTHORITIES, is_here

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daypass.model.catalogue import Catalogue
    from daypass.model.resource import Resource

_DATABASE: Final = "database"
_AT: Final = ("spec", "connection")
_RULE: Final = "resource-tls"


def connection_problems(resource: Resource) -> Iterator[Problem]:
    """Yields where libpq refuses to connect at all."""
    told = resource.connection
    mode = told.get("sslmode", "verify-full")
    is_system = told.get("sslrootcert") == SYSTEM_AUTHORITIES
    if _is_database(resource) and is_system and mode != "verify-full":
        yield Problem(
            (*_AT, "sslmode"),
            _RULE,
            f"with `sslrootcert: system` libpq connects by `verify-full` alone, not by `{mode}`",
            "Write `sslmode: verify-full`, or name a file in `sslrootcert`.",
        )


def connection_notices(catalogue: Catalogue) -> Iterator[tuple[str, Problem]]:
    """Yields where a database on another machine names no TLS mode, or one without TLS."""
    for resource in catalogue.resources.values():
        if not _is_database(resource) or is_here(resource.connection):
            continue
        mode = resource.connection.get("sslmode")
        if mode is None:
            yield (
                _path(resource),
                Problem(
                    _AT,
                    _RULE,
                    "it names no `sslmode`, so `verify-full` holds: without `sslrootcert`, each "
                    "holder needs the server's authority in ~/.postgresql/root.crt",
                    "Write `sslmode: verify-full`, and `sslrootcert: system` (libpq 16 and newer) "
                    "or the path of the authority's file on the holders' machines.",
                ),
            )
        elif mode in CLEAR_MODES:
            yield (
                _path(resource),
                Problem(
                    (*_AT, "sslmode"),
                    _RULE,
                    f"with `sslmode: {mode}` the password can go in clear over the network, and to "
                    "any server that answers",
                    "Write `sslmode: verify-full`, and name the server's authority in "
                    "`sslrootcert`; or `require`, which encrypts and verifies nothing.",
                ),
            )


def _is_database(resource: Resource) -> bool:
    return any(level.engine == _DATABASE for level in resource.levels.values())


def _path(resource: Resource) -> str:
    return f"access/resources/{resource.name}.yaml"
