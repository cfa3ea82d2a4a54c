"""Events: what can happen to a grant, in which order, and how it is written into a commit.

The table `MAY_FOLLOW` is the state machine of a grant. Nothing else in daypass knows it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Self

from daypass.model.names import is_name

if TYPE_CHECKING:
    from collections.abc import Mapping


class EventKind(StrEnum):
    """The value of `Daypass-Event`."""

    ISSUED = "issued"
    DELIVERED_AGAIN = "delivered-again"
    DENIED = "denied"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    LAPSED = "lapsed"
    EXPIRED = "expired"
    REVOKED = "revoked"
    REVOKE_FAILED = "revoke-failed"
    REVIEWED = "reviewed"
    REVIEW_OVERDUE = "review-overdue"
    EVIDENCE_GAP = "evidence-gap"
    SESSION = "session"
    DRIFT = "drift"
    POLICY_CHANGED = "policy-changed"
    ROTATED = "rotated"
    KEY_ENDORSED = "key-endorsed"  # the evidence key's last word: which key comes after it
    KEY_ROTATED = "key-rotated"  # the first word of the key that comes after
    OFFBOARDED = "offboarded"
    RECERTIFIED = "recertified"


class Reason(StrEnum):
    """The value of `Daypass-Reason`: why, as a code. Prose for people stands in the body."""

    APPROVED = "approved"
    POLICY = "policy"  # the decision point said no
    UNKNOWN_CONTEXT = "unknown-context"
    UNPROVEN = "unproven"  # no merged pull request, or not the approved bytes
    INVALID = "invalid"  # the document is wrong, or names what does not exist
    TOO_MANY = "too-many"  # its pull request asked for more requests than one may
    ID_REUSED = "id-reused"
    LAPSED = "lapsed"  # not issued within 24 hours of its merge
    TIME = "time"  # its time was up
    REQUEST_DELETED = "request-deleted"
    REQUEST_CHANGED = "request-changed"
    REQUEST_PUT_BACK = "request-put-back"  # it was deleted or changed, and is as it was again
    RECORD_DELETED = "record-deleted"
    RECORD_CHANGED = "record-changed"  # a record was edited or forged by hand; put back
    DONE = "done"
    REPORTED_STOLEN = "reported-stolen"  # its holder says that another opened its delivery
    REVOKED_BY_HAND = "revoked-by-hand"
    HALT = "halt"
    OFFBOARDED = "offboarded"
    REEVALUATED = "re-evaluated"
    VANISHED = "vanished"  # its token was gone before its time
    VAULT_RESTORED = "vault-restored"  # Vault was restored from before it was issued: it forgot it
    LOSS_ACCEPTED = "loss-accepted"  # an operator accepted what a restored backup had lost
    ORPHAN = "orphan"  # a token of daypass's own that no grant on main knows
    UNCONFIRMED = "unconfirmed"  # Vault did not confirm that it is gone
    CLOSED = "closed"  # its pull request was closed, and never merged
    NEVER_CLAIMED = "never-claimed"
    INTERRUPTED = "interrupted"


_LIVE: Final = frozenset(
    {EventKind.ISSUED, EventKind.DELIVERED_AGAIN, EventKind.SESSION, EventKind.DRIFT}
)
# The end of a grant's life: it never reopens.
CLOSES: Final = frozenset({EventKind.EXPIRED, EventKind.REVOKED, EventKind.LAPSED})
_AFTERWARDS: Final = CLOSES | {
    EventKind.REVIEWED,
    EventKind.REVIEW_OVERDUE,
    EventKind.EVIDENCE_GAP,
    EventKind.DRIFT,
}
_START: Final = frozenset[EventKind | None]({None})

# For each event of a grant: the events that may come right before it (None: it may be the first).
MAY_FOLLOW: Final[Mapping[EventKind, frozenset[EventKind | None]]] = {
    EventKind.ISSUED: _START,
    # After an end: somebody tried to use an id again.
    EventKind.DENIED: _START | _AFTERWARDS | {EventKind.DENIED},
    EventKind.DELIVERED_AGAIN: frozenset({EventKind.ISSUED, EventKind.SESSION, EventKind.DRIFT}),
    EventKind.SESSION: _LIVE | _AFTERWARDS | {EventKind.REVOKE_FAILED},
    EventKind.LAPSED: _START | _LIVE | {EventKind.REVOKE_FAILED},
    EventKind.EXPIRED: _LIVE | {EventKind.REVOKE_FAILED},
    EventKind.REVOKED: _LIVE | {EventKind.REVOKE_FAILED},
    EventKind.REVOKE_FAILED: _LIVE | {EventKind.REVOKE_FAILED},
    EventKind.DRIFT: _LIVE | _AFTERWARDS | {EventKind.REVOKE_FAILED},
    EventKind.REVIEWED: _AFTERWARDS | _LIVE | {EventKind.SESSION},
    EventKind.REVIEW_OVERDUE: _AFTERWARDS | {EventKind.SESSION},
    EventKind.EVIDENCE_GAP: _AFTERWARDS | {EventKind.SESSION},
}
# What became of a pull request that was never merged. Whoever can open one can name any id, so this
# is no step in the life of a grant: it may come at any time, and changes nothing.
OF_PULL_REQUEST: Final = frozenset({EventKind.REJECTED, EventKind.WITHDRAWN})
# Events of the repository, not of one grant: they carry no Daypass-Grant and may come at any time.
OF_REPOSITORY: Final = frozenset(
    {
        EventKind.POLICY_CHANGED,
        EventKind.ROTATED,
        EventKind.KEY_ENDORSED,
        EventKind.KEY_ROTATED,
        EventKind.OFFBOARDED,
        EventKind.RECERTIFIED,
        EventKind.DRIFT,
    }
)

EVENT: Final = "Daypass-Event"
GRANT: Final = "Daypass-Grant"
SEQUENCE: Final = "Daypass-Sequence"
PREVIOUS: Final = "Daypass-Previous"
KEY_BEFORE: Final = "Daypass-Key-Before"
KEY_AFTER: Final = "Daypass-Key"
# Every trailer, in the order in which a commit carries them.
TRAILERS: Final = (
    EVENT,
    GRANT,
    SEQUENCE,
    PREVIOUS,
    "Daypass-Request",  # <commit> <blob>
    "Daypass-Pull-Request",  # number
    "Daypass-Requester",  # <identity or -> <numeric id>
    "Daypass-Closed-By",  # <identity or -> <numeric id>: who closed a pull request unmerged
    "Daypass-Subject",  # identity
    "Daypass-Resource",
    "Daypass-Access",
    "Daypass-Renews",  # the id of the grant that this one continues
    "Daypass-Lane",  # break-glass[-offline][-drill]; the routine lane is not named
    "Daypass-Decision",  # <effect> sha256:<hex of the input>
    "Daypass-Policy",  # sha256:<hex>
    "Daypass-Exception",  # repeated, sorted: the name of an exception that it rests on
    "Daypass-Policy-Before",  # sha256:<hex>, or - where the documents could not be read
    "Daypass-Change",  # the commit of main with which a change of policies was whole
    KEY_BEFORE,  # the fingerprint of the evidence key that hands over
    KEY_AFTER,  # the fingerprint of the one that takes over
    "Daypass-Approver",  # repeated: <numeric id> <review> <commit> <time>
    "Daypass-Not-Before",
    "Daypass-Not-After",
    "Daypass-Accessor",  # sha256:<hex>
    "Daypass-Asked-At",  # when a person asked for this end, by Vault's time
    "Daypass-Ended-At",
    "Daypass-Confirmed",  # credential, or credential,sessions: what this end was looked for to be
    "Daypass-Usable-Until",  # until when what a grant opened may work, though Vault forgot it
    "Daypass-Confirms",  # the commit of the revoke-failed that this end resolves
    "Daypass-Reason",  # a code of Reason
    "Daypass-Wrapping",  # <creation path> <creation time> sha256:<hex of the ciphertext>
    "Daypass-Session",  # sha256:<hex>
    "Daypass-Epoch",  # <id> <count>: which run that wrote, as Vault counts them
    "Daypass-Run",  # <run id>/<attempt>
    "Daypass-Workflow",  # job_workflow_ref
)
# Trailers that may come more than once in an event.
REPEATED: Final = frozenset({"Daypass-Approver", "Daypass-Exception"})
OF_RUN: Final = frozenset({"Daypass-Epoch", "Daypass-Run", "Daypass-Workflow"})
_VALUE = re.compile(r"[!-~]([ -~]{0,510}[!-~])?")


@dataclass(frozen=True, slots=True)
class Event:
    """What happened, before it has a place in the chain.

    `trailers` holds everything but Event, Grant, Sequence and Previous; values are single lines of
    printable ASCII. No free text, lease id, accessor or token is ever put into one.
    """

    kind: EventKind
    grant: str | None
    trailers: tuple[tuple[str, str], ...]

    def __post_init__(self) -> None:
        self._check_grant()
        for name, value in self.trailers:
            if name not in TRAILERS[4:]:
                raise ValueError(f"{name} is no trailer of an event")
            if _VALUE.fullmatch(value) is None:
                raise ValueError(f"the value of {name} is not one line of printable ASCII")

    @classmethod
    def of_checked(
        cls, kind: EventKind, grant: str | None, trailers: tuple[tuple[str, str], ...]
    ) -> Self:
        """The same, of trailers whose names and values whoever calls has checked already."""
        event = object.__new__(cls)
        object.__setattr__(event, "kind", kind)
        object.__setattr__(event, "grant", grant)
        object.__setattr__(event, "trailers", trailers)
        event._check_grant()
        return event

    def _check_grant(self) -> None:
        if self.grant is not None and not is_name(self.grant):
            raise ValueError(f"{self.grant!r} is no grant id")
        if self.grant is None and self.kind not in OF_REPOSITORY:
            raise ValueError(f"an event {self.kind} belongs to a grant")

    def values(self, name: str) -> tuple[str, ...]:
        """All values of that trailer, in order."""
        return tuple(value for key, value in self.trailers if key == name)

    def first(self, name: str) -> str | None:
        """The first value of that trailer, or None."""
        for key, value in self.trailers:
            if key == name:
                return value
        return None


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """An event in its place: a commit on main that carries the bot's signature."""

    event: Event
    sequence: int
    previous: str | None  # the commit of the event before it; None for the first
    commit: str
    recorded_at: int  # the committer's time, seconds since the epoch


def may_follow(kind: EventKind, before: EventKind | None) -> bool:
    """Whether `kind` may come right after `before` in the life of one grant (None: nothing yet).

    What is `OF_PULL_REQUEST` is no step, and has no place in that life.
    """
    return before in MAY_FOLLOW.get(kind, frozenset())
