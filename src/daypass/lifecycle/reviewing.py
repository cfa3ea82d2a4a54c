"""Reviewing: what an emergency leaves owed, until somebody not involved has looked at it.

A review is a comment whose first line is `/review ID`: on the emergency's pull request or, for what
was taken offline, on the issue that calls for it. GitHub says by numeric id who wrote it, when, and
whether it was edited since. It counts once the access has ended, from a human member of a reviewing
group who is neither the invoker nor the App.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from daypass.errors import DaypassError, TemporaryError
from daypass.ledger import history
from daypass.lifecycle import emergency_messages
from daypass.lifecycle.emergency_happenings import review_overdue, reviewed
from daypass.model.event import EventKind
from daypass.model.identity import IdentityType
from daypass.model.instant import Instant
from daypass.model.names import obligation_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from daypass.lifecycle.context import Ports
    from daypass.lifecycle.happening import Happening
    from daypass.lifecycle.observe import Observation
    from daypass.lifecycle.outcome import Outcome
    from daypass.model.catalogue import Catalogue
    from daypass.model.event import RecordedEvent
    from daypass.model.obligation import Obligation
    from daypass.model.pullrequest import Comment
    from daypass.model.settings import Settings
    from daypass.policy.groups import GroupDirectory

OVERDUE: Final = "review-overdue"
ISSUE_MARK: Final = "<!-- daypass:break-glass:"
_ENDS: Final = frozenset({EventKind.EXPIRED, EventKind.REVOKED, EventKind.LAPSED})


def command(grant_id: str) -> str:
    """The first line of a comment that reviews."""
    return f"/review {grant_id}"


def issue_marker(grant_id: str) -> str:
    """The first line of the issue that calls for the review of one emergency."""
    return f"{ISSUE_MARK}{grant_id} -->"


@dataclass(slots=True)
class Reviewing:
    """The reviews that are owed, in one pass."""

    ports: Ports
    seen: Observation
    catalogue: Catalogue
    groups: GroupDirectory
    outcome: Outcome
    _issues: Mapping[str, tuple[int, str]] | None = None  # those that call for a review, once asked

    def run(self) -> list[Happening]:
        """The events of reviews that were given, and of those that are late for the first time."""
        world, found = self.seen.world, []
        for owed in world.obligations.values():
            if owed.grant_id in world.grants or owed.grant_id in world.requests:
                continue  # it has not ended: what is to be reviewed is not there yet
            try:
                done = self._review(owed)
            except DaypassError as error:
                self.outcome.fail(owed.grant_id, error)
                done = None
            if done is not None:
                found.append(done)
            elif owed.is_overdue(world.now) and not owed.reported:
                found.append(review_overdue(owed, self._blob(owed), self.ports.run))
        return found

    def _blob(self, owed: Obligation) -> str | None:
        # What was changed by hand is put back before.
        return self.seen.signed_blobs.get(obligation_path(owed.grant_id))

    def _review(self, owed: Obligation) -> Happening | None:
        place = self._place(owed)
        if place is None:
            return None
        comments = self.ports.forge.comments(place)
        given = [item for item in comments if _first_line(item) == command(owed.grant_id)]
        if not given:
            return None
        walk = self.ports.repository.walk(self.seen.world.head)
        events = history.find_events(walk, self.ports.signers, [owed.grant_id])[owed.grant_id]
        ended_at = _ended_at(events)
        for comment in given:
            why = self._why_not(owed, comment, ended_at)
            if why is None:
                reviewer = self.catalogue.identity_of(comment.author_id or 0)
                return reviewed(
                    owed,
                    comment,
                    reviewer.name if reviewer else "-",
                    _issued_in(events),
                    record_blob=self._blob(owed),
                    run=self.ports.run,
                )
            self._answer(place, comment, why, comments)
        return None

    def _why_not(self, owed: Obligation, comment: Comment, ended_at: Instant) -> str | None:
        """Why a review does not count; None when it does.

        Raises TemporaryError while that is not known.
        """
        return why_not_as_said(comment, ended_at) or self._why_not_by(owed, comment.author_id)

    def _why_not_by(self, owed: Obligation, account_id: int | None) -> str | None:
        """Why that account's review does not count."""
        identity = self.catalogue.identity_of(account_id) if account_id is not None else None
        if identity is None or identity.type is not IdentityType.HUMAN or not identity.is_active:
            return "its author is no active human of this repository"
        if account_id == owed.account_id or identity.name == owed.subject:
            return "its author took the emergency lane: somebody not involved reviews it"
        lane = self.catalogue.settings.break_glass
        names = lane.reviewers if lane is not None else ()
        groups = [self.groups.group(name) for name in names]
        if any(account_id in group.accounts for group in groups):
            return None
        if not all(group.known for group in groups):
            raise TemporaryError(
                f"whether account {account_id} may review {owed.grant_id} is not known: GitHub "
                "does not tell who belongs to its teams",
                remedy="The next run asks again.",
            )
        return f"its author belongs to none of the reviewing groups ({', '.join(names) or 'none'})"

    def _place(self, owed: Obligation) -> int | None:
        """Where its review is given. What was taken offline has an issue, and no pull request."""
        if owed.pull_request is not None:
            return owed.pull_request
        if self._issues is None:
            self._issues = self.ports.forge.marked_issues(ISSUE_MARK)
        found = self._issues.get(issue_marker(owed.grant_id))
        return found[0] if found else None

    def _answer(self, place: int, comment: Comment, why: str, standing: Iterable[Comment]) -> None:
        marker = emergency_messages.review_refused_marker(comment.id)
        if any(item.body.startswith(marker) for item in standing):
            return
        self.ports.forge.post_comment(place, marker, emergency_messages.review_refused(why))


