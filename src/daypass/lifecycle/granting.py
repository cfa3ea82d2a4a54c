"""Granting: reserve, mint, seal, remember. Killed anywhere, the next run carries on; nothing twice.

The slot in Vault's KV is the baton. Whoever moves it by compare-and-set may go on; whoever meets a
conflict revokes what it minted and leaves the grant to the other run.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from daypass.errors import ConflictError, DaypassError
from daypass.lifecycle.marks import GRANT_MARK, REPOSITORY_MARK, marks
from daypass.lifecycle.ports import MintOrder, SlotState
from daypass.lifecycle.timing import left_at
from daypass.lifecycle.world import accessor_digest
from daypass.model.canonical import digest_bytes
from daypass.model.delivery import Binding, Delivery
from daypass.model.grant import WATCH_SECONDS, Grant, Lane, Wrapping
from daypass.model.instant import Instant
from daypass.model.resource import (
    EMERGENCY_CAP,
    IssueMode,
    break_glass_role_name,
    token_role_name,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from daypass.lifecycle.happening import Run
    from daypass.lifecycle.ports import Issuer, Minted, Registry, Sealed, Sealer, Slot
    from daypass.lifecycle.world import RequestFile
    from daypass.model.decision import Decision
    from daypass.model.delivery import Origin
    from daypass.model.grant import Approval, BaseRuling
    from daypass.model.identity import Identity
    from daypass.model.pullrequest import PullRequest
    from daypass.model.request import AccessRequest
    from daypass.model.resource import Level, Resource, Tier


@dataclass(frozen=True, slots=True)
class Order:
    """A request that was permitted, with everything that its grant's record will say."""

    file: RequestFile
    commit: str  # the commit that brought the request to main
    request: AccessRequest
    pull_request: PullRequest
    requester: Identity | None
    subject: Identity
    resource: Resource
    level: Level
    tier: Tier
    decision: Decision
    decision_input: Mapping[str, Any]
    approvals: tuple[Approval, ...]
    recipients: tuple[str, ...]
    lane: Lane
    base: BaseRuling | None
    slot: (
        Slot | None
    )  # left by a run that was killed before it minted, or after what it minted died

    @property
    def token_role(self) -> str:
        """The Vault token role that it is minted through: each lane has its own."""
        name = break_glass_role_name if self.lane is Lane.BREAK_GLASS else token_role_name
        return name(self.resource.name, self.level.name, self.tier.length)

    @property
    def ends(self) -> Mapping[str, Instant]:
        """What it rests on that has an end of its own, and when that is."""
        found = {
            f"the exception {item['name']}": Instant.parse(item["notAfter"])
            for item in self.decision_input.get("exceptions", ())
            if item["name"] in self.decision.exceptions
        }
        if self.subject.contract_end is not None:
            found[f"the contract of {self.subject.name}"] = self.subject.contract_end
        return found

    @property
    def seconds(self) -> int:
        """How long it lasts. The emergency lane's cap is code, whatever was decided."""
        cap = EMERGENCY_CAP.seconds if self.lane is Lane.BREAK_GLASS else self.decision.seconds
        return min(self.decision.seconds, cap)


@dataclass(frozen=True, slots=True)
class Granted:
    """A grant that is minted and remembered, and not yet on main."""

    grant: Grant
    slot: Slot
    first: bool = False  # its id was never used before: no run can have delivered it

    @classmethod
    def of(cls, slot: Slot) -> Granted:
        """What a slot in state `minted` remembers."""
        return cls(Grant.from_document(slot.data["record"]), slot)

    @property
    def accessor(self) -> str:
        """The accessor of its token."""
        return str(self.slot.data["accessor"])

    @property
    def ciphertext(self) -> str:
        """The armoured delivery."""
        return str(self.slot.data["ciphertext"])


