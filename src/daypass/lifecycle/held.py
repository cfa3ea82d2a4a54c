"""Held: the tokens of daypass's own roles that Vault holds at one moment, to compare with git."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from daypass.lifecycle.marks import GRANT_MARK
from daypass.lifecycle.ownership import is_own
from daypass.lifecycle.world import accessor_digest

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from daypass.lifecycle.ports import Issuer
    from daypass.model.instant import Instant


@dataclass(frozen=True, slots=True)
class Held:
    """What Vault holds of one repository's grants."""

    at: Instant  # Vault's time, after it was looked at
    tokens: Mapping[str, str]  # digest of a live token's accessor → the grant that it names, or "?"


def look(issuer: Issuer, roles: Container[str], repository_id: int) -> Held:
    """Look up every live token, and keep those of that repository's token roles.

    Raises VaultUnavailableError; VaultRefusedError if the token at hand may not list or look up.
    """
    states = issuer.states(sorted(issuer.live_accessors()))
    tokens = {
        accessor_digest(accessor): state.meta.get(GRANT_MARK, "?")
        for accessor, state in states.items()
        if is_own(state, roles, repository_id)
    }
    return Held(issuer.now(), tokens)
