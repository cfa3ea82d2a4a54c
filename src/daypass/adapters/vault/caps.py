"""Caps: how long Vault lets a credential and a token last, read before anything is promised.

A wrapped answer shows no lease, and a level that issues on claim has none at issue. So a grant is
minted only where role, mount and system let the credential last as long as its record says.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from daypass.errors import VaultRefusedError
from daypass.model.instant import Duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from daypass.adapters.vault.session import Session
    from daypass.lifecycle.ports import MintOrder

# Effective values: the system's, where the mount names none. `sys/auth/token/tune` would need sudo.
TUNE_OF_TOKENS: Final = "sys/mounts/auth/token/tune"
_FORBIDDEN: Final = int(HTTPStatus.FORBIDDEN)
_ASKED: Final = frozenset({_FORBIDDEN, int(HTTPStatus.NOT_FOUND), int(HTTPStatus.BAD_REQUEST)})


def tune_path(mount: str) -> str:
    """Where Vault shows the effective caps of a mount."""
    return f"sys/mounts/{mount}/tune"


def role_path(mount: str, role: str) -> str:
    """Where a secrets engine shows one of its roles."""
    return f"{mount}/roles/{role}"


@dataclass(frozen=True, slots=True)
class Cap:
    """One limit on how long something lasts, and the command that raises it."""

    what: str
    seconds: int
    command: str  # holds `{length}`
    of_mount: bool = False  # or the system's: it cuts the leases of every role of the mount

    def shortfall(self, wanted: int) -> str:
        """Says that it is below the wanted seconds."""
        return f"{self.what} is {length(self.seconds)}, below {length(wanted)}"

    def mend(self, wanted: int) -> str:
        """Returns the command that raises it to the wanted seconds."""
        return self.command.format(length=length(wanted))


def length(seconds: int) -> str:
    """Returns a length of time as Vault's own commands take it, such as `8h` or `40s`."""
    text = str(Duration(seconds)) if seconds > 0 else "0s"
    return f"{seconds // 3600}h" if text.endswith("d") else text


def lease_caps(
    mount: str, role: str, about_role: Mapping[str, Any], about_mount: Mapping[str, Any]
) -> tuple[Cap, ...]:
    """Returns every cap on a lease of that role, in the order in which they are mended.

    Args:
        mount: of the secrets engine.
        role: of that engine.
        about_role: Vault's own answer about the role.
        about_mount: Vault's own answer of `tune_path`.
    """
    path = role_path(mount, role)
    write = f"bao write {path} default_ttl={{length}} max_ttl={{length}}"
    caps = [
        Cap(f"{name} of {path}", value, write)
        for name in ("default_ttl", "max_ttl")
        if (value := _seconds(about_role, name))
    ]
    if not _seconds(about_role, "default_ttl"):
        given = _seconds(about_mount, "default_lease_ttl")
        caps.append(Cap(f"{path} names no default_ttl: that of {mount}/", given, write))
    tune = f"bao secrets tune -max-lease-ttl={{length}} {mount}/"
    most = _seconds(about_mount, "max_lease_ttl")
    caps.append(Cap(f"max_lease_ttl of {mount}/", most, tune, of_mount=True))
    return tuple(caps)


def token_cap(about_tokens: Mapping[str, Any]) -> Cap:
    """Returns the cap on every token, from Vault's own answer of `TUNE_OF_TOKENS`."""
    return Cap(
        "max_lease_ttl of auth/token/",
        _seconds(about_tokens, "max_lease_ttl"),
        "bao auth tune -max-lease-ttl={length} token/",
    )


def below(caps: Iterable[Cap], wanted: int) -> tuple[Cap, ...]:
    """Returns the caps that are below the wanted seconds, the lowest first."""
    return tuple(sorted((cap for cap in caps if cap.seconds < wanted), key=lambda cap: cap.seconds))


def mends(caps: Iterable[Cap], wanted: int) -> tuple[str, ...]:
    """Returns the commands that raise them, each once."""
    return tuple(dict.fromkeys(cap.mend(wanted) for cap in caps))


class Caps:
    """The caps of one Vault, each read once. Usable from several threads."""

    def __init__(self, session: Session) -> None:
        """Prepare; nothing is read yet. The session is logged in as the bot."""
        self._session = session
        self._lock = threading.Lock()
        self._read: dict[str, Mapping[str, Any]] = {}

    def refuse_shortfall(self, order: MintOrder) -> None:
        """Refuses an order that Vault would end before its time.

        Raises:
            VaultRefusedError: a cap is below the order's time, or may not be read.
            VaultUnavailableError: Vault does not answer.
        """
        with self._lock:
            about_role = self._ask(role_path(order.mount, order.role))
            about_mount = self._ask(tune_path(order.mount))
            about_tokens = self._ask(TUNE_OF_TOKENS)
        caps = lease_caps(order.mount, order.role, about_role, about_mount)
        short = below((*caps, token_cap(about_tokens)), order.ttl)
        if short:
            # The role's own length is its tier: raised to that, it serves the next grant too.
            wanted = max(order.ttl, _seconds(about_role, "max_ttl"))
            commands = " and ".join(f"`{command}`" for command in mends(short, wanted))
            raise VaultRefusedError(
                f"grant {order.grant_id} was not minted, because Vault would end it early: "
                f"{short[0].shortfall(order.ttl)}",
                remedy=f"An operator raises it with {commands}. The next run tries again. "
                "`daypass vault doctor` compares every cap with its tier.",
            )

    def _ask(self, path: str) -> Mapping[str, Any]:
        if path not in self._read:
            answer = self._session.call("GET", path, accept=_ASKED)
            if answer.status == _FORBIDDEN:
                raise VaultRefusedError(
                    f"daypass may not read its caps at {path} (403), so nothing is minted",
                    remedy="An operator runs `daypass vault apply` with this release: the bot's "
                    "policy in Vault is that of an older one.",
                )
            if answer.errors or not answer.data:
                raise VaultRefusedError(
                    f"{path} was not found in Vault, so nothing is minted",
                    remedy="Run `daypass vault doctor`: it names what the database's "
                    "administrator has still to lay in.",
                )
            self._read[path] = answer.data
        return self._read[path]


def _seconds(about: Mapping[str, Any], name: str) -> int:
    value = about.get(name)
    return value if isinstance(value, int) else 0
