"""Presence: whether a granted request has lain on main ever since, or was away between two runs.

A run compares states, and a request that was deleted and put back with the same bytes looks like
one that nobody touched. Its deletion was a person's word that the grant is to end, and no later
word takes that back: an id is used once. Git knows; it is asked for what lies on main only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from daypass.ledger.history import find_events
from daypass.lifecycle.ports import SlotState
from daypass.model.grant import Grant

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from daypass.lifecycle.context import Ports
    from daypass.lifecycle.ports import Slot
    from daypass.lifecycle.world import RequestFile


def find_put_back(
    ports: Ports,
    head: str,
    requests: Mapping[str, RequestFile],
    grants: Mapping[str, Grant],
    slots: Mapping[str, Slot],
) -> frozenset[str]:
    """Grant ids whose request lies on main as it was granted, and was another or none in between.

    Grants are those on main, and those that a killed run has minted for. Raises what the ports
    raise.
    """
    minted = (
        Grant.from_document(slot.data["record"])
        for slot in slots.values()
        if slot.state is SlotState.MINTED and slot.grant_id not in grants
    )
    there = [
        (grant, requests[grant.id])
        for grant in (*grants.values(), *minted)
        if grant.id in requests and requests[grant.id].blob == grant.request_blob
    ]
    paths = [file.path for _, file in there]
    brought = ports.repository.introductions(head, paths) if paths else {}
    suspects = [
        (grant, file) for grant, file in there if brought.get(file.path) != grant.request_commit
    ]
    own = _own_commits(ports, head, (grant for grant, _ in suspects))
    return frozenset(
        grant.id for grant, file in suspects if brought.get(file.path) not in own.get(grant.id, ())
    )


def _own_commits(ports: Ports, head: str, grants: Iterable[Grant]) -> dict[str, set[str]]:
    """The bot's commits about grants whose request came to main with their record."""
    ids = [grant.id for grant in grants if grant.request_commit is None]
    events = find_events(ports.repository.walk(head), ports.signers, ids)
    return {name: {item.commit for item in found} for name, found in events.items()}
