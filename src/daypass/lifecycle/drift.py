"""Drift: tokens of daypass's own roles that main does not know. Nothing lives that git does not.

A token is ours by the role that it was minted through, which Vault keeps; its marks are the
minter's word, and only say which grant to look for. What a parallel run is about to write is no
drift: its slot is read before anything is revoked. Nor is what an invoker took of Vault while
GitHub was down: that is told apart, and written down.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from daypass.errors import OddSlotError, TemporaryError, VaultRefusedError
from daypass.lifecycle.leases import Window, await_leases
from daypass.lifecycle.marks import GRANT_MARK
from daypass.lifecycle.offline import OfflineUse, is_offline
from daypass.lifecycle.ownership import engine_roles, is_marked, is_own, token_roles
from daypass.lifecycle.ports import SlotState
from daypass.lifecycle.world import accessor_digest
from daypass.model.names import grant_path, is_name

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from daypass.lifecycle.context import Ports
    from daypass.lifecycle.observe import Observation
    from daypass.lifecycle.offline import OfflineNote
    from daypass.lifecycle.ports import Slot, TokenState
    from daypass.model.catalogue import Catalogue
    from daypass.model.instant import Instant

# What a note calls an accessor is its writer's word, and Vault is asked about it.
UNMARKED: Final = "?"
_ACCESSOR: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True, slots=True)
class Orphan:
    """A live token of a role of ours that no grant on main has. `grant_id`: "?" if unmarked."""

    digest: str
    accessor: str
    grant_id: str
    token_role: str | None
    not_before: Instant | None = None  # None: Vault does not tell
    is_closed: bool = False  # its id has ended: a Vault that was restored brings its token back
    was_granted: bool = False  # Vault's memory has it as the token of the grant that it names

    @property
    def is_unbidden(self) -> bool:
        """Whether `--max` counts its end: a main whose loss was accepted shows many of them.

        What Vault's memory does not know never was a grant, and no number of them protects it.
        """
        return self.was_granted and not self.is_closed

    @property
    def what(self) -> str:
        """The token, for people."""
        marked = f"marked {self.grant_id!a}" if self.grant_id != UNMARKED else "without a mark"
        return f"a token of the role {self.token_role or '?'}, {marked},"


@dataclass(frozen=True, slots=True)
class Strangers:
    """What is in Vault and not on main: to be revoked, or to be written down."""

    orphans: tuple[Orphan, ...]
    offline: tuple[OfflineUse, ...]
    beyond: Mapping[str, int] = field(default_factory=dict)  # entity → notes for the runs to come


def find_strangers(ports: Ports, seen: Observation, repository_id: int) -> Strangers:
    """Look up every live token that main does not know, and read what was left while it was down.

    Of a main that was put back nothing is a stranger: what it lacks may be a live grant.

    Raises what the ports raise.
    """
    world = seen.world
    if world.is_rolled_back:
        return Strangers((), ())
    known = {grant.accessor for grant in world.grants.values()}
    unknown = [digest for digest in sorted(seen.accessors) if digest not in known]
    states = ports.issuer.states(seen.accessors[digest] for digest in unknown)
    found = {
        digest: states[seen.accessors[digest]]
        for digest in unknown
        if seen.accessors[digest] in states
    }
    taken = {
        digest: use
        for digest, state in found.items()
        if (use := _taken(ports, seen, digest, state, repository_id)) is not None
    }
    # Of two tokens that carry one id, one can be what it says.
    live = {use.grant_id: use for use in taken.values()}
    kept = {use.digest for use in live.values()}
    roles = token_roles(world.rulings)
    orphans = tuple(
        _orphan(ports, digest, state)
        for digest, state in found.items()
        if digest not in kept and _is_orphan(ports, seen, state, roles, repository_id)
    )
    notes = ports.registry.offline_notes()
    written = {(use.entity_id, use.grant_id) for use in live.values()}
    over = (_over(ports, seen, note) for note in notes.found)
    uses = [
        *(replace(use, done=(use.entity_id, use.grant_id) in notes.done) for use in live.values()),
        *(use for use in over if use and (use.entity_id, use.grant_id) not in written),
    ]
    ordered = sorted(uses, key=lambda use: (use.not_before, use.grant_id))
    return Strangers(orphans, tuple(ordered), notes.beyond)


def end_orphan(ports: Ports, orphan: Orphan, catalogue: Catalogue | None) -> str | None:
    """Revoke it and look; why it is not sure that nothing of it lives, None when Vault shows that.

    Raises what the ports raise: then the next run finds it again.
    """
    ports.issuer.revoke(orphan.accessor)
    if ports.issuer.lookup(orphan.accessor) is not None:
        raise TemporaryError(
            f"{orphan.what} that no grant knows could not be ended",
            remedy="The next run tries again. Vault's own log says why.",
        )
    opened = engine_roles(catalogue).get(orphan.token_role or "") if catalogue else None
    if opened is None:
        return None
    return await_leases(ports.issuer, *opened).why(Window(since=orphan.not_before))


def _taken(
    ports: Ports, seen: Observation, digest: str, state: TokenState, repository_id: int
) -> OfflineUse | None:
    """What somebody took offline, of which nothing is known yet; None for every other token."""
    grant_id = state.meta.get(GRANT_MARK, "")
    if (
        not is_offline(state)
        or not is_name(grant_id)
        or not is_marked(state, repository_id)
        or grant_id in seen.world.grants
        or _was_used(ports, grant_id)
    ):
        return None
    return OfflineUse.of_token(digest, state)


def _was_used(ports: Ports, grant_id: str) -> bool:
    try:
        return ports.registry.read(grant_id) is not None
    except OddSlotError:
        return True


def _over(ports: Ports, seen: Observation, note: OfflineNote) -> OfflineUse | None:
    """What a note tells of, whose token is gone; None: its token is younger than this look.

    A note that names the token of something else names none: ending one must not end the other.
    """
    digest = accessor_digest(note.accessor)
    state = None
    named = _ACCESSOR.fullmatch(note.accessor) is not None
    if named:
        try:
            state = ports.issuer.lookup(note.accessor)
        except VaultRefusedError:  # what Vault takes for no accessor is none
            named = False
    if state is not None and digest not in seen.accessors and state.entity_id == note.entity_id:
        return None
    named &= state is None and all(item.accessor != digest for item in seen.world.grants.values())
    return OfflineUse.of_note(note if named else replace(note, accessor=""))


def _is_orphan(
    ports: Ports,
    seen: Observation,
    state: TokenState,
    roles: Container[str],
    repository_id: int,
) -> bool:
    """Whether it is a token of this repository's own roles that nothing accounts for."""
    if not is_own(state, roles, repository_id):
        return False
    if not is_offline(state):
        return not _is_under_way(ports, state)
    # Any level's: one that can be taken offline no more has its role until the next `vault apply`.
    if seen.world.ruling is None:
        return False
    slot = _slot_of(ports, state)
    # Its id is its own from the moment at which a run takes it up: a reservation is another's.
    return slot is None or slot.data.get("accessor") != state.accessor


def _slot_of(ports: Ports, state: TokenState) -> Slot | None:
    """What Vault's memory has of the grant which the token names, if it names one."""
    grant_id = state.meta.get(GRANT_MARK, "")
    try:
        return ports.registry.read(grant_id) if is_name(grant_id) else None
    except OddSlotError:  # it accounts for nothing: what no grant on main has is ended
        return None


def _orphan(ports: Ports, digest: str, state: TokenState) -> Orphan:
    slot = _slot_of(ports, state)
    return Orphan(
        digest,
        state.accessor,
        state.meta.get(GRANT_MARK, UNMARKED),
        state.token_role,
        state.not_before,
        is_closed=slot is not None and slot.state is SlotState.CLOSED,
        was_granted=slot is not None and slot.data.get("accessor") == state.accessor,
    )


def _is_under_way(ports: Ports, state: TokenState) -> bool:
    """Whether a run is between the mint of this token and its evidence on main.

    A reservation without a mint may be of a run that lives, or of one that was killed: the run that
    takes it up mints anew, and then this token is one that no slot names.
    """
    slot = _slot_of(ports, state)
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
