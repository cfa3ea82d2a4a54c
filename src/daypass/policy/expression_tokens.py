"""Tokens of CEL expressions: enough of its grammar to find names, calls and texts in one."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

MACROS: Final = frozenset({"all", "exists", "exists_one", "existsOne", "map", "filter"})

_TOKEN: Final = re.compile(
    r"""
      (?P<blank> \s+ | //[^\n]* )
    | (?P<raw>   (?:[rR][bB]?|[bB][rR]) (?:'''.*?'''|\"\"\".*?\"\"\"|'[^'\n]*'|"[^"\n]*") )
    | (?P<text>  [bB]? (?: '''(?:\\.|[^\\])*?''' | \"\"\"(?:\\.|[^\\])*?\"\"\"
                         | '(?:\\.|[^'\\\n])*' | "(?:\\.|[^"\\\n])*" ) )
    | (?P<word>  [A-Za-z_]\w* )
    | (?P<number> [0-9]\w*(?:\.[0-9]\w*)? )
    | (?P<other> . )
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_QUOTED: Final = re.compile(
    r"(?P<raw>[rR]?)(?P<quote>'''|\"\"\"|'|\")(?P<inner>.*)(?P=quote)", re.DOTALL
)
_ESCAPE: Final = re.compile(
    r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|([0-3][0-7]{2})|(.))",
    re.DOTALL,
)
_NAMED: Final = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


@dataclass(slots=True)
class Token:
    """A word, text, number, blank or sign of an expression."""

    kind: str
    text: str


def tokens_of(text: str) -> list[Token]:
    """Splits an expression; its tokens joined are the expression again."""
    return [Token(found.lastgroup or "", found[0]) for found in _TOKEN.finditer(text)]


def spoken(tokens: Iterable[Token]) -> list[Token]:
    """Leaves blanks and remarks out."""
    return [token for token in tokens if token.kind != "blank"]


def plain_text(token: Token) -> str | None:
    """Returns the text that a token writes out as it is; None of one with escapes."""
    found = _QUOTED.fullmatch(token.text) if token.kind in ("raw", "text") else None
    if found is None or ("\\" in found["inner"] and not found["raw"]):
        return None
    return found["inner"]


def text_of(token: Token) -> str | None:
    """Returns the text that a token stands for, escapes read; None of what is no text."""
    found = _QUOTED.fullmatch(token.text) if token.kind in ("raw", "text") else None
    if found is None or found["raw"]:
        return None if found is None else found["inner"]
    return _ESCAPE.sub(_read, found["inner"])


def _read(escape: re.Match[str]) -> str:
    byte, short, long, octal, other = escape.groups()
    if other is not None:
        return _NAMED.get(other, other)
    code = int(octal, 8) if octal else int(byte or short or long, 16)
    return chr(code) if code <= sys.maxunicode else "\N{REPLACEMENT CHARACTER}"
