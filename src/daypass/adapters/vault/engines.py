"""Secrets engines as the doctor reads them: roles, caps, connections and their SQL.

daypass never writes any of it: each finding holds the command by which an administrator mends it.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from daypass.adapters.vault import caps, statements
from daypass.adapters.vault.compare import Found, State
from daypass.model import postgresql

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from daypass.adapters.vault.session import Session
    from daypass.adapters.vault.statements import Fault
    from daypass.adapters.vault.steps import TieredRole

_ASKED: Final = frozenset(
    {int(HTTPStatus.NOT_FOUND), int(HTTPStatus.BAD_REQUEST), int(HTTPStatus.FORBIDDEN)}
)
_FORBIDDEN: Final = int(HTTPStatus.FORBIDDEN)
POSTGRESQL: Final = "postgresql-database-plugin"
# A username template whose names the look still recognises: the words around may differ.
_KNOWN_NAMES: Final = re.compile(
    r"g-.*\{\{.*DisplayName.*\}\}-\{\{ *random 6 *\| *lowercase *\}\}-\{\{ *unix_time *\}\}"
)


class Engines:
    """What the secrets engines of one Vault hold. Each path is read once."""

    def __init__(self, session: Session) -> None:
        """Prepare; nothing is read yet. The session is an operator's."""
        self._session = session
        self._read: dict[str, tuple[int, Mapping[str, Any]]] = {}

    def read(self, path: str) -> Mapping[str, Any]:
        """Returns what is at a path; nothing where there is nothing, or where it is hidden.

        Raises VaultUnavailableError, VaultRefusedError.
        """
        if path not in self._read:
            answer = self._session.call("GET", path, accept=_ASKED)
            self._read[path] = (answer.status, {} if answer.errors else answer.data)
        return self._read[path][1]

    def is_hidden(self, path: str) -> bool:
        """Whether this token may not read that path."""
        self.read(path)
        return self._read[path][0] == _FORBIDDEN

    def role(self, mount: str, role: str) -> Mapping[str, Any]:
        """Returns the engine's role."""
        return self.read(caps.role_path(mount, role))

    def connection_path(self, mount: str, role: str) -> str:
        """Returns where the connection of that role is read."""
        return f"{mount}/config/{self.role(mount, role).get('db_name') or ''}"

    def speaks_postgresql(self, mount: str, role: str) -> bool:
        """Whether the role's connection is one to PostgreSQL."""
        return self.read(self.connection_path(mount, role)).get("plugin_name") == POSTGRESQL

    def vault_user(self, mount: str, role: str) -> str:
        """Returns Vault's own log-in at the role's target; empty when it is hidden."""
        details = self.read(self.connection_path(mount, role)).get("connection_details") or {}
        return str(details.get("username") or "")

    def lease_caps(self, mount: str, role: str) -> tuple[caps.Cap, ...]:
        """Returns every cap on a lease of that role."""
        about_mount = self.read(caps.tune_path(mount))
        return caps.lease_caps(mount, role, self.role(mount, role), about_mount)


def examine(engines: Engines, roles: Sequence[TieredRole]) -> Iterator[Found]:
    """Compares the engines with what access/ and `model.postgresql` ask of them.

    Raises VaultUnavailableError, VaultRefusedError.
    """
    yield _tokens(engines, roles)
    seen: set[tuple[str, str, int]] = set()
    mounts: dict[str, list[TieredRole]] = {}
    connections: dict[str, list[TieredRole]] = {}
    for role in roles:
        key = (role.mount, role.role, role.length.seconds)
        if key in seen:
            continue
        seen.add(key)
        yield _lengths(engines, role)
        if engines.role(role.mount, role.role):
            mounts.setdefault(role.mount, []).append(role)
            path = engines.connection_path(role.mount, role.role)
            connections.setdefault(path, []).append(role)
    for mount, minted in mounts.items():
        yield _mount(engines, mount, minted)
    for path, served in connections.items():
        yield from _connection(engines, path, served)


