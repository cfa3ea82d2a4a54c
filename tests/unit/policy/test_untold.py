"""What GitHub leaves open about a merged pull request, and what no approval could change."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from policy_world import (
    ACCOUNTS,
    HEAD,
    NOW,
    OPENED,
    catalogue,
    policy,
    pull_request,
    request,
    review,
    rules_of,
)

from daypass.lifecycle.base import Ruling
from daypass.lifecycle.deciding import decide_merged
from daypass.lifecycle.undecided import empty_group, told_reviews, untold
from daypass.model.decision import Effect
from daypass.model.grant import Lane
from daypass.model.pullrequest import PullRequestCommit, Push, ReviewState
from daypass.policy.asked import Asked, Surroundings
from daypass.policy.groups import resolve_groups

ALICE = ACCOUNTS["alice"]
OTHER = "9" * 40


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"complete": False, "incomplete_because": "it lags"}, "the whole of #7: it lags"),
        ({"author": None}, "the account that opened #7"),
        ({"commits": (PullRequestCommit(HEAD, None, ALICE),)}, "the account of commit"),
        ({"commits": (PullRequestCommit(HEAD, ALICE, None),)}, "the account of commit"),
        ({"pushes": (Push(None, "0" * 40, HEAD, OPENED),)}, "the account of a push"),
        ({"commits": (PullRequestCommit(OTHER, ALICE, ALICE),)}, "do not hold its head"),
        ({"commits": ()}, "do not hold its head"),
        ({"pushes": ()}, "do not hold its head"),
        ({"co_authors_unknown_because": "it answers 502"}, "co-authors of #7 are: it answers 502"),
        ({"reviews": ()}, "no review of #7"),
    ],
)
def test_what_is_left_open_is_named(changes: dict[str, Any], why: str) -> None:
    found = untold(pull_request(review("bob"), **changes))
    assert found is not None
    assert why in found


@pytest.mark.parametrize(
    "pull",
    [
        pull_request(review("bob")),
        pull_request(review("mallory")),
        pull_request(review("bob", ReviewState.CHANGES_REQUESTED)),
        pull_request(open=True, merged_at=None),  # reviews may come until the merge
    ],
)
def test_a_whole_answer_leaves_nothing_open(pull: Any) -> None:
    assert untold(pull) is None


def test_what_is_denied_whoever_approves_is_told_from_what_waits_for_an_approval() -> None:
    world = catalogue(policy(require={"ticket": "OPS-[0-9]+"}))
    groups = resolve_groups(world, {"contractors": frozenset()})
    ruling = Ruling("c" * 40, world, rules_of(world), groups)

    def effects(pull: Any, **spec: Any) -> list[Effect]:
        asked = Asked(request(**spec), Lane.ROUTINE, pull.author)
        around = Surroundings(NOW, groups, history=(), held=())
        return [
            decide_merged(
                asked, pull, ruling, None, lambda _ruling: around, counts=counts
            ).decision.effect
            for counts in (True, False)
        ]

    nobody = pull_request()
    assert effects(nobody, ticket="OPS-1") == [Effect.DENY, Effect.INDETERMINATE]
    assert effects(nobody) == [Effect.DENY, Effect.DENY]
    unknown = replace(nobody, commits=(PullRequestCommit(HEAD, None, None),))
    assert effects(unknown, ticket="OPS-1") == [Effect.DENY, Effect.INDETERMINATE]
    assert effects(pull_request(review("bob")), ticket="OPS-1")[0] is Effect.PERMIT
    by_bob = replace(nobody, author=ACCOUNTS["bob"])
    assert effects(by_bob, ticket="OPS-1") == [Effect.DENY, Effect.DENY]


def decided(pull: Any, head: Any, base: Any = None) -> Any:
    asked = Asked(request(ticket="OPS-1"), Lane.ROUTINE, pull.author)

    def around(ruling: Ruling) -> Surroundings:
        return Surroundings(NOW, ruling.groups, history=(), held=())

    return decide_merged(asked, pull, head, base, around)


def ruling(team: frozenset[int]) -> Ruling:
    world = catalogue(policy(require={"ticket": "OPS-[0-9]+"}), groups={"dba": ("team:dba",)})
    groups = resolve_groups(world, {"dba": team, "contractors": frozenset()})
    return Ruling("c" * 40, world, rules_of(world), groups)


def test_a_group_that_is_empty_before_the_merge_is_named_too() -> None:
    full, empty = ruling(frozenset({ACCOUNTS["bob"].id})), ruling(frozenset())
    pull = pull_request(review("bob"))
    assert empty_group(decided(pull, full)) is None
    assert empty_group(decided(pull, empty)) == "GitHub tells of no member of dba"
    assert empty_group(decided(pull, full, empty)) == "GitHub tells of no member of dba"


def test_it_is_told_why_the_reviews_that_github_tells_of_do_not_count() -> None:
    rules = ruling(frozenset({ACCOUNTS["carol"].id}))
    pull = pull_request(review("bob"), review("carol", ReviewState.CHANGES_REQUESTED))
    found = decided(pull, rules)
    told, late = told_reviews(pull, found.approvals, found.counts)
    assert "2 reviews of #7, of which none counts" in told
    assert f"that of account {ACCOUNTS['carol'].id}: changes are requested" in told
    assert f"that of account {ACCOUNTS['bob'].id}: in no group that is asked to approve" in told
    assert late == "an approval that is given after the merge never counts"
    assert told_reviews(pull_request(), (), ()) == (late,)


def test_what_keeps_every_approval_from_counting_for_good_is_told_apart() -> None:
    rules = ruling(frozenset({ACCOUNTS["bob"].id}))
    assert not decided(pull_request(), rules).is_barred
    by_another = pull_request(review("bob"), author=ACCOUNTS["carol"])
    assert decided(by_another, rules).is_barred
