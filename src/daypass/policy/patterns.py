"""Patterns of policies: what RE2 takes, and understands otherwise than other engines do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from daypass.policy.expression_tokens import spoken, text_of, tokens_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_PART: Final = re.compile(
    r"""
      (?P<escape> \\ . )
    | (?P<name>   \[ \^? : [a-z]* : \] )
    | (?P<set>    \[ \^? \]? (?: \[: [a-z^]* :\] | \\. | [^\]\\] )* \] )
    | (?P<most>   \{ , [0-9]* \} )
    | (?P<other>  . )
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPES: Final = {
    "Q": r"`\Q` makes plain text of all that follows, up to a `\E`",
    "E": r"`\E` ends a `\Q`, and is nothing without one",
    "C": r"`\C` is one byte, which may be a part of a character",
    "<": r"`\<` is the character `<` here, and no begin of a word",
    ">": r"`\>` is the character `>` here, and no end of a word",
}
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


def pattern_problem(pattern: str) -> tuple[str, str] | None:
    """Returns what a pattern means and its author hardly does, and the remedy; None: nothing."""
    control = _CONTROL.search(pattern)
    if control is not None:
        return (
            f"it holds the control character U+{ord(control[0]):04X}",
            r"Write the pattern as a raw text, r'…': in another one `\b` is a backspace.",
        )
    for part in _PART.finditer(pattern):
        text = part[0]
        if part.lastgroup == "escape" and text[1] in _ESCAPES:
            return _ESCAPES[text[1]], "Escape each character that must be plain, as in `1\\.0`."
        if part.lastgroup == "name":
            right = f"[{text}]".replace("[^:", "[:^")
            return f"`{text}` is a set of the characters between its brackets", f"Write `{right}`."
        if part.lastgroup == "most":
            rest = text.removeprefix("{,")
            return f"`{text}` is plain text, and no repetition", f"Write `{{0,{rest}`."
    return None


def patterns_in(expression: str) -> Iterator[str]:
    """Yields the patterns that an expression writes out, as `matches` reads them."""
    said = spoken(tokens_of(expression))
    for index, token in enumerate(said):
        if token.text != "matches" or index + 1 >= len(said) or said[index + 1].text != "(":
            continue
        depth, argument = 0, []
        for item in said[index + 1 :]:
            depth += {"(": 1, ")": -1}.get(item.text, 0)
            if depth == 0:
                break
            argument.append(item)
        pattern = text_of(argument[-1])  # of `matches(text, pattern)` the last one
        if pattern is not None and argument[-2].text in ("(", ","):
            yield pattern
