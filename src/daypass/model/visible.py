"""Characters that can be seen, by a list of our own.

`str.isprintable` answers by the Unicode version of the interpreter: what one release of Python
takes for a character that is not assigned yet, and refuses, the next one accepts. Documents that
are sound on one machine would be wrong on another. Categories and ranges are those of Unicode 16:
control, format, private use, surrogates, separators other than a space, what is no character, and
what is ignored by default. What is not assigned is shown as a box, and so is seen.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_LAST: Final = 0x10
_HIDDEN: Final = (
    "\x00-\x1f\x7f-\xa0\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u1680\u180e"
    "\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ud800-\uf8ff\ufdd0-\ufdef\ufeff\ufff0-\ufffb"
    "\ufffe\uffff\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e00ff\U000e01f0-\U000e0fff\U000f0000-\U0010ffff"
    + "".join(chr(plane << 16 | 0xFFFE) + chr(plane << 16 | 0xFFFF) for plane in range(1, _LAST))
)
HIDDEN: Final = re.compile(f"[{_HIDDEN}]")
_BUT_LINE_FEEDS: Final = re.compile(f"(?!\n)[{_HIDDEN}]")


def is_visible(char: str) -> bool:
    """Whether a reader sees that character. A line feed is not seen."""
    return HIDDEN.match(char) is None


def shown(text: str, escape: Callable[[str], str]) -> str:
    """The text with each character that cannot be seen, line feeds apart, as `escape` writes it."""
    return _BUT_LINE_FEEDS.sub(lambda found: escape(found[0]), text)


def as_escape(char: str) -> str:
    """A character as a backslash, `u`, and four hexadecimal digits or more."""
    return f"\\u{ord(char):04x}"
