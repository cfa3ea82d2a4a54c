"""Approvals are computed: each row is a way in which somebody's word must not count, or does."""

from __future__ import annotations

from dataclasses import replace

import pytest
from policy_world import (
    ACCOUNTS,
    BOT,
    HEAD,
    MERGED,
    NOW,
    OPENED,
    WEB_FLOW,
    catalogue,
    facts,
    identity,
    pull_request,
    review,
    rules_of,
)

from daypass.model.pullrequest import (
    Account,
    AccountType,
    Dismissal,
    PullRequestCommit,
    Push,
    ReviewState,
)
from daypass.policy.approvals import ApprovalCount, count_approvals, count_reviews
from daypass.policy.decide import describe_requirements
from daypass.policy.groups import resolve_groups

ALICE, BOB, CAROL = ACCOUNTS["alice"], ACCOUNTS["bob"], ACCOUNTS["carol"]
OLD = "d" * 40


def count(*reviews, world=None, subject="alice", teams=None, **changes) -> ApprovalCount:
    world = world or catalogue()
    groups = resolve_groups(world, {"contractors": frozenset()} if teams is None else teams)
    pull = pull_request(*reviews, **changes)
    return count_approvals(pull, world.identities[subject], world, groups, NOW)


def ids(result: ApprovalCount) -> list[int]:
    return [item.account_id for item in result.counted]


def codes(result: ApprovalCount) -> list[str]:
    return [item.code for item in result.refused]


def test_an_independent_person_on_the_head_before_the_merge_counts():
    result = count(review("bob"))
    assert ids(result) == [2]
    assert result.counted[0].identity == "bob"
    assert result.counted[0].commit == HEAD
    assert result.fault is None
    assert not result.blocked_by


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (review("alice"), "not-independent"),
        (review("bob", commit=OLD), "not-the-head"),
        (review("bob", commit=None), "not-the-head"),
        (review("bob", at=MERGED.plus(1)), "too-late"),
        (review("bob", at=None), "too-late"),
        (review(None), "account-gone"),
        (review(BOT), "not-a-person"),
        (review(Account(901, "org", AccountType.ORGANIZATION)), "not-a-person"),
        (review(Account(902, "x", AccountType.OTHER)), "not-a-person"),
        (review("bob", ReviewState.DISMISSED), "dismissed"),
        (review("bob", ReviewState.CHANGES_REQUESTED), "changes-requested"),
    ],
)
def test_what_does_not_count_says_why(given, code):
    result = count(given)
    assert ids(result) == []
    assert codes(result) == [code]


@pytest.mark.parametrize(("later", "counts"), [(-1, []), (0, []), (1, [2])])
def test_an_approval_of_what_another_branch_would_get_is_none(later, counts):
    """In the very second of the change nobody can say what its reviewer saw."""
    result = count(review("bob", at=OPENED.plus(60 + later)), base_changed_at=OPENED.plus(60))
    assert ids(result) == counts
    assert codes(result) == ([] if counts else ["other-base"])


@pytest.mark.parametrize("state", [ReviewState.COMMENTED, ReviewState.PENDING])
def test_a_comment_is_no_verdict_and_hides_none(state):
    later = review("bob", state, at=NOW.plus(-100), number=9999)
    assert ids(count(review("bob"), later)) == [2]
    assert ids(count(later)) == []


def test_the_latest_verdict_of_each_reviewer_counts_in_any_order():
    first = review("bob", at=NOW.plus(-900), number=1)
    second = review("bob", ReviewState.CHANGES_REQUESTED, at=NOW.plus(-800), number=2)
    third = review("bob", at=NOW.plus(-700), number=3)
    assert ids(count(third, first, second)) == [2]
    assert ids(count(second, first)) == []
    assert count(second, first).blocked_by == (2,)
    assert count(third, first, second).blocked_by == ()


def test_a_dismissed_later_verdict_takes_the_earlier_approval_with_it():
    dismissed = review("bob", ReviewState.DISMISSED, at=NOW.plus(-500), number=2)
    assert ids(count(review("bob", number=1), dismissed)) == []


