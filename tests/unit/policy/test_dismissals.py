"""A reviewer's "no" is taken back by its author or an owner, and by nobody's other word."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from policy_world import (
    ACCOUNTS,
    BOT,
    HEAD,
    MERGED,
    NOW,
    catalogue,
    facts,
    identity,
    outcome,
    policy,
    pull_request,
    resource,
    review,
)

from daypass.model.decision import Effect
from daypass.model.pullrequest import (
    Account,
    AccountType,
    Dismissal,
    PullRequest,
    PullRequestCommit,
    ReviewState,
)
from daypass.policy.approvals import ApprovalCount, count_approvals
from daypass.policy.groups import resolve_groups
from daypass.policy.input import DecisionInput
from daypass.policy.provenance import FoundationProof, ProvenanceFault, prove_foundation

if TYPE_CHECKING:
    from daypass.model.instant import Instant

NO = 77
BEFORE = MERGED.plus(-1)
TEAM = "team:contractors"
KNOWN: dict[str, frozenset[int] | None] = {"contractors": frozenset()}


def dismissed(
    by: str | Account | None,
    *,
    was: ReviewState = ReviewState.CHANGES_REQUESTED,
    at: Instant = BEFORE,
    of: str = "carol",
) -> PullRequest:
    """Alice's pull request, approved by bob; what `of` had said was dismissed by `by`."""
    actor = ACCOUNTS[by] if isinstance(by, str) else by
    given = (review("bob"), review(of, ReviewState.DISMISSED, number=NO))
    return pull_request(*given, dismissals=(Dismissal(NO, was, actor, at),))


def count(pull: PullRequest, **world: object) -> ApprovalCount:
    ground = catalogue(**world)  # type: ignore[arg-type]
    groups = resolve_groups(ground, KNOWN)
    subject, asked = ground.identities["alice"], ground.resources["orders-db"]
    return count_approvals(pull, subject, ground, groups, NOW, (), asked)


@pytest.mark.parametrize(
    ("by", "why"),
    [
        ("alice", "she asks for it"),
        ("mallory", "no owner"),
        (BOT, "somebody made a bot do it"),
        (None, "the account is gone"),
        (Account(4242, "stranger", AccountType.USER), "nobody's"),
        (Account(2, "bob", AccountType.ORGANIZATION), "no person"),
    ],
)
def test_another_persons_dismissal_leaves_the_no(by: str | Account | None, why: str) -> None:
    result = count(dismissed(by))
    assert result.blocked_by == (3,), why
    assert [item.code for item in result.refused] == ["changes-requested"]


@pytest.mark.parametrize("by", ["carol", "bob", "dave", "frank"])
def test_its_author_and_owners_take_the_no_back(by: str) -> None:
    """Carol's own; bob approves as dba, dave owns the resource, frank the foundation."""
    result = count(dismissed(by))
    assert (result.blocked_by, result.unsettled) == ((), ())
    assert [item.account_id for item in result.counted] == [2]


def test_an_owner_who_has_left_or_pushed_takes_nothing_back() -> None:
    left = (identity("dave", status="suspended"),)
    assert count(dismissed("dave"), identities=left).blocked_by == (3,)
    wrote = (PullRequestCommit(HEAD, ACCOUNTS["dave"], ACCOUNTS["alice"]),)
    assert count(replace(dismissed("dave"), commits=wrote)).blocked_by == (3,)


def test_what_was_merged_against_a_no_is_not_mended_afterwards() -> None:
    assert count(dismissed("frank", at=MERGED.plus(1))).blocked_by == (3,)
    assert count(dismissed("frank", at=MERGED)).blocked_by == ()


def test_a_dismissed_approval_is_no_no() -> None:
    result = count(dismissed("alice", was=ReviewState.APPROVED))
    assert result.blocked_by == ()
    assert [item.code for item in result.refused] == ["dismissed"]


def test_the_newest_dismissal_counts_and_a_later_approval_ends_the_matter() -> None:
    both = tuple(
        Dismissal(NO, ReviewState.CHANGES_REQUESTED, ACCOUNTS[name], at)
        for name, at in (("frank", BEFORE.plus(-5)), ("alice", BEFORE))
    )
    given = (review("bob"), review("carol", ReviewState.DISMISSED, number=NO))
    assert count(pull_request(*given, dismissals=both)).blocked_by == (3,)
    again = review("carol", at=BEFORE, number=NO + 1)
    assert count(pull_request(*given, again, dismissals=both)).blocked_by == ()


def test_a_strangers_dismissed_no_blocks_nothing() -> None:
    stranger = Account(4242, "drive-by", AccountType.USER)
    given = (review("bob"), review(stranger, ReviewState.DISMISSED, number=NO))
    no = Dismissal(NO, ReviewState.CHANGES_REQUESTED, ACCOUNTS["alice"], BEFORE)
    assert count(pull_request(*given, dismissals=(no,))).blocked_by == ()


def test_the_decision_says_no_and_waits_while_an_owners_team_is_not_known() -> None:
    asked = resource(approvers={"groups": ["dba", TEAM], "atLeast": 1})
    world = catalogue(policy(), resources=(asked,))
    pull = dismissed(Account(4242, "owner", AccountType.USER))
    denied = outcome(world, pull=pull, teams=KNOWN)
    assert denied.effect is Effect.DENY
    assert any("account 3 asks for changes" in item.message for item in denied.reasons)
    waiting = outcome(world, pull=pull, teams={"contractors": None})
    assert waiting.effect is Effect.INDETERMINATE
    assert any("account 3 is not known" in item.message for item in waiting.reasons)
    told = facts(world, pull=pull, teams={"contractors": None})
    assert DecisionInput.from_json(told.to_json()) == told
    owner = {"contractors": frozenset({4242})}
    assert outcome(world, pull=pull, teams=owner).effect is Effect.PERMIT


def test_a_change_of_what_decisions_rest_on_keeps_its_no_too() -> None:
    world = catalogue()
    groups = resolve_groups(world, KNOWN)

    def proof(by: str) -> FoundationProof | ProvenanceFault:
        pull = replace(dismissed(by), reviews=(*dismissed(by).reviews, review("erin")))
        return prove_foundation(pull, world, groups, NOW)

    refused = proof("alice")
    assert isinstance(refused, ProvenanceFault)
    assert refused.code == "changes-requested"
    assert isinstance(proof("frank"), FoundationProof)
