"""Built-in rules about approvals: the least that every resource gets, whatever policies say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.model.grant import Lane
from daypass.policy.approvers import judge, resource_needs
from daypass.policy.facts import Status
from daypass.policy.rules.rule import BuiltInRule
from daypass.policy.verdict import Verdict, failed, passed, unknown

if TYPE_CHECKING:
    from daypass.policy.input import DecisionInput


def _approvals_provable(facts: DecisionInput) -> Verdict:
    approvals = facts.approvals
    if facts.request.lane == Lane.BREAK_GLASS:
        return passed("the emergency lane is reviewed afterwards")
    if approvals.fault is not None:
        return failed(f"no approval of this pull request counts: {approvals.fault}")
    accounts = ", ".join(str(account) for account in approvals.blocked_by)
    if approvals.status != Status.KNOWN and accounts:
        return unknown(
            f"whether an owner dismissed the request for changes of account {accounts} is not known"
        )
    if approvals.status != Status.KNOWN:
        return unknown("approvals are not known here: they are counted at the merge")
    if accounts:
        return failed(
            f"account {accounts} asks for changes: that stands until that account approves, or an "
            "owner dismisses it before the merge"
        )
    names = ", ".join(item.who for item in approvals.counted)
    return passed(f"{len(approvals.counted)} approval(s) count{f': {names}' if names else ''}")


def _resource_approvers(facts: DecisionInput) -> Verdict:
    resource = facts.resource
    if resource is None or facts.request.lane == Lane.BREAK_GLASS:
        return passed("the emergency lane is reviewed afterwards")
    if resource.approvers_at_least < 1:
        return failed(f"{resource.name} asks for no approver: at least 1 must be asked for")
    return judge(resource_needs(facts), facts)


RULES: Final = (
    BuiltInRule(
        name="approvals-provable",
        purpose="Approvals are computed from GitHub's record: latest verdict of each person, on "
        "the head, before the merge, by nobody who wrote, pushed, asks, receives or answers. "
        "A request for changes stands until its author is content, or an owner dismisses it: a "
        "dismissal by the requester, or by a bot, is none.",
        passes="bob approved the head, and had no hand in it",
        fails="a commit whose author belongs to no account, or carol asks for changes",
        requirements=("R12", "threats 1, 2, 31, 32, 51"),
        check=_approvals_provable,
    ),
    BuiltInRule(
        name="resource-approvers",
        purpose="Whom the resource names as its approvers must approve; policies only add.",
        passes="orders-db wants 1 of dba, and bob of dba approved",
        fails="orders-db wants an owner among them, and none approved",
        requirements=("R13", "threats 22, 27"),
        check=_resource_approvers,
    ),
)
