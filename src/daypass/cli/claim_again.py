"""A claim that finds the delivery opened: whether this very person has opened it before."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from daypass.adapters import holder_token
from daypass.adapters.ssh_keys import open_sealed
from daypass.adapters.vault.claim import wrapping_lookup
from daypass.cli import wiring
from daypass.cli.vault_access import holder_client
from daypass.errors import ClaimError, DaypassError, SealingError
from daypass.lifecycle.claim import find_ciphertext
from daypass.lifecycle.claim_origin import token_of
from daypass.lifecycle.commands import is_claimed
from daypass.model.instant import Instant

if TYPE_CHECKING:
    from pathlib import Path

    from daypass.lifecycle.claim import Claimable
    from daypass.model.grant import Grant
    from daypass.model.secret import Secret


def opened_before(claimable: Claimable) -> ClaimError | None:
    """What to tell a person who has opened this delivery already; None for all others.

    They have if a claim here noted that very delivery, or kept its token, or if they said so on
    the pull request since it was delivered, in a comment that no one has edited.
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
        f"`/redeliver {grant.id}` on the pull request): what is left of the time is minted anew. "
        f"If that was not you: `daypass claim {grant.id} --not-me`.",
    )


def _kept_at(grant: Grant) -> Instant | None:
    """When a claim on this machine opened that delivery, or kept its token."""
    with suppress(OSError):
        opened = holder_token.opened_at(grant.id, grant.delivery.ciphertext)
        if opened is not None:
            return opened
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


def assert_opened(claimable: Claimable, directory: Path, identity: Path | None) -> None:
    """Raise ClaimError where Vault says that no one has opened the delivery yet.

    A look spends nothing. Where it cannot be had (no key here, or one with a passphrase; GitHub or
    Vault away), the person's word is taken as it is.
    """
    grant, settings = claimable.grant, claimable.settings
    unopened = False
    with suppress(DaypassError, OSError):
        with wiring.person(settings) as forge:
            comments = forge.comments(grant.asked_in)
        ciphertext = find_ciphertext(grant, comments, settings.github.app_user_id)
        sealed = open_sealed(ciphertext, identity, _no_passphrase)
        token = token_of(sealed, claimable, lambda _: False, pinned=False)
        with holder_client(directory, settings, wiring.authorities(directory, settings)) as client:
            unopened = wrapping_lookup(client, token) is not None
    if unopened:
        raise ClaimError(
            f"the delivery of grant {grant.id} has not been opened by anyone, so it was not you",
            remedy=f"Nothing was said. To receive it, run `daypass claim {grant.id} -- COMMAND`.",
        )


def _no_passphrase(path: Path) -> Secret:
    raise SealingError(f"{path} has a passphrase", remedy="It is not asked for here.")
