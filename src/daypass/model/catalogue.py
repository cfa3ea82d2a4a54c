"""Catalogue: all that decisions rest on, as it lies in one tree of the governed repository."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daypass.model.identity import Identity
    from daypass.model.policy import AccessPolicy
    from daypass.model.resource import Resource
    from daypass.model.settings import Settings


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Settings, resources, identities and policies of one commit, validated as a whole."""

    settings: Settings
    resources: Mapping[str, Resource]
    identities: Mapping[str, Identity]
    policies: Mapping[str, AccessPolicy]
    policy_digest: str  # of all policy documents: `digest({name: document})`

    def identity_of(self, account_id: int) -> Identity | None:
        """The identity whose GitHub account has that numeric id."""
        return next(
            (item for item in self.identities.values() if item.github_id == account_id), None
        )

    def identity_of_entity(self, entity_id: str) -> Identity | None:
        """The identity whose entity in Vault has that id."""
        if not entity_id:
            return None
        return next(
            (item for item in self.identities.values() if item.vault_entity == entity_id), None
        )
