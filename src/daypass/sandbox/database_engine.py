"""Vault's database secrets engine over the box's PostgreSQL: one connection and tiered roles.

This is what a database team sets up once. daypass never writes here: it only mints through it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from daypass.sandbox.openbao import OpenBao
    from daypass.sandbox.postgres import Postgres

CONNECTION: Final = "orders"

# The grant's id stands in the database user's name, and so in PostgreSQL's own log.
_USERNAME: Final = (
    'g-{{ .DisplayName | replace "token-grant-" "" | lowercase | truncate 36 }}'
    "-{{ random 6 | lowercase }}-{{ unix_time }}"
)
_CREATION: Final = (
    "CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' "
    "VALID UNTIL '{{expiration}}' CONNECTION LIMIT 8;"
)
# NOLOGIN comes first: nobody logs in again between the end of the sessions and DROP ROLE.
_REVOCATION: Final = (
    'ALTER ROLE "{{name}}" NOLOGIN;',
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{{name}}';",
    'REASSIGN OWNED BY "{{name}}" TO CURRENT_USER;',
    'DROP OWNED BY "{{name}}";',
    'DROP ROLE IF EXISTS "{{name}}";',
)


@dataclass(frozen=True, slots=True)
class DatabaseRole:
    """A role of the engine: `default_ttl` and `max_ttl` are both its tier.

    PostgreSQL's VALID UNTIL follows the lease, which the grant token's own end does not cap. So
    the tier is what bars log-ins when OpenBao is down.
    """

    name: str
    group: str  # the PostgreSQL role whose rights it lends
    seconds: int


ROLES: Final = (
    DatabaseRole("orders-read-1m", "orders_read", 60),
    DatabaseRole("orders-read-1h", "orders_read", 3600),
    DatabaseRole("orders-read-8h", "orders_read", 8 * 3600),
    DatabaseRole("orders-admin-1m", "orders_admin", 60),
    DatabaseRole("orders-admin-1h", "orders_admin", 3600),
    DatabaseRole("ledger-read-1m", "orders_read", 60),
    DatabaseRole("ledger-read-1h", "orders_read", 3600),
)


def set_up_database_engine(
    bao: OpenBao,
    postgres: Postgres,
    *,
    mount: str = "database",
    roles: Iterable[DatabaseRole] = ROLES,
) -> None:
    """Mount the engine at `mount`, connect it, and write its roles. Idempotent.

    Raises:
        SandboxError: OpenBao refused, or cannot log in to PostgreSQL.
    """
    client = bao.client
    mounts = client.read("sys/mounts") or {}
    if f"{mount}/" not in mounts["data"]:
        client.write(f"sys/mounts/{mount}", {"type": "database"})
    roles = tuple(roles)
    client.write(
        f"{mount}/config/{CONNECTION}",
        {
            "plugin_name": "postgresql-database-plugin",
            "connection_url": (
                f"postgresql://{{{{username}}}}:{{{{password}}}}@{postgres.host}:{postgres.port}"
                f"/{postgres.database}?sslmode=disable"
            ),
            "username": postgres.vault_user,
            "password": postgres.vault_password.reveal(),
            "password_authentication": "scram-sha-256",
            "username_template": _USERNAME,
            "max_open_connections": 8,
            "allowed_roles": [role.name for role in roles],
        },
    )
    for role in roles:
        client.write(
            f"{mount}/roles/{role.name}",
            {
                "db_name": CONNECTION,
                "default_ttl": role.seconds,
                "max_ttl": role.seconds,
                "creation_statements": [
                    _CREATION,
                    f'GRANT {role.group} TO "{{{{name}}}}";',
                ],
                "revocation_statements": list(_REVOCATION),
                "rollback_statements": ['DROP ROLE IF EXISTS "{{name}}";'],
            },
        )
