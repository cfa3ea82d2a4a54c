"""Statements: what the SQL of a Vault role does to a log-in, read as text and judged.

The text of `model.postgresql` is sound. Another text is judged by what it must do, so that a
database administrator may change it on purpose: docs/doctor.md lists the properties.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from daypass.adapters.vault.compare import State
from daypass.model import postgresql, postgresql_look

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_COMMENT: Final = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_DOLLAR: Final = re.compile(r"\$[A-Za-z_]*\$")  # what has one goes to the server in one piece
_NOLOGIN: Final = re.compile(r"\bNOLOGIN\b", re.IGNORECASE)
_COMMIT: Final = re.compile(r"COMMIT(?: WORK| TRANSACTION)?", re.IGNORECASE)
_ENDS: Final = re.compile(r"\bpg_terminate_backend\b", re.IGNORECASE)
_TIDIES: Final = re.compile(
    r"\b(?:DROP\s+(?:OWNED|ROLE|USER)|REASSIGN\s+OWNED|REVOKE)\b", re.IGNORECASE
)
_REASSIGN: Final = re.compile(
    r"\bREASSIGN\s+OWNED\s+BY\s+[^;']*?\s+TO\s+(\"[^\"]+\"|[^\s;,'\")]+)", re.IGNORECASE
)
_REASSIGNS: Final = re.compile(r"\bREASSIGN\s+OWNED\b", re.IGNORECASE)
_ITSELF: Final = frozenset({"current_user", "current_role", "session_user"})
# What fails when the log-in is gone already, unless something asks first.
_NEEDS_THE_LOGIN: Final = re.compile(
    r"\b(?:ALTER\s+(?:ROLE|USER)\s+(?!IF\b)|REASSIGN\s+OWNED|DROP\s+OWNED"
    r"|DROP\s+(?:ROLE|USER)\s+(?!IF\s+EXISTS)|REVOKE\b|GRANT\b)",
    re.IGNORECASE,
)
_ASKS_FIRST: Final = re.compile(
    r"\bpg_(?:catalog\.pg_)?(?:roles|authid|user)\b|\bEXCEPTION\b", re.IGNORECASE
)
_UNTIL: Final = re.compile(r"\bVALID\s+UNTIL\s+'\{\{expiration\}\}'", re.IGNORECASE)
_MAKES: Final = re.compile(r"\bCREATE\s+(?:ROLE|USER)\b", re.IGNORECASE)
_LIMIT: Final = re.compile(r"\bCONNECTION\s+LIMIT\s+\d", re.IGNORECASE)
_TOO_MUCH: Final = re.compile(
    r"\b(?:SUPERUSER|CREATEROLE|REPLICATION|BYPASSRLS|WITH\s+(?:ADMIN|GRANT)\s+(?:OPTION|TRUE))\b",
    re.IGNORECASE,
)
_LENDS: Final = re.compile(r"\bGRANT\s+(.+?)\s+TO\s+\"?\{\{name\}\}", re.IGNORECASE | re.DOTALL)
_MEMBER: Final = re.compile(r"\bIN\s+(?:ROLE|GROUP)\s+([\w\", -]+)", re.IGNORECASE)
_RAISES: Final = re.compile(rf"\bRAISE\s+EXCEPTION\s+'{postgresql.LOOK_WORD} ", re.IGNORECASE)
_ANOTHER: Final = "it is not daypass's own text, and does what it must"


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with some statements; `ADVICE` where they may stay as they are."""

    state: State
    text: str


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
    parts = _parts(statements)
    if not parts:
        text = (
            "there are none: Vault's default leaves sessions open, and keeps the log-in when "
            "something that it owns cannot be dropped"
        )
        return (Fault(State.DIFFERENT, text),)
    found = (
        *_of_order(parts),
        *_of_repetition(parts),
        *_of_heirs("\n".join(parts), vault_user, frozenset(name.strip('"') for name in lent)),
    )
    return found or (Fault(State.ADVICE, _ANOTHER),)


def is_own_revocation(statements: Sequence[str]) -> bool:
    """Whether that is daypass's own text."""
    return _same(statements, postgresql.REVOCATION)


def faults_of_creation(statements: Sequence[str]) -> tuple[Fault, ...]:
    """Judges the statements that make a log-in."""
    groups = lent_by(statements)
    if len(groups) == 1 and _same(statements, postgresql.creation(groups[0])):
        return ()
    text = "\n".join(_parts(statements))
    found = []
    if not _MAKES.search(text):
        found.append(Fault(State.DIFFERENT, "they make no log-in"))
    if not _UNTIL.search(text):
        late = "no VALID UNTIL '{{expiration}}': nothing bars the log-in while Vault is down"
        found.append(Fault(State.DIFFERENT, late))
    found += [
        Fault(State.DIFFERENT, f"{_spaced(word)}: a holder can make access that has no end")
        for word in sorted({match[0].upper() for match in _TOO_MUCH.finditer(text)})
    ]
    if not _LIMIT.search(text):
        many = "no CONNECTION LIMIT: one holder can take every connection of the server"
        found.append(Fault(State.ADVICE, many))
    return tuple(found)


