"""The quick way to canonical JSON gives what RFC 8785 says, byte for byte, or the same refusal."""

from __future__ import annotations

from typing import Any

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from daypass.model.canonical import canonical_json

CHARACTERS = st.characters()  # surrogates too
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(CHARACTERS)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(CHARACTERS), inner),
    max_leaves=20,
)


def outcome(value: Any, form: Any) -> object:
    try:
        return form(value)
    except ValueError:
        return ValueError


@given(JSON)
@example({"\U00010000": 1, "\uffff": 2})  # UTF-16 sorts them the other way round
@example(2**53)
@example(-(2**53) + 1)
@example("\x00\x08\x1f\x7f\u2028\ud800")
@example(1e21)
@example(-0.0)
def test_it_is_rfc_8785(value: Any) -> None:
    assert outcome(value, canonical_json) == outcome(value, rfc8785.dumps)


@pytest.mark.parametrize("value", [{1: "a"}, {True: 1, "a": 2}, float("nan"), {"a": {2}}])
def test_what_is_no_json_is_refused(value: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  -- the library's own words
        canonical_json(value)
