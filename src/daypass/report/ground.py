"""Ground: all that a report rests on, gathered before the first question is asked."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from daypass.ledger.verify import Report as Verification
    from daypass.lifecycle.held import Held
    from daypass.model.catalogue import Catalogue
    from daypass.model.event import EventKind
    from daypass.model.identity import Identity
    from daypass.model.instant import Duration, Instant
    from daypass.report.story import Evidence, GrantStory, Note, Refusal


@dataclass(frozen=True, slots=True)
class Window:
    """What is reported on: from `since` to `until`; "now" is `at`."""

    since: Instant | None  # None: the beginning
    until: Instant
    at: Instant
    # Without, whatever the head reaches lies in it: people's clocks run fast, and commits say so.
    ends: bool = True

    def holds(self, when: Instant) -> bool:
        """Whether that instant lies in it."""
        return (self.since is None or self.since <= when) and not self.is_over(when)

    def is_over(self, when: Instant) -> bool:
        """Whether that instant comes after it."""
        return self.ends and self.until < when


@dataclass(frozen=True, slots=True)
class Cases:
    """What came of the cases in access/policy-tests, run against the policies of the head."""

    right: int
    wrong: int
    denials: int  # cases that were answered with something else than a permit


@dataclass(frozen=True)
class Ground:
    """Events, present documents, window, and what verify says of it all."""

    repository: str
    evidence: Evidence
    window: Window
    catalogue: Catalogue | None  # None: the documents at the head are wrong
    catalogue_problem: str | None
    verification: Verification
    version: str  # of daypass
    # Asked for the controls only: how long evidence was to be kept, after each commit that changed
    # the settings, oldest first; and what came of the cases beside the policies.
    promises: tuple[tuple[str, Duration], ...] = ()
    cases: Cases | None = None
    held: Held | None = None  # what Vault holds; None: it was not asked

    @cached_property
    def grants(self) -> tuple[GrantStory, ...]:
        """Grants whose life overlaps the window, the oldest first."""
        window = self.window
        return tuple(
            story
            for story in self.evidence.grants
            if not window.is_over(story.not_before)
            and (
                window.since is None
                or story.end is None
                or story.end.ended_at >= window.since
                or story.end.moment.at >= window.since
            )
        )

    @cached_property
    def live(self) -> tuple[GrantStory, ...]:
        """Grants that count as access now."""
        at = self.window.at
        return tuple(item for item in self.evidence.grants if item.state_at(at).is_access)

    @cached_property
    def refusals(self) -> tuple[Refusal, ...]:
        """Refusals in the window."""
        return tuple(item for item in self.evidence.refusals if self.window.holds(item.moment.at))

    def notes(self, *kinds: EventKind) -> tuple[Note, ...]:
        """Events of the repository of those kinds, in the window."""
        return tuple(
            note
            for note in self.evidence.notes
            if note.kind in kinds and self.window.holds(note.moment.at)
        )

    @cached_property
    def identities(self) -> dict[str, Identity]:
        """The identities of the present; none if the documents are wrong."""
        return dict(self.catalogue.identities) if self.catalogue else {}

    def name_of(self, account_id: int | None) -> str | None:
        """The identity that has that account at the head, or the account's number."""
        if account_id is None:
            return None
        found = self.catalogue.identity_of(account_id) if self.catalogue else None
        return found.name if found else f"account {account_id}"

    def type_of(self, story: GrantStory) -> str | None:
        """What the subject was when the grant was issued, or else is now."""
        if story.record and story.record.subject_type:
            return story.record.subject_type
        identity = self.identities.get(story.subject)
        return str(identity.type) if identity else None
