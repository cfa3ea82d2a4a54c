"""Forgotten: what a Vault that was restored from a backup no longer knows, and git does.

Tokens that were minted after the snapshot do not exist in it, and neither do their leases: the
database users that they opened live until the database bars them (`VALID UNTIL`). Ids that were
used after the snapshot are free in it; git knows them, and they are taken in again.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from daypass.errors import ConflictError, OddSlotError
from daypass.ledger.history import read_chained
from daypass.ledger.usable import StillUsable
from daypass.lifecycle.context import WORKERS
from daypass.lifecycle.ports import SlotState
from daypass.lifecycle.world import accessor_digest
from daypass.model.event import OF_PULL_REQUEST, Reason
from daypass.model.instant import Instant
from daypass.model.resource import IssueMode

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from daypass.lifecycle.context import Ports
    from daypass.lifecycle.plan import Action
    from daypass.lifecycle.ports import Registry
    from daypass.lifecycle.vault_memory import VaultMemory
    from daypass.model.grant import Grant

FORGOTTEN: Final = "forgotten"  # in the slot of an id that was taken in from git
# Vault lets a database user live for some seconds longer than its lease.
_GRAIN_SECONDS: Final = 10


def usable_until(grant: Grant) -> Instant:
    """The latest time at which something that the grant opened can still work.

    A credential lives as long as its tier says from when it was read: at the issue for `on-merge`,
    and at the very end of the token at the latest otherwise.
    """
    read_at = grant.not_after
    if grant.issue is IssueMode.ON_MERGE and grant.wrapping is not None:
        with suppress(ValueError):
            read_at = min(read_at, Instant.parse(grant.wrapping.time))
    return read_at.plus(grant.tier.seconds + _GRAIN_SECONDS)


def _usable(grant: Grant) -> StillUsable:
    until = usable_until(grant)
    return StillUsable(grant.id, grant.subject, grant.resource, grant.access, until)


def take_in(ports: Ports, head: str, memory: VaultMemory, live: Collection[str]) -> None:
    """Take in the ids that events after Vault's memory name, so that none is granted again.

    `live` are the grants on main: their slots are left as they are, if Vault has them. Idempotent.
    Raises what the ports raise.
    """
    ids: set[str] = set()
    for recorded in read_chained(ports.repository.walk(head), ports.signers):
        if recorded.sequence <= memory.sequence:
            break
        event = recorded.event
        if event.grant is not None and event.kind not in OF_PULL_REQUEST:
            ids.add(event.grant)
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(lambda name: _take_in(ports.registry, name, live=name in live), sorted(ids)))


def _take_in(registry: Registry, grant_id: str, *, live: bool) -> None:
    try:
        slot = registry.read(grant_id)
    except OddSlotError:  # its id was used, and is granted by nothing
        return
    if slot is not None and (live or slot.state is SlotState.CLOSED):
        return
    with suppress(ConflictError):  # another run takes it in
        version = slot.version if slot else 0
        registry.write(grant_id, SlotState.CLOSED, {FORGOTTEN: True}, version)
    registry.remove_pending(grant_id)


def mark_forgotten(
    ports: Ports, actions: Iterable[Action], live: Collection[str], *, restored: bool
) -> tuple[list[Action], dict[str, StillUsable]]:
    """The ends, with the reason `vault-restored` where that is it; and what may still be used.

    A token that is gone before its time is looked up in Vault's slots; with `restored` (this Vault
    was found older than main once) so is every other that is gone. Raises what the ports raise.
    """
    actions = list(actions)
    asked = [
        action
        for action in actions
        if action.grant is not None
        and action.grant.accessor not in live
        and (restored or action.reason is Reason.VANISHED)
    ]
    with ThreadPoolExecutor(WORKERS) as pool:
        forgotten = pool.map(lambda action: _is_forgotten(ports.registry, action.grant), asked)
        found = {
            action.grant.id: _usable(action.grant)
            for action, is_forgotten in zip(asked, forgotten, strict=True)
            if action.grant is not None and is_forgotten
        }
    ends = [
        replace(action, reason=Reason.VAULT_RESTORED)
        if action.grant_id in found and action.reason is Reason.VANISHED
        else action
        for action in actions
    ]
    return ends, found


def _is_forgotten(registry: Registry, grant: Grant | None) -> bool:
    """Whether Vault's memory is of a time before that grant's token was minted."""
    if grant is None:
        return False
    try:
        slot = registry.read(grant.id)
    except OddSlotError:  # no backup writes that
        return False
    if slot is None or slot.data.get(FORGOTTEN):
        return True
    if slot.data.get("again") and slot.state is not SlotState.DELIVERED:
        return False  # a second delivery is under way
    accessor = slot.data.get("accessor")
    if accessor is None:  # reserved: minted after that; closed: it ended by Vault's own memory
        return slot.state is SlotState.RESERVED
    return accessor_digest(str(accessor)) != grant.accessor
