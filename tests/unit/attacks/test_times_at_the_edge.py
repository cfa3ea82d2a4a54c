"""A time that can be read can be written, compared and told; any other is an error at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daypass.model.instant import Instant


@pytest.mark.parametrize(
    "text",
    [
        "9999-12-31T23:59:59-00:01",
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+23:59",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+00:01",
    ],
)
def test_what_lies_outside_the_calendar_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="between 1970 and 9999"):
        Instant.parse(text)


@given(
    st.from_regex(
        r"[0-9]{4}-(0[1-9]|1[0-2])-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]"
        r"(Z|[+-][0-2][0-9]:[0-5][0-9])",
        fullmatch=True,
    )
)
def test_what_can_be_read_comes_back_as_it_was(text: str) -> None:
    try:
        instant = Instant.parse(text)
    except ValueError:
        return
    assert Instant.parse(str(instant)) == instant


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-23T24:00:00Z",
        "2026-11-23T23:60:00Z",
        "2026-11-23T23:59:60Z",
        "2026-11-23T10:00:00+24:00",
        "2026-11-23T10:00:00+00:60",
        "2026-11-23T10:00:00-01:99",
        "\u0662026-11-23T10:00:00Z",
    ],
)
def test_no_release_of_python_decides_what_a_time_is(text: str) -> None:
    with pytest.raises(ValueError, match="is not an RFC 3339 time"):
        Instant.parse(text)
