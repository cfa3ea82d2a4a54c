"""What a commit descends from, where it is on the newest part of its own line.

Without a commit-graph `git merge-base` looks at all that was merged since, which may be whatever a
person wanted: a merge of 50,000 commits costs each question 0.2 s. Nearly all questions are about
commits that are a few first parents away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.adapters.git.streaming import first_parent

if TYPE_CHECKING:
    from daypass.adapters.git.objects import ObjectReader

_MOST: Final = 64  # first parents that are followed: a few milliseconds


class RecentLine:
    """The newest commits of a first-parent line; of the one that was asked about last."""

    def __init__(self, reader: ObjectReader) -> None:
        self._reader = reader
        self._known: tuple[str, frozenset[str]] = ("", frozenset())  # one thing: threads share it

    def has(self, older: str, newer: str) -> bool:
        """Whether `older` is found there. No says nothing: it may be further away, or beside."""
        known = self._known
        if known[0] != newer:
            known = self._known = newer, frozenset(self._followed(newer))
        return older in known[1]

    def _followed(self, commit: str) -> list[str]:
        found: list[str] = []
        following: str | None = commit
        while following is not None and len(found) < _MOST:
            item = self._reader.one(following)
            if item is None or item.kind != "commit":
                break  # for git to say what is wrong
            found.append(following)
            following = first_parent(item.content)
        return found
