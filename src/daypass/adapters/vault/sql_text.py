"""The text of SQL statements: its parts, its words, and what is wrong with it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from daypass.adapters.vault.compare import State

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# A comment, or a string: what looks like a comment in a string is none.
_COMMENT: Final = re.compile(r"('(?:[^']|'')*'|\"[^\"]*\")|--[^\n]*|/\*.*?\*/", re.DOTALL)
DOLLAR: Final = re.compile(r"\$[A-Za-z_]*\$")  # what has one goes to the server in one piece
LOG_IN: Final = r'"\{\{name\}\}"'  # as it stands in a statement
MAKES: Final = re.compile(r"\bCREATE\s+(?:ROLE|USER(?!\s+MAPPING\b)|GROUP)\b", re.IGNORECASE)
GRANT: Final = re.compile(r"\bGRANT\b(?!\s+OPTION\b)", re.IGNORECASE)
_SHOWN: Final = 40  # letters of a statement that a fault quotes
ITSELF: Final = frozenset({"current_user", "current_role", "session_user", "user"})
# Rights of a role that outlive the end of a log-in.
_TOO_MUCH: Final = re.compile(
    r"\b(?:SUPERUSER|CREATEROLE|CREATEDB|REPLICATION|BYPASSRLS"
    r"|(?:WITH\s+)?(?:ADMIN\s+(?:OPTION|TRUE)|GRANT\s+(?:OPTION|TRUE)))\b(?!\s+FOR\b)",
    re.IGNORECASE,
)
_CATALOG: Final = re.compile(
    r"\b(?:UPDATE|INSERT\s+INTO|DELETE\s+FROM)\s+(?:ONLY\s+)?\"?(?:pg_catalog\"?\.\"?)?pg_\w+",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with some statements; `ADVICE` where they may stay as they are."""

    state: State
    text: str


def parts_of(statements: Sequence[str]) -> tuple[str, ...]:
    """Returns the statements as Vault sends them, without comments.

    Vault splits at semicolons what holds no dollar quote.
    """
    found: list[str] = []
    for statement in statements:
        text = _COMMENT.sub(lambda match: match[1] or " ", statement)
        found += [text] if DOLLAR.search(text) else text.split(";")
    return tuple(part.strip().rstrip(";").strip() for part in found if part.strip(" ;\n\t"))


def same(statements: Sequence[str], own: Sequence[str]) -> bool:
    """Whether they are the same but for white space and the semicolons at their ends."""
    return [spaced(part) for part in parts_of(statements)] == [
        spaced(part) for part in parts_of(own)
    ]


def spaced(text: str) -> str:
    """Returns the text with each run of white space as one space."""
    return " ".join(text.split())


def short(text: str) -> str:
    """Returns the beginning of a statement, as a fault quotes it."""
    text = spaced(text)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def plain(name: str) -> str:
    """Returns the name of a role as PostgreSQL reads it: without quotes, or in small letters."""
    return name.strip('"') if name.startswith('"') else name.lower()


def faults_of_rights(text: str) -> Iterator[Fault]:
    """Names what no statement of a Vault role may give to any role."""
    for word in sorted({spaced(match[0]).upper() for match in _TOO_MUCH.finditer(text)}):
        why = (
            "what a holder makes in a database of their own is out of reach of every end"
            if word == "CREATEDB"
            else "a holder can make access that has no end"
        )
        yield Fault(State.DIFFERENT, f"{word}: {why}")
    for match in _CATALOG.finditer(text):
        written = f"{short(match[0])}: what a change of the catalog gives cannot be read"
        yield Fault(State.DIFFERENT, written)
