"""A claim that finds the delivery opened: whether this very person has opened it before."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from daypass.adapters import holder_token
from daypass.cli import wiring
from daypass.errors import ClaimError, DaypassError
from daypass.lifecycle.commands import is_claimed
from daypass.model.instant import Instant

if TYPE_CHECKING:
    from daypass.lifecycle.claim import Claimable
    from daypass.model.grant import Grant


def opened_before(claimable: Claimable) -> ClaimError | None:
    """What to tell a person who has opened this delivery already; None for all others.

    They have if a claim here kept the token of that very delivery, or if they said so on the pull
    request since it was delivered, in a comment that no one has edited.
    """
    grant = claimable.grant
    where, at = "on this machine, at", _kept_at(grant)
    if at is None:
        where, at = "by your own word on its pull request, at", _said_at(claimable)
    if at is None:
        return None
    return ClaimError(
        f"you have opened the delivery of grant {grant.id} already ({where} {at}), and it opens "
        "once",
        remedy=f"If you need it once more, run `daypass redeliver {grant.id}` (or comment "
        f"`/redeliver {grant.id}` on the pull request): what is left of the time is minted anew.",
    )


def _kept_at(grant: Grant) -> Instant | None:
    """When a claim on this machine kept the token of that delivery."""
    with suppress(DaypassError, OSError):
        own = holder_token.find(grant.id)
        if own is not None and own.accessor_digest == grant.accessor:
            return own.at
    return None


def _said_at(claimable: Claimable) -> Instant | None:
    """When this person said on the pull request that they opened it."""
    grant, settings = claimable.grant, claimable.settings
    delivered = Instant.parse(grant.delivery.time).seconds  # GitHub tells whole seconds
    with suppress(DaypassError):
        with wiring.person_asking(settings) as asker:
            person = asker.myself()
        with wiring.person(settings) as forge:
            comments = forge.comments(grant.asked_in)
        if person is None:
            return None
        said = [
            item.created_at
            for item in comments
            if item.author_id == person.id
            and is_claimed(item.body, grant.id)
            and not item.edited
            and item.created_at.seconds >= delivered
        ]
        return min(said, default=None)
    return None
