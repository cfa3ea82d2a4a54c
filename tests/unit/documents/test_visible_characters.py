"""What a reviewer can see does not depend on the Unicode version of the interpreter."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from daypass.documents.strict_text import unseen
from daypass.ledger.compose import safe_text
from daypass.model.visible import is_visible

# Assigned in Unicode 15, 15.1 and 16, of which Python 3.11 knows nothing; and not assigned yet.
NEWER = ["\U0001fae8", "\U00011f02", "\u2ffc", "\U0001fae9", "\U000323b0", "\u0378"]


def test_it_is_what_unicode_says_of_every_character_that_is_assigned():
    assigned = (chr(n) for n in range(sys.maxunicode + 1) if unicodedata.category(chr(n)) != "Cn")
    assert [hex(ord(char)) for char in assigned if is_visible(char) != char.isprintable()] == []


@pytest.mark.parametrize("char", NEWER)
def test_characters_of_newer_versions_are_seen_by_all(char):
    assert is_visible(char)
    assert unseen(f"because of {char}\n") is None
    assert safe_text(char) == char


@pytest.mark.parametrize(
    "char", ["\u2065", "\ufff0", "\ufffe", "\ufdd0", "\U0001fffe", "\U000e0fff", "\U0001343f"]
)
def test_what_is_ignored_or_no_character_is_not_seen(char):
    """Some of it is not assigned, some only in newer versions."""
    assert not is_visible(char)
    index, name = unseen(f"a{char}") or (None, "")
    assert (index, name.split(" ")[0]) == (1, f"U+{ord(char):04X}")
    assert char not in safe_text(char)
