"""Built-in rules about the emergency lane: who may take it, and what it costs not to answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.model.grant import Lane
from daypass.model.identity import IdentityStatus, IdentityType
from daypass.policy.rules.rule import BuiltInRule
from daypass.policy.verdict import Verdict, failed, passed, unknown

if TYPE_CHECKING:
    from daypass.policy.input import DecisionInput


INVOKER: Final = "break-glass-invoker"
NOT_OVERDUE: Final = "reviews-not-overdue"


def _invoker(facts: DecisionInput) -> Verdict:
    requester, subject = facts.requester, facts.subject
    if facts.request.lane != Lane.BREAK_GLASS:
        return passed("asked of the emergency lane only")
    who = requester.identity or f"account {requester.account_id}"
    if requester.type != IdentityType.HUMAN or requester.status != IdentityStatus.ACTIVE:
        return failed(f"{who} is no active human of this repository, and breaks no glass")
    if subject is None or subject.account_id != requester.account_id:
        return failed(f"{who} breaks the glass for {facts.request.subject}: each for themselves")
    if requester.invoker is None:
        return unknown(f"whether {who} is an invoker is not known: a team could not be asked")
    if not requester.invoker:
        return failed(f"{who} is no invoker: access/daypass.yaml names them in `breakGlass`")
    return passed(f"{who} is an invoker")


def _reviewed(facts: DecisionInput) -> Verdict:
    subject, requester = facts.subject, facts.requester
    owed = sorted({*requester.overdue, *(subject.overdue if subject else ())})
    if owed:
        return failed(
            f"the review of {', '.join(owed)} is overdue: whoever broke that glass receives "
            "nothing, and asks for nothing, until somebody not involved has reviewed it"
        )
    return passed("no review is overdue")


RULES: Final = (
    BuiltInRule(
        name=INVOKER,
        purpose="The emergency lane is for active humans whom the settings name, each for "
        "themselves.",
        passes="alice, whom `breakGlass.invokers` names, opens a break-glass request for alice",
        fails="mallory, whom nobody named, or alice for bob",
        requirements=("R21",),
        check=_invoker,
        at_issue_only=True,
    ),
    BuiltInRule(
        name=NOT_OVERDUE,
        purpose="Whoever took the emergency lane receives nothing more while its review is "
        "overdue, by either lane.",
        passes="the review of alice's emergency is due tomorrow",
        fails="it was due yesterday, and nobody has reviewed it",
        requirements=("R21", "R24"),
        check=_reviewed,
        at_issue_only=True,
    ),
)
