"""Delivery: what is sealed to a holder, to the letter. The token, and where it comes from.

The first line is the wrapping token, so that stock tools take it with `head -n 1`. The lines after
it name Vault, the governed repository, the grant, the evidence key and where the credential is for:
a clone that believes another main can send neither the token nor the credential elsewhere, because
the sealed text itself says where both belong.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from daypass.model.canonical import digest
from daypass.model.names import is_name
from daypass.model.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daypass.model.settings import Settings

_TOKEN: Final = re.compile(r"[!-~]{1,4096}")
_WORD: Final = re.compile(r"[!-~]{1,512}")  # an address or a namespace
_ID: Final = re.compile(r"[1-9][0-9]{0,18}")
_KEY: Final = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")  # as `ssh-keygen -l` shows it
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_NAMES: Final = ("vault", "namespace", "repository", "grant", "evidence-key", "connection")


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
class Binding:
    """What a credential is bound to: the evidence of its grant, and the connection of its resource.

    Vault's address alone does not say it: another main can name the true Vault, and send the
    credential to a database of its own.
    """

    evidence_key: str  # the fingerprint of the key in force when it was minted
    connection: str  # the digest of the resource's `connection`

    @classmethod
    def of(cls, evidence_key: str, connection: Mapping[str, str]) -> Self:
        """The one of a grant that this key signs, for a resource with that `connection`."""
        return cls(evidence_key, connection_digest(connection))


def connection_digest(connection: Mapping[str, str]) -> str:
    """The digest of a resource's `connection`, in whatever order it is written."""
    return digest(dict(connection))


@dataclass(frozen=True, slots=True)
class Delivery:
    """A wrapping token and what it belongs to; older releases sealed the token alone."""

    token: Secret
    origin: Origin | None
    grant_id: str | None
    binding: Binding | None = None  # None in what a claim keeps beside its token

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
        if self.binding is not None:
            lines += self._bound(self.binding)
        words = (origin.vault, "-" if origin.namespace is None else origin.namespace)
        if not all(map(_WORD.fullmatch, words)) or not is_name(self.grant_id):
            raise ValueError("a delivery names its Vault and grant in printable words")
        return Secret("\n".join(lines) + "\n")

    @staticmethod
    def _bound(binding: Binding) -> list[str]:
        if _KEY.fullmatch(binding.evidence_key) is None:
            raise ValueError("a delivery names its evidence key by its fingerprint")
        if _DIGEST.fullmatch(binding.connection) is None:
            raise ValueError("a delivery names its connection by a digest")
        return [f"evidence-key: {binding.evidence_key}", f"connection: {binding.connection}"]

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
        bound = told.get("evidence-key"), told.get("connection")
        binding = None if bound == (None, None) else Binding(bound[0] or "", bound[1] or "")
        found = cls(Secret(token), origin, told.get("grant", ""), binding)
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
