"""The conditions that a policy document can set, told as the built-in rules are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.policy.rules.rule import DescribedRule

if TYPE_CHECKING:
    from collections.abc import Mapping

_ALL: Final = (
    DescribedRule(
        name="match",
        purpose="What the policy is about: `spec.match`. While the membership that it asks for is "
        "unknown, whether it applies is unknown too, and nothing is permitted.",
        passes="`resources: {environments: [production]}`, and orders-db is of production",
        fails="`subjects: {groups: [contractors]}` while GitHub cannot tell who belongs to them",
        requirements=("R3",),
    ),
    DescribedRule(
        name="approvals",
        purpose="Whom the policy asks for approval: `spec.approvals.stages`. Nobody counts twice "
        "within one policy.",
        passes="stages owner and security; dave of the owners and frank of security approved",
        fails="erin belongs to both groups, and is the only one who approved",
        requirements=("R13", "threat 27"),
    ),
    DescribedRule(
        name="ticket",
        purpose="The whole ticket matches an RE2 pattern: `spec.require.ticket`.",
        passes="`OPS-[0-9]+`, and the ticket is OPS-1234",
        fails="no ticket, or X-OPS-1234",
        requirements=("R3",),
    ),
    DescribedRule(
        name="reason-length",
        purpose="The reason has that many characters: `spec.require.reasonLength`. People read "
        "what it says; no decision does.",
        passes="`reasonLength: 10`, and the reason is a sentence",
        fails="the reason is `fix`",
        requirements=("threat 24",),
    ),
    DescribedRule(
        name="times",
        purpose="Access is issued only at these hours and days: `spec.limits.times`. Live grants "
        "are not ended by them.",
        passes="Monday 10:00 in Europe/Zurich, for weekdays from 07:00 to 19:00",
        fails="Sunday, or 19:00 sharp",
        requirements=("R3",),
    ),
    DescribedRule(
        name="freeze",
        purpose="Nothing is issued during a change freeze: `spec.limits.freezes`.",
        passes="the freeze begins tomorrow",
        fails="the freeze ends tomorrow",
        requirements=("R3",),
    ),
    DescribedRule(
        name="concurrent",
        purpose="So many live grants a subject may have at once, among those that the policy is "
        "about: `spec.limits.concurrent`. The grant that a renewal continues is not counted.",
        passes="`concurrent: 2`, and one is live",
        fails="`concurrent: 1`, and one is live that this request does not renew",
        requirements=("R9",),
    ),
    DescribedRule(
        name="window",
        purpose="So many hours of access in any stretch of time: `spec.limits.window`. What is "
        "left of them bounds the grant.",
        passes="8 hours in 7 days, and 6 were used: up to 2 are given",
        fails="all 8 were used",
        requirements=("R9",),
    ),
)
CONDITIONS: Final[Mapping[str, DescribedRule]] = {rule.name: rule for rule in _ALL}
