"""The auditor's questions: one function each, all asked of the same facts, in this order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.report.questions.access import access_now, grants, unconfirmed
from daypass.report.questions.approvals import independence, pairs
from daypass.report.questions.emergencies import break_glass
from daypass.report.questions.exceptions import exceptions
from daypass.report.questions.governance import denials, policy_changes
from daypass.report.questions.identities import non_human, vendors_agents
from daypass.report.questions.integrity import drift, gaps, ungoverned
from daypass.report.questions.timing import durations, endings
from daypass.report.questions.vault import vault_against_git

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from daypass.report.answer import Answer
    from daypass.report.ground import Ground

QUESTIONS: Final[Mapping[str, Callable[[Ground], Answer]]] = {
    "access-now": access_now,
    "grants": grants,
    "durations": durations,
    "endings": endings,
    "unconfirmed": unconfirmed,
    "vault-against-git": vault_against_git,
    "independence": independence,
    "approver-pairs": pairs,
    "break-glass": break_glass,
    "non-human": non_human,
    "vendors-agents": vendors_agents,
    "exceptions": exceptions,
    "denials": denials,
    "policy-changes": policy_changes,
    "drift": drift,
    "gaps": gaps,
    "ungoverned": ungoverned,
}
