"""The built-in rules: one name each, in the code, in outcomes, in tests and in `explain`.

No policy switches them off. `COMBINED` holds those that need the policies as well, and so are
worked out in `daypass.policy.decide`; they are described here like the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.policy.rules import approval, credentials, emergency, parties, renewal, target
from daypass.policy.rules.condition import CONDITIONS
from daypass.policy.rules.rule import BUILT_IN, BuiltInRule, DescribedRule

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "BUILT_IN",
    "COMBINED",
    "CONDITIONS",
    "DESCRIBED",
    "DURATION",
    "PERMITTED",
    "RULES",
    "TWO_APPROVERS",
    "BuiltInRule",
    "DescribedRule",
]


PERMITTED: Final = DescribedRule(
    name="permitted-by-policy",
    purpose="What no enforced permit policy is about is denied. Guards never permit.",
    passes="the policy production-read is about it",
    fails="only a guard, or a policy that is still in `audit`, is about it",
    requirements=("R3",),
)
TWO_APPROVERS: Final = DescribedRule(
    name="two-approvers",
    purpose="High and critical resources, and whatever rests on an exception, need two approvers, "
    "an owner of the resource among them. Approvers are those whom the resource or a permit "
    "policy about it names; whom a guard names approves for the guard only.",
    passes="carol, an owner of payments-db, and dave of security approved",
    fails="two members of security approved, and no owner",
    requirements=("R13",),
)
DURATION: Final = DescribedRule(
    name="duration",
    purpose="The least of all durations counts: of the request, the resource, the longest tier, "
    "the policies, a rolling window, the end of a contract or of an exception. When nothing is "
    "left of it, denied.",
    passes="8h asked for, and the resource allows 2h: 2h are given",
    fails="the rolling window of the policy is used up",
    requirements=("R8", "R9", "threat 26"),
)

RULES: Final[tuple[BuiltInRule, ...]] = (
    *parties.RULES,
    *target.RULES,
    *credentials.RULES,
    *renewal.RULES,
    *approval.RULES,
    *emergency.RULES,
)
COMBINED: Final[tuple[DescribedRule, ...]] = (PERMITTED, TWO_APPROVERS, DURATION)
_ALL: Final[tuple[DescribedRule, ...]] = (*RULES, *COMBINED)
DESCRIBED: Final[Mapping[str, DescribedRule]] = {rule.name: rule for rule in _ALL}
