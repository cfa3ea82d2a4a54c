"""`daypass vault rotate-evidence`: from one evidence key to the next, one call a step.

Which step is due is read from Vault and from main, so a call that was cut off, or made twice, goes
on where the one before it stopped.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from daypass.cli import output, wiring
from daypass.cli.evidence_files import pin, write_signers
from daypass.errors import DocumentError, EvidenceError, ExitCode
from daypass.model.names import ALLOWED_SIGNERS_PATH, SETTINGS_PATH

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from daypass.adapters.git import GitRepository
    from daypass.adapters.vault.evidence_key import EvidenceKey
    from daypass.adapters.vault.session import Session
    from daypass.ledger.allowed_signers import Signers
    from daypass.model.event import RecordedEvent
    from daypass.model.settings import Settings

_PIN: Final = f"`spec.evidence.fingerprint` in {SETTINGS_PATH}"
_COMMIT: Final = f"""\
Bring both files to main by one pull request that the owners of the foundation approve:
  git switch -c rotate-evidence-v{{to}}
  git add {SETTINGS_PATH} {ALLOWED_SIGNERS_PATH}
  git commit -m 'Rotate the evidence key'
  git push -u origin HEAD"""
_UNTIL: Final = (
    "{before} goes on signing until that is merged and access-apply has run: the\n"
    "run writes its endorsement of {after}, which signs from there on."
)
_LOST: Final = (
    "Vault has lost {before}, the key in force: nobody endorses {after}. Once that\n"
    "is merged and the loss accepted (`daypass vault accept-loss`), access-apply signs with it.\n"
    "Auditors name both: `daypass audit verify --fingerprint {before} --fingerprint {after}`."
)
_AFTERWARDS: Final = (
    "Then run `daypass vault rotate-evidence` again: it takes the right to sign from the old "
    "version."
)


class Stage(StrEnum):
    """How far a rotation has come."""

    BEGIN = "begin"  # main and the settings agree on the key: a newer one is prepared
    HAND_OVER = "hand-over"  # the settings pin a newer key, to which no run has handed over yet
    RETIRE = "retire"  # main was handed over, and the old version may still sign


@dataclass(frozen=True, slots=True)
class Plan:
    """What this call does. Versions are those of the transit key."""

    stage: Stage
    in_force: int | None  # None: Vault has lost it
    before: str  # the fingerprint of the key in force
    to: int  # the version that takes over, or has taken over
    rotates: bool = False  # it has to be made first


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of `vault rotate-evidence`."""
    parser.add_argument(
        "--dry-run", action="store_true", help="say what it would do, and change nothing"
    )


def run(
    session: Session, settings: Settings, root: Path, arguments: argparse.Namespace
) -> ExitCode:
    """Take the step that is due.

    Raises:
        DocumentError: the settings pin no key, or one that cannot take over.
        EvidenceError: the key in force on main may not sign in Vault.
        GitError, ForgeUnavailableError: main cannot be fetched.
        VaultUnavailableError, VaultRefusedError: run it again, it goes on where it stopped.
    """
    from daypass.adapters.vault.evidence_key import EvidenceKey

    key = EvidenceKey.read(session, settings)
    in_force, fresh = in_force_on_main(key, settings, root)
    plan = plan_of(key, in_force, settings.evidence.fingerprint, fresh=fresh)
    files: list[str] = []
    if not arguments.dry_run:
        if plan.rotates:
            key.rotate(session)
            key = EvidenceKey.read(session, settings)
        if plan.stage is Stage.RETIRE:
            key.sign_from(session, plan.to)
        else:
            files = _write(key, plan, settings, root)
    if arguments.format == "json":
        output.say_json(_to_json(key, plan, files, dry_run=arguments.dry_run))
    else:
        _say(key, plan, files, dry_run=arguments.dry_run)
    return ExitCode.DONE


def in_force_on_main(key: EvidenceKey, settings: Settings, root: Path) -> tuple[str | None, bool]:
    """The fingerprint of the key in force on main, and whether the newest version never signed.

    Before the first event that is the key that main's settings pin, whatever the work tree's say.
    """
    from daypass.documents.repository import catalogue_of
    from daypass.ledger.history import read_tip
    from daypass.ledger.key_versions import KeyVersions
    from daypass.lifecycle.key_handover import may_begin

    with wiring.person_repository(root, settings) as repository:
        signers = KeyVersions(settings.evidence.email, key.versions.values(), repository)
        head = repository.fetch()
        tip = read_tip(repository.walk(head), signers)
        if tip is None:
            in_force = catalogue_of(repository, head).settings.evidence.fingerprint
        else:
            in_force = _after(repository, signers, tip)
        return in_force, may_begin(signers, key.fingerprint_of(key.newest))


