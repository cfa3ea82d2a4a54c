"""No guard, no approval or answer less, and no time more gives more: some of `make widening`."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from policy_cases import QUESTIONS, verdict


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 1 << 40))
def test_no_case_widens(number):
    assert not verdict(number).widened


def test_the_cases_can_tell():
    """Of each kind some are permitted first, and some of those are not any more."""
    found = [verdict(number) for number in range(200)]
    permitted = Counter(item.question for item in found if item.first.permitted)
    taken = Counter(
        item.question for item in found if item.first.permitted and not item.second.permitted
    )
    assert permitted.keys() == taken.keys() == set(QUESTIONS)
    assert verdict(7).first.to_json() == verdict(7).first.to_json()
