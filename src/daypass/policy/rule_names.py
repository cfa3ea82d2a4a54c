"""Names of rules that no free rule may bear: those of built-in rules and of conditions.

They are written out, so that `daypass validate` need not load the rules to compare names.
"""

from __future__ import annotations

from typing import Final

RULE_PREFIX: Final = "rule-"  # before the name of a free rule that is called like a condition
RESERVED_NAMES: Final = frozenset(
    {
        "agent-accounted-for",
        "approvals",
        "approvals-provable",
        "authenticates-itself",
        "break-glass-invoker",
        "concurrent",
        "context-known",
        "duration",
        "freeze",
        "level-exists",
        "match",
        "no-static-secret",
        "not-far-ahead",
        "one-holder",
        "own-keys",
        "permitted-by-policy",
        "reason-length",
        "recipients-pinned",
        "renewal",
        "requester-may-ask",
        "resource-approvers",
        "reviews-not-overdue",
        "same-environment",
        "subject-active",
        "ticket",
        "times",
        "two-approvers",
        "two-living-owners",
        "vendor-under-contract",
        "window",
    }
)
