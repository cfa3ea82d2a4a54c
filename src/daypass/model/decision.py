"""Decisions: what the decision point answers, with every rule's outcome."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daypass.model.resource import IssueMode


class Effect(StrEnum):
    """`indeterminate` means that something needed is not known; it is enforced as a denial."""

    PERMIT = "permit"
    DENY = "deny"
    INDETERMINATE = "indeterminate"


class Enforcement(StrEnum):
    """How much a policy's word counts, so that a new one can be tried first."""

    ENFORCE = "enforce"
    WARN = "warn"  # said on the pull request, does not deny
    AUDIT = "audit"  # recorded only


@dataclass(frozen=True, slots=True)
class RuleOutcome:
    """What one rule of one policy said. `policy` is `built-in` for the rules that are code."""

    policy: str
    rule: str
    effect: Effect
    enforcement: Enforcement
    message: str  # for people: what was asked, what was found, what would satisfy the rule
    excepted_by: str | None = None  # the exception by which a denial of it does not count
    zones: tuple[str, ...] = ()  # time zones for want of which alone it is not known

    def to_json(self) -> dict[str, Any]:
        """As `explain --format json` shows it."""
        return {
            "policy": self.policy,
            "rule": self.rule,
            "effect": str(self.effect),
            "enforcement": str(self.enforcement),
            "message": self.message,
            **({} if self.excepted_by is None else {"exceptedBy": self.excepted_by}),
        }

    @property
    def counts_against(self) -> bool:
        """Whether it keeps the decision from being a permit."""
        return (
            self.effect is not Effect.PERMIT
            and self.enforcement is Enforcement.ENFORCE
            and self.excepted_by is None
        )


@dataclass(frozen=True, slots=True)
class Obligations:
    """What a permit demands of whoever carries it out."""

    issue: IssueMode
    recording: str
    review_within_seconds: int | None = None

    def to_json(self) -> dict[str, Any]:
        """As records and `explain` carry it."""
        return {
            "issue": str(self.issue),
            "recording": self.recording,
            "reviewWithinSeconds": self.review_within_seconds,
        }


class Digested(Protocol):
    """The input of a decision. Its digest is asked for when a record needs it, and worked out then.

    Every run decides again for each live grant, and records hardly any of these decisions.
    """

    @property
    def digest(self) -> str:
        """`sha256:<hex>` of the canonical JSON."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer of `policy.decide`: byte-identical for the same input and policies."""

    effect: Effect
    outcomes: tuple[RuleOutcome, ...]  # sorted by policy, then rule
    obligations: Obligations
    seconds: int  # the least of all durations; 0 unless permitted
    bounded_by: str  # what that least duration came from, for people
    input: Digested
    policy_digest: str

    @property
    def input_digest(self) -> str:
        """`sha256:<hex>` of the canonical JSON of all that it rests on."""
        return self.input.digest

    @property
    def permitted(self) -> bool:
        """Whether access may be given. Indeterminate is not permitted."""
        return self.effect is Effect.PERMIT

    @property
    def reasons(self) -> tuple[RuleOutcome, ...]:
        """The enforced outcomes that kept it from being a permit."""
        return tuple(outcome for outcome in self.outcomes if outcome.counts_against)

    @property
    def excepted(self) -> tuple[RuleOutcome, ...]:
        """The outcomes that would have denied, and that an exception keeps from counting."""
        return tuple(outcome for outcome in self.outcomes if outcome.excepted_by is not None)

    @property
    def exceptions(self) -> tuple[str, ...]:
        """The names of the exceptions that it rests on, sorted."""
        return tuple(sorted({item.excepted_by for item in self.outcomes if item.excepted_by}))

    def to_json(self) -> Mapping[str, Any]:
        """The whole decision as JSON; its canonical bytes are what "byte-identical" means."""
        return {
            "effect": str(self.effect),
            "outcomes": [outcome.to_json() for outcome in self.outcomes],
            "obligations": self.obligations.to_json(),
            "seconds": self.seconds,
            "boundedBy": self.bounded_by,
            "input": self.input_digest,
            "policy": self.policy_digest,
        }
