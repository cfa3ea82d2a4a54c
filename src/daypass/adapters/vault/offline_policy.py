"""What a named invoker may do in Vault while GitHub is down: mint for themselves, and say so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.adapters.vault.bot_policy import mint_rule
from daypass.adapters.vault.hcl import PathRule, policy
from daypass.adapters.vault.offline_notes import FOLDER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daypass.adapters.vault.steps import TieredRole
    from daypass.model.settings import Settings

# Vault fills in who is logged in: nobody can write a note in another's name.
_ENTITY: Final = "{{identity.entity.id}}"


def invokers_policy(settings: Settings, roles: Sequence[TieredRole]) -> str:
    """The policy of the group of those who may take access offline.

    Notes can be made and never changed: what somebody took cannot be unsaid.
    """
    rules = [
        *(
            mint_rule(role, f"take {role.level} on {role.resource}, for {role.cap} at the most")
            for role in roles
        ),
        PathRule(
            f"{settings.vault.kv_mount}/data/{FOLDER}/offline/{_ENTITY}/*",
            ("create",),
            why="leave word of it for the next run; it can be neither read nor changed",
        ),
    ]
    return policy("daypass-offline: the emergency lane without GitHub. Made by daypass.", rules)
