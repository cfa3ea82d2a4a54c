"""Statements: what the SQL of a Vault role does to a log-in, read as text and judged.

The text of `model.postgresql` is sound. Another text is judged by what it must do, so that a
database administrator may change it on purpose: docs/doctor.md lists the properties. What cannot
be read as harmless is a fault.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from daypass.adapters.vault import sql_end, sql_login
from daypass.adapters.vault.compare import State
from daypass.adapters.vault.sql_text import MAKES, Fault, faults_of_rights, parts_of, plain, same
from daypass.model import postgresql, postgresql_look

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "Fault",
    "faults_of_creation",
    "faults_of_look",
    "faults_of_revocation",
    "is_own_revocation",
    "lent_by",
]

_LIMIT: Final = re.compile(r"\bCONNECTION\s+LIMIT\s+\d", re.IGNORECASE)
_RAISES: Final = re.compile(rf"\bRAISE\s+EXCEPTION\s+'{postgresql.LOOK_WORD} ", re.IGNORECASE)
_ANOTHER: Final = "it is not daypass's own text, and does what it must"


def faults_of_revocation(
    statements: Sequence[str], vault_user: str, lent: Iterable[str]
) -> tuple[Fault, ...]:
    """Judges the statements that end a log-in.

    Args:
        statements: as Vault holds them.
        vault_user: the log-in of Vault itself.
        lent: roles whose rights some log-in is given: what they own is not harmless.
    """
    if is_own_revocation(statements):
        return ()
    parts = parts_of(statements)
    if not parts:
        text = (
            "there are none: Vault's default leaves sessions open, and keeps the log-in when "
            "something that it owns cannot be dropped"
        )
        return (Fault(State.DIFFERENT, text),)
    text = ";\n".join(parts)
    found = (
        *sql_end.of_order(parts),
        *sql_end.of_repetition(parts),
        *sql_end.of_heirs(text, vault_user, frozenset(plain(name) for name in lent)),
        *sql_end.of_gifts(text, vault_user),
    )
    return found or (Fault(State.ADVICE, _ANOTHER),)


def is_own_revocation(statements: Sequence[str]) -> bool:
    """Whether that is daypass's own text."""
    return same(statements, postgresql.REVOCATION)


def faults_of_creation(statements: Sequence[str]) -> tuple[Fault, ...]:
    """Judges the statements that make a log-in."""
    text = ";\n".join(parts_of(statements))
    groups = sql_login.lent_in(text)
    predefined = tuple(sql_login.of_predefined(text, groups))
    if (
        len(groups) == 1
        and re.fullmatch(sql_login.NAME, groups[0])
        and same(statements, postgresql.creation(groups[0]))
    ):
        return predefined
    found = [
        *sql_login.of_roles(text),
        *sql_login.of_time(text),
        *faults_of_rights(text),
        *predefined,
        *sql_login.of_changes(text),
    ]
    if not _LIMIT.search(text):
        many = "no CONNECTION LIMIT: one holder can take every connection of the server"
        found.append(Fault(State.ADVICE, many))
    return tuple(found)


def faults_of_look(statements: Sequence[str]) -> tuple[Fault, ...]:
    """Judges the creation statements of the role that looks."""
    if same(statements, postgresql_look.LOOK):
        return ()
    text = ";\n".join(parts_of(statements))
    if MAKES.search(text):
        return (Fault(State.DIFFERENT, "they make a log-in: a look must make none"),)
    if not _RAISES.search(text):
        return (Fault(State.DIFFERENT, "they do not answer as this release of daypass reads it"),)
    if not sql_end.ENDS.search(text):
        return (Fault(State.DIFFERENT, "they end no session of a log-in that has ended"),)
    given = (*sql_end.of_heirs(text, "", frozenset()), *sql_end.of_gifts(text, ""))
    return given or (Fault(State.ADVICE, _ANOTHER),)


def lent_by(creation: Sequence[str]) -> tuple[str, ...]:
    """Returns the roles that some creation statements lend to the log-in."""
    return sql_login.lent_in(";\n".join(parts_of(creation)))
