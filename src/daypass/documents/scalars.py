"""Plain scalars: what an unquoted word in a document means, and which words mean nothing safe.

YAML 1.1 reads `yes` as true, `010` as 8, `1:30:00` as 5400 and `2026-11-23` as a date; YAML 1.2
reads some of them as strings. A word that two tools can read differently is refused.
"""

from __future__ import annotations

import re
from typing import Final

MAX_INTEGER: Final = 2**53  # beyond it, JSON tools disagree about the value
_MAX_DIGITS: Final = len(str(MAX_INTEGER))
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_WORDS: Final = {"true": True, "false": False, "null": None}
# Words that some YAML reads as a boolean, as null, as a merge key or as a default value.
_AMBIGUOUS_WORDS: Final = frozenset(
    {"", "~", "<<", "="}
    | {
        variant
        for word in ("true", "false", "null", "yes", "no", "on", "off", "y", "n")
        for variant in (word, word.capitalize(), word.upper())
    }
) - frozenset(_WORDS)
# Whatever some YAML reads as a number, a duration in base 60, or a date.
_AMBIGUOUS_NUMBER = re.compile(
    r"""[-+]?(?:
        [0-9][0-9_]*                                  # 010, 1_000, +1, -0
      | 0b[01_]+ | 0o[0-7_]+ | 0x[0-9a-f_]+
      | [0-9][0-9_]*(?::[0-9]{1,2})+(?:\.[0-9_]*)?    # 1:30:00
      | (?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9_]+)(?:e[-+]?[0-9]+)?
      | \.inf | \.nan
    )
    | [0-9]{4}-[0-9]{1,2}-[0-9]{1,2}                  # 2026-11-23, with or without a time
      (?:(?:t|[ ]+)[0-9]{1,2}:[0-9]{2}.*)?""",
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
# The first characters of everything above (`""` of the empty word): a word that begins with any
# other is a string, at the price of one look.
SUSPECT_FIRST: Final = frozenset(["", *"0123456789+-.~<=tTfFnNyYoO"])


class ScalarError(ValueError):
    """A plain scalar that is refused: by which rule, and what to write instead."""

    def __init__(self, rule: str, message: str, remedy: str) -> None:
        super().__init__(message)
        self.rule = rule
        self.message = message
        self.remedy = remedy


def resolve(text: str) -> str | int | bool | None:
    """The value of an unquoted scalar: a string, an integer, `true`, `false` or `null`.

    Raises:
        ScalarError: another tool could read it as something else.
    """
    if text[:1] not in SUSPECT_FIRST:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text) is not None and text != "-0":
        if len(text.lstrip("-")) > _MAX_DIGITS or abs(int(text)) > MAX_INTEGER:
            raise ScalarError(
                "yaml-integer",
                f"the integer {_short(text)} is larger than {MAX_INTEGER} (2^53)",
                "Use a smaller number, or put it in quotes if it is an identifier.",
            )
        return int(text)
    if text in _AMBIGUOUS_WORDS:
        raise ScalarError("yaml-ambiguous-scalar", *_ambiguous_word(text))
    if _AMBIGUOUS_NUMBER.fullmatch(text) is not None:
        raise ScalarError(
            "yaml-ambiguous-scalar",
            f"{_short(text)} without quotes is a number, a time or a date to some tools, "
            "and a string to others",
            f'Put it in quotes, "{_short(text)}", or write a plain decimal integer.',
        )
    return text


def _ambiguous_word(text: str) -> tuple[str, str]:
    if not text:
        return "the value is missing", "Write a value, or null, or leave the whole line out."
    if text in ("~", "null", "Null", "NULL"):
        return f"{text} is not the way null is written here", 'Write null, or "~" with quotes.'
    return (
        f"{text} without quotes is a boolean or a directive to some tools, a string to others",
        f'Write true or false for a boolean, or "{text}" with quotes for a string.',
    )


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}…"  # noqa: PLR2004  -- fits one line of a terminal
