"""Drift: tokens with daypass's marks that main does not know. Nothing lives that git does not.

What a parallel run is about to write is no drift: its slot is read before anything is revoked. Nor
is what an invoker took of Vault while GitHub was down: that is told apart, and written down.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from daypass.lifecycle.context import WORKERS
from daypass.lifecycle.marks import GRANT_MARK, REPOSITORY_MARK
from daypass.lifecycle.offline import OfflineUse, is_offline, offline_roles
from daypass.lifecycle.ports import SlotState
from daypass.model.names import grant_path, is_name

if TYPE_CHECKING:
    from daypass.lifecycle.context import Ports
    from daypass.lifecycle.observe import Observation
    from daypass.lifecycle.ports import TokenState


@dataclass(frozen=True, slots=True)
class Orphan:
    """A live token that carries a grant's marks, and that no grant on main has."""

    digest: str
    accessor: str
    grant_id: str


@dataclass(frozen=True, slots=True)
class Strangers:
    """What is in Vault and not on main: to be revoked, or to be written down."""

    orphans: tuple[Orphan, ...]
    offline: tuple[OfflineUse, ...]


def find_strangers(ports: Ports, seen: Observation, repository_id: int) -> Strangers:
    """Look up every live token that main does not know, and read what was left while it was down.

    Raises what the ports raise.
    """
    world = seen.world
    known = {grant.accessor for grant in world.grants.values()}
    unknown = [digest for digest in sorted(seen.accessors) if digest not in known]
    with ThreadPoolExecutor(WORKERS) as pool:
        states = tuple(
            pool.map(lambda digest: ports.issuer.lookup(seen.accessors[digest]), unknown)
        )
    found = {
        digest: state for digest, state in zip(unknown, states, strict=True) if state is not None
    }
    taken = {
        digest: use
        for digest, state in found.items()
        if (use := _taken(ports, seen, digest, state, repository_id)) is not None
    }
    orphans = tuple(
        Orphan(digest, state.accessor, state.meta.get(GRANT_MARK, "?"))
        for digest, state in found.items()
        if digest not in taken and _is_orphan(ports, seen, state, repository_id)
    )
    notes = ports.registry.offline_notes()
    live = {use.grant_id: use for use in taken.values()}
    done = {(note.entity_id, note.grant_id) for note in notes if note.done}
    uses = [
        *(replace(use, done=(use.entity_id, use.grant_id) in done) for use in live.values()),
        *(OfflineUse.of_note(note) for note in notes if note.grant_id not in live),
    ]
    return Strangers(orphans, tuple(sorted(uses, key=lambda use: (use.not_before, use.grant_id))))


def _taken(
    ports: Ports, seen: Observation, digest: str, state: TokenState, repository_id: int
) -> OfflineUse | None:
    """What somebody took offline, of which nothing is known yet; None for every other token."""
    grant_id = state.meta.get(GRANT_MARK, "")
    if (
        not is_offline(state)
        or not is_name(grant_id)
        or state.meta.get(REPOSITORY_MARK) != str(repository_id)
        or grant_id in seen.world.grants
        or ports.registry.read(grant_id) is not None
    ):
        return None
    return OfflineUse.of_token(digest, state)


def _is_orphan(ports: Ports, seen: Observation, state: TokenState, repository_id: int) -> bool:
    """Whether it is a token of this repository's own that nothing accounts for.

    By its marks, or by an offline role: who mints through one makes its marks too.
    """
    marked = GRANT_MARK in state.meta and state.meta.get(REPOSITORY_MARK) == str(repository_id)
    if not is_offline(state):
        return marked and not _is_under_way(ports, state)
    ruling = seen.world.ruling
    if ruling is None or not (marked or state.token_role in offline_roles(ruling)):
        return False
    grant_id = state.meta.get(GRANT_MARK, "")
    slot = ports.registry.read(grant_id) if is_name(grant_id) else None
    # Its id is its own from the moment at which a run takes it up: a reservation is another's.
    return slot is None or slot.data.get("accessor") != state.accessor


def _is_under_way(ports: Ports, state: TokenState) -> bool:
    """Whether a run is between the mint of this token and its evidence on main.

    A reservation without a mint may be of a run that lives, or of one that was killed: the run that
    takes it up mints anew, and then this token is one that no slot names.
    """
    slot = ports.registry.read(state.meta[GRANT_MARK])
    if slot is None:
        return False
    if slot.state is SlotState.RESERVED:
        return True
    if slot.data.get("accessor") != state.accessor:
        return False
    return slot.state is SlotState.MINTED or _is_on_main(ports, slot.grant_id)


def _is_on_main(ports: Ports, grant_id: str) -> bool:
    """Whether another run has written its evidence since this one looked."""
    path = grant_path(grant_id)
    head = ports.repository.fetch()
    return any(entry.path == path for entry in ports.repository.entries(head, path))
