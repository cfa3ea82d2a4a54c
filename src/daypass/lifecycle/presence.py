"""Presence: whether a granted request has lain on main ever since, or was away between two runs.

A run compares states, and a request that was deleted and put back with the same bytes looks like
one that nobody touched. Its deletion was a person's word that the grant is to end, and no later
word takes that back: an id is used once. Git knows; how far it was asked is noted in Vault, so that
a run asks about what is new only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.ledger.history import find_events
from daypass.lifecycle.ports import SlotState
from daypass.model.grant import Grant
from daypass.model.names import grant_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from daypass.lifecycle.context import Ports
    from daypass.lifecycle.ports import Slot
    from daypass.lifecycle.world import RequestFile

PRESENCE_NOTE: Final = "presence"


def find_put_back(
    ports: Ports,
    head: str,
    requests: Mapping[str, RequestFile],
    grants: Mapping[str, Grant],
    slots: Mapping[str, Slot],
    *,
    remember: bool,
) -> frozenset[str]:
    """Grant ids whose request lies on main as it was granted, and was another or none in between.

    Grants are those on main, and those that a killed run has minted for. With `remember`, nothing
    found is noted; what is found is found again until it has ended. Raises what the ports raise.
    """
    note = ports.registry.read_note(PRESENCE_NOTE)
    since = str(note["commit"]) if note is not None else None
    if since is not None and since != head and not ports.repository.is_ancestor(since, head):
        since = None
    minted = [
        Grant.from_document(slot.data["record"])
        for slot in slots.values()
        if slot.state is SlotState.MINTED and slot.grant_id not in grants
    ]
    news = [*_news(ports, head, since, requests, grants), *minted]
    found = _put_back(ports, head, requests, news)
    if remember and not found and since != head:
        ports.registry.write_note(PRESENCE_NOTE, {"commit": head})
    return found


def _news(
    ports: Ports,
    head: str,
    since: str | None,
    requests: Mapping[str, RequestFile],
    grants: Mapping[str, Grant],
) -> Sequence[Grant]:
    """Grants of which the request or the record changed since the note.

    A run may have written a record after another one had looked at what became of its request.
    """
    if since is None:
        return tuple(grants.values())
    if since == head:
        return ()
    paths = {grant_path(name): name for name in grants}
    paths |= {requests[name].path: name for name in grants if name in requests}
    changed = ports.repository.introductions(head, sorted(paths), since=since)
    return tuple(grants[name] for name in sorted({paths[path] for path in changed}))


def _put_back(
    ports: Ports, head: str, requests: Mapping[str, RequestFile], grants: Iterable[Grant]
) -> frozenset[str]:
    """Those whose request came to main by another commit than the one that was granted."""
    there = [
        (grant, requests[grant.id].path)
        for grant in grants
        if grant.id in requests and requests[grant.id].blob == grant.request_blob
    ]
    brought = ports.repository.introductions(head, [path for _, path in there]) if there else {}
    suspects = {
        grant.id: brought.get(path)
        for grant, path in there
        if brought.get(path) != grant.request_commit
    }
    # Where daypass itself laid it down, together with the record, no commit of before is known.
    own = [grant.id for grant, _ in there if grant.request_commit is None]
    events = find_events(ports.repository.walk(head), ports.signers, own)
    came_with = {name: {item.commit for item in found} for name, found in events.items()}
    return frozenset(
        name for name, commit in suspects.items() if commit not in came_with.get(name, ())
    )
