"""A census: what git says, and what lives in Vault and at the database, of some grants, at once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from daypass.lifecycle.world import accessor_digest
from daypass.model.instant import Instant

if TYPE_CHECKING:
    from support.town import Town


@dataclass(frozen=True, slots=True)
class Event:
    """One event of the evidence."""

    kind: str
    not_before: Instant | None
    not_after: Instant | None


@dataclass(frozen=True, slots=True)
class Census:
    """What there is of the ids that begin with a prefix."""

    requests: frozenset[str]  # on main
    records: dict[str, dict[str, Any]]  # of grants on main
    events: dict[str, list[Event]]  # oldest first
    tokens: dict[str, dict[str, Instant]]  # id → digest of the accessor → when Vault ends it
    users: dict[str, frozenset[str]]  # id → users at the database


def take_census(town: Town, prefix: str, *, since: str) -> Census:
    """Look once. `since` is a commit that came before all of them."""
    names = {path: path.rpartition("/")[2].partition(".")[0] for path in town.files()}
    mine = {path: name for path, name in names.items() if name.startswith(prefix)}
    records = {
        name: json.loads(town.store.git("show", f"main:{path}"))
        for path, name in mine.items()
        if path.startswith("access/grants/")
    }
    return Census(
        frozenset(name for path, name in mine.items() if path.startswith("access/requests/")),
        records,
        _events(town, prefix, since),
        _tokens(town, prefix),
        _users(town, prefix),
    )


def _events(town: Town, prefix: str, since: str) -> dict[str, list[Event]]:
    names = ("Daypass-Grant", "Daypass-Event", "Daypass-Not-Before", "Daypass-Not-After")
    form = "|".join(f"%(trailers:key={name},valueonly,separator=%x20)" for name in names)
    log = town.store.git("log", "--reverse", "--first-parent", f"--format={form}", f"{since}..main")
    found: dict[str, list[Event]] = {}
    for line in log.splitlines():
        grant, kind, begins, ends = line.split("|")
        if grant.startswith(prefix):
            times = (Instant.parse(text) if text else None for text in (begins, ends))
            found.setdefault(grant, []).append(Event(kind, *times))
    return found


def _tokens(town: Town, prefix: str) -> dict[str, dict[str, Instant]]:
    found: dict[str, dict[str, Instant]] = {}
    for accessor, grant in town.tokens():
        if grant.startswith(prefix):
            ends = town.ends(accessor)
            if ends is not None:
                found.setdefault(grant, {})[accessor_digest(accessor)] = ends
    return found


def _users(town: Town, prefix: str) -> dict[str, frozenset[str]]:
    """Users are named g-<id>-<random>-<time>."""
    found: dict[str, set[str]] = {}
    for name in town.box.postgres.roles():
        grant = name.removeprefix("g-").rsplit("-", 2)[0]
        if grant.startswith(prefix):
            found.setdefault(grant, set()).add(name)
    return {grant: frozenset(names) for grant, names in found.items()}