def _lengths(engines: Engines, role: TieredRole) -> Found:
    """The lease, and PostgreSQL's VALID UNTIL with it, must end with the tier: no sooner, no later.

    A token's end does not cap its lease, and a shorter lease ends the grant early.
    """
    path = caps.role_path(role.mount, role.role)
    title = f"role {path}"
    about = engines.role(role.mount, role.role)
    if engines.is_hidden(path):
        return Found(title, State.MISSING, f"there is no engine at {role.mount}/, or it is hidden")
    if not about:
        return Found(title, State.MISSING, f"make it, with default_ttl = max_ttl = {role.length}")
    wrong = [
        f"{name} is {_seconds(about, name)} s, and not {role.length.seconds} s"
        for name in ("default_ttl", "max_ttl")
        if _seconds(about, name) != role.length.seconds
    ]
    if not wrong:
        return Found(title, State.SAME)
    mend = f"bao write {path} default_ttl={role.length} max_ttl={role.length}"
    return Found(title, State.DIFFERENT, "; ".join(wrong), (mend,))


def _mount(engines: Engines, mount: str, roles: Sequence[TieredRole]) -> Found:
    """The mount's cap, or the system's, cuts every lease of the mount."""
    path = caps.tune_path(mount)
    title = f"cap on leases of {mount}/"
    if not engines.read(path):
        return Found(title, State.MISSING, f"this token may not read {path}")
    longest = max(roles, key=lambda role: role.length.seconds)
    found = caps.below(engines.lease_caps(mount, longest.role), longest.length.seconds)
    short = [cap for cap in found if cap.of_mount]
    names = [role.role for role in roles if short and short[0].seconds < role.length.seconds]
    harm = f"leases of {', '.join(dict.fromkeys(names))} end before their tier does"
    return _short(title, short, longest.length.seconds, harm)


def _tokens(engines: Engines, roles: Sequence[TieredRole]) -> Found:
    """Tokens of grants are cut by the cap of auth/token, or by the system's."""
    title = "cap on tokens of grants"
    about = engines.read(caps.TUNE_OF_TOKENS)
    wanted = max((role.cap.seconds for role in roles), default=0)
    if not about:
        return Found(title, State.MISSING, f"this token may not read {caps.TUNE_OF_TOKENS}")
    short = caps.below((caps.token_cap(about),), wanted)
    return _short(title, short, wanted, "Vault refuses to mint the longest grants")


def _short(title: str, short: Sequence[caps.Cap], wanted: int, harm: str) -> Found:
    if not short:
        return Found(title, State.SAME)
    said = "; ".join(cap.shortfall(wanted) for cap in short)
    return Found(title, State.DIFFERENT, f"{said}: {harm}", caps.mends(short, wanted))


def _connection(engines: Engines, path: str, served: Sequence[TieredRole]) -> Iterator[Found]:
    """A connection, and the SQL of the roles that go through it."""
    title = f"connection {path}"
    about = engines.read(path)
    if not about:
        why = "it is hidden from this token" if engines.is_hidden(path) else "it is not there"
        yield Found(title, State.MISSING, f"{why}: its SQL is not compared")
        return
    plugin = about.get("plugin_name")
    if plugin != POSTGRESQL:
        text = f"its plugin is {plugin}: daypass knows the SQL of PostgreSQL, and compares no other"
        yield Found(title, State.ADVICE, text)
        return
    details = about.get("connection_details") or {}
    looks = {role.confirm for role in served if role.confirm is not None}
    yield from _allowed(title, path, about, {*(role.role for role in served), *looks})
    yield _names(title, path, details, is_looked_at=bool(looks))
    lent = {
        name
        for role in served
        for name in statements.lent_by(_texts(engines, role, "creation_statements"))
    }
    for role in served:
        yield from _sql(engines, role, engines.vault_user(role.mount, role.role), lent)
    yield from _looks(engines, path, served)


def _allowed(
    title: str, path: str, about: Mapping[str, Any], wanted: Iterable[str]
) -> Iterator[Found]:
    allowed = [str(name) for name in about.get("allowed_roles") or ()]
    patterns = [re.compile(".*".join(map(re.escape, name.split("*")))) for name in allowed]
    missing = [
        name for name in sorted(wanted) if not any(item.fullmatch(name) for item in patterns)
    ]
    if missing:
        mend = f"bao write {path} allowed_roles={','.join([*allowed, *missing])}"
        text = f"its allowed_roles do not name {', '.join(missing)}"
        yield Found(title, State.DIFFERENT, text, (mend,))