def alarm_overdue(world_now: Instant, owed: Iterable[Obligation], outcome: Outcome) -> None:
    """Every run says it again, until it is done."""
    for item in owed:
        if item.is_overdue(world_now):
            outcome.alarm(f"{OVERDUE}.{item.grant_id}", overdue_text(item))


def overdue_text(owed: Obligation) -> str:
    """What there is to look at, while a review is late."""
    return (
        f"the review of {owed.grant_id} ({owed.subject}, {owed.access} on {owed.resource}) was due "
        f"at {owed.due}: {owed.subject} receives nothing until somebody not involved has reviewed "
        "it"
    )


def raise_issues(
    ports: Ports, settings: Settings, owed: Mapping[str, Obligation], outcome: Outcome
) -> None:
    """One GitHub issue for each review that is owed, named to those who must give it.

    It stands as long as the debt: whoever closes it before finds a new one. A failure is noted, and
    holds up nothing: an emergency is not the moment to insist on an issue.
    """
    if settings.break_glass is None and not owed:
        return
    titles = {name: emergency_messages.emergency_title(item) for name, item in owed.items()}
    outcome.calls = {
        _call(name): f"{title} (no issue stands yet)" for name, title in titles.items()
    }
    try:
        standing = ports.forge.marked_issues(ISSUE_MARK)
    except DaypassError as error:
        outcome.fail("break-glass", error)
        return
    wanted = {issue_marker(name): item for name, item in owed.items()}
    for marker, item in wanted.items():
        if marker in standing:
            number, _ = standing[marker]
            outcome.calls[_call(item.grant_id)] = f"{titles[item.grant_id]} (#{number})"
        else:
            _raise(ports, settings, titles[item.grant_id], item, outcome)
    for marker, (number, _) in standing.items():
        if marker not in wanted:
            try:
                ports.forge.close_issue(number)
            except DaypassError as error:
                outcome.fail(f"issue-{number}", error)


def _raise(
    ports: Ports, settings: Settings, title: str, owed: Obligation, outcome: Outcome
) -> None:
    """Open it, and tell the webhook at once: what that does not take goes with the alarms."""
    name = owed.grant_id
    try:
        body = emergency_messages.emergency(owed, settings)
        url = ports.forge.open_issue(issue_marker(name), title, body)
        outcome.add("alert", name, url)
        outcome.calls[_call(name)] = f"{title} ({url})"
        ports.notifier.notify(outcome.calls[_call(name)])
        outcome.heard.add(_call(name))
    except DaypassError as error:
        outcome.fail(name, error)


def _call(grant_id: str) -> str:
    """What the webhook hears once."""
    return f"review.{grant_id}"


def why_not_as_said(comment: Comment, ended_at: Instant) -> str | None:
    """Why those words at that time are no review, whoever wrote them; None when they are.

    GitHub and Vault tell whole seconds: within one, nobody knows what came first, so it is too
    early.
    """
    if comment.edited:
        return "the comment was edited: write a new one"
    if comment.created_at.seconds <= ended_at.seconds:
        return "it was given before the access had ended: look again, and write a new one"
    return None


def _first_line(comment: Comment) -> str:
    return comment.body.partition("\n")[0].rstrip("\r").strip()


def _ended_at(events: Iterable[RecordedEvent]) -> Instant:
    """When the access ended, by the newest of its events; never, if none says so."""
    times: Iterator[str | None] = (
        item.event.first("Daypass-Ended-At") for item in events if item.event.kind in _ENDS
    )
    text = next(times, None)
    return Instant.parse(text or "9999-12-31T23:59:59Z")


def _issued_in(events: Iterable[RecordedEvent]) -> str:
    issued = [item.commit for item in events if item.event.kind is EventKind.ISSUED]
    return issued[0] if issued else "0" * 40