def test_a_verdict_after_the_merge_neither_counts_nor_hides_an_earlier_one():
    after = review("bob", ReviewState.CHANGES_REQUESTED, at=MERGED.plus(5), number=2)
    result = count(review("bob", number=1), after)
    assert ids(result) == [2]
    assert not result.blocked_by


def test_an_open_pull_request_counts_what_was_given_until_now():
    open_one = {"open": True, "merged_at": None}
    assert ids(count(review("bob", at=NOW), **open_one)) == [2]
    assert ids(count(review("bob", at=NOW.plus(1)), **open_one)) == []


def test_a_renamed_login_is_still_the_same_person():
    renamed = Account(2, "bobby-the-second", AccountType.USER)
    assert ids(count(review(renamed))) == [2]
    taken = Account(77, "bob", AccountType.USER)  # somebody who took the free login
    assert count(review(taken)).counted[0].identity is None


def test_nobody_approves_with_the_account_of_a_machine_or_of_somebody_who_left():
    world = catalogue(identities=(identity("bob", status="offboarded"),))
    assert codes(count(review("bob"), world=world)) == ["not-active"]
    agent = identity(
        "robot",
        type="agent",
        owners=["dave", "erin"],
        github={"id": 500},
        agent={"sponsor": "dave", "tools": ["psql"], "autonomy": "propose"},
    )
    robot = Account(500, "robot", AccountType.USER)
    assert codes(count(review(robot), world=catalogue(identities=(agent,)))) == ["not-a-person"]


CONTRACT = {"organisation": "Example Ltd", "sponsor": "dave", "contractEnd": "2026-11-22"}


@pytest.mark.parametrize(
    ("change", "sponsor", "why"),
    [
        ({"contractEnd": "2026-11-23"}, "active", None),  # until midnight
        ({}, "active", "the contract of bob ended at 2026-11-22T23:59:59Z"),
        ({"contractEnd": "2027-01-31"}, "suspended", "has no active human sponsor"),
        ({"contractEnd": "2027-01-31", "sponsor": "erni"}, "active", "no active human sponsor"),
    ],
)
def test_a_vendor_approves_only_under_contract_and_sponsored(change, sponsor, why):
    vendor = identity("bob", type="vendor", vendor={**CONTRACT, **change})
    world = catalogue(identities=(vendor, identity("dave", status=sponsor)))
    result = count(review("bob"), world=world)
    assert ids(result) == ([2] if why is None else [])
    assert codes(result) == ([] if why is None else ["not-active"])
    assert why is None or why in result.refused[0].why
    # Nor is one named as a person who could approve.
    needs = describe_requirements(facts(world), rules_of(world))
    assert [("bob" in need.candidates) for need in needs] == [why is None]


def test_a_vendor_whose_contract_has_ended_dismisses_nobodys_no():
    vendor = identity("bob", type="vendor", vendor=CONTRACT)
    taken = Dismissal(77, ReviewState.CHANGES_REQUESTED, BOB, MERGED.plus(-1))
    no = review("carol", ReviewState.DISMISSED, number=77)
    for world, blocked in ((catalogue(), ()), (catalogue(identities=(vendor,)), (3,))):
        pull = pull_request(no, dismissals=(taken,))
        groups = resolve_groups(world, {"contractors": frozenset()})
        wanted = world.resources["orders-db"]
        alice = world.identities["alice"]
        found = count_approvals(pull, alice, world, groups, NOW, (), wanted)
        assert found.blocked_by == blocked


def test_a_contract_that_ends_later_undoes_no_proof_of_what_decisions_rest_on():
    """It is asked of every change on main, in every run: as it stood at the merge."""
    world = catalogue(
        identities=(
            identity("frank", type="vendor", vendor={**CONTRACT, "contractEnd": "2026-11-23"}),
        )
    )
    groups = resolve_groups(world, {"contractors": frozenset()})
    later = NOW.plus(90 * 86400)
    pull = pull_request(review("frank"))
    assert ids(count_reviews(pull, world, groups, later)) == [6]
    late = pull_request(review("frank"), merged_at=later)
    assert ids(count_reviews(late, world, groups, later)) == []