def _after(repository: GitRepository, signers: Signers, tip: RecordedEvent) -> str:
    """The fingerprint of the key in force after that event, also of one that Vault lacks."""
    from daypass.ledger.sshsig import fingerprint
    from daypass.ledger.succession import handover_of
    from daypass.lifecycle.key_handover import key_after
    from daypass.model.event import EventKind

    named = handover_of(tip.event)
    if tip.event.kind is EventKind.KEY_ENDORSED and named is not None:
        return named.after
    return fingerprint(key_after(repository, signers, tip))


def plan_of(key: EvidenceKey, in_force: str | None, pinned: str | None, *, fresh: bool) -> Plan:
    """Which step is due; `fresh`: the newest version may begin where that in force is lost.

    Raises what `run` raises.
    """
    if pinned is None:
        raise DocumentError(
            f"{SETTINGS_PATH} pins no evidence key",
            remedy=f"Set {_PIN} to {in_force or key.fingerprint_of(key.newest)}, bring it to main "
            "by an approved pull request, and run it again.",
        )
    now = key.version_of(in_force or pinned)
    if in_force is not None and now is None:
        if fresh:
            return Plan(Stage.BEGIN, None, in_force, key.newest)
        return Plan(Stage.BEGIN, None, in_force, key.newest + 1, rotates=True)
    wanted = key.version_of(pinned)
    if wanted is None or now is None or wanted < now:
        why = "is older than the key in force" if wanted and now else "is no version of the key"
        raise DocumentError(
            f"{SETTINGS_PATH} pins {pinned}, which {why}",
            remedy="Run `git pull`, and run it again. If main itself pins that, set "
            f"{_PIN} to {in_force or key.fingerprint_of(key.newest)}, the key in force: one that "
            "handed over never comes back.",
        )
    before = key.fingerprint_of(now)
    if not key.may_sign(key.versions[now]):
        raise EvidenceError(
            f"main is not handed over from {before} (version {now}), which may not sign in Vault",
            remedy="If main was put back, follow the alarm first, then run `bao write "
            f"{key.path}/config min_encryption_version={now}`: it signs until it has handed over "
            "once more. Then run `daypass vault rotate-evidence` again.",
        )
    if wanted > now:
        return Plan(Stage.HAND_OVER, now, before, wanted)
    if key.may_sign_before(now):
        return Plan(Stage.RETIRE, now, before, now)
    if key.newest > now:
        return Plan(Stage.BEGIN, now, before, key.newest)
    return Plan(Stage.BEGIN, now, before, now + 1, rotates=True)


def _write(key: EvidenceKey, plan: Plan, settings: Settings, root: Path) -> list[str]:
    """The files of the pull request, as far as they are not written yet; those that changed."""
    from daypass.ledger.allowed_signers import AllowedSigner

    line = AllowedSigner(settings.evidence.email, key.versions[plan.to]).to_line()
    written = []
    if pin(root, settings.evidence.fingerprint or "", key.fingerprint_of(plan.to)):
        written.append(SETTINGS_PATH)
    if write_signers(root, [line]):
        written.append(ALLOWED_SIGNERS_PATH)
    return written


def _to_json(key: EvidenceKey, plan: Plan, files: list[str], *, dry_run: bool) -> dict[str, object]:
    return {
        "stage": str(plan.stage),
        "dryRun": dry_run,
        "rotates": plan.rotates,
        "inForce": {"version": plan.in_force, "fingerprint": plan.before},
        "to": {
            "version": plan.to,
            "fingerprint": key.fingerprint_of(plan.to) if plan.to in key.versions else None,
        },
        "written": files,
    }


def _say(key: EvidenceKey, plan: Plan, files: list[str], *, dry_run: bool) -> None:
    done = "would be " if dry_run else ""
    before = plan.before
    after = key.fingerprint_of(plan.to) if plan.to in key.versions else f"version {plan.to}"
    if plan.stage is Stage.RETIRE:
        output.say(f"main was handed over to {before} (version {plan.to})")
        output.say(f"older versions {done or 'are '}kept from signing: {key.path}")
        output.say("Give auditors the new fingerprint, and set DAYPASS_FINGERPRINT to it: it")
        output.say("vouches for the keys before it. The old one holds as well.")
        output.say("The rotation is complete; the next call begins another one.")
        return
    if plan.rotates:
        output.say(f"{done}made: version {plan.to} of {key.path}")
    for path in (SETTINGS_PATH, ALLOWED_SIGNERS_PATH) if dry_run else files:
        output.say(f"{done}written: {path}")
    if not dry_run and not files:
        output.say(f"{SETTINGS_PATH} and {ALLOWED_SIGNERS_PATH} name {after} already")
    output.say()
    output.say_text(_COMMIT.format(to=plan.to))
    if plan.in_force is None:
        output.say_text(_LOST.format(before=before, after=after))
        return
    output.say_text(_UNTIL.format(before=before, after=after))
    output.say_text(_AFTERWARDS)
