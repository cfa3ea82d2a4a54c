"""Closings: requests whose pull requests were closed and never merged, told once each.

GitHub is asked for what was closed since the last look, so that it costs what is new and not what
ever was. How far was looked is noted in Vault; a run that was killed before its note finds what it
told in the evidence. A pull request of somebody who is nobody here, from a fork, asked for nothing.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from daypass.documents.repository import load_break_glass, load_request
from daypass.errors import DaypassError, DocumentError
from daypass.lifecycle import chronicle
from daypass.lifecycle.happening import Happening, make_event
from daypass.lifecycle.recorder import told
from daypass.model.event import OF_PULL_REQUEST, EventKind, Reason
from daypass.model.grant import Lane
from daypass.model.instant import Instant
from daypass.model.names import is_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from daypass.lifecycle.context import Ports
    from daypass.lifecycle.outcome import Outcome
    from daypass.model.catalogue import Catalogue
    from daypass.model.pullrequest import Account, ChangedFile, ClosedPullRequest
    from daypass.model.request import AccessRequest

CLOSED_NOTE: Final = "closed"
# GitHub's clock is not Vault's, and its lists lag behind: what was closed this much before the last
# look is looked at again.
_OVERLAP_SECONDS: Final = 600
_LANES: Final = {"access/requests": Lane.ROUTINE, "access/break-glass": Lane.BREAK_GLASS}
_ASKS: Final = frozenset({"added", "renamed", "copied"})


@dataclass(slots=True)
class Closings:
    """One look at the pull requests that were closed unmerged."""

    ports: Ports
    catalogue: Catalogue
    outcome: Outcome

    def run(self, head: str) -> None:
        """Tell what was closed since the last look, on top of `head`. Failures are noted."""
        try:
            self._run(head)
        except DaypassError as error:
            self.outcome.fail("closed pull requests", error)

    def _run(self, head: str) -> None:
        now = self.ports.issuer.now()
        note = self.ports.registry.read_note(CLOSED_NOTE)
        if note is None:  # what was closed before daypass looked is none of its events
            self._note(now, head, ())
            return
        since = Instant.parse(note["until"]).plus(-_OVERLAP_SECONDS)
        seen = {(int(number), str(at)) for number, at in note["seen"]}
        closed = self.ports.forge.closed_pull_requests(since)
        new = [item for item in closed if (item.number, str(item.closed_at)) not in seen]
        happenings = [event for item in new for event in self._told_of(item)]
        if happenings:
            happenings = self._untold(happenings, head, str(note["commit"]))
        if happenings:
            recording = chronicle.write(self.ports, happenings, head=head)
            if recording.dropped:
                return  # main was tampered with meanwhile: the next run looks again
            head = recording.head
            for done in recording.recorded:
                event = done.happening.event
                said = f"#{event.first('Daypass-Pull-Request')} was closed unmerged"
                self.outcome.add(str(event.kind), event.grant or "", said, done.commit)
        if new or now.since(since) > 2 * _OVERLAP_SECONDS:
            self._note(now, head, closed)

    def _note(self, now: Instant, head: str, closed: tuple[ClosedPullRequest, ...]) -> None:
        """Remember how far was looked, and what of it the next look will meet again."""
        keep = now.plus(-_OVERLAP_SECONDS)
        seen = [[item.number, str(item.closed_at)] for item in closed if item.closed_at >= keep]
        self.ports.registry.write_note(
            CLOSED_NOTE, {"until": str(now), "commit": head, "seen": seen}
        )

    def _untold(self, happenings: list[Happening], head: str, since: str) -> list[Happening]:
        """Those that no event since the last look tells of: a run may have been killed."""
        chain = chronicle.LedgerChain(self.ports)
        known = {
            told(recorded.event)
            for recorded in chain.since(self.ports.repository, head, since)
            if recorded.event.kind in OF_PULL_REQUEST
        }
        return [item for item in happenings if told(item.event) not in known]

    def _told_of(self, item: ClosedPullRequest) -> Iterator[Happening]:
        github = self.catalogue.settings.github
        known = item.author is not None and self.catalogue.identity_of(item.author.id) is not None
        if not known and item.head_repository_id != github.repository_id:
            return
        closing = self.ports.forge.closing_of(item.number)
        if closing.closer is not None and closing.closer.id == github.app_user_id:
            return  # daypass refused it, and has told so
        asked = [file for file in closing.files if _asks(file)]
        contents = self._contents(item, [file.blob for file in asked if file.blob])
        for file in asked:
            content = contents.get(file.blob or "")
            yield self._happening(item, closing.closer, file, content)

    def _contents(self, item: ClosedPullRequest, blobs: list[str]) -> Mapping[str, bytes]:
        """The requests, as far as they are still to be had: the event can do without."""
        repository = self.ports.repository
        with suppress(DaypassError):
            repository.fetch_pull_request(item.number, item.head_sha)
            return repository.blobs(sorted(set(blobs)))
        return {}

    def _happening(
        self,
        item: ClosedPullRequest,
        closer: Account | None,
        file: ChangedFile,
        content: bytes | None,
    ) -> Happening:
        path = PurePosixPath(file.path)
        lane = _LANES[str(path.parent)]
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


def _asks(file: ChangedFile) -> bool:
    """Whether it is a request that was not on main: to edit or to delete one asks for nothing."""
    path = PurePosixPath(file.path)
    return (
        file.status in _ASKS
        and str(path.parent) in _LANES
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
