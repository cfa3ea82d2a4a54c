"""Key handover: which evidence key is in force on main, and how it hands over to the next one.

The newest event says which: the key that signed it or, after an endorsement, the key that this
names. Neither the settings nor the newest version in Vault do: until a run has written the old
key's endorsement, and the new key's answer right after it, the old key goes on signing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.errors import EvidenceError
from daypass.ledger import sshsig
from daypass.ledger.allowed_signers import signers_at
from daypass.ledger.commitobject import parse_commit
from daypass.ledger.history import is_signed
from daypass.ledger.key_versions import signer_of
from daypass.ledger.succession import Handover, handover_of
from daypass.lifecycle.happening import Happening, make_event
from daypass.model.event import KEY_AFTER, KEY_BEFORE, EventKind
from daypass.model.names import ALLOWED_SIGNERS_PATH, SETTINGS_PATH

if TYPE_CHECKING:
    from daypass.ledger.allowed_signers import Signers
    from daypass.lifecycle.context import Ports
    from daypass.lifecycle.happening import Run
    from daypass.lifecycle.observe import Observation
    from daypass.lifecycle.outcome import Outcome
    from daypass.lifecycle.ports import Repository, Signer
    from daypass.lifecycle.world import World
    from daypass.model.event import Event, RecordedEvent

CAUSE: Final = "evidence-key"
_PUT_BACK: Final = f"Put the one in force back into {SETTINGS_PATH} by an approved pull request"


class SignerInForce:
    """The Signer port, by the key that is in force after an event; it turns with a handover."""

    def __init__(
        self,
        repository: Repository,
        signer: Signer,
        signers: Signers,
        tip: RecordedEvent | None,
    ) -> None:
        """Sign on top of `tip`, the newest event; with the key of `signer` before the first one.

        Where Vault has lost the key in force, the one of `signer` begins anew if it never signed.
        Raises EvidenceError when it has, or when the key that `tip` endorses is none of `signers`.
        """
        self._signer = signer
        self._signers = signers
        key = None if tip is None else key_after(repository, signers, tip)
        if key is None:
            self._now = signer
        elif signers.knows(key):
            self._now = signer.of(key)
        elif may_begin(signers, sshsig.fingerprint(signer.public_key())):
            self._now = signer
        else:
            raise _lost(sshsig.fingerprint(key))

    def public_key(self) -> bytes:
        """The raw Ed25519 public key, 32 bytes."""
        return self._now.public_key()

    def sign(self, message: bytes) -> bytes:
        """An Ed25519 signature of those bytes, 64 bytes."""
        return self._now.sign(message)

    def of(self, key: bytes) -> Signer:
        """The version with that public half."""
        return self._signer.of(key)

    def admits(self, event: Event) -> bool:
        """Whether the key in force may sign this; of a handover, each key signs its own word."""
        named = handover_of(event)
        if named is None:
            return True
        says = named.before if event.kind is EventKind.KEY_ENDORSED else named.after
        return sshsig.fingerprint(self.public_key()) == says

    def turn(self, event: Event) -> None:
        """Go on with the key that is in force once that event is signed."""
        named = handover_of(event)
        if event.kind is EventKind.KEY_ENDORSED and named is not None:
            self._now = self._signer.of(_key_of(self._signers, named.after))


def key_after(repository: Repository, signers: Signers, tip: RecordedEvent) -> bytes:
    """The raw public key that is in force once `tip`, the newest event, stands on main.

    Raises EvidenceError when that is an endorsement of a key that is none of `signers`.
    """
    named = handover_of(tip.event)
    if tip.event.kind is EventKind.KEY_ENDORSED and named is not None:
        return _key_of(signers, named.after)
    parsed = parse_commit(next(iter(repository.walk(tip.commit))).raw)
    return sshsig.verified_key(parsed.signature or b"", parsed.signed_payload)


def find_misuse(repository: Repository, signers: Signers, tip: str, head: str) -> list[str]:
    """What a key signed since the event in `tip` that had handed over: one text a commit.

    None of it is an event. Somebody has that key, and may push to main.
    """
    found = []
    for commit in repository.walk(head):
        if commit.sha == tip:
            break
        parsed = parse_commit(commit.raw)
        key = signer_of(parsed) if parsed.signature else None
        if key is None or not signers.knows(key) or is_signed(parsed, signers, commit.sha):
            continue
        found.append(
            f"{commit.sha} is signed by {sshsig.fingerprint(key)}, an evidence key that handed "
            "over to another one before: somebody else has that key. The commit counts as a change "
            "by hand. Look at `git show` of it, find out who could read the key and who pushed "
            "that commit, and run `daypass vault doctor`: it tells whether the key may still sign "
            "in Vault. `daypass audit verify` names the commit from now on"
        )
    return found


def find_handover(ports: Ports, seen: Observation, outcome: Outcome) -> list[Happening]:
    """The two events by which the key in force hands over to the one that the settings pin.

    Nothing while what decisions rest on is not proven, or the settings pin the key in force. Where
    they pin one that cannot take over, a person must look, and the key in force goes on signing.
    """
    world = seen.world
    if world.frozen or world.catalogue is None or world.tip is None:
        return []
    pinned = world.catalogue.settings.evidence.fingerprint
    try:
        key = key_after(ports.repository, ports.signers, world.tip)
        in_force = sshsig.fingerprint(key)
    except EvidenceError as error:  # nothing can be recorded; what must end still ends
        outcome.alarm(CAUSE, f"{error.message}. {error.remedy}")
        return []
    endorsed = handover_of(world.tip.event)
    if world.tip.event.kind is EventKind.KEY_ENDORSED and endorsed is not None:
        return [_answer(endorsed, ports.run)]
    if pinned is None or pinned == in_force or not ports.signers.knows(key):
        return []  # of a lost key, `find_lost` tells
    why = _objection(ports, world.head, pinned, in_force)
    if why is not None:
        outcome.alarm(CAUSE, f"{why}; {in_force} goes on signing the evidence")
        return []
    handover = Handover(in_force, pinned)
    return [_endorsement(handover, ports.run), _answer(handover, ports.run)]


def _objection(ports: Ports, head: str, pinned: str, in_force: str | None) -> str | None:
    """Why the pinned key cannot take over, and what to do about it; None when it can."""
    versions = [signer.fingerprint for signer in ports.signers.all()]
    if pinned not in versions:
        return (
            f"{SETTINGS_PATH} pins the evidence key {pinned}, which no version of the key in Vault "
            f"is. {_PUT_BACK}, or have that version restored"
        )
    if in_force in versions and versions.index(pinned) < versions.index(in_force):
        return (
            f"{SETTINGS_PATH} pins the evidence key {pinned}, which is older than the one in "
            f"force, and a key that handed over never comes back. {_PUT_BACK}"
        )
    try:
        listed = signers_at(ports.repository, head)
    except EvidenceError as error:
        return f"{SETTINGS_PATH} pins the evidence key {pinned}: {error.message}. {error.remedy}"
    if listed is None or pinned not in {signer.fingerprint for signer in listed.all()}:
        return (
            f"{SETTINGS_PATH} pins the evidence key {pinned}, and {ALLOWED_SIGNERS_PATH} has no "
            "line for it: run `daypass vault rotate-evidence`, and bring both files to main by one "
            "approved pull request"
        )
    return None


def _endorsement(handover: Handover, run: Run) -> Happening:
    return Happening(
        make_event(EventKind.KEY_ENDORSED, None, *_trailers(handover), run=run),
        "Hand the evidence over to a new key",
        f"The evidence key {handover.before} signs this as its last event.\n"
        f"It endorses {handover.after}, which {SETTINGS_PATH} pins and {ALLOWED_SIGNERS_PATH} "
        "lists.\nThe next event is by that key, and so is each one that follows.",
        is_note=True,
    )


def _answer(handover: Handover, run: Run) -> Happening:
    return Happening(
        make_event(EventKind.KEY_ROTATED, None, *_trailers(handover), run=run),
        "Take the evidence over with a new key",
        f"The evidence key {handover.after} signs this as its first event.\n"
        f"It takes over from {handover.before}, and vouches for the history up to here.",
        is_note=True,
    )


def _trailers(handover: Handover) -> tuple[tuple[str, str], ...]:
    return ((KEY_BEFORE, handover.before), (KEY_AFTER, handover.after))


def _key_of(signers: Signers, fingerprint: str) -> bytes:
    for signer in signers.all():
        if signer.fingerprint == fingerprint:
            return signer.key
    raise _lost(fingerprint)


def _lost(fingerprint: str) -> EvidenceError:
    return EvidenceError(
        f"the evidence was handed over to {fingerprint}, which no version of the key in Vault is",
        remedy="Restore a snapshot of Vault that has that version. If there is none, see `When "
        "Vault has lost the evidence key` in docs/operations.md.",
    )


def may_begin(signers: Signers, fingerprint: str) -> bool:
    """Whether the newest version has that fingerprint, and main never handed over from it."""
    newest = signers.all()[-1]
    return newest.fingerprint == fingerprint and not signers.handed_over(newest.key)


def _kept_from_signing(shown: str) -> str:
    return (
        f"the evidence key in force on main, {shown}, may not sign in Vault: a newer version does, "
        "and main has not handed over to that. What must end ends in Vault, and nothing is granted "
        "or written into the evidence. Run `daypass vault rotate-evidence`: it says how to let it "
        "sign until it has handed over"
    )


def find_lost(ports: Ports, world: World) -> str | None:
    """What to do where Vault has lost the key in force or keeps it from signing; None: it does not.

    Another one begins once an operator accepted the loss and the settings pin it.
    """
    if world.tip is None:
        key = ports.signer.public_key()
        return None if ports.signers.may_sign(key) else _kept_from_signing(sshsig.fingerprint(key))
    pinned = world.catalogue.settings.evidence.fingerprint if world.catalogue else None
    try:
        key = key_after(ports.repository, ports.signers, world.tip)
        shown = sshsig.fingerprint(key)
        may = pinned is not None and may_begin(ports.signers, pinned)
    except EvidenceError:  # endorsed, and it never answered
        named = handover_of(world.tip.event)
        key, shown, may = b"", named.after if named is not None else "", False
    if ports.signers.knows(key):
        return None if ports.signers.may_sign(key) else _kept_from_signing(shown)
    if may and world.restored is None and _objection(ports, world.head, pinned or "", None) is None:
        return None
    return (
        f"the evidence key in force on main, {shown}, is no version of the key in Vault: Vault was "
        "restored from a backup that is older than the rotation. What must end ends in Vault, and "
        "nothing is granted or written into the evidence. Restore a newer snapshot if there is "
        "one. If not, do what `Vault has lost the evidence key` in docs/operations.md says: "
        f"`daypass vault accept-loss {world.restored.commit if world.restored else 'COMMIT'}`, "
        "then `daypass vault rotate-evidence`, and merge the two files that it writes"
    )
