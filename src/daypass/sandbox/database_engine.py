"""Vault's database secrets engine over the box's PostgreSQL: one connection and tiered roles.

This is what a database team sets up once. daypass never writes here: it only mints through it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from daypass.model import postgresql, postgresql_look

if TYPE_CHECKING:
    from collections.abc import Iterable

    from daypass.sandbox.openbao import OpenBao
    from daypass.sandbox.postgres import Postgres

CONNECTION: Final = "orders"

LOOK: Final = "orders-look"  # the role that looks at the target, and makes no log-in


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
            # The grant's id stands in the log-in's name, and so in PostgreSQL's own log.
            "username_template": postgresql.USERNAME_TEMPLATE,
            "max_open_connections": 8,
            "allowed_roles": [LOOK, *(role.name for role in roles)],
        },
    )
    client.write(
        f"{mount}/roles/{LOOK}",
        {"db_name": CONNECTION, "creation_statements": list(postgresql_look.LOOK)},
    )
    for role in roles:
        client.write(
            f"{mount}/roles/{role.name}",
            {
                "db_name": CONNECTION,
                "default_ttl": role.seconds,
                "max_ttl": role.seconds,
                "creation_statements": list(postgresql.creation(role.group)),
                "revocation_statements": list(postgresql.REVOCATION),
                "rollback_statements": list(postgresql.ROLLBACK),
            },
        )
