"""Tokens of CEL expressions: enough of its grammar to find names, calls and texts in one."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from daypass.model.cel_syntax import MACROS, QUOTED, TOKEN, literal

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MACROS", "Token", "plain_text", "spoken", "text_of", "tokens_of"]

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
    return [Token(found.lastgroup or "", found[0]) for found in TOKEN.finditer(text)]


def spoken(tokens: Iterable[Token]) -> list[Token]:
    """Leaves blanks and remarks out."""
    return [token for token in tokens if token.kind != "blank"]


def plain_text(token: Token) -> str | None:
    """Returns the text that a token writes out as it is; None of one with escapes."""
    return literal(token.kind, token.text)


def text_of(token: Token) -> str | None:
    """Returns the text that a token stands for, escapes read; None of what is no text."""
    found = QUOTED.fullmatch(token.text) if token.kind in ("raw", "text") else None
    if found is None or found["raw"]:
        return None if found is None else found["inner"]
    return _ESCAPE.sub(_read, found["inner"])


def _read(escape: re.Match[str]) -> str:
    byte, short, long, octal, other = escape.groups()
    if other is not None:
        return _NAMED.get(other, other)
    code = int(octal, 8) if octal else int(byte or short or long, 16)
    return chr(code) if code <= sys.maxunicode else "\N{REPLACEMENT CHARACTER}"