@pytest.mark.parametrize("hand", ["author", "committer", "pusher", "co-author", "opener"])
def test_whoever_had_a_hand_in_it_does_not_approve_it(hand):
    commit = PullRequestCommit(HEAD, ALICE, ALICE)
    changes = {
        "author": {"commits": (replace(commit, author=BOB),)},
        "committer": {"commits": (replace(commit, committer=BOB),)},
        # Threat 32: alice's name and e-mail on the commit, but bob pushed it.
        "pusher": {"pushes": (Push(ALICE, "0" * 40, OLD, OPENED), Push(BOB, OLD, HEAD, OPENED))},
        "co-author": {
            "commits": (replace(commit, co_authors=("2+bob@users.noreply.github.com",)),)
        },
        "opener": {"author": BOB},
    }[hand]
    result = count(review("bob"), **changes)
    assert ids(result) == []
    assert codes(result) == ["not-independent"]


def test_the_owner_and_the_sponsor_of_a_machine_do_not_approve_for_it():
    agent = identity(
        "robot",
        type="agent",
        owners=["alice", "bob"],
        environment="production",
        agent={"sponsor": "carol", "tools": ["psql"], "autonomy": "propose"},
    )
    world = catalogue(identities=(agent,))
    result = count(review("bob"), review("carol"), review("dave"), world=world, subject="robot")
    assert ids(result) == [4]
    assert codes(result) == ["not-independent", "not-independent"]


def test_the_subject_does_not_approve_what_its_owner_asks_for():
    vendor = identity(
        "mallory",
        type="vendor",
        vendor={"organisation": "Example", "sponsor": "alice", "contractEnd": "2027-01-31"},
    )
    result = count(review("mallory"), world=catalogue(identities=(vendor,)), subject="mallory")
    assert codes(result) == ["not-independent"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"complete": False, "incomplete_because": "more than 250 commits"}, "250 commits"),
        ({"author": None}, "is gone"),
        ({"author": BOB}, "neither alice nor"),
        ({"commits": (PullRequestCommit(HEAD, None, ALICE),)}, "no GitHub account"),
        ({"commits": (PullRequestCommit(HEAD, ALICE, None),)}, "no GitHub account"),
        ({"pushes": (Push(None, "0" * 40, HEAD, OPENED),)}, "no GitHub account"),
        ({"commits": ()}, "the author of the head"),
        ({"commits": (PullRequestCommit(OLD, ALICE, ALICE),)}, "the author of the head"),
        ({"pushes": ()}, "who pushed the head"),
        ({"pushes": (Push(ALICE, "0" * 40, OLD, OPENED),)}, "who pushed the head"),
        ({"pushes": (Push(BOT, "0" * 40, HEAD, OPENED),)}, "no person"),
        ({"commits": (PullRequestCommit(HEAD, BOT, WEB_FLOW),)}, "no person"),
        ({"commits": (PullRequestCommit(HEAD, ALICE, ALICE, ("bob@x.org",)),)}, "co-author"),
        (
            {"commits": (PullRequestCommit(HEAD, ALICE, ALICE, ("2+b@users.noreply.evil.org",)),)},
            "co-author",
        ),
    ],
)
def test_where_a_hand_cannot_be_known_nothing_counts(changes, why):
    result = count(review("carol"), **changes)
    assert ids(result) == []
    assert result.fault is not None
    assert why in result.fault


def test_the_browsers_committer_is_no_person_and_hides_none():
    merged_in_browser = (PullRequestCommit(HEAD, ALICE, WEB_FLOW),)
    assert ids(count(review("bob"), commits=merged_in_browser)) == [2]


def test_a_strangers_request_for_changes_blocks_nothing():
    stranger = Account(4242, "drive-by", AccountType.USER)
    asks = review(stranger, ReviewState.CHANGES_REQUESTED)
    result = count(review("bob"), asks)
    assert ids(result) == [2]
    assert result.blocked_by == ()
    # While a team cannot be asked, nobody can be called a stranger.
    assert count(review("bob"), asks, teams={"contractors": None}).blocked_by == (4242,)


def test_a_request_for_changes_on_an_older_commit_still_stands():
    asks = review("carol", ReviewState.CHANGES_REQUESTED, commit=OLD)
    assert count(review("bob"), asks).blocked_by == (3,)
