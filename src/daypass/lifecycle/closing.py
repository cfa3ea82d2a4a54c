"""Closings: requests whose pull requests were closed and never merged, told once each.

GitHub is asked for what was closed since the last look, so that it costs what is new and not what
ever was. How far was looked is noted in Vault; a run that was killed before its note finds what it
told in the evidence. A pull request of somebody who is nobody here, from a fork, asked for nothing.

Nothing was granted by any of it, and anybody can make much of it: a run looks at a few of them,
people take turns, and the next run goes on with what is left. Of one pull request as many requests
are told of as one may bring; that there were more stands in the body of the last event.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from daypass.documents.repository import load_break_glass, load_request
from daypass.errors import DaypassError, DocumentError
from daypass.lifecycle import chronicle
from daypass.lifecycle.closed_note import CLOSED, CLOSED_NOTE, OVERLAP_SECONDS, ClosedNote
from daypass.lifecycle.happening import Happening, make_event
from daypass.lifecycle.recorder import PushNow, told
from daypass.lifecycle.turns import take_turns
from daypass.model.event import OF_PULL_REQUEST, EventKind, Reason
from daypass.model.grant import LANES, Lane
from daypass.model.names import is_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from daypass.lifecycle.context import Ports
    from daypass.lifecycle.outcome import Outcome
    from daypass.lifecycle.recorder import Coming, Recording
    from daypass.model.catalogue import Catalogue
    from daypass.model.instant import Instant
    from daypass.model.pullrequest import Account, ChangedFile, ClosedPart, ClosedPullRequest
    from daypass.model.request import AccessRequest

_ASKS: Final = frozenset({"added", "renamed", "copied"})
PULL_REQUESTS: Final = 25  # that a run asks GitHub about
EVENTS: Final = 250  # after which a run asks about no further one
FILES: Final = 1000  # of one pull request; a list of ten pages
_FILES_OF_ALL: Final = 3000  # after which a run asks about no further one
_EVENTS_OF_A_PUSH: Final = 50
_GIVE_UP_SECONDS: Final = 86400  # after which one that GitHub does not answer for is left out


@dataclass(slots=True)
class Closings:
    """One look at the pull requests that were closed unmerged."""

    ports: Ports
    catalogue: Catalogue
    outcome: Outcome
    _looked: list[ClosedPullRequest] = field(default_factory=list)

    def run(self, head: str) -> None:
        """Tell what was closed since the last look, on top of `head`. Failures are noted."""
        try:
            self._run(head)
        except DaypassError as error:
            self.outcome.fail("closed pull requests", error)

    def _run(self, head: str) -> None:
        now, registry = self.ports.issuer.now(), self.ports.registry
        said = CLOSED.recall(registry)
        if said is None:  # what was closed before daypass looked is none of its events
            registry.write_note(CLOSED_NOTE, ClosedNote(now, head).to_note())
            return
        note, part = self._list(said)
        waiting = [item for item in part.found if not note.has_seen(item)]
        self._looked = [item for item in waiting if self._is_strangers(item)]
        asking = [item for item in waiting if item not in self._looked]
        if asking:
            coming = self._untold(self._events(asking, now), head, note.commit)
            recording = chronicle.write(self.ports, coming, head=head)
            if recording is not None:
                self._tell(recording)
                if recording.dropped:
                    return  # main was tampered with meanwhile: the next run looks again
                head = recording.head
        after = note.after(part, self._looked, now, head)
        if after.begun is not None:
            left = len(waiting) - len(self._looked)
            more = " and more" if part.next_page is not None else ""
            text = f"{left}{more} closed pull requests: the next run goes on with them"
            self.outcome.add("left", "", text)
        is_under_way = note.begun is not None or after.begun is not None
        if self._looked or is_under_way or now.since(note.since) > 2 * OVERLAP_SECONDS:
            registry.write_note(CLOSED_NOTE, after.to_note())

    def _list(self, note: ClosedNote) -> tuple[ClosedNote, ClosedPart]:
        """Read the part of the list where the look goes on, or its beginning if it moved up."""
        part = self.ports.forge.closed_pull_requests(note.since, note.page)
        if note.floor is None or (part.newest is not None and part.newest >= note.floor):
            return note, part
        again = replace(note, page=1, floor=None)
        return again, self.ports.forge.closed_pull_requests(again.since)

    def _tell(self, recording: Recording) -> None:
        for done in recording.recorded:
            event = done.happening.event
            said = f"#{event.first('Daypass-Pull-Request')} was closed unmerged"
            self.outcome.add(str(event.kind), event.grant or "", said, done.commit)

    def _untold(self, happenings: Iterator[Happening], head: str, since: str) -> Iterator[Coming]:
        """Yields those without an event since then: a run may have been killed."""
        ledger = chronicle.LedgerChain(self.ports)
        known = None
        left = _EVENTS_OF_A_PUSH
        for item in happenings:
            if known is None:
                known = {
                    told(recorded.event)
                    for recorded in ledger.since(self.ports.repository, head, since)
                    if recorded.event.kind in OF_PULL_REQUEST
                }
            if told(item.event) not in known:
                yield item
                left -= 1
            if left == 0:
                left = _EVENTS_OF_A_PUSH
                yield PushNow.PUSH_NOW

    def _events(self, asking: Sequence[ClosedPullRequest], now: Instant) -> Iterator[Happening]:
        """The events of as many as a run may look at. People take turns, each the oldest first."""
        oldest_first = sorted(asking, key=lambda item: (item.closed_at, item.number))
        turns = take_turns(oldest_first, lambda item: item.author.id if item.author else 0)
        events = files = 0
        for item in turns[:PULL_REQUESTS]:
            if events >= EVENTS or files >= _FILES_OF_ALL:
                return
            try:
                found, count = self._told_of(item)
            except DaypassError as error:
                self.outcome.fail(f"pull-request-{item.number}", error)
                self._give_up(item, now)
                continue
            except Exception as error:  # noqa: BLE001  -- anybody can close one, and every run meets it
                self.outcome.stumble(f"pull-request-{item.number}", error)
                self._give_up(item, now)
                continue
            yield from found
            self._looked.append(item)
            events, files = events + len(found), files + count

    def _give_up(self, item: ClosedPullRequest, now: Instant) -> None:
        """Leave it out once it has failed for long: it would hold up the look for ever."""
        if now.since(item.closed_at) > _GIVE_UP_SECONDS:
            self._looked.append(item)

    def _is_strangers(self, item: ClosedPullRequest) -> bool:
        """Whether it asked for nothing: from a fork, by an account that is no identity here."""
        github = self.catalogue.settings.github
        known = item.author is not None and self.catalogue.identity_of(item.author.id) is not None
        return not known and item.head_repository_id != github.repository_id

    def _told_of(self, item: ClosedPullRequest) -> tuple[list[Happening], int]:
        """The events of one, and how many of its files were read."""
        settings = self.catalogue.settings
        closing = self.ports.forge.closing_of(item.number, FILES)
        count = len(closing.files)
        if closing.closer is not None and closing.closer.id == settings.github.app_user_id:
            return [], count  # daypass refused it, and has told so
        most = settings.limits.requests_per_pull_request
        every = sorted((file for file in closing.files if _asks(file)), key=lambda file: file.path)
        asked = every[:most]
        contents = self._contents(item, [file.blob for file in asked if file.blob])
        found = [
            self._happening(item, closing.closer, file, contents.get(file.blob or ""))
            for file in asked
        ]
        if found and (closing.is_cut or len(every) > most):
            last = found[-1]
            found[-1] = replace(
                last, body=f"{last.body}\n{_beyond(len(every), most, closing.is_cut)}"
            )
        return found, count

    def _contents(self, item: ClosedPullRequest, blobs: list[str]) -> Mapping[str, bytes]:
        """The requests, as far as they are still to be had: the event can do without."""
        repository, wanted = self.ports.repository, sorted(set(blobs))
        with suppress(DaypassError):  # a partial clone asks its remote for these, and no more
            return repository.blobs(wanted)
        with suppress(DaypassError):
            repository.fetch_pull_request(item.number, item.head_sha)
            return repository.blobs(wanted)
        return {}

    def _happening(
        self,
        item: ClosedPullRequest,
        closer: Account | None,
        file: ChangedFile,
        content: bytes | None,
    ) -> Happening:
        path = PurePosixPath(file.path)
        lane = LANES[str(path.parent)]
        request, word = _read(file.path, content, lane)
        author = item.author
        withdrawn = closer is not None and author is not None and closer.id == author.id
        kind = EventKind.WITHDRAWN if withdrawn else EventKind.REJECTED
        trailers = [
            ("Daypass-Request", f"{item.head_sha} {file.blob or '-'}"),
            ("Daypass-Pull-Request", str(item.number)),
            ("Daypass-Requester", self._named(item.author)),
            ("Daypass-Closed-By", self._named(closer)),
            ("Daypass-Ended-At", str(item.closed_at)),
            ("Daypass-Reason", str(Reason.CLOSED)),
        ]
        if request is not None:
            trailers += [
                ("Daypass-Subject", request.subject),
                ("Daypass-Resource", request.resource),
                ("Daypass-Access", request.access),
            ]
        if word is not None:
            trailers.append(("Daypass-Lane", word))
        who = "whoever had opened it" if withdrawn else f"account {closer.id if closer else '-'}"
        return Happening(
            make_event(kind, path.stem, *trailers, run=self.ports.run),
            f"{'Withdraw' if withdrawn else 'Reject'}: {path.stem}",
            f"Pull request #{item.number} was closed at {item.closed_at} by {who},\n"
            "and never merged. Nothing was granted by it.",
            is_note=True,
        )

    def _named(self, account: Account | None) -> str:
        if account is None:
            return "- 0"
        identity = self.catalogue.identity_of(account.id)
        return f"{identity.name if identity else '-'} {account.id}"


def _beyond(asked: int, most: int, is_cut: bool) -> str:
    """That there was more, for the body of the last event of a pull request."""
    if is_cut:
        return f"It changed more than {FILES} files: none after these is told of."
    return f"It asked for {asked} requests, and the limit is {most}: the others are not told of."


def _asks(file: ChangedFile) -> bool:
    """Whether it is a request that was not on main: to edit or to delete one asks for nothing."""
    path = PurePosixPath(file.path)
    return (
        file.status in _ASKS
        and str(path.parent) in LANES
        and path.suffix == ".yaml"
        and is_name(path.stem)
    )


def _read(path: str, content: bytes | None, lane: Lane) -> tuple[AccessRequest | None, str | None]:
    """The request, if it is one, and the lane as evidence names it."""
    word = None if lane is Lane.ROUTINE else str(lane)
    if content is None:
        return None, word
    try:
        if lane is Lane.ROUTINE:
            return load_request(path, content), word
        emergency = load_break_glass(path, content)
    except DocumentError:
        return None, word
    return emergency.asked, f"{lane}-drill" if emergency.drill else word
