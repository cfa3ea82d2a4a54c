"""Ownership: which live tokens of Vault are this repository's, by the role that minted them.

Vault keeps the token role with each token; metadata and display name are chosen by the minter. So a
token that somebody minted through a role of ours without its marks is ours, and one that carries
our marks and came another way is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from daypass.lifecycle.marks import GRANT_MARK, REPOSITORY_MARK
from daypass.model.resource import ROLE_PREFIX, role_names

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from daypass.lifecycle.ports import TokenState
    from daypass.model.catalogue import Catalogue


def engine_roles(catalogue: Catalogue) -> dict[str, tuple[str, str]]:
    """Returns, by token role, mount and role of what its tokens can open."""
    return {
        name: (level.mount, tier.role)
        for resource in catalogue.resources.values()
        for level in resource.levels.values()
        for tier in level.tiers
        for name in role_names(resource.name, level.name, tier.length)
    }


def token_roles(catalogues: Iterable[Catalogue]) -> frozenset[str]:
    """Returns every token role of those catalogues: of routine, emergency and offline grants."""
    return frozenset(role for catalogue in catalogues for role in engine_roles(catalogue))


def is_marked(state: TokenState, repository_id: int) -> bool:
    """Returns whether it carries the marks of a grant of that repository."""
    return GRANT_MARK in state.meta and state.meta.get(REPOSITORY_MARK) == str(repository_id)


def is_own(state: TokenState, roles: Container[str], repository_id: int) -> bool:
    """Returns whether it was minted through one of `roles`, the token roles of this repository.

    The role of a level that main has no more counts too, if the token carries our marks.
    """
    role = state.token_role
    if role is None:
        return False
    return role in roles or (role.startswith(f"{ROLE_PREFIX}-") and is_marked(state, repository_id))
