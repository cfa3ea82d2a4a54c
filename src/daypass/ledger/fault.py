"""Faults: what does not hold, and at which commit."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping


class FaultCode(StrEnum):
    """What kind of fault; the name is the same in the output and in the documentation."""

    UNSIGNED_TRAILERS = "unsigned-trailers"  # unsigned text that looks like evidence
    BAD_SIGNATURE = "bad-signature"  # a signature, and not of these bytes
    UNKNOWN_SIGNER = "unknown-signer"  # a good signature by a key that is not allowed
    UNENDORSED_SIGNER = "unendorsed-signer"  # by a key that the list gained without the old key
    SIGNER_NOT_VALID = "signer-not-valid"  # by an allowed key, outside its time
    ENDORSEMENT = "endorsement"  # a handover to another key that is not whole
    SIGNERS_UNREADABLE = "signers-unreadable"  # the list of allowed signers cannot be read
    MALFORMED_TRAILERS = "malformed-trailers"  # signed, and not in the form of an event
    SEQUENCE_GAP = "sequence-gap"  # events before it are missing
    SEQUENCE_TWICE = "sequence-twice"  # its number was used before
    OUT_OF_ORDER = "out-of-order"  # its number belongs further back
    PREVIOUS = "previous"  # it names another commit as the event before it
    TRANSITION = "transition"  # this cannot happen to a grant in that state
    LINK = "link"  # it names an event, or a grant, that it cannot follow from
    REVERT = "revert"  # it reverts no commit by which the grant was issued
    REQUEST_BLOB = "request-blob"  # the request on main is not the one that was approved
    POLICY = "policy"  # decided by policies that main did not hold then
    DECISION = "decision"  # the recorded decision, made again, comes out otherwise
    APPROVALS = "approvals"  # its approvers are not those whom the decision rested on
    RECORD_EDIT = "record-edit"  # a record was changed without the bot's signature
    RECORD_MISMATCH = "record-mismatch"  # record and trailers of one commit disagree
    NOT_REMOVED = "not-removed"  # the grant ended, and its record or request still lies there
    OFF_MAIN = "off-main"  # an event on a side line of history: main's own line dropped it
    BAD_ANCHOR = "bad-anchor"  # an anchor that may not hold main to anything: see `verify`
    OBJECT = "object"  # the object is not the one that its id names
    ANCHOR_LOST = "anchor-lost"  # the anchored commit is not on main: history was rewritten


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. `mended_by`: the event by which the bot recorded and undid it.

    `noted`: it contradicts nothing that an evidence key signed. Anyone who may write to the
    repository can make such a one, so it is reported, and breaks nothing.
    """

    code: FaultCode
    commit: str
    message: str
    mended_by: str | None = None
    anchored: bool = False  # not younger than the anchor: known when that was taken
    noted: bool = False

    @property
    def open(self) -> bool:
        """Whether the fault breaks the evidence."""
        return self.mended_by is None and not self.anchored and not self.noted

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`."""
        return cls(
            FaultCode(value["code"]),
            value["commit"],
            value["message"],
            value["mendedBy"],
            value["beforeAnchor"],
            value["noted"],
        )

    def to_json(self) -> dict[str, Any]:
        """As `daypass audit verify --format json` shows it."""
        return {
            "code": str(self.code),
            "commit": self.commit,
            "message": self.message,
            "mendedBy": self.mended_by,
            "beforeAnchor": self.anchored,
            "noted": self.noted,
        }
