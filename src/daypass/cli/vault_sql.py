"""`daypass vault sql`: daypass's SQL for PostgreSQL, as `bao write PATH -` takes it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from daypass.cli import output
from daypass.errors import ExitCode, UsageError
from daypass.model import postgresql, postgresql_look

if TYPE_CHECKING:
    import argparse

# It is put into SQL as it stands: a plain name, or one in quotation marks.
_GROUP: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}|\"[A-Za-z0-9_.@ -]{1,63}\"")


def print_sql(arguments: argparse.Namespace) -> ExitCode:
    """Prints statements as JSON. It asks no server, and reads no repository.

    Raises UsageError.
    """
    if arguments.statements == "creation":
        group = arguments.group or ""
        if _GROUP.fullmatch(group) is None:
            raise UsageError(
                "--group names no role of PostgreSQL",
                remedy="For example: `daypass vault sql creation --group orders_read`.",
            )
        output.say_json({"creation_statements": list(postgresql.creation(group))})
    elif arguments.statements == "revocation":
        output.say_json(
            {
                "revocation_statements": list(postgresql.REVOCATION),
                "rollback_statements": list(postgresql.ROLLBACK),
            }
        )
    else:
        if not arguments.connection:
            raise UsageError(
                "--connection is missing: which connection of the engine is looked at",
                remedy="For example: `daypass vault sql look --connection orders`.",
            )
        output.say_json(
            {"db_name": arguments.connection, "creation_statements": list(postgresql_look.LOOK)}
        )
    return ExitCode.DONE
