"""Forecasts: what a plan says of a request before its merge."""

from __future__ import annotations

import pytest
from policy_world import NOW, catalogue, exception, policy, request

from daypass.lifecycle.forecast import Standing, forecast
from daypass.model.grant import Lane
from daypass.policy.asked import Asked, PastGrant
from daypass.policy.groups import resolve_groups

DAY = 86400
NEVER = {"name": "never", "expression": "false", "message": "not now", "mayBeExcepted": True}


def foreseen(there, asked, standing=None):
    groups = resolve_groups(there, {"contractors": frozenset()})
    around = standing or Standing({}, {})
    return forecast(Asked(asked, Lane.ROUTINE, None), there, groups, None, around, NOW)


def denied(item):
    return {f"{why.policy}/{why.rule}" for why in item.would_deny}


def excepted(begins, ends):
    item = exception(
        "office",
        "guard/never",
        subject="alice",
        notBefore=str(NOW.plus(begins)),
        notAfter=str(NOW.plus(ends)),
    )
    guard = policy("guard", effect="guard", rules=[NEVER])
    return catalogue(policy(), guard, exceptions=(item,))


@pytest.mark.parametrize(
    ("begins", "ends", "against"),
    [
        (2 * DAY, 4 * DAY, set()),  # it holds when the request begins, and not yet
        (-DAY, 2 * DAY, {"guard/never"}),  # it holds now, and no more then
    ],
)
def test_what_lies_ahead_is_decided_by_the_exceptions_of_then(begins, ends, against):
    asked = request(notBefore=str(NOW.plus(3 * DAY)))
    assert denied(foreseen(excepted(begins, ends), asked)) == against


def test_it_says_how_much_the_exception_leaves_then():
    asked = request(notBefore=str(NOW.plus(3 * DAY)))
    found = foreseen(excepted(-DAY, 3 * DAY + 600), asked)
    assert found.until.startswith("10m from ")
    assert "exception office, until" in found.until


def test_what_begins_too_far_ahead_is_denied_now():
    there = catalogue()
    assert denied(foreseen(there, request(notBefore=str(NOW.plus(30 * DAY))))) == set()
    far = foreseen(there, request(notBefore=str(NOW.plus(30 * DAY + 1))))
    assert denied(far) == {"built-in/not-far-ahead"}


def test_freezes_and_other_grants_count_as_they_will_be_then():
    freeze = {"from": str(NOW.plus(2 * DAY)), "to": str(NOW.plus(4 * DAY)), "reason": "year's end"}
    there = catalogue(policy(limits={"freezes": [freeze], "concurrent": 1}))
    held = PastGrant("g", Lane.ROUTINE, "orders-db", "read", NOW, NOW.plus(3600), live=True)
    standing = Standing({}, {"alice": [held]})
    asked = request(notBefore=str(NOW.plus(3 * DAY)))
    assert denied(foreseen(there, asked, standing)) == {"orders-read/freeze"}
    later = request(notBefore=str(NOW.plus(5 * DAY)))
    assert denied(foreseen(there, later, standing)) == set()
    assert denied(foreseen(there, request(), standing)) == {"orders-read/concurrent"}