def _names(title: str, path: str, details: Mapping[str, Any], *, is_looked_at: bool) -> Found:
    """The log-in's name carries the grant's id: by it the look knows whose it is."""
    template = str(details.get("username_template") or "")
    if template == postgresql.USERNAME_TEMPLATE:
        return Found(title, State.SAME)
    if _KNOWN_NAMES.fullmatch(template):
        text = "its username_template is not daypass's own, and the look knows the names it makes"
        return Found(title, State.ADVICE, text)
    mend = f"bao write {path} username_template='{postgresql.USERNAME_TEMPLATE}'"
    if is_looked_at:
        text = (
            "its username_template makes names that the look does not know: it would see neither "
            "sessions nor log-ins of grants"
        )
        return Found(title, State.DIFFERENT, text, (mend,))
    text = "its username_template does not put the grant's id into the log-in's name"
    return Found(title, State.ADVICE, text, (mend,))


def _sql(engines: Engines, role: TieredRole, user: str, lent: Iterable[str]) -> Iterator[Found]:
    path = caps.role_path(role.mount, role.role)
    revocation = statements.faults_of_revocation(
        _texts(engines, role, "revocation_statements"), user, lent
    )
    mend = f"daypass vault sql revocation | bao write {path} -"
    yield from _judged(f"revocation of {path}", revocation, mend)
    creation = _texts(engines, role, "creation_statements")
    lends = (name for name in statements.lent_by(creation) if not name.lower().startswith("pg_"))
    group = next(lends, "GROUP")  # a role of PostgreSQL itself is no group of a database
    mend = f"daypass vault sql creation --group {group} | bao write {path} -"
    yield from _judged(f"creation of {path}", statements.faults_of_creation(creation), mend)


def _looks(engines: Engines, path: str, served: Sequence[TieredRole]) -> Iterator[Found]:
    """The roles that look, and the levels that name none."""
    connection = path.rpartition("/")[2]
    told: set[str] = set()
    for role in served:
        level = f"level {role.resource}/{role.level}"
        if role.confirm is None:
            if level not in told:
                told.add(level)
                yield _no_look(level, role, connection)
            continue
        own = caps.role_path(role.mount, role.confirm)
        if own in told:
            continue
        told.add(own)
        about = engines.role(role.mount, role.confirm)
        mend = _write_look(connection, own)
        if not about:
            text = f"{level} names it in `confirm`, and it is not there, or it is hidden"
            yield Found(f"look {own}", State.MISSING, text, (mend,))
            continue
        if about.get("db_name") != connection:
            text = (
                f"it looks at the connection {about.get('db_name')}, and {level} is minted "
                f"through {connection}"
            )
            yield Found(f"look {own}", State.DIFFERENT, text, (mend,))
        found = statements.faults_of_look(about.get("creation_statements") or ())
        yield from _judged(f"look {own}", found, mend)


def _no_look(level: str, role: TieredRole, connection: str) -> Found:
    look = f"{connection}-look"
    return Found(
        level,
        State.ADVICE,
        "it names no role in `confirm`: its ends confirm the credential and no sessions, and "
        "leftovers and log-ins of a restored database are not seen. Make the role, name it in "
        f"the connection's allowed_roles, and write `confirm: {look}` into "
        f"access/resources/{role.resource}.yaml",
        (_write_look(connection, caps.role_path(role.mount, look)),),
    )


def _write_look(connection: str, path: str) -> str:
    return f"daypass vault sql look --connection {connection} | bao write {path} -"


def _judged(title: str, faults: Sequence[Fault], mend: str) -> Iterator[Found]:
    if not faults:
        yield Found(title, State.SAME)
    for fault in faults:
        yield Found(title, fault.state, fault.text, (mend,) if not fault.state.is_sound else ())


def _texts(engines: Engines, role: TieredRole, name: str) -> tuple[str, ...]:
    return tuple(str(text) for text in engines.role(role.mount, role.role).get(name) or ())


def _seconds(about: Mapping[str, Any], name: str) -> int:
    value = about.get(name)
    return value if isinstance(value, int) else 0
