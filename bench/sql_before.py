"""The revocation SQL that docs/database.md gave before, to hold today's against it.

It ran in one transaction, gave what a holder had made to Vault's own user, and failed for a user
that was gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daypass.sandbox.box import Box

BEFORE: Final = (
    'ALTER ROLE "{{name}}" NOLOGIN;',
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{{name}}';",
    'REASSIGN OWNED BY "{{name}}" TO CURRENT_USER;',
    'DROP OWNED BY "{{name}}";',
    'DROP ROLE IF EXISTS "{{name}}";',
)


def allow_before(box: Box) -> None:
    """Lets Vault's user own what its log-ins own, as the SQL of before needs it."""
    with box.postgres.connect() as superuser:
        superuser.execute("ALTER ROLE vault SET createrole_self_grant = 'set, inherit'")
        superuser.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'vault'"
        )


def write_revocation(box: Box, role: str, statements: Sequence[str]) -> None:
    """Changes how a role of the database engine ends its users, those that live included."""
    path = f"database/roles/{role}"
    found = (box.bao.client.read(path) or {})["data"]
    box.bao.client.write(path, found | {"revocation_statements": list(statements)})
