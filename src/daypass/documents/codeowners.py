"""CODEOWNERS as GitHub reads it: the last line that matches a path says who owns it.

Patterns are those of gitignore, except that `!`, character ranges and an escaped `#` do not work,
and that a last segment `*` reaches no deeper than its folder. A line without owners takes what it
matches out of everyone's ownership. What GitHub makes of some spellings (`//a`, `./a`, `**.yml`) is
documented nowhere: such a line is never relied on, and counts against all that it could match.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Where GitHub looks, in this order; only the first file that is there counts.
PLACES: Final = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")
MOST_BYTES: Final = 3_000_000  # GitHub does not load a file of 3 MB and more
_WORD: Final = re.compile(r"(?:\\.|[^\s\\])+")
_ANY: Final = "**"
_ONE: Final = "*"
_DOTS: Final = (".", "..")
_ODD: Final = re.compile(r"[][]|\\(?!\s)")  # ranges, and escapes of anything but a space


@dataclass(frozen=True)
class OwnerRule:
    """One line: a pattern, and its owners (`@login`, `@organisation/team` or an address)."""

    line: int
    pattern: str
    owners: tuple[str, ...]

    @cached_property
    def is_plain(self) -> bool:
        """Whether there is one way only to read the pattern."""
        parts = self.pattern.removeprefix("/").removesuffix("/").split("/")
        odd = any(part in _DOTS or (_ANY in part and part != _ANY) for part in parts)
        doubled = "//" in self.pattern or self.pattern.startswith("!")
        return not (odd or doubled or _ODD.search(self.pattern))

    @cached_property
    def at_most(self) -> OwnerRule:
        """The rule that matches all that this one could match, however it is read."""
        if self.is_plain:
            return self
        bare = self.pattern.removeprefix("!")
        parts = [part for part in bare.split("/") if part not in ("", ".")]
        wide = [_widest(part) for part in parts]
        is_anchored = re.match(r"/?[^/.]|/?\.[^/.]", bare) and "/" in bare.rstrip("/")
        lead = "/" if is_anchored else f"{_ANY}/"
        everything = ".." in parts or not parts
        return replace(self, pattern=_ANY if everything else lead + "/".join(wide))

    @cached_property
    def _segments(self) -> tuple[str, ...]:
        bare = self.pattern.removeprefix("/")
        if not bare.strip("/"):
            return ()  # `/` matches nothing
        parts = bare.split("/")
        if parts[-1] == "":
            parts[-1] = _ANY
        anchored = "/" in self.pattern.rstrip("/")
        return tuple(parts if anchored or parts[0] == _ANY else [_ANY, *parts])

    @cached_property
    def _globs(self) -> tuple[re.Pattern[str] | None, ...]:
        return tuple(None if part == _ANY else _glob(part) for part in self._segments)

    @property
    def _is_deep(self) -> bool:
        """Whether what is beneath a match matches too."""
        return bool(self._segments) and self._segments[-1] != _ONE

    def matches(self, path: str) -> bool:
        """Whether the file at that path is this line's."""
        return len(self._segments) in self._after(path.split("/"))

    def covers(self, folder: str) -> bool:
        """Whether every file beneath that folder (`a/b`) is this line's, at any depth."""
        states, end = self._after(folder.split("/")), len(self._segments)
        if end in states and self._is_deep:
            return True
        return any(_takes_all(self._segments[state:]) for state in states if state < end)

    def touches(self, folder: str) -> bool:
        """Whether a file beneath that folder could be this line's."""
        states, end = self._after(folder.split("/")), len(self._segments)
        return any(state < end or self._is_deep for state in states)

    def _after(self, path: Sequence[str]) -> set[int]:
        """The places in the pattern that can be reached by those segments; its length is a match.

        `**` stands for any number of segments; at the end for one at least.
        """
        end = len(self._segments)
        states = self._with_skips({0} if end else set())
        for segment in path:
            following = {end} if end in states and self._is_deep else set()
            for state in states - {end}:
                glob = self._globs[state]
                if glob is None:
                    following.add(end if state == end - 1 else state)
                elif glob.fullmatch(segment):
                    following.add(state + 1)
            states = self._with_skips(following)
        return states

    def _with_skips(self, states: set[int]) -> set[int]:
        """With the places behind each `**` that is not the last segment."""
        found = set(states)
        for state in sorted(states):
            place = state
            while place < len(self._segments) - 1 and self._segments[place] == _ANY:
                place += 1
                found.add(place)
        return found


def parse(text: str) -> tuple[OwnerRule, ...]:
    """The lines that are patterns, in their order. What follows a `#` is a comment."""
    rules = []
    for number, line in enumerate(text.split("\n"), 1):
        words = _words(line)
        if words:
            rules.append(OwnerRule(number, words[0], tuple(words[1:])))
    return tuple(rules)


def deciding(rules: Iterable[OwnerRule], area: str) -> tuple[tuple[OwnerRule, ...], bool]:
    """The rules that decide who owns what is in an area, the last line first.

    Args:
        rules: in the order of the file.
        area: `a/b/` for a folder and all beneath it, `a/b.yaml` for one file.

    Returns:
        Each rule by which some path of the area could be owned; and whether they leave no path
        of it without a rule.
    """
    found: list[OwnerRule] = []
    folder = area.removesuffix("/") if area.endswith("/") else None
    for rule in reversed(tuple(rules)):
        most = rule.at_most
        covers = rule.matches(area) if folder is None else rule.covers(folder)
        covers = covers and rule.is_plain
        touches = most.matches(area) if folder is None else most.touches(folder)
        if covers or touches:
            found.append(rule)
        if covers:
            return tuple(found), True
    return tuple(found), False


def _words(line: str) -> list[str]:
    words: list[str] = []
    for word in _WORD.findall(line):
        if word.startswith("#"):
            break
        words.append(word)
    return words


def _widest(part: str) -> str:
    """A segment that matches all that this one could match, however it is read."""
    if _ODD.search(part):
        return _ANY
    if _ANY in part and part != _ANY:
        return f"{_ANY}/{re.sub('[*]+', _ONE, part)}"
    return part


def _takes_all(rest: Sequence[str]) -> bool:
    """Whether that rest of a pattern matches any one or more segments."""
    needed = sum(part != _ANY for part in rest) + (rest[-1] == _ANY)
    return set(rest) <= {_ANY, _ONE} and _ANY in rest and needed <= 1


def _glob(segment: str) -> re.Pattern[str]:
    """One segment of a pattern: `*`, `?`, a backslash before what is meant literally."""
    parts = []
    literal = False
    for char in segment:
        if literal or char not in "*?\\":
            parts.append(re.escape(char))
            literal = False
        elif char == "\\":
            literal = True
        else:
            parts.append("[^/]*" if char == "*" else "[^/]")
    return re.compile("".join(parts), re.DOTALL)
