"""Catalogue: all that decisions rest on, as it lies in one tree of the governed repository."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from daypass.model.canonical import digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from daypass.model.exception import PolicyException
    from daypass.model.identity import Identity
    from daypass.model.policy import AccessPolicy
    from daypass.model.resource import Resource
    from daypass.model.settings import Settings


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Settings, resources, identities, policies and exceptions of one commit, as a whole."""

    settings: Settings
    resources: Mapping[str, Resource]
    identities: Mapping[str, Identity]
    policies: Mapping[str, AccessPolicy]
    policy_digest: str  # as `rules_digest` gives it
    exceptions: Mapping[str, PolicyException] = field(default_factory=dict)

    def exceptions_about(
        self, subject: str, resource: str, access: str
    ) -> tuple[PolicyException, ...]:
        """Every exception for that subject, resource and level, by name, whatever its dates."""
        about = (subject, resource, access)
        found = (item for item in self.exceptions.values() if item.about == about)
        return tuple(sorted(found, key=lambda item: item.name))

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


def rules_digest(policies: Iterable[AccessPolicy], exceptions: Iterable[PolicyException]) -> str:
    """`sha256:<hex>` of all documents that decide, and of those that except from them.

    Where there is no exception it is that of the policies alone. The two cannot be mistaken for
    each other: what holds the fields of a document is no mapping of names to documents.
    """
    ruling = {item.name: dict(item.document) for item in policies}
    excepted = {item.name: dict(item.document) for item in exceptions}
    return digest({"policies": ruling, "exceptions": excepted} if excepted else ruling)
