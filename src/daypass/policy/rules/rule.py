"""What a built-in rule is: a check with a name, a purpose, and an example of each outcome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from daypass.policy.input import DecisionInput
    from daypass.policy.verdict import Verdict

BUILT_IN: Final = "built-in"  # the name that outcomes of these rules give as their policy


@dataclass(frozen=True, slots=True)
class BuiltInRule:
    """A rule that is code and that no policy can switch off.

    `check` is called only when subject and resource exist, but for the rules that say so. Rules
    that are asked at issue only do not end live grants.
    """

    name: str
    purpose: str
    passes: str  # an example in words
    fails: str
    requirements: tuple[str, ...]  # of the requirements and threats that it answers
    check: Callable[[DecisionInput], Verdict]
    at_issue_only: bool = False
