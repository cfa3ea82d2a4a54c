"""What a rule is: a name, a purpose, an example of each outcome, and, built in, a check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from daypass.model.exception import BUILT_IN, EXCEPTABLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from daypass.policy.input import DecisionInput
    from daypass.policy.verdict import Verdict

__all__ = ["BUILT_IN", "BuiltInRule", "DescribedRule"]


@dataclass(frozen=True, slots=True)
class DescribedRule:
    """A rule as it is told to people: `passes` and `fails` are examples in words."""

    name: str
    purpose: str
    passes: str
    fails: str
    requirements: tuple[str, ...]  # and threats that it answers

    @property
    def may_be_excepted(self) -> bool:
        """Whether an exception document may name it, as `built-in/<name>`."""
        return self.name in EXCEPTABLE


@dataclass(frozen=True, slots=True)
class BuiltInRule(DescribedRule):
    """A rule that is code, that no policy can switch off, and that needs no policy to judge.

    Rules that are asked at issue only do not end live grants.
    """

    check: Callable[[DecisionInput], Verdict]
    at_issue_only: bool = False
