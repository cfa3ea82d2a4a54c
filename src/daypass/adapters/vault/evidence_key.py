"""The evidence key in Vault: its versions, which of them may sign, and its rotation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from daypass.adapters.vault.compare import Found, State
from daypass.adapters.vault.transit import read_versions
from daypass.ledger.sshsig import fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daypass.adapters.vault.session import Session
    from daypass.model.settings import Settings

TITLE: Final = "evidence key's versions"
_AGAIN: Final = ("daypass vault rotate-evidence",)


@dataclass(frozen=True, slots=True)
class EvidenceKey:
    """The versions of a transit key, oldest first, and the oldest one that may still sign."""

    path: str
    versions: Mapping[int, bytes]  # raw public keys
    signs_from: int

    @classmethod
    def read(cls, session: Session, settings: Settings) -> EvidenceKey:
        """Read it. Raises VaultUnavailableError, VaultRefusedError (also for another type)."""
        mount, name = settings.vault.transit_mount, settings.evidence.key
        path = f"{mount}/keys/{name}"
        return cls(path, *read_versions(session, mount, name))

    @property
    def newest(self) -> int:
        """The number of the newest version."""
        return max(self.versions)

    def fingerprint_of(self, version: int) -> str:
        """`SHA256:…` of a version."""
        return fingerprint(self.versions[version])

    def version_of(self, shown: str) -> int | None:
        """The version with that fingerprint; None when there is none."""
        return next((at for at, raw in self.versions.items() if fingerprint(raw) == shown), None)

    def may_sign(self, raw: bytes) -> bool:
        """Whether the version with that public half may sign."""
        return any(at >= self.signs_from for at, key in self.versions.items() if key == raw)

    def may_sign_before(self, version: int) -> bool:
        """Whether versions older than that one may still sign."""
        return any(self.signs_from <= at < version for at in self.versions)

    def rotate(self, session: Session) -> None:
        """Make a newer version. Until main hands over to it, the one in force goes on signing."""
        session.call("POST", f"{self.path}/rotate").refuse_warnings(f"POST {self.path}/rotate")

    @property
    def signing(self) -> frozenset[bytes]:
        """The raw public keys of the versions that may sign."""
        return frozenset(raw for at, raw in self.versions.items() if at >= self.signs_from)

    def sign_from(self, session: Session, version: int) -> None:
        """Let that version sign, and no older one, whose public halves stay to verify with."""
        body = {"min_encryption_version": version}
        path = f"{self.path}/config"
        session.call("POST", path, body, quote=True).refuse_warnings(f"POST {path}")


def examine_versions(session: Session, settings: Settings) -> Found:
    """Whether a rotation is under way, or was left half done."""
    key = EvidenceKey.read(session, settings)
    shown = settings.evidence.fingerprint
    pinned = key.version_of(shown) if shown is not None else None
    if pinned is None:
        return Found(TITLE, State.SAME)  # what is wrong with the pin is said by itself
    if key.newest > pinned:
        waits = f"version {key.newest} ({key.fingerprint_of(key.newest)}) waits"
        detail = f"{waits}, and access/daypass.yaml pins version {pinned}"
        return Found(TITLE, State.DIFFERENT, detail, _AGAIN)
    if key.may_sign_before(pinned):
        detail = (
            f"versions before {pinned} may still sign. When access-apply has handed over to "
            f"{shown}, run the rotation once more"
        )
        return Found(TITLE, State.DIFFERENT, detail, _AGAIN)
    return Found(TITLE, State.SAME)
