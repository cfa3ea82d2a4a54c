"""Wording: values and expectations of a schema, as a person would say them."""

from __future__ import annotations

import json
import unicodedata
from typing import TYPE_CHECKING, Any, Final

from daypass.model.visible import HIDDEN

if TYPE_CHECKING:
    from collections.abc import Sequence

_LONGEST: Final = 60
_TYPES: Final = {
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
    "array": "a list",
    "object": "a mapping",
}


def shown(value: Any) -> str:
    """A value in backticks, cut to what fits a line; what nobody can see is shown as its escape."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = HIDDEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
    return f"`{text[:_LONGEST]}…`" if len(text) > _LONGEST else f"`{text}`"


def of_type(value: Any) -> str:
    """What a value is, by the words of YAML."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, str):
        return _TYPES["string"]
    if isinstance(value, int):
        return _TYPES["integer"]
    return _TYPES["array" if isinstance(value, list) else "object"]


def types(names: str | Sequence[str]) -> str:
    """JSON Schema's type names as words: `a string or null`."""
    return joined([_TYPES[name] for name in ([names] if isinstance(names, str) else names)])


def first_of(names: Sequence[str], most: int) -> str:
    """`a, b and 3 more`, with `most` names at the most."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def joined(words: Sequence[str]) -> str:
    """`a, b or c`."""
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def non_ascii(text: str) -> str | None:
    """The first character of a text that is not ASCII, by its name; None if all are."""
    char = next((char for char in text if not char.isascii()), None)
    if char is None:
        return None
    return f"U+{ord(char):04X} {unicodedata.name(char, '(a character without a name)')}"
