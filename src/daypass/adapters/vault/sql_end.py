"""The statements that end a log-in, judged: order, repetition, and what they must not give."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from daypass.adapters.vault.compare import State
from daypass.adapters.vault.sql_text import (
    DOLLAR,
    GRANT,
    ITSELF,
    LOG_IN,
    MAKES,
    Fault,
    faults_of_rights,
    plain,
    short,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ENDS: Final = re.compile(r"\bpg_terminate_backend\b", re.IGNORECASE)
_COMMIT: Final = re.compile(r"COMMIT(?: WORK| TRANSACTION)?", re.IGNORECASE)
_TAKES_BACK: Final = re.compile(r"\b(?:ROLLBACK|ABORT|PREPARE\s+TRANSACTION)\b", re.IGNORECASE)
_TIDIES: Final = re.compile(
    r"\b(?:DROP\s+(?:OWNED|ROLE|USER)|REASSIGN\s+OWNED|REVOKE)\b", re.IGNORECASE
)
# The log-in, as it stands or as `format` and `quote_ident` put it into a text.
_QUOTED: Final = rf"(?:{LOG_IN}|'\s*\|\|\s*quote_ident\(\s*'\{{\{{name\}}\}}'\s*\)\s*\|\|\s*')"
_HARMLESS: Final = (
    r"(?:\s*\b(?:WITH|NO(?:LOGIN|SUPERUSER|CREATEDB|CREATEROLE|INHERIT|REPLICATION|BYPASSRLS)"
    r"|CONNECTION\s+LIMIT\s+\d+|(?:ENCRYPTED\s+)?PASSWORD\s+NULL|RESET\s+ALL"
    r"|VALID\s+UNTIL\s+'{1,2}(?:-infinity|epoch|now)'{1,2})(?!\w))+\s*(?=;|'|\Z)"
)
_LOCKS_OUT: Final = re.compile(
    rf"\bALTER\s+(?:ROLE|USER)\s+(?:{_QUOTED}{_HARMLESS}|%I{_HARMLESS}'\s*,\s*'\{{\{{name\}}\}}')",
    re.IGNORECASE,
)
_NOLOGIN: Final = re.compile(r"\bNOLOGIN\b", re.IGNORECASE)
_LOGIN: Final = re.compile(r"\b(?:ALTER|CREATE)\b[^;]*?\bLOGIN\b", re.IGNORECASE)
_ALTERS: Final = re.compile(r"\bALTER\s+(?:ROLE|USER(?!\s+MAPPING\b))\b[^;]*", re.IGNORECASE)
_ALTERS_WELL: Final = re.compile(
    rf"ALTER\s+(?:ROLE|USER)\s+(?:{_QUOTED}|%I){_HARMLESS}", re.IGNORECASE
)
_ADDS: Final = re.compile(r"\bALTER\s+GROUP\b[^;]*?\bADD\b", re.IGNORECASE)
_GRANTS_WELL: Final = re.compile(
    rf"GRANT\s+(?:{_QUOTED}|%I)\s+TO\s+(\"[^\"]+\"|\w+)\s*(?=;|'|\Z|WITH\b)", re.IGNORECASE
)
_REMOVES: Final = re.compile(
    r"\b(?:DROP\s+OWNED\s+BY|REASSIGN\s+OWNED\s+BY"
    r"|DROP\s+(?:ROLE|USER(?!\s+MAPPING\b)|GROUP)(?:\s+IF\s+EXISTS)?)\s+([^;]*)",
    re.IGNORECASE,
)
_REMOVED_WELL: Final = re.compile(
    rf"(?:{_QUOTED}|%I|CURRENT_USER\b)\s*(?:;|'|\Z|TO\b|CASCADE\b|RESTRICT\b)", re.IGNORECASE
)
_HEIR: Final = re.compile(
    r"\b(?:REASSIGN\s+OWNED\s+BY\s+[^;']*?\s+TO|OWNER\s+TO)\s+(\"[^\"]+\"|[^\s;,'\")]+)",
    re.IGNORECASE,
)
_GIVES_AWAY: Final = re.compile(r"\b(?:REASSIGN\s+OWNED|OWNER\s+TO)\b", re.IGNORECASE)
# What fails when the log-in is gone already, unless something asks first.
_NEEDS_THE_LOGIN: Final = re.compile(
    r"\b(?:ALTER\s+(?:ROLE|USER)\s+(?!IF\b)|REASSIGN\s+OWNED|DROP\s+OWNED"
    r"|DROP\s+(?:ROLE|USER)\s+(?!(?:MAPPING\s+)?IF\s+EXISTS)|REVOKE\b|GRANT\b)",
    re.IGNORECASE,
)
_ASKS_FIRST: Final = re.compile(
    r"\bpg_(?:catalog\.pg_)?(?:roles|authid|user)\b|\bEXCEPTION\b", re.IGNORECASE
)
# A block that catches an error undoes what it did before that error.
_CATCHES: Final = re.compile(r"\bEXCEPTION\s+WHEN\b", re.IGNORECASE)
_NOTHING_MORE: Final = re.compile(
    r"[\s;')]*(?:,\s*'\{\{name\}\}')?(?:(?:END(?:\s+(?:IF|LOOP))?|EXIT|RETURN)\b|[\s;')])*",
    re.IGNORECASE,
)


def of_order(parts: Sequence[str]) -> Iterator[Fault]:
    """Lock out, commit, end sessions; only then tidy up."""
    locks = _first(parts, _LOCKS_OUT)
    tidies = _first(parts, _TIDIES)
    ends = [at for at, part in enumerate(parts) if ENDS.search(part) and "{{name}}" in part]
    if not ends:
        yield Fault(
            State.DIFFERENT,
            "no pg_terminate_backend for '{{name}}': open sessions outlive the end",
        )
    if locks is None:
        text = (
            'NOLOGIN does not name the log-in: it must read ALTER ROLE "{{name}}" NOLOGIN'
            if _first(parts, _NOLOGIN) is not None
            else "no NOLOGIN before the clean-up: what a holder leaves behind keeps the log-in open"
        )
        yield Fault(State.DIFFERENT, text)
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
    yield from _of_what_undoes(parts[locks:commit])


def of_repetition(parts: Sequence[str]) -> Iterator[Fault]:
    """Each statement must succeed for a log-in that is gone already."""
    for part in parts:
        if _NEEDS_THE_LOGIN.search(part) and not (DOLLAR.search(part) and _ASKS_FIRST.search(part)):
            yield Fault(
                State.DIFFERENT,
                "they fail for a log-in that is gone already (dropped by hand, or by a revocation "
                f"that was cut short), and its lease is stuck: {short(part)}",
            )
            return


def of_heirs(text: str, vault_user: str, lent: frozenset[str]) -> Iterator[Fault]:
    """What a holder made must not go to a role that has rights."""
    heirs = [match[1] for match in _HEIR.finditer(text)]
    if len(heirs) != len(_GIVES_AWAY.findall(text)):
        yield _unread()
    for heir in sorted({plain(heir) for heir in heirs}):
        if heir in ITSELF or heir == vault_user:
            yield Fault(
                State.WRONG,
                "REASSIGN OWNED or OWNER TO gives what a holder made to Vault's own user: a "
                "SECURITY DEFINER function of a holder then has Vault's rights, for everybody, "
                "without an end",
            )
        elif heir in lent:
            yield Fault(
                State.WRONG,
                f"REASSIGN OWNED or OWNER TO gives what a holder made to {heir}, whose rights are "
                "lent: code of a holder then runs with them, without an end",
            )
        elif re.fullmatch(r"[\w.-]+", heir):
            yield Fault(
                State.ADVICE,
                f"REASSIGN OWNED or OWNER TO gives what a holder made to {heir}: it must be "
                "NOLOGIN, a member of no role, and own nothing else",
            )
        else:
            yield _unread()


def of_gifts(text: str, vault_user: str) -> Iterator[Fault]:
    """An end lets no role in, gives no rights, and touches no other role."""
    for match in _LOGIN.finditer(text):
        again = "an end must let no role log in. Take LOGIN out"
        yield Fault(State.WRONG, f"{short(match[0][-40:])}: {again}")
    yield from faults_of_rights(text)
    for match in MAKES.finditer(text):
        yield Fault(State.DIFFERENT, f"{short(match[0])}: an end must make no role")
    for match in _ALTERS.finditer(text):
        if not _ALTERS_WELL.match(text, match.start()) and not _LOGIN.match(match[0]):
            yield Fault(
                State.DIFFERENT,
                f'{short(match[0])}: it cannot be read as taking something from "{{{{name}}}}"',
            )
    for match in GRANT.finditer(text):
        well = _GRANTS_WELL.match(text, match.start())
        if well is None or plain(well[1]) not in ITSELF | {vault_user}:
            given = short(text[match.start() :].partition(";")[0])
            yield Fault(State.DIFFERENT, f"{given}: an end must give no rights")
    if _ADDS.search(text):
        yield Fault(State.DIFFERENT, "ALTER GROUP … ADD: an end must give no rights")
    for match in _REMOVES.finditer(text):
        if not _REMOVED_WELL.match(match[1]):
            other = 'it cannot be read as removing "{{name}}" alone'
            yield Fault(State.DIFFERENT, f"{short(match[0])}: {other}")


def _of_what_undoes(parts: Sequence[str]) -> Iterator[Fault]:
    """From the lock-out up to its commit, nothing may take it back."""
    for part in parts:
        if taken := _TAKES_BACK.search(part):
            yield Fault(
                State.DIFFERENT,
                f"{taken[0].upper()} between NOLOGIN and COMMIT takes the lock-out back: the "
                "holder can log in again",
            )
    for match in _LOCKS_OUT.finditer(parts[0]):
        caught = _CATCHES.search(parts[0], match.end())
        if caught and not _NOTHING_MORE.fullmatch(parts[0], match.end(), caught.start()):
            yield Fault(
                State.DIFFERENT,
                "an error after NOLOGIN is caught in the same block, and takes the lock-out back: "
                "EXCEPTION WHEN must follow NOLOGIN at once",
            )


def _unread() -> Fault:
    return Fault(
        State.DIFFERENT,
        "REASSIGN OWNED or OWNER TO names a role that cannot be read from the text",
    )


def _first(parts: Sequence[str], pattern: re.Pattern[str]) -> int | None:
    return next((at for at, part in enumerate(parts) if pattern.search(part)), None)
