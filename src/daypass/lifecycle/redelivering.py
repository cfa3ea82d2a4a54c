"""Delivering again: once, for a claim that was interrupted or came too late for its token.

The old token is revoked first, and confirmed gone; then what is left of the time is minted anew. At
no moment do two tokens of one grant live, and its end never moves.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from daypass.errors import ConflictError, DaypassError, TemporaryError
from daypass.lifecycle.granting import Granted, end_strays, wrap_seconds, wrapping_of
from daypass.lifecycle.leases import Window, await_leases
from daypass.lifecycle.marks import marks
from daypass.lifecycle.ports import MintOrder, SlotState
from daypass.lifecycle.world import accessor_digest
from daypass.model.delivery import Delivery

if TYPE_CHECKING:
    from daypass.lifecycle.context import Ports
    from daypass.lifecycle.ports import Minted, Slot
    from daypass.model.delivery import Binding, Origin
    from daypass.model.grant import Grant
    from daypass.model.instant import Instant

# Less than this is not worth a mint: by the time it is claimed it would be over.
LEAST_SECONDS: Final = 30


def why_not(grant: Grant, slot: Slot | None, now: Instant) -> str | None:
    """Why a grant cannot be delivered again; None when it can."""
    if grant.is_offline:  # its roles are its invokers', and its token would be gone for nothing
        return "it was taken of Vault itself: whoever took it can take it anew"
    if slot is None:
        return "nothing is known of its first delivery"
    if slot.data.get("again") and slot.state is SlotState.DELIVERED:
        return "it was delivered again before, and that is done once"
    if grant.not_after.since(now) < LEAST_SECONDS:
        return f"its time is over at {grant.not_after}"
    return None


def redeliver(
    ports: Ports,
    grant: Grant,
    slot: Slot,
    recipients: tuple[str, ...],
    accessor: str | None,
    *,
    claim_window: int,
    origin: Origin,
    binding: Binding,
) -> Granted | None:
    """Revoke the old token, mint the rest of the time; None when another run has it.

    Raises what the ports raise. The next run carries on: the slot says that a second delivery is
    under way, so the grant is not taken for one whose token was stolen.
    """
    ports.registry.add_pending(grant.id)
    try:
        reserved = ports.registry.write(
            grant.id, SlotState.RESERVED, {"again": True, "run": ports.run.id}, slot.version
        )
    except ConflictError:
        return None
    _end_old(ports, grant, accessor)
    minted = _mint_rest(ports, grant, claim_window, origin.repository_id)
    try:
        granted = _remember(ports, grant, minted, recipients, reserved, origin, binding)
    except ConflictError:
        ports.issuer.revoke(minted.accessor)
        return None
    except DaypassError:
        ports.issuer.revoke(minted.accessor)
        raise
    if slot.state is SlotState.RESERVED:  # a killed run began this, and may have minted
        end_strays(ports.issuer, {grant.id: minted.accessor}, origin.repository_id)
    return granted


def _mint_rest(ports: Ports, grant: Grant, claim_window: int, repository_id: int) -> Minted:
    """Mint what is left of the time, rounded down: the end of the grant never moves."""
    left = max(int(grant.not_after.since(ports.issuer.now().plus(1))), 1)
    return ports.issuer.mint(
        MintOrder(
            grant_id=grant.id,
            token_role=grant.token_role,
            engine=grant.engine,
            mount=grant.mount,
            role=grant.role,
            ttl=left,
            issue=grant.issue,
            wrap_ttl=wrap_seconds(grant.issue, claim_window, left),
            meta=marks(
                grant.id,
                repository_id=repository_id,
                subject=grant.subject,
                pull_request=grant.asked_in,
            ),
        )
    )


def _remember(
    ports: Ports,
    grant: Grant,
    minted: Minted,
    recipients: tuple[str, ...],
    reserved: Slot,
    origin: Origin,
    binding: Binding,
) -> Granted:
    """Seal the second delivery, and keep it in the slot for whoever carries on."""
    delivery = Delivery(minted.token, origin, grant.id, binding)
    sealed = ports.sealer.seal(delivery.to_text(), recipients)
    record = replace(
        grant,
        accessor=accessor_digest(minted.accessor),
        not_after=min(minted.not_after, grant.not_after),
        wrapping=wrapping_of(minted, sealed),
        recipients=sealed.fingerprints,
    )
    written = ports.registry.write(
        grant.id,
        SlotState.MINTED,
        {
            "again": True,
            "record": record.to_document(),
            "accessor": minted.accessor,
            "wrapping": minted.wrapping_accessor,
            "ciphertext": sealed.armored,
            "run": ports.run.id,
        },
        reserved.version,
    )
    return Granted(record, written)


def _end_old(ports: Ports, grant: Grant, accessor: str | None) -> None:
    """End what was delivered first. Only when nothing of it lives is anything minted anew."""
    if accessor is not None:
        ports.issuer.revoke(accessor)
        if ports.issuer.lookup(accessor) is not None:
            raise _still_lives(grant, "its first token still lives")
    # The token can be gone and its credential not: a database that is down, a DROP that fails.
    why = await_leases(ports.issuer, grant.mount, grant.role).why(Window.of(grant))
    if why is not None:
        raise _still_lives(grant, why)


def _still_lives(grant: Grant, why: str) -> TemporaryError:
    return TemporaryError(
        f"nothing was minted anew for {grant.id}, because what was delivered first may live: {why}",
        remedy="The next run tries again.",
    )
