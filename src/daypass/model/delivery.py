"""Delivery: what is sealed to a holder, to the letter. The token, and where it comes from.

The first line is the wrapping token, so that stock tools take it with `head -n 1`. The lines after
it name Vault, the governed repository and the grant: whoever makes a holder believe another main
cannot send the token elsewhere, because the sealed text itself says where it belongs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from daypass.model.names import is_name
from daypass.model.secret import Secret

if TYPE_CHECKING:
    from daypass.model.settings import Settings

_TOKEN: Final = re.compile(r"[!-~]{1,4096}")
_WORD: Final = re.compile(r"[!-~]{1,512}")  # an address or a namespace
_ID: Final = re.compile(r"[1-9][0-9]{0,18}")
_NAMES: Final = ("vault", "namespace", "repository", "grant")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a delivery comes from: a Vault, and the repository that it serves."""

    vault: str  # its address, without a slash at the end
    namespace: str | None
    repository_id: int

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The one that these settings name."""
        vault = settings.vault
        return cls(vault.address.rstrip("/"), vault.namespace, settings.github.repository_id)

    @property
    def place(self) -> str:
        """The host and port of its Vault, and the namespace, for a line that a person reads."""
        host = self.vault.partition("://")[2] or self.vault
        return f"{host}, namespace {self.namespace}" if self.namespace else host

    def differences(self, other: Self) -> list[str]:
        """What the other one says in another way, in words."""
        pairs = {
            "Vault": (self.vault, other.vault),
            "namespace": (self.namespace or "none", other.namespace or "none"),
            "repository id": (self.repository_id, other.repository_id),
        }
        return [
            f"{name} {mine}, not {theirs}"
            for name, (mine, theirs) in pairs.items()
            if mine != theirs
        ]


@dataclass(frozen=True, slots=True)
class Delivery:
    """A wrapping token and what it belongs to; older releases sealed the token alone."""

    token: Secret
    origin: Origin | None
    grant_id: str | None

    def to_text(self) -> Secret:
        """The text that is sealed. Raises ValueError where a value would make another line."""
        token, origin = self.token.reveal(), self.origin
        if _TOKEN.fullmatch(token) is None:
            raise ValueError("the wrapping token holds characters that no token has")
        if origin is None or self.grant_id is None:
            raise ValueError("a delivery names where it comes from")
        lines = [token, f"vault: {origin.vault}"]
        if origin.namespace is not None:
            lines.append(f"namespace: {origin.namespace}")
        lines += [f"repository: {origin.repository_id}", f"grant: {self.grant_id}"]
        words = (origin.vault, "-" if origin.namespace is None else origin.namespace)
        if not all(map(_WORD.fullmatch, words)) or not is_name(self.grant_id):
            raise ValueError("a delivery names its Vault and grant in printable words")
        return Secret("\n".join(lines) + "\n")

    @classmethod
    def from_text(cls, text: Secret) -> Self:
        """Read what was sealed. Raises ValueError for every text that `to_text` does not write.

        A token alone is read: an older release sealed it so. Its origin is None.
        """
        token, *lines = text.reveal().split("\n")
        if _TOKEN.fullmatch(token) is None:
            raise ValueError("its first line is no wrapping token")
        if not lines:
            return cls(Secret(token), None, None)
        told = _told(lines)
        if _ID.fullmatch(told.get("repository", "")) is None:
            raise ValueError("it names no repository")
        origin = Origin(told.get("vault", ""), told.get("namespace"), int(told["repository"]))
        found = cls(Secret(token), origin, told.get("grant", ""))
        if found.to_text().reveal() != text.reveal():
            raise ValueError("its lines are in another order, or end in another way")
        return found


def _told(lines: list[str]) -> dict[str, str]:
    """The values of the lines after the token, by name. Raises ValueError."""
    told: dict[str, str] = {}
    for line in filter(None, lines):
        name, colon, value = line.partition(": ")
        if not colon or name not in _NAMES:
            raise ValueError("it holds a line that is not known")
        if name in told:
            raise ValueError(f"it names `{name}` twice")
        told[name] = value
    return told
