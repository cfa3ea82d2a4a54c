"""Grant: the bot's own record of what it issued, in JSON because every run reads it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Self

from daypass.model.instant import Duration, Instant
from daypass.model.names import API_VERSION, Kind
from daypass.model.recorded import RecordedInput
from daypass.model.resource import IssueMode

if TYPE_CHECKING:
    from collections.abc import Mapping

# For how long an unopened delivery is there after the end of its grant, which it then opens no
# more: it tells the next run that nobody ever came.
WATCH_SECONDS: Final = 3600


class Lane(StrEnum):
    """The two ways in."""

    ROUTINE = "routine"
    BREAK_GLASS = "break-glass"


LANES: Final = {  # by the folder of its requests
    "access/requests": Lane.ROUTINE,
    "access/break-glass": Lane.BREAK_GLASS,
}


def emergency_word(*, offline: bool, drill: bool) -> str:
    """The emergency lane as evidence names it, for example `break-glass-offline-drill`."""
    return f"{Lane.BREAK_GLASS}{'-offline' if offline else ''}{'-drill' if drill else ''}"


def is_offline_word(word: str | None) -> bool:
    """Whether that names the emergency lane of the day when GitHub was down."""
    return word in {emergency_word(offline=True, drill=drill) for drill in (False, True)}


class GrantState(StrEnum):
    """What a record on main can say. An ended grant has no record: its commit is reverted."""

    ACTIVE = "active"
    REVOKE_FAILED = "revoke-failed"


@dataclass(frozen=True, slots=True)
class Wrapping:
    """What identifies a delivery: a forged or re-wrapped token differs in one of these."""

    path: str  # Vault's creation_path, e.g. `database/creds/orders-ro-1h`
    time: str  # Vault's creation_time, to the letter (RFC 3339 with nanoseconds)
    ttl: int  # seconds for which it can be unwrapped
    ciphertext: str  # `sha256:<hex>` of the armored age file, as posted

    def to_json(self) -> dict[str, Any]:
        """As the record and the trailer carry it."""
        return {
            "path": self.path,
            "time": self.time,
            "ttlSeconds": self.ttl,
            "ciphertext": self.ciphertext,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`."""
        return cls(value["path"], value["time"], value["ttlSeconds"], value["ciphertext"])


