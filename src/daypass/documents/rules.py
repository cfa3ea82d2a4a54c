"""The catalogue of rules: every finding's rule, by its name."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from daypass.documents.rules_of_text import TEXT_RULES
from daypass.documents.rules_of_trees import TREE_RULES
from daypass.documents.rules_of_values import VALUE_RULES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daypass.documents.rule import Rule

RULES: Final[Mapping[str, Rule]] = MappingProxyType(
    {rule.name: rule for rule in (*TEXT_RULES, *VALUE_RULES, *TREE_RULES)}
)
