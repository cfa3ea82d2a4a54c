"""The judge: one commit after the other, oldest first, with all that is known until then."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from daypass.errors import EvidenceError
from daypass.ledger import sshsig
from daypass.ledger.chain import Chain
from daypass.ledger.commitobject import parse_commit
from daypass.ledger.decisions import Decisions
from daypass.ledger.fault import Fault, FaultCode
from daypass.ledger.history import event_of
from daypass.ledger.records import Records
from daypass.ledger.settling import Claim, Settler, Settling
from daypass.ledger.succession import Succession, handover_of
from daypass.ledger.trailers import has_lookalike
from daypass.ledger.trust import Trust
from daypass.model.event import EventKind
from daypass.model.names import RULES_FOLDERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from daypass.ledger.commitobject import ParsedCommit, RawCommit
    from daypass.ledger.decisions import Replay
    from daypass.ledger.records import PathChange
    from daypass.ledger.settling import Shelf, Workmate
    from daypass.model.event import RecordedEvent

_RULES: Final = tuple(f"{folder}/" for folder in RULES_FOLDERS)
# Seconds by which an event may seem older than the one before it: runs overlap, and clocks differ.
_OVERLAP: Final = 6 * 3600
# Their decision stands in the record that they bring.
_SETTLED: Final = frozenset({EventKind.ISSUED, EventKind.DELIVERED_AGAIN})
# Signatures that any writer can make: a message that such a one is on is no evidence, and text.
_OF_OTHERS: Final = frozenset({FaultCode.BAD_SIGNATURE, FaultCode.UNKNOWN_SIGNER})


class Judge:
    """What is known of main, up to the commit that was read last."""

    def __init__(
        self,
        shelf: Shelf,
        fingerprints: frozenset[str],
        replay: Replay | None,
        mate: Workmate | None = None,
    ) -> None:
        self._settling = Settling(Settler(shelf, replay), mate)
        self._trust = Trust(fingerprints)
        self._chain = Chain()
        self._succession = Succession()
        self._records = Records()
        self._decisions = Decisions(replay) if replay is not None else None
        self._seen: dict[str, None] = {}
        self._latest = 0  # the committer's time of the newest commit of the bot
        self._faults: list[Fault] = []

    @property
    def events(self) -> int:
        """How many events count."""
        return self._chain.length

    @property
    def signers(self) -> tuple[str, ...]:
        """Fingerprints of the keys that signed something that counts."""
        return tuple(self._seen)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """All that was found."""
        return (*self._faults, *self._settling.faults, *self._records.faults)

    def read(
        self,
        place: int,
        commit: RawCommit,
        changes: Sequence[PathChange],
        signers: bytes | None,
    ) -> None:
        """Take commit number `place` of main; `signers` is the list of keys, if it changes that."""
        parsed = parse_commit(commit.raw)
        by_bot, recorded = self._event(commit.sha, parsed)
        if self._decisions is not None and any(
            change.path.startswith(_RULES) for change in changes
        ):
            self._decisions.take_policies(place, commit.sha)
        basis = None
        if recorded is not None:
            self._faults.extend(self._chain.add(recorded, parsed.message))
            basis = self._decide(recorded, parsed.message)
        self._records.apply(commit.sha, place, changes, recorded, by_bot=by_bot)
        if signers is not None:
            try:
                self._trust.read_file(commit.sha, signers, endorsed=by_bot)
                self._faults = [_mended(fault, commit.sha) for fault in self._faults]
            except EvidenceError as error:
                # unsigned, it changes nothing: see `Trust`
                self._fault(
                    FaultCode.SIGNERS_UNREADABLE, commit.sha, error.message, noted=not by_bot
                )
        if recorded is not None and self._succession.concerns(recorded.event):
            self._hand_over(recorded, parsed)
        for claim in self._records.taken_claims():
            self._settling.add(Claim(*claim, basis))

    def settle(self) -> None:
        """Hold all records that were brought against what they claim."""
        self._settling.finish()

    def objection(
        self, parsed: ParsedCommit, *, ever: bool = False
    ) -> tuple[FaultCode, str] | None:
        """Why a commit's signature does not count; None when it does. `ever`: see `Trust`."""
        when = parsed.committed_at
        if when is None:
            return FaultCode.BAD_SIGNATURE, "the committer's time cannot be read"
        return self.objection_to(parsed.signature or b"", parsed.signed_payload, when, ever=ever)

    def objection_to(
        self, signature: bytes, payload: bytes, when: int, *, ever: bool = False
    ) -> tuple[FaultCode, str] | None:
        """The same of any bytes that git signs, made at that time (seconds since the epoch)."""
        try:
            key = sshsig.verified_key(signature, payload)
        except ValueError as error:
            return FaultCode.BAD_SIGNATURE, str(error)
        objection = self._trust.objection(key, when, ever=ever)
        if objection is None:
            self._seen[sshsig.fingerprint(key)] = None
        return objection

    def handed_over_in(self, signature: bytes, payload: bytes) -> str | None:
        """The commit by which the key of a good signature handed over; None when it did not."""
        return self._trust.handed_over_in(sshsig.verified_key(signature, payload))

    def to_json(self) -> dict[str, Any]:
        """All of it, after `settle`, to go on from later."""
        return {
            "trust": self._trust.to_json(),
            "chain": self._chain.to_json(),
            "succession": self._succession.to_json(),
            "records": self._records.to_json(),
            "held": self._decisions.to_json() if self._decisions else None,
            "seen": list(self._seen),
            "latest": self._latest,
            "faults": [fault.to_json() for fault in (*self._faults, *self._settling.faults)],
        }

    def restore(self, value: Mapping[str, Any]) -> None:
        """Take up what `to_json` gave, for the same fingerprints and replay."""
        self._trust.restore(value["trust"])
        self._chain = Chain.from_json(value["chain"])
        self._succession = Succession.from_json(value["succession"])
        self._records = Records.from_json(value["records"])
        if self._decisions is not None:
            self._decisions.restore(value["held"])
        self._seen = dict.fromkeys(value["seen"])
        self._latest = value["latest"]
        self._faults = [Fault.from_json(item) for item in value["faults"]]

    def _event(self, sha: str, parsed: ParsedCommit) -> tuple[bool, RecordedEvent | None]:
        """Whether the bot's signature is on it, and the event if it records one.

        People sign their commits too: a signature that does not count is named only where the
        message claims to be evidence, and breaks nothing unless an evidence key made it, or one
        that the list of signers gained without one. What a commit does to the bot's folders is
        held against it there.
        """
        if parsed.signature is None or not (
            parsed.signature.startswith(sshsig.BEGIN) or not parsed.signature
        ):
            if has_lookalike(parsed.message):
                self._fault(
                    FaultCode.UNSIGNED_TRAILERS,
                    sha,
                    "it carries Daypass- trailers, and not the bot's signature: it is no evidence",
                    noted=True,
                )
            return False, None
        objection = self.objection(parsed) or self._backdated(parsed)
        if objection is not None:
            if has_lookalike(parsed.message):
                code, why = objection
                self._fault(code, sha, why, noted=code in _OF_OTHERS)
            return False, None
        try:
            return True, event_of(sha, parsed)
        except EvidenceError as error:
            self._fault(FaultCode.MALFORMED_TRAILERS, sha, str(error.__cause__))
            return True, None

    def _hand_over(self, recorded: RecordedEvent, parsed: ParsedCommit) -> None:
        """Take an event that one evidence key hands over with, or the one right after that."""
        key = sshsig.verified_key(parsed.signature or b"", parsed.signed_payload)
        found = list(self._succession.take(recorded, sshsig.fingerprint(key)))
        self._faults.extend(found)
        named = handover_of(recorded.event)
        if recorded.event.kind is EventKind.KEY_ENDORSED and named is not None and not found:
            why = self._trust.hand_over(key, named.after, recorded.commit)
            if why is not None:
                self._fault(FaultCode.ENDORSEMENT, recorded.commit, why)

    def _backdated(self, parsed: ParsedCommit) -> tuple[FaultCode, str] | None:
        """Whoever has a key that was retired could date a commit back, to when it still counted.

        Main says how late it is: a key must count by then, too, and not by the commit's own word.
        """
        when = parsed.committed_at or 0
        if self._latest - _OVERLAP <= when:
            self._latest = max(self._latest, when)
            return None
        key = sshsig.verified_key(parsed.signature or b"", parsed.signed_payload)
        if self._trust.objection(key, self._latest - _OVERLAP) is None:
            return None
        message = (
            f"{sshsig.fingerprint(key)} was valid at the time that the commit names, and main had "
            "reached a later one, at which it was not"
        )
        return FaultCode.SIGNER_NOT_VALID, message

    def _decide(self, recorded: RecordedEvent, message: bytes) -> str | None:
        """Make a refusal's decision again; gives what the decision of an issue may rest on."""
        decisions = self._decisions
        if decisions is None or recorded.event.grant is None:
            return None
        basis = decisions.basis(recorded.event, self._records.brought_at(recorded.event))
        # A second delivery repeats the decision of its issue: nothing was decided anew.
        if recorded.event.kind not in _SETTLED:
            self._faults.extend(decisions.of_refusal(recorded, message, basis))
        return basis

    def _fault(self, code: FaultCode, commit: str, message: str, *, noted: bool = False) -> None:
        self._faults.append(Fault(code, commit, message, noted=noted))


def is_named_by(sha: str, raw: bytes) -> bool:
    """Whether the object is the one that its id names."""
    header = b"commit %d\0" % len(raw)
    # git's name for these bytes; what vouches for them is the signature, over SHA-512
    return hashlib.sha1(header + raw, usedforsecurity=False).hexdigest() == sha


def _mended(fault: Fault, commit: str) -> Fault:
    """The fault, mended if it is a list of signers that could not be read: the next one could.

    It changed nothing about whose signature counts.
    """
    if fault.code is not FaultCode.SIGNERS_UNREADABLE or not fault.open:
        return fault
    return replace(fault, mended_by=commit)
