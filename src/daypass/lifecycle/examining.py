"""Examining: what is wrong with a sound document by the word of the sealer and the decision point.

`daypass validate` asks it of a work tree, and the plan of a pull request of the tree after a merge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from daypass.documents.usable_identities import key_problems
from daypass.model.names import Kind

if TYPE_CHECKING:
    from daypass.documents.document import Document
    from daypass.documents.problem import Problem
    from daypass.model.identity import Identity
    from daypass.model.policy import AccessPolicy


def examine(document: Document) -> list[Problem]:
    """What the sealer could not use in an identity, or the decision point in a policy."""
    if document.kind is Kind.IDENTITY:
        return list(key_problems(cast("Identity", document.model)))
    if document.kind is not Kind.ACCESS_POLICY:
        return []
    # CEL costs a tenth of a second to load, and only policies need it.
    from daypass.lifecycle.policy_findings import policy_problems  # noqa: PLC0415  -- see above

    return list(policy_problems(cast("AccessPolicy", document.model)))
