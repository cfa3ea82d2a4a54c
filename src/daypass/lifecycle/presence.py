"""Presence: whether a granted request has lain on main ever since, or was away between two runs.

A run compares states, and a request that was deleted and put back with the same bytes looks like
one that nobody touched. Its deletion was a person's word that the grant is to end, and no later
word takes that back: an id is used once. Git knows; how far it was asked is noted in Vault, so that
a run asks about what is new only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from daypass.ledger.commitobject import parse_commit
from daypass.ledger.history import find_events
from daypass.lifecycle.notes import NoteKind, commit_in
from daypass.lifecycle.ports import SlotState
from daypass.model.grant import Grant
from daypass.model.names import grant_path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from daypass.lifecycle.context import Ports
    from daypass.lifecycle.ports import Slot
    from daypass.lifecycle.world import RequestFile

PRESENCE_NOTE: Final = "presence"
PRESENCE: Final = NoteKind(
    PRESENCE_NOTE, commit_in, "This run looks through all of main's history for requests put back"
)
Changed: TypeAlias = "Mapping[str, Mapping[str, str | None]]"  # path → commit → what it left there


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
    since = PRESENCE.recall(ports.registry)
    if since is not None and since != head and not ports.repository.is_ancestor(since, head):
        since = None
    minted = [
        Grant.from_document(slot.data["record"])
        for slot in slots.values()
        if slot.state is SlotState.MINTED and slot.grant_id not in grants
    ]
    known = {grant.id: grant for grant in (*grants.values(), *minted)}
    there = {
        name: requests[name].path
        for name, grant in known.items()
        if name in requests and requests[name].blob == grant.request_blob
    }
    paths = (*there.values(), *map(grant_path, there))
    changed = ports.repository.changed_by(since, head, paths) if since != head else {}
    # A run may have written a record after another one had looked at what became of its request.
    news = {
        name: path
        for name, path in there.items()
        if path in changed or grant_path(name) in changed or name not in grants
    }
    found = _put_back(ports, head, [(known[name], path) for name, path in news.items()], changed)
    if remember and not found and since != head:
        ports.registry.write_note(PRESENCE_NOTE, {"commit": head})
    return found


def _put_back(
    ports: Ports, head: str, news: Sequence[tuple[Grant, str]], changed: Changed
) -> frozenset[str]:
    """Those whose request is there by another commit than the one that was granted."""
    brought = ports.repository.introductions(head, [path for _, path in news]) if news else {}
    for grant, path in news:
        brought |= _bringing(ports, path, grant, brought.get(path))
    # Where daypass itself laid it down, together with the record, that is the event's own commit.
    own = [grant.id for grant, _ in news if grant.request_commit is None]
    events = find_events(ports.repository.walk(head), ports.signers, own)
    issued = {name: found[-1].commit for name, found in events.items() if found}
    return frozenset(
        grant.id
        for grant, path in news
        if (since := grant.request_commit or issued.get(grant.id)) is None
        or brought.get(path) != since
        or _was_undone(ports, head, since, grant, path, changed)
    )


def _bringing(ports: Ports, path: str, grant: Grant, commit: str | None) -> dict[str, str]:
    """The newest commit that brought what was granted, whatever a diff calls a change.

    In a tree that is out of order or holds a path twice, git shows changes of what stayed.
    """
    while commit is not None and commit != grant.request_commit:
        parents = parse_commit(next(iter(ports.repository.walk(commit))).raw).parents
        if not parents or not all(
            _is_there(ports, sha, path, grant) for sha in (commit, parents[0])
        ):
            return {path: commit}
        commit = ports.repository.introductions(parents[0], [path]).get(path)
    return {path: commit} if commit is not None else {}


def _is_there(ports: Ports, commit: str, path: str, grant: Grant) -> bool:
    return any(
        entry.path == path and grant.request_blob in entry.content
        for entry in ports.repository.entries(commit, path)
    )


def _was_undone(
    ports: Ports, head: str, since: str, grant: Grant, path: str, changed: Changed
) -> bool:
    """Whether a commit beside main's own line took the request away since it came there.

    Its own pull request may hold others of its making, which are behind the one that brought it.
    """

    def is_other(found: Changed) -> bool:
        return any(
            blob != grant.request_blob and not _is_there(ports, commit, path, grant)
            for commit, blob in found.get(path, {}).items()
        )

    repository = ports.repository
    return is_other(changed) and (
        not repository.is_ancestor(since, head)
        or is_other(repository.changed_by(since, head, [path]))
    )
