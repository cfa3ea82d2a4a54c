"""Ending grants: ask Vault, then believe only what Vault shows.

`revoke-accessor` answers 204 with the database down. So an end is confirmed by absence: the token's
accessor is unknown, and no lease of its role is overdue or irrevocable. A lease cannot be tied to a
grant, so while one of a role is overdue, every grant of that role that ends now is unconfirmed.
"""

from __future__ import annotations

import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from daypass.errors import DaypassError
from daypass.lifecycle import happening
from daypass.lifecycle.marks import GRANT_MARK
from daypass.lifecycle.ports import SlotState
from daypass.model.event import EventKind, Reason
from daypass.model.grant import Grant, GrantState
from daypass.model.names import grant_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from daypass.lifecycle.happening import Happening, Run
    from daypass.lifecycle.plan import Action
    from daypass.lifecycle.ports import Issuer

WORKERS: Final = 8
# A revocation takes Vault milliseconds; a database that is slow gets this long before it counts
# as unconfirmed, and the next run looks again.
_PATIENCE_SECONDS: Final = 5.0
_PAUSE_SECONDS: Final = 0.05
_UNDER_WAY: Final = frozenset({SlotState.RESERVED, SlotState.MINTED})


@dataclass(frozen=True, slots=True)
class Ending:
    """What became of one grant that had to end. `why` is set when Vault did not confirm it."""

    action: Action
    grant: Grant
    why: str | None

    @property
    def confirmed(self) -> bool:
        """Whether nothing of it lives."""
        return self.why is None


def end_all(
    issuer: Issuer, actions: Iterable[Action], accessors: Mapping[str, str]
) -> tuple[Ending, ...]:
    """Revoke what lives and confirm all. `accessors`: digest → accessor of every live token."""
    pairs = [(action, action.grant) for action in actions if action.grant is not None]
    with ThreadPoolExecutor(WORKERS) as pool:
        marked = _second_tokens(issuer, pairs, accessors, pool)
        tokens = [
            [*([known] if (known := accessors.get(grant.accessor)) else []), *marked[grant.id]]
            for _, grant in pairs
        ]
        faults = tuple(pool.map(lambda held: _revoke(issuer, held), tokens))
    roles = sorted({(grant.mount, grant.role) for _, grant in pairs})
    overdue = {role: await_leases(issuer, *role) for role in roles}
    return tuple(
        Ending(action, grant, fault or overdue[grant.mount, grant.role])
        for (action, grant), fault in zip(pairs, faults, strict=True)
    )


def _second_tokens(
    issuer: Issuer,
    pairs: Iterable[tuple[Action, Grant]],
    accessors: Mapping[str, str],
    pool: ThreadPoolExecutor,
) -> Mapping[str, list[str]]:
    """What was minted for a second delivery that is under way, and that no record names yet.

    The slot names it, or, where the run was killed before it could write that down, its marks do.
    """
    known = {grant.accessor for _, grant in pairs}
    under_way = {
        grant.id for action, grant in pairs if action.slot and action.slot.state in _UNDER_WAY
    }
    found: dict[str, list[str]] = defaultdict(list)
    if under_way:
        others = [accessor for digest, accessor in accessors.items() if digest not in known]
        for accessor, state in zip(others, pool.map(issuer.lookup, others), strict=True):
            grant_id = state.meta.get(GRANT_MARK) if state else None
            if grant_id in under_way:
                found[grant_id].append(accessor)
    return found


def _revoke(issuer: Issuer, accessors: Iterable[str]) -> str | None:
    """Ask for the end of a grant's tokens and look whether they are gone; why that is not sure."""
    try:
        for accessor in accessors:
            issuer.revoke(accessor)
            if issuer.lookup(accessor) is not None:
                return "its token still lives"
    except DaypassError as error:
        return error.message
    return None


def await_leases(issuer: Issuer, mount: str, role: str) -> str | None:
    """Wait until no lease of the role is overdue, then nudge; returns why it is not sure."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    try:
        while overdue := issuer.overdue_leases(mount, role):
            if time.monotonic() > deadline:
                return _nudge(issuer, overdue, f"{mount}/{role}")
            time.sleep(_PAUSE_SECONDS)
    except DaypassError as error:
        return error.message
    return None


def _nudge(issuer: Issuer, leases: tuple[str, ...], role: str) -> str | None:
    """Revoke overdue leases synchronously: repairs irrevocable ones once the cause is gone.

    Each is tried: what keeps one of them alive must not keep the others.
    """
    stuck = 0
    for lease in leases:
        try:
            issuer.revoke_lease(lease)
        except DaypassError:
            stuck += 1
    if not stuck:
        return None
    return f"{stuck} lease(s) of {role} are overdue and cannot be revoked: Vault's own log says why"


def to_happenings(
    endings: Iterable[Ending],
    *,
    issuer: Issuer,
    issued_commits: Mapping[str, str],
    record_blobs: Mapping[str, str],
    run: Run,
) -> list[Happening]:
    """The events of these endings. A failure that is already on record is not recorded again."""
    now = issuer.now()
    happenings = []
    for ending in endings:
        action, grant = ending.action, ending.grant
        blob = record_blobs.get(grant_path(grant.id))
        kind, reason = action.kind or EventKind.REVOKED, action.reason or Reason.UNCONFIRMED
        if ending.confirmed:
            happenings.append(
                happening.ended(
                    grant,
                    issued_commits[grant.id],
                    kind,
                    reason,
                    max(now, grant.not_after) if kind is EventKind.EXPIRED else now,
                    record_blob=blob,
                    run=run,
                    judged=action.judged,
                )
            )
        elif grant.state is not GrantState.REVOKE_FAILED or blob is None:
            happenings.append(
                happening.revoke_failed(
                    grant, reason, ending.why or "", now, record_blob=blob, run=run
                )
            )
    return happenings
