"""`daypass vault accept-loss`: an operator gives up what a restored backup has lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.cli import output, wiring
from daypass.errors import EvidenceError, ExitCode, UsageError
from daypass.lifecycle.foundation import TRUST, TRUST_NOTE

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from daypass.adapters.git import GitRepository
    from daypass.adapters.vault.evidence_key import EvidenceKey
    from daypass.adapters.vault.registry import VaultRegistry
    from daypass.adapters.vault.session import Session
    from daypass.ledger.allowed_signers import Signers
    from daypass.lifecycle.restored import MainAndMemory, Restored
    from daypass.model.settings import Settings

_LEAST: Final = 12  # hexadecimal digits by which a commit is named


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of `vault accept-loss`."""
    parser.add_argument(
        "commit",
        metavar="COMMIT",
        help="the commit that the alarm names: what is lost up to there is given up",
    )
    parser.add_argument(
        "--trust",
        metavar="REV",
        help="where main was put back: from this commit of it on, changes of what decisions rest "
        "on must be proven",
    )


def run(
    session: Session, settings: Settings, directory: Path, words: argparse.Namespace
) -> ExitCode:
    """Set Vault's memory to the main of now, once the operator has named what is lost.

    Raises:
        UsageError: nothing is lost, another commit is, or `--trust` is missing.
    """
    from daypass.adapters.vault.evidence_key import EvidenceKey
    from daypass.adapters.vault.registry import VaultRegistry
    from daypass.ledger.key_versions import KeyVersions
    from daypass.lifecycle.restored import look_for_restored
    from daypass.lifecycle.vault_memory import AcceptedLoss, accept_loss

    vault, evidence = settings.vault, settings.evidence
    registry = VaultRegistry(session, vault.kv_mount)
    key = EvidenceKey.read(session, settings)
    with wiring.person_repository(directory, settings) as repository:
        signers = KeyVersions(evidence.email, key.versions.values(), repository)
        repository.assert_complete()
        looked = look_for_restored(registry, repository, signers)
        found = _demand(looked, words.commit)
        trusted = _trusted(registry, repository, looked, words.trust)
        floor = reopened(key, repository, signers, looked)
    if floor is not None:
        key.sign_from(session, floor)
    accept_loss(
        registry,
        AcceptedLoss(found.what, found.commit, found.lost_number),
        looked.tip,
        looked.head,
    )
    if trusted is not None:
        registry.write_note(TRUST_NOTE, {"commit": trusted})
    if words.format == "json":
        output.say_json(
            {
                "accepted": found.what,
                "commit": found.commit,
                "head": looked.head,
                "signsFrom": floor,
            }
        )
    else:
        output.say(f"given up: what was lost up to {found.commit} ({found.what})")
        output.say(
            f"The next run goes on from {looked.head}, and writes the loss into the evidence."
        )
        if floor is not None:
            output.say(
                f"The handover of the evidence key is lost, too: version {floor} may sign again "
                f"({key.path}).\nRun `daypass vault rotate-evidence` to hand over once more."
            )
    return ExitCode.DONE


def reopened(
    key: EvidenceKey, repository: GitRepository, signers: Signers, looked: MainAndMemory
) -> int | None:
    """The version in force on main, if Vault keeps it from signing; else None.

    That it handed over is lost with main, so it has to sign until it hands over once more.
    """
    from daypass.ledger.sshsig import fingerprint
    from daypass.lifecycle.key_handover import key_after

    if looked.tip is None:
        return None
    try:
        raw = key_after(repository, signers, looked.tip)
    except EvidenceError:  # one that Vault has lost
        return None
    return None if key.may_sign(raw) else key.version_of(fingerprint(raw))


def is_named(commit: str, word: str) -> bool:
    """Whether a word of an operator names that commit, by enough digits."""
    return len(word) >= _LEAST and commit.startswith(word)


def _demand(looked: MainAndMemory, commit: str) -> Restored:
    """What is lost, if it is what the operator names."""
    found = looked.restored
    if found is None:
        raise UsageError(
            "nothing is lost: main and Vault know of each other's newest state",
            remedy="There is nothing to accept. Run `daypass plan` to see what is left to do.",
        )
    if not is_named(found.commit, commit):
        raise UsageError(
            f"{commit} is not what is lost: that is {found.commit}",
            remedy=f"Look at the alarm, and run `daypass vault accept-loss {found.commit}` if it "
            "is meant.",
        )
    return found


def _trusted(
    registry: VaultRegistry, repository: GitRepository, looked: MainAndMemory, revision: str | None
) -> str | None:
    """The commit to trust anew; None where the trusted one stays.

    Raises UsageError when main lacks the trusted one and no other was named, or lacks that.
    """
    if revision is not None:
        commit = repository.resolve(revision)
        if not repository.is_ancestor(commit, looked.head):
            raise UsageError(
                f"{revision} is not an ancestor of main, which is at {looked.head}",
                remedy=f"Look at what main holds now, and use `--trust {looked.head}`.",
            )
        return commit
    trusted = TRUST.read_strictly(registry)
    if trusted is not None and not repository.is_ancestor(trusted, looked.head):
        raise UsageError(
            f"main lacks the commit that was trusted, {trusted}",
            remedy="Look at the policies, identities and resources that main holds now. If they "
            f"are meant, add `--trust {looked.head}`.",
        )
    return None