def faults_of_look(statements: Sequence[str]) -> tuple[Fault, ...]:
    """Judges the creation statements of the role that looks."""
    if _same(statements, postgresql_look.LOOK):
        return ()
    text = "\n".join(_parts(statements))
    if _MAKES.search(text):
        return (Fault(State.DIFFERENT, "they make a log-in: a look must make none"),)
    if not _RAISES.search(text):
        return (Fault(State.DIFFERENT, "they do not answer as this release of daypass reads it"),)
    if not _ENDS.search(text):
        return (Fault(State.DIFFERENT, "they end no session of a log-in that has ended"),)
    return (Fault(State.ADVICE, _ANOTHER),)


def lent_by(creation: Sequence[str]) -> tuple[str, ...]:
    """Returns the roles that some creation statements lend to the log-in."""
    text = "\n".join(_parts(creation))
    lists = [match[1] for match in _LENDS.finditer(text)]
    lists = [names for names in lists if " ON " not in f" {_spaced(names).upper()} "]
    lists += [match[1] for match in _MEMBER.finditer(text)]
    return tuple(name.strip() for names in lists for name in names.split(","))


def _of_order(parts: Sequence[str]) -> Iterator[Fault]:
    """Lock out, commit, end sessions; only then tidy up."""
    locks = _first(parts, _NOLOGIN)
    tidies = _first(parts, _TIDIES)
    ends = [at for at, part in enumerate(parts) if _ENDS.search(part)]
    if not ends:
        yield Fault(State.DIFFERENT, "no pg_terminate_backend: open sessions outlive the end")
    if locks is None:
        yield Fault(
            State.DIFFERENT,
            "no NOLOGIN before the clean-up: what a holder leaves behind keeps the log-in open",
        )
        return
    commit = next(
        (at for at, part in enumerate(parts) if at > locks and _COMMIT.fullmatch(part)), None
    )
    if commit is None or (tidies is not None and tidies < commit):
        yield Fault(
            State.DIFFERENT,
            "the lock-out and the clean-up are one transaction: when the clean-up fails, the "
            "holder can log in again. A COMMIT must follow NOLOGIN",
        )
    elif ends and max(ends) < commit:
        yield Fault(
            State.DIFFERENT,
            "sessions are ended before the lock-out is committed: a client that logs in again "
            "stays",
        )


def _of_repetition(parts: Sequence[str]) -> Iterator[Fault]:
    """Each statement must succeed for a log-in that is gone already."""
    for part in parts:
        if _NEEDS_THE_LOGIN.search(part) and not (
            _DOLLAR.search(part) and _ASKS_FIRST.search(part)
        ):
            yield Fault(
                State.DIFFERENT,
                "they fail for a log-in that is gone already (dropped by hand, or by a revocation "
                f"that was cut short), and its lease is stuck: {_spaced(part)[:40]}…",
            )
            return


def _of_heirs(text: str, vault_user: str, lent: frozenset[str]) -> Iterator[Fault]:
    """What a holder made must not go to a role that has rights."""
    heirs = [match[1].strip('"') for match in _REASSIGN.finditer(text)]
    if len(heirs) != len(_REASSIGNS.findall(text)):
        yield _unread()
    for heir in sorted(set(heirs)):
        if heir.lower() in _ITSELF or heir == vault_user:
            yield Fault(
                State.WRONG,
                "REASSIGN OWNED gives what a holder made to Vault's own user: a SECURITY DEFINER "
                "function of a holder then has Vault's rights, for everybody, without an end",
            )
        elif heir in lent:
            yield Fault(
                State.WRONG,
                f"REASSIGN OWNED gives what a holder made to {heir}, whose rights are lent: code "
                "of a holder then runs with them, without an end",
            )
        elif re.fullmatch(r"[\w.-]+", heir):
            yield Fault(
                State.ADVICE,
                f"REASSIGN OWNED gives what a holder made to {heir}: it must be NOLOGIN, a member "
                "of no role, and own nothing else",
            )
        else:
            yield _unread()


def _unread() -> Fault:
    return Fault(State.DIFFERENT, "REASSIGN OWNED names a role that cannot be read from the text")


def _first(parts: Sequence[str], pattern: re.Pattern[str]) -> int | None:
    return next((at for at, part in enumerate(parts) if pattern.search(part)), None)


def _parts(statements: Sequence[str]) -> tuple[str, ...]:
    """The statements as Vault sends them: it splits at semicolons what holds no dollar quote."""
    found: list[str] = []
    for statement in statements:
        text = _COMMENT.sub(" ", statement)
        found += [text] if _DOLLAR.search(text) else text.split(";")
    return tuple(part.strip().rstrip(";").strip() for part in found if part.strip(" ;\n\t"))


def _same(statements: Sequence[str], own: Sequence[str]) -> bool:
    """Whether they are the same but for white space and the semicolons at their ends."""
    return [_spaced(part) for part in _parts(statements)] == [_spaced(part) for part in _parts(own)]


def _spaced(text: str) -> str:
    return " ".join(text.split())
