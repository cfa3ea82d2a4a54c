"""Names that the settings give to what lies in Vault, and which of them would be one.

Two things of one name have the rights of both, or lose those of one: the log-in that obeys comments
must never be able to mint.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daypass.model.settings import Settings

# For the token of whoever watches from outside: it reads the heartbeat, and no more.
MONITOR_POLICY: Final = "daypass-monitor"
# The group, and its policy, of those who may mint for themselves while GitHub is down.
OFFLINE_POLICY: Final = "daypass-offline"
_FURTHER: Final = re.compile(r"[2-9]|[1-9][0-9]+")


class Clash(NamedTuple):
    """A name of the settings that something else has, too."""

    at: tuple[str, ...]  # below `spec`
    message: str
    remedy: str


def part_name(role: str, number: int) -> str:
    """The name of a part of that JWT role's policy; numbers begin with 1."""
    return role if number == 1 else f"{role}-{number}"


def is_further_part(role: str, name: str) -> bool:
    """Whether a policy of that name is a part of that JWT role's policy, other than the first.

    Vault keeps the names of policies in lower case.
    """
    before, found, number = name.lower().rpartition("-")
    return bool(found) and before == role.lower() and _FURTHER.fullmatch(number) is not None


def clashes(settings: Settings) -> Iterator[Clash]:
    """The names in the settings that would be one in Vault."""
    vault = settings.vault
    pair = (("applyRole", vault.apply_role), ("commandsRole", vault.commands_role))
    if vault.apply_role == vault.commands_role:
        yield Clash(
            ("vault", "commandsRole"),
            f"applyRole and commandsRole are both {vault.apply_role}",
            "Give them two names: what obeys comments must not be able to mint.",
        )
    for (key, name), (other_key, other) in (pair, pair[::-1]):
        if name in (MONITOR_POLICY, OFFLINE_POLICY):
            yield Clash(
                ("vault", key),
                f"{key} {name} is the name of another policy of daypass",
                "Give it another name: their rights would be one.",
            )
        if is_further_part(other, name):
            yield Clash(
                ("vault", key),
                f"{key} {name} is the name that a part of the policy of {other_key} has in Vault",
                f"Give it a name other than {other}-NUMBER: their rights would be one.",
            )
    if vault.kv_mount == vault.transit_mount:
        yield Clash(
            ("vault", "mounts", "transit"),
            f"mounts.kv and mounts.transit are both {vault.kv_mount}",
            "Give them two names: a mount has one secrets engine.",
        )
    if settings.evidence.key == vault.app_key:
        yield Clash(
            ("vault", "appKey"),
            f"evidence.key and vault.appKey are both {vault.app_key}",
            "Give them two names: the evidence is signed by a key that no other purpose has.",
        )
