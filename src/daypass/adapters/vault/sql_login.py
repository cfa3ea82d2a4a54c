"""The statements that make a log-in, judged: one log-in, its end, and what it may be lent."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from daypass.adapters.vault.compare import State
from daypass.adapters.vault.sql_text import (
    GRANT,
    ITSELF,
    LOG_IN,
    MAKES,
    Fault,
    plain,
    short,
    spaced,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NAME: Final = r"(?:\"[^\"]+\"|[\w$]+)"
_NAMES: Final = rf"{NAME}(?:\s*,\s*{NAME})*"
_LENDS: Final = re.compile(r"\bGRANT\s+([^;]+?)\s+TO\s+\"?\{\{name\}\}", re.IGNORECASE)
_MEMBER: Final = re.compile(rf"\bIN\s+(?:ROLE|GROUP)\s+({_NAMES})", re.IGNORECASE)
_ADDED: Final = re.compile(rf"\bALTER\s+GROUP\s+({NAME})\s+ADD\s+USER\s+{LOG_IN}", re.IGNORECASE)
_ADDS: Final = re.compile(r"\bALTER\s+GROUP\b[^;]*?\bADD\b", re.IGNORECASE)
_UNTIL: Final = re.compile(r"\bVALID\s+UNTIL\s+('*[^\s;']*'*)", re.IGNORECASE)
_END: Final = re.compile(r"'{1,2}\{\{expiration\}\}'{1,2}")
_PASSWORD: Final = re.compile(r"\bPASSWORD\s+('*[^\s;']*'*)", re.IGNORECASE)
_GIVEN: Final = re.compile(r"'{1,2}\{\{password\}\}'{1,2}|NULL", re.IGNORECASE)
_LOGIN: Final = re.compile(r"\bLOGIN\b", re.IGNORECASE)
_CLAUSES: Final = re.compile(rf"({MAKES.pattern})\s+([^\s;]+)([^;]*)", re.IGNORECASE)
_MEMBERS: Final = re.compile(r"(?<![\w\"])(?:ADMIN|ROLE|USER)\s+[\w\"]", re.IGNORECASE)
_ALTERS: Final = re.compile(r"\bALTER\s+(?:ROLE|USER(?!\s+MAPPING\b))\s+[^;]*", re.IGNORECASE)
_ALTERS_WELL: Final = re.compile(rf"ALTER\s+(?:ROLE|USER)\s+{LOG_IN}(?!\s+RENAME\b)", re.IGNORECASE)
_TO: Final = re.compile(
    rf"GRANT\s+([^;]+?)\s+TO\s+(\"?\{{\{{name\}}\}}\"?|{NAME}|[^\s;]+)(\s*,)?", re.IGNORECASE
)
_OF_SERVER: Final = "its holder acts as the server itself, on its files and programs"
_FAULTY: Final = {
    "pg_execute_server_program": (State.WRONG, _OF_SERVER),
    "pg_read_server_files": (State.WRONG, _OF_SERVER),
    "pg_write_server_files": (State.WRONG, _OF_SERVER),
    "pg_signal_backend": (State.DIFFERENT, "its holder ends the sessions of others"),
    "pg_signal_autovacuum_worker": (State.DIFFERENT, "its holder stops the server's own work"),
    "pg_maintain": (State.DIFFERENT, "its holder locks and rewrites the tables of every owner"),
    "pg_create_subscription": (State.DIFFERENT, "a subscription goes on after the end"),
    "pg_use_reserved_connections": (
        State.DIFFERENT,
        "its holder takes the connections that are kept for an emergency",
    ),
    "pg_write_all_data": (State.ADVICE, "it changes every table of every owner"),
    "pg_read_all_data": (State.ADVICE, "it reads every table of every owner"),
    "pg_monitor": (State.ADVICE, "it reads what others run, and every setting"),
    "pg_read_all_stats": (State.ADVICE, "it reads what others run"),
    "pg_read_all_settings": (State.ADVICE, "it reads every setting, secrets in them too"),
    "pg_stat_scan_tables": (State.ADVICE, "it may lock tables for long"),
    "pg_checkpoint": (State.ADVICE, "it may load the server's disks"),
}


def lent_in(text: str) -> tuple[str, ...]:
    """Returns the roles that a text lends to the log-in, each once, as they stand there."""
    lists = [match[1] for match in _LENDS.finditer(text)]
    lists = [names for names in lists if " ON " not in f" {spaced(names).upper()} "]
    lists += [match[1] for match in (*_MEMBER.finditer(text), *_ADDED.finditer(text))]
    return tuple(dict.fromkeys(name.strip() for names in lists for name in names.split(",")))


def of_predefined(text: str, lent: Sequence[str]) -> Iterator[Fault]:
    """PostgreSQL's own roles reach further than a grant says."""
    words = {word.lower() for word in re.findall(r"\bpg_\w+", text, re.IGNORECASE)}
    for name, (state, why) in _FAULTY.items():
        if name in words:
            yield Fault(state, f"{name}: {why}")
    for name in lent:
        if plain(name).startswith("pg_") and plain(name) not in _FAULTY:
            unknown = "what this role of PostgreSQL gives is not known"
            yield Fault(State.DIFFERENT, f"{plain(name)}: {unknown}")


