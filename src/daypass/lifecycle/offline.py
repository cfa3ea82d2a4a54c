"""Offline: what an invoker took of Vault itself while GitHub was down, as a run finds it.

A live token tells it all: which role, by whose log-in, since when and until when, by Vault's word;
incident and reason by its holder's. What is over by then has left a note, which only its own entity
could write, and which nobody can change.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from daypass.lifecycle.marks import GRANT_MARK
from daypass.lifecycle.world import accessor_digest
from daypass.model.resource import EMERGENCY_CAP, OFFLINE_PREFIX, offline_role_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daypass.lifecycle.ports import TokenState
    from daypass.model.catalogue import Catalogue
    from daypass.model.instant import Instant
    from daypass.model.resource import Level, Resource, Tier


@dataclass(frozen=True, slots=True)
class OfflineRole:
    """What one of the offline token roles opens."""

    resource: Resource
    level: Level
    tier: Tier


@dataclass(frozen=True, slots=True)
class OfflineNote:
    """Word of what somebody took of Vault while GitHub was down. Read before it is believed.

    The entity and the time are Vault's: nobody can write in another's name, or change what stands.
    The rest is the word of whoever wrote it.
    """

    entity_id: str
    grant_id: str
    written_at: Instant
    accessor: str
    token_role: str
    seconds: int
    meta: Mapping[str, str]
    done: bool  # its holder has said that they need it no more


@dataclass(frozen=True, slots=True)
class OfflineNotes:
    """All such words, as far as one run takes them up: Vault bounds nobody who leaves them."""

    found: tuple[OfflineNote, ...] = ()
    done: frozenset[tuple[str, str]] = frozenset()  # entity and id of all that are needed no more
    beyond: Mapping[str, int] = field(default_factory=dict)  # by entity: how many more lie there


@dataclass(frozen=True, slots=True)
class OfflineUse:
    """Something that was taken offline, and that the evidence does not know yet."""

    grant_id: str
    entity_id: str
    token_role: str
    accessor: str | None  # of the token while it lives; None: it is over
    digest: str  # of the accessor
    not_before: Instant
    not_after: Instant
    meta: Mapping[str, str]
    done: bool = False  # its holder has said that they need it no more

    @classmethod
    def of_token(cls, digest: str, state: TokenState) -> Self:
        """From a live token, of which Vault tells all but the marks."""
        seconds = EMERGENCY_CAP.seconds
        return cls(
            grant_id=state.meta[GRANT_MARK],
            entity_id=state.entity_id,
            token_role=state.token_role or "",
            accessor=state.accessor,
            digest=digest,
            not_before=state.not_before or state.not_after.plus(-seconds),
            not_after=state.not_after,
            meta=state.meta,
        )

    @classmethod
    def of_note(cls, note: OfflineNote) -> Self:
        """From a note whose token is gone. It lasted no longer than Vault lets any of them last."""
        seconds = min(max(note.seconds, 1), EMERGENCY_CAP.seconds)
        return cls(
            grant_id=note.grant_id,
            entity_id=note.entity_id,
            token_role=note.token_role,
            accessor=None,
            digest=accessor_digest(note.accessor),
            not_before=note.written_at,
            not_after=note.written_at.plus(seconds),
            meta=note.meta,
            done=note.done,
        )


def is_offline(state: TokenState) -> bool:
    """Whether somebody minted it through an offline role: what the bot mints has no entity."""
    role = state.token_role or ""
    return bool(state.entity_id) and role.startswith(OFFLINE_PREFIX)


def offline_roles(catalogue: Catalogue) -> dict[str, OfflineRole]:
    """What can be taken offline, by token role."""
    lane = catalogue.settings.break_glass
    offered = lane.offline.levels if lane is not None and lane.offline is not None else ()
    return {
        offline_role_name(resource.name, level.name, tier.length): OfflineRole(
            resource, level, tier
        )
        for resource in catalogue.resources.values()
        for level in resource.levels.values()
        if (resource.name, level.name) in offered
        for tier in level.emergency_tiers
    }
