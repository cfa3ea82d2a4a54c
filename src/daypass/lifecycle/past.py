"""The past that decisions ask about: who holds what, and who held what within the longest window.

Live grants come from the bot's records. Ended ones come from the evidence, read back only as far
as the longest rolling window of any policy reaches: no window, no walk.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from daypass.ledger.history import read_events
from daypass.model.event import EventKind
from daypass.model.grant import Lane
from daypass.model.instant import Instant
from daypass.model.names import grant_path
from daypass.policy.asked import PastGrant

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from daypass.ledger.allowed_signers import Signers
    from daypass.lifecycle.context import Ports
    from daypass.lifecycle.ports import Repository
    from daypass.lifecycle.world import World
    from daypass.model.catalogue import Catalogue
    from daypass.model.event import Event, RecordedEvent
    from daypass.model.grant import Grant

_ENDS = frozenset({EventKind.EXPIRED, EventKind.REVOKED, EventKind.LAPSED})


def past_grants(
    ports: Ports, world: World, before: Iterable[Catalogue] = ()
) -> dict[str, list[PastGrant]]:
    """Every subject's grants, live or ended within the longest window, by subject.

    `before` holds other documents that a request is decided by: those of its base.
    """
    ruling = [*([world.catalogue] if world.catalogue else []), *before]
    live = world.grants.values()
    return past_at(ports.repository, world.head, ports.signers, live, ruling, world.now)


def past_at(
    repository: Repository,
    head: str,
    signers: Signers,
    live: Iterable[Grant],
    ruling: Sequence[Catalogue],
    now: Instant,
) -> dict[str, list[PastGrant]]:
    """The same of any commit, whose live grants are known, by the documents that rule."""
    found: dict[str, list[PastGrant]] = defaultdict(list)
    ids: set[str] = set()
    for grant in live:
        found[grant.subject].append(PastGrant.of(grant))
        ids.add(grant.id)
    reach = longest_window(ruling)
    if reach:
        events = read_events(repository.walk(head), signers)
        looks = asks_of_resources(ruling)
        for recorded, ended in _ended(events, now.plus(-reach), frozenset(ids)):
            subject = recorded.event.first("Daypass-Subject") or ""
            then = _resource_then(repository, recorded.commit, ended.id) if looks else None
            found[subject].append(replace(ended, resource_then=then))
    return dict(found)


def asks_of_resources(catalogues: Iterable[Catalogue]) -> bool:
    """Whether any rolling window is about resources by what can change: not by their names."""
    return any(
        policy.limits.window is not None
        and (
            policy.match.resource_labels
            or policy.match.resource_types
            or policy.match.environments
            or policy.match.sensitivities
        )
        for item in catalogues
        for policy in item.policies.values()
    )


def _resource_then(repository: Repository, commit: str, grant_id: str) -> dict[str, Any] | None:
    """The facts of its resource in the record that an `issued` brought; None: it holds none."""
    entries = repository.entries(commit, grant_path(grant_id))
    if not entries:
        return None
    try:
        record = json.loads(repository.blobs([entries[0].blob])[entries[0].blob])
        found = record["spec"]["decision"]["input"]["resource"]
    except (ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, dict) else None


def longest_window(catalogues: Iterable[Catalogue]) -> int:
    """The longest rolling window of any policy in seconds; 0 if there is none."""
    policies = (policy for item in catalogues for policy in item.policies.values())
    windows = (policy.limits.window for policy in policies)
    return max((window.per.seconds for window in windows if window is not None), default=0)


def _ended(
    events: Iterable[RecordedEvent], since: Instant, live: frozenset[str]
) -> Iterable[tuple[RecordedEvent, PastGrant]]:
    """Grants whose end is recorded after `since`; they began at their `issued`, further back."""
    ends: dict[str, Instant] = {}
    for recorded in events:
        event = recorded.event
        if event.grant is None or event.grant in live:
            continue
        if event.kind in _ENDS and recorded.recorded_at >= since.seconds:
            ended_at = event.first("Daypass-Ended-At")
            if ended_at is not None:
                ends[event.grant] = Instant.parse(ended_at)
        elif event.kind is EventKind.ISSUED and event.grant in ends:
            yield recorded, _past(event, ends.pop(event.grant))
        if recorded.recorded_at < since.seconds and not ends:
            return


def _past(event: Event, ended_at: Instant) -> PastGrant:
    return PastGrant(
        id=event.grant or "",
        lane=Lane.BREAK_GLASS if event.first("Daypass-Lane") else Lane.ROUTINE,
        resource=event.first("Daypass-Resource") or "",
        access=event.first("Daypass-Access") or "",
        not_before=Instant.parse(event.first("Daypass-Not-Before") or ""),
        not_after=ended_at,
        live=False,
    )
