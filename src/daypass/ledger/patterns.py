"""Patterns of OpenSSH: lists of names with `*`, `?` and `!`, compared in bounded steps."""

from __future__ import annotations

from typing import Final

_LONGEST_PATTERN: Final = 1023  # bytes, as OpenSSH has it
_MOST_STEPS: Final = 250_000  # a tenth of a second; an honest file takes a few hundred
_ANY: Final = ord("*")
_ONE: Final = ord("?")


class TooManyStepsError(Exception):
    """Names and patterns that are made to be slow to compare."""

    def __init__(self) -> None:
        super().__init__(
            "comparing its principals takes too many steps: it has too many names, or too many `*`"
        )


class Comparison:
    """What was compared so far, in steps: of one file, all together."""

    def __init__(self, most_steps: int = _MOST_STEPS) -> None:
        self._left = most_steps

    def matches(self, name: str, patterns: str) -> bool:
        """Whether a list of patterns takes a name in: match_pattern_list() of OpenSSH.

        Raises TooManyStepsError.
        """
        found = False
        raw = name.encode("utf-8", "surrogateescape")
        for item in patterns.encode("utf-8", "surrogateescape").split(b","):
            pattern = item.removeprefix(b"!")
            if len(pattern) > _LONGEST_PATTERN:
                return False
            if self._takes_in(pattern, raw):
                if item.startswith(b"!"):
                    return False
                found = True
        return found

    def _takes_in(self, pattern: bytes, name: bytes) -> bool:
        """Whether one pattern takes a name in, byte by byte.

        What a `*` stands for grows only while nothing after it fits, and what an earlier one
        stands for never needs to change again: the steps are at the most name times pattern.
        """
        self._count()
        at = seen = 0
        star, begun = -1, 0  # the last `*`, and from where on in the name it was tried
        while seen < len(name):
            self._count()
            if at < len(pattern) and pattern[at] == _ANY:
                star, begun = at, seen
                at += 1
            elif at < len(pattern) and pattern[at] in (_ONE, name[seen]):
                at += 1
                seen += 1
            elif star >= 0:
                begun += 1
                at, seen = star + 1, begun
            else:
                return False
        return all(byte == _ANY for byte in pattern[at:])

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise TooManyStepsError
