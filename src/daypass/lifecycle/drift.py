"""Drift: tokens with daypass's marks that main does not know. Nothing lives that git does not.

What a parallel run is about to write is no drift: its slot is read before anything is revoked.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from daypass.lifecycle.context import WORKERS
from daypass.lifecycle.marks import GRANT_MARK, REPOSITORY_MARK
from daypass.lifecycle.ports import SlotState
from daypass.model.names import grant_path

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


def find_orphans(ports: Ports, seen: Observation, repository_id: int) -> tuple[Orphan, ...]:
    """Look up every live token that main does not know, and keep those that bear our marks.

    Raises what the ports raise.
    """
    world = seen.world
    known = {grant.accessor for grant in world.grants.values()}
    strangers = [digest for digest in sorted(seen.accessors) if digest not in known]
    with ThreadPoolExecutor(WORKERS) as pool:
        found = tuple(
            pool.map(lambda digest: ports.issuer.lookup(seen.accessors[digest]), strangers)
        )
    return tuple(
        Orphan(digest, state.accessor, state.meta[GRANT_MARK])
        for digest, state in zip(strangers, found, strict=True)
        if state is not None
        and GRANT_MARK in state.meta
        and state.meta.get(REPOSITORY_MARK) == str(repository_id)
        and not _is_under_way(ports, state)
    )


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
