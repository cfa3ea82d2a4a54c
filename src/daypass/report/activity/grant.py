"""What ties a line to a grant: the marks of its token, its accessor, the name of its users."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from daypass.model.instant import Instant
from daypass.report.drafts import pull_request_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from daypass.model.event import RecordedEvent

_SHORT: Final = 36  # of an id, as `username_template` cuts it off; docs/database.md has it
# Seconds for which a server's clock may differ, and for which a claim may come after the end that
# another server has seen already.
_LEEWAY: Final = 120


@dataclass(frozen=True, slots=True)
class Wanted:
    """One grant, as logs can know it."""

    grant_id: str
    repository_id: int
    accessors: frozenset[str]  # `sha256:<hex>`, of every token that the evidence knows
    since: Instant
    until: Instant | None  # None: it has not ended
    pull_request: int | None

    @classmethod
    def of(cls, events: Iterable[RecordedEvent], repository_id: int) -> Wanted | None:
        """By its events; None if none of them issued it."""
        accessors: set[str] = set()
        since: Instant | None = None
        until: Instant | None = None
        grant_id, number = "", None
        for recorded in events:
            event = recorded.event
            accessor = event.first("Daypass-Accessor")
            if accessor is not None:
                accessors.add(accessor)
            begins, ends = event.first("Daypass-Not-Before"), event.first("Daypass-Ended-At")
            if begins is not None:
                grant_id = event.grant or ""
                number = pull_request_of(dict(event.trailers))
                at = Instant.parse(begins)
                since = at if since is None else min(since, at)
            if ends is not None:
                until = Instant.parse(ends)
        if since is None:
            return None
        return cls(grant_id, repository_id, frozenset(accessors), since, until, number)

    def users(self) -> re.Pattern[str]:
        """A database user's name: the id, six random characters, and when it was made."""
        return re.compile(rf"g-{re.escape(self.grant_id[:_SHORT])}-[a-z0-9]{{6}}-([0-9]{{10,11}})")

    def is_user(self, name: str, users: re.Pattern[str]) -> bool:
        """Whether that user was made for this grant.

        Two ids can begin with the same 36 characters; when the user was made tells them apart.
        """
        found = users.fullmatch(name)
        if found is None:
            return False
        made = int(found[1])
        ended = self.until.seconds if self.until is not None else made
        return self.since.seconds - _LEEWAY <= made <= ended + _LEEWAY