def grant(
    order: Order,
    issuer: Issuer,
    registry: Registry,
    sealer: Sealer,
    *,
    claim_window: int,
    origin: Origin,
    evidence_key: str,
    run: Run,
) -> Granted | None:
    """Mint for one order; None when another run has taken it meanwhile.

    `evidence_key` is the fingerprint of the key in force.

    Raises what the ports raise. Whatever was minted is then revoked, unless Vault cannot be
    reached: then it is a wrapped token that nobody can open, and dies at its time.
    """
    grant_id = order.request.id
    ends = order.ends
    seconds = left_at(issuer.now(), order.seconds, ends) if ends else order.seconds
    registry.add_pending(grant_id)
    try:
        reserved = registry.write(
            grant_id,
            SlotState.RESERVED,
            {"blob": order.file.blob, "run": run.id},
            order.slot.version if order.slot else 0,
        )
    except ConflictError:
        return None
    minted = issuer.mint(_mint_order(order, seconds, claim_window, origin.repository_id))
    try:
        binding = Binding.of(evidence_key, order.resource.connection)
        delivery = Delivery(minted.token, origin, grant_id, binding)
        sealed = sealer.seal(delivery.to_text(), order.recipients)
        record = _record(order, minted, sealed)
        slot = registry.write(
            grant_id,
            SlotState.MINTED,
            {
                "record": record.to_document(),
                "accessor": minted.accessor,
                "wrapping": minted.wrapping_accessor,
                "ciphertext": sealed.armored,
                "run": run.id,
            },
            reserved.version,
        )
    except ConflictError:
        issuer.revoke(minted.accessor)
        return None
    except DaypassError:
        issuer.revoke(minted.accessor)
        raise
    return Granted(record, slot, first=order.slot is None)


def end_strays(issuer: Issuer, ours: Mapping[str, str], repository_id: int) -> None:
    """Ends what killed runs minted for these grants, and did not get to remember.

    Their slots are ours, so no other token of theirs has a holder. What is missed here is found as
    an orphan by the next run.

    Call it while this run mints nothing: Vault revokes a token that is looked up in the moment
    between its creation and that of its lease, and a delivery would be dead before it is posted.

    Args:
        issuer: Vault.
        ours: grant id → the accessor of its token.
        repository_id: of the governed repository; another one may use the same ids.
    """
    if not ours:
        return
    mark = str(repository_id)
    with suppress(DaypassError):
        others = issuer.live_accessors() - frozenset(ours.values())
        for accessor, state in issuer.states(others).items():
            if state.meta.get(GRANT_MARK) in ours and state.meta.get(REPOSITORY_MARK) == mark:
                issuer.revoke(accessor)


def wrap_seconds(issue: IssueMode, claim_window: int, seconds: int) -> int:
    """For how long a delivery is wrapped whose grant lasts so many seconds.

    A grant token that can be claimed to its end stays wrapped beyond it: where nothing existed
    before the claim, an unopened wrapping says that nothing ever did.
    """
    outlives = issue is IssueMode.ON_CLAIM and seconds <= claim_window
    return min(claim_window, seconds) + (WATCH_SECONDS if outlives else 0)


def _mint_order(order: Order, seconds: int, claim_window: int, repository_id: int) -> MintOrder:
    issue = IssueMode(order.decision.obligations.issue)
    return MintOrder(
        grant_id=order.request.id,
        token_role=order.token_role,
        engine=order.level.engine,
        mount=order.level.mount,
        role=order.tier.role,
        ttl=seconds,
        issue=issue,
        wrap_ttl=wrap_seconds(issue, claim_window, seconds),
        meta=marks(
            order.request.id,
            repository_id=repository_id,
            subject=order.subject.name,
            pull_request=order.pull_request.number,
        ),
    )


def wrapping_of(minted: Minted, sealed: Sealed) -> Wrapping:
    """What identifies this delivery, for the record and the evidence."""
    return Wrapping(
        minted.wrapping_path,
        minted.wrapping_time,
        minted.wrapping_ttl,
        digest_bytes(sealed.armored.encode()),
    )


def _record(order: Order, minted: Minted, sealed: Sealed) -> Grant:
    author = order.pull_request.author
    return Grant(
        id=order.request.id,
        lane=order.lane,
        subject=order.subject.name,
        requester=order.requester.name if order.requester else None,
        requester_id=author.id if author else 0,
        resource=order.resource.name,
        access=order.level.name,
        engine=order.level.engine,
        mount=order.level.mount,
        role=order.tier.role,
        token_role=order.token_role,
        tier=order.tier.length,
        issue=IssueMode(order.decision.obligations.issue),
        request_blob=order.file.blob,
        request_commit=order.commit,
        pull_request=order.pull_request.number,
        not_before=minted.not_before,
        not_after=minted.not_after,
        accessor=accessor_digest(minted.accessor),
        wrapping=wrapping_of(minted, sealed),
        recipients=sealed.fingerprints,
        approvals=order.approvals,
        decision_input=order.decision_input,
        decision_digest=order.decision.input_digest,
        policy_digest=order.decision.policy_digest,
        renews=order.request.renews,
        base=order.base,
        exceptions=order.decision.exceptions,
    )
