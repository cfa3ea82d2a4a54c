"""Ending grants: ask Vault, then believe only what Vault and the target show.

`revoke-accessor` answers 204 with the database down. So an end is confirmed by absence: the token's
accessor is unknown, the log-in of this grant no longer works at the target, and none of its
sessions is left. Where no role looks at the target, no lease that may be of this grant is overdue.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from daypass.errors import DaypassError
from daypass.lifecycle import happening
from daypass.lifecycle.happening import Begun
from daypass.lifecycle.leases import Window, await_leases
from daypass.lifecycle.marks import GRANT_MARK
from daypass.lifecycle.ports import SlotState
from daypass.model.event import EventKind, Reason
from daypass.model.grant import Grant, GrantState
from daypass.model.names import grant_path
from daypass.model.target import login_prefix

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from daypass.ledger.usable import StillUsable
    from daypass.lifecycle.happening import Happening, Run
    from daypass.lifecycle.leases import Overdue
    from daypass.lifecycle.plan import Action
    from daypass.lifecycle.ports import Issuer
    from daypass.lifecycle.targets import Targets
    from daypass.model.event import RecordedEvent
    from daypass.model.target import Confirmed

WORKERS: Final = 8
_UNDER_WAY: Final = frozenset({SlotState.RESERVED, SlotState.MINTED})


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of one grant. `why` is set when it was not confirmed."""

    action: Action
    grant: Grant
    why: str | None
    looked_for: Confirmed  # what it was looked for to be

    @property
    def confirmed(self) -> bool:
        """Whether nothing of it lives."""
        return self.why is None


@dataclass(frozen=True, slots=True)
class Endings:
    """All ends of a pass, and what was seen of the leases and targets after them."""

    ended: tuple[Ending, ...]
    overdue: Mapping[tuple[str, str], Overdue]  # by mount and role
    targets: Targets


def end_all(
    issuer: Issuer,
    actions: Iterable[Action],
    accessors: Mapping[str, str],
    targets: Targets,
    live: Collection[str],
) -> Endings:
    """Revokes what lives, and confirms all.

    Args:
        issuer: of this run.
        actions: the ends of the plan.
        accessors: digest → accessor of every live token.
        targets: not looked at yet.
        live: the ids of all grants that live, those of the actions included.
    """
    pairs = [(action, action.grant) for action in actions if action.grant is not None]
    second = _SecondTokens.find(issuer, pairs, accessors)
    with ThreadPoolExecutor(WORKERS) as pool:
        faults = tuple(pool.map(lambda pair: _revoke(issuer, pair[1], accessors, second), pairs))
        # Only now: a lease is overdue once its token is revoked.
        roles = sorted({(grant.mount, grant.role) for _, grant in pairs})
        looked = pool.map(lambda role: await_leases(issuer, *role), roles)
        overdue = dict(zip(roles, looked, strict=True))
    seen = targets.look(issuer, roles)
    sharing = Counter(login_prefix(grant_id) for grant_id in live)
    ended = tuple(
        Ending(
            action,
            grant,
            fault or _why(grant, overdue[grant.mount, grant.role], seen, sharing),
            seen.confirms(grant),
        )
        for (action, grant), fault in zip(pairs, faults, strict=True)
    )
    return Endings(ended, overdue, seen)


def _why(
    grant: Grant, overdue: Overdue, targets: Targets, sharing: Mapping[str, int]
) -> str | None:
    """Why it is not sure that nothing of a grant works, once its token is gone.

    A target that tells log-ins apart knows better than a lease, which names no grant.
    """
    unconfirmed = targets.why_unconfirmed(grant, sharing)
    if unconfirmed is None and not targets.tells_log_ins(grant, sharing):
        return overdue.why(Window.of(grant))
    return unconfirmed


@dataclass(frozen=True, slots=True)
class _SecondTokens:
    """What second deliveries that are under way have left, and no record names yet.

    Their slots name them, or, where a run was killed before it could write that down, their marks.
    """

    under_way: frozenset[str]  # grants
    accessors: Mapping[str, list[str]]  # by grant
    unknown: str | None = None  # why they could not be looked for

    @classmethod
    def find(
        cls, issuer: Issuer, pairs: Iterable[tuple[Action, Grant]], accessors: Mapping[str, str]
    ) -> _SecondTokens:
        """Look at every live token that is not known to be one of these grants'."""
        known = {grant.accessor for _, grant in pairs}
        slots = ((grant.id, action.slot) for action, grant in pairs)
        under_way = frozenset(name for name, slot in slots if slot and slot.state in _UNDER_WAY)
        found: dict[str, list[str]] = defaultdict(list)
        if not under_way:
            return cls(under_way, found)
        others = [accessor for digest, accessor in accessors.items() if digest not in known]
        try:
            for accessor, state in issuer.states(others).items():
                found[state.meta.get(GRANT_MARK, "")].append(accessor)
        except DaypassError as error:
            return cls(under_way, {}, error.message)
        return cls(under_way, found)

    def of(self, grant_id: str) -> Iterable[str]:
        """The accessors of that grant's. None while no second delivery of it is under way."""
        return self.accessors.get(grant_id, ()) if grant_id in self.under_way else ()


def _revoke(
    issuer: Issuer, grant: Grant, accessors: Mapping[str, str], second: _SecondTokens
) -> str | None:
    """Ask for the end of a grant's tokens and look whether they are gone; why that is not sure."""
    first = accessors.get(grant.accessor)
    try:
        for accessor in (*([first] if first else []), *second.of(grant.id)):
            issuer.revoke(accessor)
            if issuer.lookup(accessor) is not None:
                return "its token still lives"
    except DaypassError as error:
        return error.message
    return second.unknown if grant.id in second.under_way else None


def to_happenings(
    endings: Iterable[Ending],
    *,
    issuer: Issuer,
    begun: Mapping[str, Begun],
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
                    replace(
                        begun[grant.id],
                        asked_at=action.asked_at,
                        looked_for=ending.looked_for,
                    ),
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
                    grant,
                    reason,
                    ending.why or "",
                    now,
                    record_blob=blob,
                    run=run,
                    request=action.request,
                    asked_at=action.asked_at,
                )
            )
    return happenings


def begun_of(events: list[RecordedEvent], usable: StillUsable | None) -> Begun:
    """Finds what an end refers to, among the events of one grant, newest first."""
    newest = {item.event.kind: item.commit for item in reversed(events)}
    return Begun(
        newest.get(EventKind.ISSUED, events[-1].commit),
        newest.get(EventKind.REVOKE_FAILED),
        usable_until=usable.until if usable is not None else None,
    )
