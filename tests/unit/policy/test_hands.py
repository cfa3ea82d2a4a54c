"""Co-authors that commits name: who of them has an account, and who is out because of it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from policy_world import (
    ACCOUNTS,
    BLOB,
    HEAD,
    NOW,
    OPENED,
    catalogue,
    policy,
    pull_request,
    request,
    review,
    settings,
)

from daypass.lifecycle.forecast import Forecast, Standing, forecast
from daypass.lifecycle.foundation_forecast import FoundationForecast, forecast_foundation
from daypass.lifecycle.preview_sources import OfflineKeys, PreviewSources
from daypass.lifecycle.recipients import Recipients
from daypass.model.co_authors import co_authors_of
from daypass.model.grant import Lane
from daypass.model.pullrequest import (
    ChangedFile,
    CoAuthor,
    CommitAuthors,
    Dismissal,
    PullRequestCommit,
    Push,
    ReviewState,
)
from daypass.model.tree import TreeEntry
from daypass.policy.approvals import ApprovalCount, count_approvals
from daypass.policy.asked import Asked
from daypass.policy.groups import resolve_groups

ALICE, BOB, CAROL, FRANK = (ACCOUNTS[name] for name in ("alice", "bob", "carol", "frank"))
OLD, GUARD = "d" * 40, "access/policies/guard.yaml"
TOOL = "noreply@assistant.example"
BY_BOTH = "Ask\n\nCo-authored-by: Bob <bob@work.example>, Tool <noreply@assistant.example>\n"


def world(*listed: str):
    return replace(catalogue(policy()), settings=settings(machineCoAuthors=list(listed)))


def wrote(*addresses: str, known: dict[str, int] | None = None, unknown: str = ""):
    """The parts of a pull request whose one commit names those co-authors, all shown by GitHub."""
    shown = dict.fromkeys(address.lower() for address in addresses) | (known or {})
    told = (CommitAuthors(HEAD, tuple(CoAuthor(*item) for item in shown.items())),)
    return {
        "commits": (PullRequestCommit(HEAD, ALICE, ALICE, addresses),),
        "commit_authors": () if unknown else told,
        "co_authors_unknown_because": unknown,
    }


def count(*reviews, there=None, **changes) -> ApprovalCount:
    there = there or world()
    groups = resolve_groups(there, {"contractors": frozenset()})
    pull = pull_request(*reviews, **changes)
    return count_approvals(pull, there.identities["alice"], there, groups, NOW)


def approvers(result: ApprovalCount) -> list[int]:
    return [item.account_id for item in result.counted]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (BY_BOTH, ("bob@work.example", TOOL)),
        ("CO-AUTHORED-BY:Bob<bob@work.example>", ("bob@work.example",)),
        ("Ask\n\nCo-authored-by: Bob\n <bob@work.example>\n", ("bob@work.example",)),
        (
            f"Ask\n\nCo-authored-by: Tool <{TOOL}>\r\n\tBob <bob@b.example>\r\n",
            (TOOL, "bob@b.example"),
        ),
        (f"Ask\n\nReviewed-by: X\n Co-authored-by: Tool <{TOOL}>", (TOOL,)),
        (f"Ask\n\nCo-authored-by: Tool <{TOOL}>\x0c, Bob <bob@b.example>", (TOOL, "bob@b.example")),
        (f"Ask\n\nCo-authored-by: Tool <{TOOL}> bob@b.example <bob>", (TOOL, "bob@b.example")),
        (f"Ask\n\nCo-authored-by: {TOOL} <{TOOL}>", (TOOL,)),
        (f"Ask\n\nCo-authored-by: Tool <{TOOL}>\n  by the way\n", (f"Tool <{TOOL}>   by the way",)),
        ("Ask\n\nCo-authored-by: <bob@work.example> (pair)\n", ("<bob@work.example> (pair)",)),
        ("Ask\n\nCo-authored-by: Bob <bob@work.example>\n\nMore text\n", ("bob@work.example",)),
        ("Ask\n\nSigned-off-by: Bob <bob@work.example>\n", ()),
    ],
)
def test_every_co_author_of_a_line_is_seen(text, found):
    assert co_authors_of(text) == found


def test_whom_github_knows_is_an_author_and_the_others_may_approve():
    changes = wrote("Bob@Work.example", known={"bob@work.example": BOB.id})
    result = count(review("bob"), review("carol"), **changes)
    assert result.fault is None
    assert approvers(result) == [CAROL.id]


def test_a_machine_on_the_list_is_no_author_and_nobody_is_out():
    result = count(review("bob"), there=world("NoReply@Assistant.example"), **wrote(TOOL))
    assert (approvers(result), result.fault) == ([BOB.id], None)


@pytest.mark.parametrize(
    "changes",
    [
        wrote("bob@work.example", known={"bob@work.example": BOB.id}),
        wrote(f"{BOB.id}+bob@users.noreply.github.com"),
    ],
)
def test_the_list_hides_nobody_that_github_knows(changes):
    there = world("bob@work.example", f"{BOB.id}+bob@users.noreply.github.com")
    assert approvers(count(review("bob"), there=there, **changes)) == []


@pytest.mark.parametrize("unknown", ["GitHub answered 403", ""])
def test_the_list_counts_for_nothing_where_github_did_not_answer_for_that_commit(unknown):
    """Neither where it answered for another commit, which names the same address."""
    other = CommitAuthors(OLD, (CoAuthor("bob@work.example", None),))
    changes = wrote("bob@work.example", unknown=unknown) | {"commit_authors": (other,)}
    result = count(review("bob"), there=world("bob@work.example"), **changes)
    assert (approvers(result), result.fault_may_pass) == ([], True)
    assert unknown or "GitHub was not asked" in str(result.fault)
    answered = count(review("bob"), there=world("bob@work.example"), **wrote("bob@work.example"))
    assert approvers(answered) == [BOB.id]


def test_the_list_hides_nobody_in_a_line_that_github_does_not_read():
    """It answered, and does not say whose the address is."""
    told = (CommitAuthors(HEAD, (CoAuthor("alice@example.org", ALICE.id),)),)
    changes = wrote("bob@work.example") | {"commit_authors": told}
    result = count(review("bob"), there=world("bob@work.example"), **changes)
    assert (approvers(result), result.fault_may_pass) == ([], False)
    assert "in a line that GitHub does not read" in str(result.fault)
    assert "last paragraph" in result.fault_remedy


def test_whom_github_shows_as_an_author_is_one_though_no_line_names_them():
    changes = wrote(TOOL, known={"": BOB.id, "carol@work.example": CAROL.id})
    result = count(review("bob"), review("carol"), there=world(TOOL), **changes)
    assert (approvers(result), result.fault) == ([], None)
    assert (result.excluded or {})[BOB.id] == f"a co-author of commit {HEAD[:12]}"


@pytest.mark.parametrize(
    "address", ["x@assistant.example", "noreply@assistant.example.org", "assistant.example", ""]
)
def test_only_the_whole_address_is_on_the_list(address):
    assert "belongs to no GitHub account" in str(
        count(review("bob"), there=world(TOOL), **wrote(address)).fault
    )


def test_the_login_of_an_old_noreply_address_is_not_believed():
    changes = wrote("bob@users.noreply.github.com", known={"bob@users.noreply.github.com": 4711})
    result = count(review("bob"), **changes)
    assert (approvers(result), result.fault) == ([BOB.id], None)
    assert 4711 in (result.excluded or {})
    assert count(review("bob"), **wrote("bob@users.noreply.github.com")).fault


def test_what_github_does_not_tell_now_may_pass_and_the_rest_lasts():
    waits = count(review("bob"), **wrote(TOOL, unknown="GitHub answered 403"))
    who = f"who a co-author of commit {HEAD[:12]} is"
    assert waits.fault == f"{who}, is not known: GitHub answered 403"
    assert (waits.fault_may_pass, waits.counted) == (True, ())
    lasts = count(review("bob"), **wrote(TOOL))
    assert not lasts.fault_may_pass
    assert "machineCoAuthors" in lasts.fault_remedy
    assert count(review("bob"), pushes=()).fault_may_pass
    assert count(review("bob"), complete=False).fault_may_pass
    assert not count(review("bob"), complete=False, is_too_large=True).fault_may_pass


# What is pinned here is no key, and these tests are not about keys.
KEYS_ARE_FINE = PreviewSources(
    recipients=Recipients(OfflineKeys(), cast("Any", SimpleNamespace(seal=lambda *_words: None)))
)


def foreseen(*reviews, there=None, **changes) -> Forecast:
    there = there or world()
    groups = resolve_groups(there, {"contractors": frozenset()})
    pull = pull_request(*reviews, open=True, merged_at=None, **changes)
    asked = Asked(request(), Lane.ROUTINE, pull.author)
    return forecast(asked, there, groups, pull, Standing({}, {}), NOW, KEYS_ARE_FINE)


def test_a_plan_says_before_any_approval_that_none_will_count():
    found = foreseen(**wrote(TOOL))
    assert [item.rule for item in found.would_deny] == ["approvals-provable"]
    assert "machineCoAuthors" in found.would_deny[0].message
    assert found.still_needed == ()
    later = foreseen(**wrote(TOOL, unknown="GitHub answered 403"))
    assert (later.would_deny, [item.rule for item in later.unknown]) == ((), ["approvals-provable"])
    assert not foreseen(there=world(TOOL), **wrote(TOOL)).is_denied


def pushed_by(*people) -> dict[str, object]:
    pushes = [Push(ALICE, "0" * 40, OLD, OPENED)]
    return {"pushes": (*pushes, *(Push(item, OLD, HEAD, OPENED) for item in people))}


def test_a_plan_says_who_is_out_because_of_a_push_and_who_is_left():
    found = foreseen(**pushed_by(BOB))
    assert found.cannot_approve == (
        f"bob cannot approve: the same account is the one who pushed {HEAD[:12]}",
    )
    assert not found.is_denied
    assert "carol can approve" in found.still_needed[0]
    assert "bob" not in found.still_needed[0]


def test_a_plan_denies_when_everybody_who_could_approve_is_out():
    found = foreseen(**pushed_by(BOB, CAROL))
    assert [item.rule for item in found.would_deny] == ["resource-approvers"]
    assert "nobody who could approve is left" in found.would_deny[0].message
    assert len(found.cannot_approve) == 2
    assert not foreseen(review("bob"), **pushed_by(CAROL)).is_denied


class Trees:
    """A branch that adds a policy, with that mode."""

    def __init__(self, mode: str = "100644") -> None:
        self._trees = {HEAD: [TreeEntry(mode, BLOB, GUARD)], OLD: []}

    def entries(self, commit: str, folder: str) -> list[TreeEntry]:
        return [item for item in self._trees[commit] if item.path.startswith(folder)]


def foundation(*reviews, there=None, mode: str = "100644", **changes) -> FoundationForecast:
    there = there or world()
    groups = resolve_groups(there, {"contractors": frozenset()})
    files = (ChangedFile(GUARD, "added", BLOB),)
    pull = pull_request(*reviews, open=True, merged_at=None, files=files, **changes)
    return forecast_foundation(Trees(mode), OLD, pull, there, groups, NOW)


def test_a_plan_of_a_policy_says_before_any_approval_that_it_would_freeze():
    found = foundation(**wrote(TOOL))
    assert "belongs to no GitHub account" in found.would_freeze[0]
    assert "machineCoAuthors" in found.would_freeze[0]
    assert found.still_needed == ()
    later = foundation(review("frank"), **wrote(TOOL, unknown="GitHub answered 403"))
    assert (later.would_freeze, len(later.unknown)) == ((), 1)
    assert foundation(review("frank"), there=world(TOOL), **wrote(TOOL)).is_ready


def test_a_plan_of_a_policy_says_who_is_out_and_who_can_approve():
    found = foundation(review("frank"), **pushed_by(FRANK))
    assert found.cannot_approve == (
        f"frank cannot approve: the same account is the one who pushed {HEAD[:12]}",
    )
    assert found.still_needed[0].endswith("and has 0: erin can approve")
    assert [item.code for item in found.refused_reviews] == ["not-independent"]
    assert foundation(review("erin"), **pushed_by(FRANK)).approved == ("erin",)
    gone = foundation(**pushed_by(FRANK, ACCOUNTS["erin"]))
    assert "nobody who could approve is left" in gone.would_freeze[0]


def test_a_plan_of_a_policy_says_that_a_link_would_freeze():
    assert foundation(review("frank"), mode="120000").would_freeze == (
        f"{GUARD} (120000) is no regular file (mode 100644): commit it as one",
    )


CLAIMS = {
    "co-author by mail": wrote("carol@work.example", known={"carol@work.example": CAROL.id}),
    "co-author by number": wrote(f"{CAROL.id}+carol@users.noreply.github.com"),
    "author": {"commits": (PullRequestCommit(HEAD, CAROL, ALICE),)},
    "committer": {"commits": (PullRequestCommit(HEAD, ALICE, CAROL),)},
    # Alice may ask from a branch that Carol once pushed to.
    "pusher": pushed_by(CAROL, ALICE),
}


@pytest.mark.parametrize("claim", CLAIMS)
def test_nobody_takes_an_objection_away_by_naming_who_objects(claim):
    said_no = review("carol", ReviewState.CHANGES_REQUESTED, commit=OLD)
    result = count(review("bob"), said_no, **CLAIMS[claim])
    assert (approvers(result), result.blocked_by) == ([BOB.id], (CAROL.id,))
    plan = foreseen(review("bob"), said_no, **CLAIMS[claim])
    assert any(f"account {CAROL.id} asks for changes" in it for it in plan.still_needed)


@pytest.mark.parametrize("claim", CLAIMS)
def test_nor_of_a_change_of_what_decisions_rest_on(claim):
    said_no = review("carol", ReviewState.CHANGES_REQUESTED, commit=OLD)
    found = foundation(review("frank"), said_no, **CLAIMS[claim])
    assert not found.is_ready
    assert f"account {CAROL.id} asks for changes: that stands until" in found.still_needed[0]


@pytest.mark.parametrize("claim", CLAIMS)
def test_nor_does_a_dismissal_count_for_more_by_it(claim):
    """The requester's own counts for nothing; the one who objected may always take it back."""
    said_no = review("carol", ReviewState.DISMISSED, number=77)
    for who, blocked in ((ALICE, (CAROL.id,)), (CAROL, ())):
        gone = (Dismissal(77, ReviewState.CHANGES_REQUESTED, who, OPENED),)
        result = count(review("bob"), said_no, dismissals=gone, **CLAIMS[claim])
        assert result.blocked_by == blocked


def test_the_opener_and_the_subject_object_to_nothing_of_their_own():
    asks = review("alice", ReviewState.CHANGES_REQUESTED)
    assert count(review("bob"), asks).blocked_by == ()
    own = {"author": FRANK, **pushed_by(FRANK)}
    assert foundation(
        review("erin"), review("frank", ReviewState.CHANGES_REQUESTED), **own
    ).is_ready
