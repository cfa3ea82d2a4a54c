"""The evidence key in force, to sign with as an operator: anchors, bundles, exports."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from daypass.cli import wiring
from daypass.errors import EvidenceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from daypass.adapters.git.repository import GitRepository
    from daypass.lifecycle.ports import Signer


class _Clone:
    """Main as this clone has it checked out."""

    def __init__(self, repository: GitRepository) -> None:
        self.head = partial(repository.resolve, "HEAD")
        self.walk = repository.walk


@contextmanager
def evidence_signer(directory: Path) -> Iterator[Signer]:
    """The evidence key in force at HEAD, to sign with.

    Raises what `wiring.logged_in` raises, and EvidenceError when that key may sign no more.
    """
    from daypass.adapters.vault.evidence_key import EvidenceKey
    from daypass.adapters.vault.transit import TransitSigner
    from daypass.ledger.history import read_tip
    from daypass.ledger.key_versions import KeyVersions
    from daypass.lifecycle.key_handover import SignerInForce

    with (
        wiring.logged_in(directory) as (session, settings),
        wiring.person_repository(directory, settings) as repository,
    ):
        evidence, key = settings.evidence, EvidenceKey.read(session, settings)
        signers = KeyVersions(evidence.email, key.versions.values(), _Clone(repository))
        pinned = TransitSigner(
            session, settings.vault.transit_mount, evidence.key, evidence.fingerprint
        )
        tip = read_tip(repository.walk(repository.resolve("HEAD")), signers)
        signer = SignerInForce(repository, pinned, signers, tip)
        if not key.may_sign(signer.public_key()):
            raise EvidenceError(
                "the evidence key in force at HEAD has handed over to another since, and signs no "
                "more",
                remedy="Run `git pull`, then run it again.",
            )
        yield signer
