"""Which approved pull request brought these bytes to main; and who approved the foundation."""

from __future__ import annotations

from dataclasses import replace

import pytest
from policy_world import (
    ACCOUNTS,
    BLOB,
    HEAD,
    MERGED,
    NOW,
    OPENED,
    PATH,
    catalogue,
    pull_request,
    review,
)

from daypass.model.pullrequest import ChangedFile, PullRequestCommit, Push, ReviewState
from daypass.policy.groups import resolve_groups
from daypass.policy.provenance import (
    FoundationProof,
    ProvenanceFault,
    outside,
    over_limit,
    prove,
    prove_foundation,
)

COMMIT = "c" * 40


def proven(*pulls, commit=COMMIT, path=PATH, blob=BLOB):
    return prove(pulls, commit, path, blob, catalogue().settings.github)


@pytest.mark.parametrize(
    "commit", [COMMIT, "9" * 40], ids=["merge or squash", "an earlier commit of a rebase"]
)
def test_the_pull_request_that_lists_these_bytes(commit):
    pull = pull_request(review("bob"))
    assert proven(pull, commit=commit) is pull


def test_several_requests_in_one_pull_request():
    other = "access/requests/alice-orders-2.yaml"
    pull = pull_request(
        files=(ChangedFile(PATH, "added", BLOB), ChangedFile(other, "added", "e" * 40))
    )
    assert proven(pull, path=other, blob="e" * 40) is pull
    assert isinstance(proven(pull, path=other, blob=BLOB), ProvenanceFault)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"merged_at": None, "open": True}, "no-pull-request"),
        ({"merged_at": None}, "no-pull-request"),  # closed unmerged
        ({"base_ref": "release"}, "no-pull-request"),
        ({"base_repository_id": 999}, "no-pull-request"),
        ({"complete": False, "incomplete_because": "more than 250 commits"}, "incomplete"),
        ({"complete": False, "is_too_large": True}, "too-large"),
        ({"files": ()}, "other-bytes"),
        ({"files": (ChangedFile(PATH, "added", "e" * 40),)}, "other-bytes"),
        ({"files": (ChangedFile(PATH, "removed", BLOB),)}, "other-bytes"),
        ({"files": (ChangedFile(PATH, "added", None),)}, "other-bytes"),
        ({"files": (ChangedFile("access/requests/x.yaml", "added", BLOB),)}, "other-bytes"),
    ],
)
def test_anything_else_proves_nothing(changes, code):
    fault = proven(pull_request(review("bob"), **changes))
    assert isinstance(fault, ProvenanceFault)
    assert fault.code == code


def test_a_push_straight_to_main_proves_nothing():
    fault = proven()
    assert isinstance(fault, ProvenanceFault)
    assert fault.code == "no-pull-request"


def test_two_that_claim_it_prove_nothing_unless_one_made_the_commit():
    pull = pull_request(review("bob"))
    other = replace(pull, number=8, merge_commit_sha="8" * 40)
    assert proven(other, pull) is pull
    fault = proven(other, pull, commit="9" * 40)
    assert isinstance(fault, ProvenanceFault)
    assert fault.code == "ambiguous"


@pytest.mark.parametrize(
    ("file", "path"),
    [
        (ChangedFile("README.md", "modified", BLOB), "README.md"),
        (ChangedFile("access/requests.yaml", "added", BLOB), "access/requests.yaml"),
        (
            ChangedFile("access/requests/x.yaml", "renamed", BLOB, "access/policies/guard.yaml"),
            "access/policies/guard.yaml",
        ),
        (ChangedFile("access/requests/x.yaml", "renamed", BLOB, "access/requests/y.yaml"), None),
    ],
)
def test_what_a_pull_request_changes_outside_of_a_folder(file, path):
    pull = pull_request(files=(ChangedFile(PATH, "added", BLOB), file))
    assert outside(pull, "access/requests/") == path


def test_requests_beyond_the_limit_of_a_pull_request_and_no_end_among_them():
    folder = "access/requests/"
    names = [f"{folder}{name}.yaml" for name in "cab"]
    gone = [f"{folder}0{number}.yaml" for number in range(500)]
    pull = pull_request(
        files=(
            *(ChangedFile(path, "removed", BLOB) for path in gone),
            *(ChangedFile(path, "added", BLOB) for path in names),
            ChangedFile("README.md", "added", BLOB),
        )
    )
    over = {path[-6] for path in names if over_limit(pull, folder, path, 2)}
    assert over == {"c"}
    assert not any(over_limit(pull, folder, path, 3) for path in names)
    assert "asks for 3 requests, and the limit is 2" in over_limit(pull, folder, names[0], 2)
    # A file that GitHub does not list is not within the limit by that.
    assert over_limit(pull, folder, f"{folder}other.yaml", 2)


def foundation(*reviews, at_least=1, teams=None, world=None, **changes):
    world = world or catalogue()
    world = replace(world, settings=replace(world.settings, foundation_at_least=at_least))
    groups = resolve_groups(world, {"contractors": frozenset()} if teams is None else teams)
    return prove_foundation(pull_request(*reviews, **changes), world, groups, NOW)


def test_an_owner_of_the_foundation_approves_it():
    proof = foundation(review("frank"))
    assert isinstance(proof, FoundationProof)
    assert [item.account_id for item in proof.approvals.counted] == [6]
    assert isinstance(foundation(review("frank"), review("erin"), at_least=2), FoundationProof)


@pytest.mark.parametrize(
    ("reviews", "options", "code"),
    [
        ((), {}, "not-approved"),
        ((), {"at_least": 0}, "not-approved"),  # threat 27
        ((review("bob"),), {}, "not-approved"),
        ((review("frank"),), {"at_least": 2}, "not-approved"),
        ((review("frank", commit="d" * 40),), {}, "not-approved"),
        ((review("frank", at=MERGED.plus(1)),), {}, "not-approved"),
        ((review("frank"),), {"author": ACCOUNTS["frank"]}, "not-approved"),
        (
            (review("frank"),),
            {"pushes": (Push(ACCOUNTS["frank"], "0" * 40, HEAD, OPENED),)},
            "not-approved",
        ),
        ((review("frank"), review("erin", ReviewState.CHANGES_REQUESTED)), {}, "changes-requested"),
        (
            (review("frank"),),
            {"commits": (PullRequestCommit(HEAD, None, None),)},
            "unprovable",
        ),
        ((review("frank"),), {"complete": False}, "unprovable"),
    ],
)
def test_a_foundation_that_its_owners_did_not_approve(reviews, options, code):
    fault = foundation(*reviews, **options)
    assert isinstance(fault, ProvenanceFault)
    assert fault.code == code


def test_a_list_of_reviews_that_is_empty_is_said_to_be_asked_for_again():
    assert "no review of it: if it has any, the next run asks again" in foundation().why
    assert "asks again" not in foundation(review("bob")).why
    assert "asks again" not in foundation(merged_at=None).why  # a preview: each review is to come


def test_an_unknown_team_of_owners_is_said_to_be_unknown():
    world = catalogue(
        groups={"security": ["team:security"], "dba": ["bob"], "orders-team": ["dave"]}
    )
    fault = foundation(review("frank"), world=world, teams={"security": None})
    assert isinstance(fault, ProvenanceFault)
    assert fault.code == "unknown-group"
    known = foundation(review("frank"), world=world, teams={"security": frozenset({6})})
    assert isinstance(known, FoundationProof)