def of_time(text: str) -> Iterator[Fault]:
    """A log-in ends when its grant does, and has the password that Vault made."""
    ends = [match[1] for match in _UNTIL.finditer(text)]
    if not any(_END.fullmatch(end) for end in ends):
        late = "no VALID UNTIL '{{expiration}}': nothing bars the log-in while Vault is down"
        yield Fault(State.DIFFERENT, late)
    for end in dict.fromkeys(ends):
        if not _END.fullmatch(end):
            yield Fault(
                State.DIFFERENT,
                f"VALID UNTIL {short(end)}: it must be '{{{{expiration}}}}' wherever it stands",
            )
    if any(not _GIVEN.fullmatch(match[1]) for match in _PASSWORD.finditer(text)):
        known = "PASSWORD is not '{{password}}': who knows that one can log in past Vault"
        yield Fault(State.DIFFERENT, known)


def of_roles(text: str) -> Iterator[Fault]:
    """One log-in is made, and no other role is made, changed or given anything."""
    made = [(match[1], match[2], match[3]) for match in _CLAUSES.finditer(text)]
    own = sum(_is_log_in(name) for _, name, _ in made)
    if not own:
        yield Fault(State.DIFFERENT, "they make no log-in")
    if own > 1:
        yield Fault(State.DIFFERENT, "they make more than one log-in: each needs an end of its own")
    for verb, name, more in made:
        clause = short(f"{verb} {name}{more}")
        if _MEMBERS.search(_MEMBER.sub(" ", more)):
            yield Fault(State.DIFFERENT, f"{clause}: it makes members, by ADMIN, ROLE or USER")
        if _is_log_in(name):
            continue
        if _LOGIN.search(more) or "USER" in verb.upper() or "%" in name or "'" in name:
            yield Fault(State.DIFFERENT, f"{clause}: a second log-in, and nothing ends it")
        else:
            yield Fault(State.ADVICE, f"{clause}: nothing ends this role. Make it once, by hand")


def of_changes(text: str) -> Iterator[Fault]:
    """What is changed and what is given concerns the log-in alone."""
    for match in _ALTERS.finditer(text):
        if not _ALTERS_WELL.match(match[0]):
            other = 'it changes another role than "{{name}}", or its name'
            yield Fault(State.DIFFERENT, f"{short(match[0])}: {other}")
    if len(_ADDS.findall(text)) != len(_ADDED.findall(text)):
        yield Fault(State.DIFFERENT, "ALTER GROUP … ADD: it gives rights past the grant")
    for match in GRANT.finditer(text):
        given = _TO.match(text, match.start())
        if given is None or given[3] or not _is_to_log_in(given[1], given[2]):
            clause = short(text[match.start() :].partition(";")[0])
            past = 'it must read GRANT … TO "{{name}}", or it gives rights past the grant'
            yield Fault(State.DIFFERENT, f"{clause}: {past}")


def _is_log_in(name: str) -> bool:
    return name in ('"{{name}}"', "{{name}}")


def _is_to_log_in(what: str, heir: str) -> bool:
    if _is_log_in(heir):
        return "%" not in what and "'" not in what
    return _is_log_in(what) and heir.lower() in ITSELF
