"""A rule: its name, what it is for, and an example that passes and one that does not."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of validation, as `daypass explain RULE` shows it.

    `passing` and `failing` are what a person would write: a document, a part of one, or a listing
    of a tree or of a pull request's changes.
    """

    name: str
    purpose: str
    passing: str
    failing: str
