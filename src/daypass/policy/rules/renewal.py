"""The built-in rule about renewals: what continues a grant, and what only says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.model.event import Reason
from daypass.policy.rules.rule import BuiltInRule
from daypass.policy.verdict import Verdict, failed, passed, unknown

if TYPE_CHECKING:
    from daypass.policy.input import DecisionInput

RENEWAL: Final = "renewal"
# Ends after which a grant may be continued: nobody took the access away. What was revoked is asked
# for anew: whoever approved its renewal did so before they could know.
_BY_ITSELF: Final = frozenset({Reason.TIME, Reason.DONE, Reason.NEVER_CLAIMED})


def _renewal(facts: DecisionInput) -> Verdict:
    request, renewed = facts.request, facts.history.renewed
    if request.renews is None:
        return passed("it continues no other grant")
    if renewed is None:
        return unknown(f"what {request.renews} gave, and to whom, is not known here")
    if renewed.subject is None:
        return failed(f"{request.renews} was never issued: ask without `renews`")
    given = (renewed.subject, renewed.resource, renewed.access)
    if given != (request.subject, request.resource, request.access):
        return failed(
            f"{request.renews} gave {renewed.access} on {renewed.resource} to {renewed.subject}: "
            "a renewal continues one's own grant of the same access. Ask without `renews`"
        )
    if renewed.ended is not None and renewed.ended not in _BY_ITSELF:
        return failed(
            f"{request.renews} was taken away ({renewed.ended}), and is not continued: "
            "ask anew, without `renews`"
        )
    return passed(f"it continues {request.renews}")


RULES: Final = (
    BuiltInRule(
        name=RENEWAL,
        purpose="A renewal continues a grant of the same subject, resource and level, which lives "
        "or ended by itself. What was revoked is not continued.",
        passes="alice renews her own read on orders-db, which ends in ten minutes",
        fails="bob renews what alice holds, or alice what was revoked an hour ago",
        requirements=("R9", "threat 14"),
        check=_renewal,
        at_issue_only=True,
    ),
)