@dataclass(frozen=True, slots=True)
class Approval:
    """One approval that counted when the grant was issued; frozen from then on."""

    account_id: int
    identity: str | None
    review_id: int
    commit: str
    at: Instant

    def to_json(self) -> dict[str, Any]:
        """As records, decision inputs and trailers carry it."""
        return {
            "accountId": self.account_id,
            "identity": self.identity,
            "reviewId": self.review_id,
            "commit": self.commit,
            "at": str(self.at),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`."""
        return cls(
            value["accountId"],
            value["identity"],
            value["reviewId"],
            value["commit"],
            Instant.parse(value["at"]),
        )


@dataclass(frozen=True, slots=True)
class BaseRuling:
    """How main decided before the merge, where its documents differ from those of now."""

    commit: str
    policy_digest: str
    input_digest: str
    effect: str = "permit"  # of a grant: else there is none

    def to_json(self) -> dict[str, Any]:
        """As the record carries it."""
        return {"commit": self.commit, "policy": self.policy_digest, "digest": self.input_digest}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`."""
        return cls(value["commit"], value["policy"], value["digest"])


@dataclass(frozen=True, slots=True)
class Grant:
    """One grant: what was issued to whom, on whose word, until when."""

    id: str
    lane: Lane
    subject: str
    requester: str | None  # identity of the pull request's author; None when it has none
    requester_id: int
    resource: str
    access: str
    engine: str
    mount: str
    role: str  # the secrets engine's role, e.g. `orders-ro-1h`
    token_role: str
    tier: Duration
    issue: IssueMode
    request_blob: str
    request_commit: str | None  # what brought the request to main; None: the record's own commit
    pull_request: int | None  # None: taken of Vault itself, while GitHub was down
    not_before: Instant
    not_after: Instant
    accessor: str  # `sha256:<hex>` of the accessor, never the accessor
    wrapping: Wrapping | None  # None: nothing was delivered, its holder minted it
    recipients: tuple[str, ...]  # fingerprints of the keys that can open the delivery
    approvals: tuple[Approval, ...]
    decision_input: Mapping[str, Any]
    decision_digest: str
    policy_digest: str
    renews: str | None = None
    base: BaseRuling | None = None  # None: it is what HEAD held
    effect: str = "permit"  # of the decision: what was taken offline may turn out to be denied
    exceptions: tuple[str, ...] = ()  # the names of those that it rests on, sorted
    state: GrantState = GrantState.ACTIVE
    state_reason: str | None = None
    state_since: Instant | None = None

    @property
    def is_offline(self) -> bool:
        """Whether its holder took it of Vault itself: no pull request ever asked for it."""
        return self.pull_request is None

    @property
    def delivery(self) -> Wrapping:
        """What identifies its delivery. Raises ValueError where nothing was delivered."""
        if self.wrapping is None:
            raise ValueError(f"nothing was delivered for {self.id}")
        return self.wrapping

    @property
    def asked_in(self) -> int:
        """The number of its pull request. Raises ValueError where there was none."""
        if self.pull_request is None:
            raise ValueError(f"no pull request asked for {self.id}")
        return self.pull_request

    @property
    def is_drill(self) -> bool:
        """Whether it was an exercise of the emergency lane."""
        request = self.decision_input.get("request")
        return isinstance(request, dict) and request.get("drill") is True

    @property
    def lane_word(self) -> str | None:
        """The lane as evidence names it; None for the routine lane, which is not named."""
        if self.lane is Lane.ROUTINE:
            return None
        return emergency_word(offline=self.is_offline, drill=self.is_drill)

    def failed(self, reason: str, since: Instant) -> Grant:
        """The same grant, after a revocation that Vault did not confirm."""
        return replace(self, state=GrantState.REVOKE_FAILED, state_reason=reason, state_since=since)

    def to_bytes(self) -> bytes:
        """The record as it lies in git: indented JSON, keys in a fixed order."""
        return (json.dumps(self.to_document(), indent=2, ensure_ascii=False) + "\n").encode()

    def to_document(self) -> dict[str, Any]:
        """The record as a document of kind Grant."""
        return {
            "apiVersion": API_VERSION,
            "kind": str(Kind.GRANT),
            "metadata": {"id": self.id},
            "spec": {
                "lane": str(self.lane),
                "subject": self.subject,
                "requester": {"identity": self.requester, "accountId": self.requester_id},
                "resource": self.resource,
                "access": self.access,
                "vault": {
                    "engine": self.engine,
                    "mount": self.mount,
                    "role": self.role,
                    "tokenRole": self.token_role,
                    "tier": str(self.tier),
                    "issue": str(self.issue),
                    "accessor": self.accessor,
                },
                "request": {
                    "blob": self.request_blob,
                    "commit": self.request_commit,
                    "pullRequest": self.pull_request,
                    "renews": self.renews,
                },
                "notBefore": str(self.not_before),
                "notAfter": str(self.not_after),
                "wrapping": self.wrapping.to_json() if self.wrapping else None,
                "recipients": list(self.recipients),
                "approvals": [approval.to_json() for approval in self.approvals],
                "decision": {
                    "digest": self.decision_digest,
                    "policy": self.policy_digest,
                    "input": dict(self.decision_input),
                    **({"exceptions": list(self.exceptions)} if self.exceptions else {}),
                    **({"base": self.base.to_json()} if self.base else {}),
                    **({} if self.effect == "permit" else {"effect": self.effect}),
                },
            },
            "status": {
                "state": str(self.state),
                "reason": self.state_reason,
                "since": str(self.state_since) if self.state_since else None,
            },
        }

    @classmethod
    def from_bytes(cls, record: bytes) -> Self:
        """Build from a record as it lies in git, signed by the bot."""
        document = json.loads(record)
        decision = document["spec"]["decision"]
        decision["input"] = RecordedInput(record, decision["input"])
        return cls.from_document(document)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Build from a record that its schema has accepted (or that the bot signed)."""
        spec, status = document["spec"], document["status"]
        vault, request = spec["vault"], spec["request"]
        since = status["since"]
        return cls(
            id=document["metadata"]["id"],
            lane=Lane(spec["lane"]),
            subject=spec["subject"],
            requester=spec["requester"]["identity"],
            requester_id=spec["requester"]["accountId"],
            resource=spec["resource"],
            access=spec["access"],
            engine=vault["engine"],
            mount=vault["mount"],
            role=vault["role"],
            token_role=vault["tokenRole"],
            tier=Duration.parse(vault["tier"]),
            issue=IssueMode(vault["issue"]),
            request_blob=request["blob"],
            request_commit=request["commit"],
            pull_request=request["pullRequest"],
            not_before=Instant.parse(spec["notBefore"]),
            not_after=Instant.parse(spec["notAfter"]),
            accessor=vault["accessor"],
            wrapping=Wrapping.from_json(spec["wrapping"]) if spec["wrapping"] else None,
            recipients=tuple(spec["recipients"]),
            approvals=tuple(Approval.from_json(item) for item in spec["approvals"]),
            decision_input=spec["decision"]["input"],
            decision_digest=spec["decision"]["digest"],
            policy_digest=spec["decision"]["policy"],
            renews=request["renews"],
            base=BaseRuling.from_json(spec["decision"]["base"])
            if "base" in spec["decision"]
            else None,
            effect=spec["decision"].get("effect", "permit"),
            exceptions=tuple(spec["decision"].get("exceptions", ())),
            state=GrantState(status["state"]),
            state_reason=status["reason"],
            state_since=Instant.parse(since) if since else None,
        )
