"""Ending grants: ask Vault, then believe only what Vault shows.

`revoke-accessor` answers 204 with the database down. So an end is confirmed by absence: the token's
accessor is unknown, and no lease of its role is overdue or irrevocable. A lease cannot be tied to a
grant, so while one of a role is overdue, every grant of that role that ends now is unconfirmed.
"""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
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

    from daypass.lifecycle.happening import Begun, Happening, Run
    from daypass.lifecycle.plan import Action
    from daypass.lifecycle.ports import Issuer

WORKERS: Final = 8
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
    second = _SecondTokens.find(issuer, pairs, accessors)
    with ThreadPoolExecutor(WORKERS) as pool:
        faults = tuple(pool.map(lambda pair: _revoke(issuer, pair[1], accessors, second), pairs))
        # Only now: a lease is overdue once its token is revoked.
        roles = sorted({(grant.mount, grant.role) for _, grant in pairs})
        whys = pool.map(lambda role: await_leases(issuer, *role), roles)
        overdue = dict(zip(roles, whys, strict=True))
    return tuple(
        Ending(action, grant, fault or overdue[grant.mount, grant.role])
        for (action, grant), fault in zip(pairs, faults, strict=True)
    )


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
            with ThreadPoolExecutor(WORKERS) as pool:
                for state in pool.map(issuer.lookup, others):
                    if state is not None:
                        found[state.meta.get(GRANT_MARK, "")].append(state.accessor)
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


def await_leases(issuer: Issuer, mount: str, role: str) -> str | None:
    """Nudge what is overdue; returns why it is not sure that nothing is.

    The issuer has the patience that a database needs which is only slow.
    """
    try:
        overdue = issuer.overdue_leases(mount, role)
    except DaypassError as error:
        return error.message
    return _nudge(issuer, overdue, f"{mount}/{role}") if overdue else None


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
                    replace(begun[grant.id], asked_at=action.asked_at),
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
