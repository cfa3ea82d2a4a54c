"""Stories: what the evidence says of each grant and each refusal, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from daypass.model.decision import Effect
from daypass.model.grant import Lane, is_offline_word

if TYPE_CHECKING:
    from daypass.model.event import EventKind
    from daypass.model.instant import Instant


class Moment(NamedTuple):
    """A commit, and when it was made by its committer's clock."""

    commit: str
    at: Instant


class Counted(NamedTuple):
    """One approval that counted when the grant was issued."""

    account_id: int
    name: str | None  # the identity, by the grant's record; None where that does not say
    review: int
    commit: str  # the head of the pull request that was reviewed
    at: Instant

    @property
    def who(self) -> str:
        """The identity, or the account's number."""
        return self.name or f"account {self.account_id}"


class Failure(NamedTuple):
    """A revocation that Vault did not confirm."""

    reason: str
    moment: Moment


class End(NamedTuple):
    """An end that Vault confirmed."""

    kind: EventKind
    reason: str
    ended_at: Instant  # Vault's time, or when its absence was first seen
    moment: Moment  # the commit that says so


class Review(NamedTuple):
    """Somebody looked at an emergency afterwards. None: the event does not say."""

    account_id: int | None
    at: Instant
    moment: Moment


class State(StrEnum):
    """What a grant is at one instant, by all that the evidence knows."""

    NOT_YET = "not issued yet"
    ACTIVE = "active"
    OVER = "time is up, end not confirmed"
    FAILED = "revoke-failed: it may still work"
    ENDED = "ended"

    @property
    def is_access(self) -> bool:
        """Whether it counts as access: what is not confirmed to be gone does."""
        return self in (State.ACTIVE, State.OVER, State.FAILED)


@dataclass(frozen=True, slots=True)
class RecordFacts:
    """What only the grant's record says; the trailers leave it out."""

    lane: Lane
    renews: str | None
    issue: str  # on-merge | on-claim
    tier_seconds: int
    asked_seconds: int | None  # the duration that the request named
    subject_type: str | None
    sensitivity: str | None
    environment: str | None
    resource_type: str | None
    resource_seconds: int | None  # the resource's maximum, when it was issued
    recording: str | None
    names: tuple[tuple[int, str], ...]  # account id → identity, of approvers
    context: bool | None  # whether all context that is required was known; None: none is
    input_matches: bool  # whether the recorded input has the digest that is recorded


@dataclass(frozen=True, slots=True)
class GrantStory:
    """One grant, from its request to its end. None: the evidence does not say."""

    id: str
    subject: str
    requester: str | None
    requester_id: int | None
    resource: str
    access: str
    pull_request: int | None
    asked_at: Instant | None  # of the reviewed commit, by its author's own clock
    merged: Moment | None
    approvals: tuple[Counted, ...]
    issued: Moment
    not_before: Instant
    not_after: Instant | None  # None: unreadable, hence without a known end
    policy_digest: str | None
    decision_digest: str | None
    accessor: str | None  # the digest of its newest token's
    lane: str | None  # routine | break-glass[-offline][-drill]
    record: RecordFacts | None
    end_asked_at: Instant | None  # when a person asked for its end, by Vault's time
    withdrawn: Moment | None  # the commit that took its request back, if somebody's did
    deliveries: tuple[Moment, ...]  # after the first one
    sessions: tuple[Moment, ...]
    failures: tuple[Failure, ...]
    end: End | None
    reviews: tuple[Review, ...]
    overdue: tuple[Moment, ...]
    gaps: tuple[Moment, ...]
    effect: str | None = None  # of the decision
    exceptions: tuple[str, ...] = ()  # the names of those that it rests on

    @property
    def is_offline(self) -> bool:
        """Whether its holder took it of Vault itself, while GitHub was down."""
        return is_offline_word(self.lane)

    @property
    def is_drill(self) -> bool:
        """Whether it was an exercise of the emergency lane."""
        return self.is_emergency and (self.lane or "").endswith("-drill")

    @property
    def was_permitted(self) -> bool:
        """Whether the decision was a permit: what was taken offline may turn out to be none."""
        return self.effect in (None, Effect.PERMIT)

    @property
    def requested_by(self) -> str:
        """The requester's identity, or the account's number."""
        if self.requester:
            return self.requester
        return f"account {self.requester_id}" if self.requester_id is not None else "unknown"

    @property
    def approved_at(self) -> Instant | None:
        """When the last approval that counted was given."""
        return max((item.at for item in self.approvals), default=None)

    @property
    def is_emergency(self) -> bool:
        """Whether it came by the emergency lane, drills included."""
        return self.lane not in (None, Lane.ROUTINE)

    @property
    def independent(self) -> tuple[Counted, ...]:
        """Approvals by neither the requester nor the subject."""
        own = {self.subject, self.requester}
        return tuple(
            item
            for item in self.approvals
            if item.account_id != self.requester_id and (item.name is None or item.name not in own)
        )

    def state_at(self, when: Instant) -> State:
        """What it was at that instant. An end that is not confirmed counts as access."""
        if when < self.not_before:
            return State.NOT_YET
        if self.end is not None and self.end.ended_at <= when:
            return State.ENDED
        if any(failure.moment.at <= when for failure in self.failures):
            return State.FAILED
        if self.not_after is not None and self.not_after <= when:
            return State.OVER
        return State.ACTIVE

    def last_known(self, until: Instant) -> Instant:
        """The end of the time for which it counts as access, no later than `until`."""
        return min(self.end.ended_at, until) if self.end else until


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that was not granted: denied, rejected, withdrawn or lapsed."""

    id: str
    kind: EventKind
    reason: str | None
    subject: str | None
    resource: str | None
    access: str | None
    requester: str | None
    pull_request: int | None
    effect: str | None
    decision_digest: str | None
    policy_digest: str | None
    moment: Moment


@dataclass(frozen=True, slots=True)
class Note:
    """An event that belongs to the repository, not to one grant: drift, rotation, policies."""

    kind: EventKind
    reason: str | None
    subject: str | None
    policy_digest: str | None
    policy_before: str | None
    accessor: str | None
    grant: str | None
    requester: str | None  # who asked for a change, by its pull request
    approvers: tuple[int, ...]  # accounts of those whose approval of a change counted
    change: str | None  # the commit of main that brought it
    moment: Moment


class Authored(NamedTuple):
    """A commit that changed what decisions rest on; its author is what the commit claims."""

    moment: Moment
    author: str
    paths: tuple[str, ...]
    by_bot: bool


class Oddity(NamedTuple):
    """A signed event that cannot be read, in whole or in part."""

    moment: Moment
    what: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that the events up to one head say."""

    head: str
    head_at: Instant
    first_at: Instant  # of the oldest commit
    commits: int
    events: int
    grants: tuple[GrantStory, ...]  # by issue, the oldest first
    refusals: tuple[Refusal, ...]
    notes: tuple[Note, ...]
    foundation: tuple[Authored, ...]
    oddities: tuple[Oddity, ...]

    @property
    def told_until(self) -> Instant:
        """The last instant that it tells of: commits have whole seconds, and Vault's time has not.

        A grant that was issued within the head's own second is there at the head.
        """
        known = [self.head_at, *(story.not_before for story in self.grants)]
        known += [story.end.ended_at for story in self.grants if story.end is not None]
        return max(known)
