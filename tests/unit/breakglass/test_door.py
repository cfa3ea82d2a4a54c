"""Which pull requests are an emergency of their author's own, and which came through the door."""

from __future__ import annotations

from dataclasses import replace

import pytest

from daypass.lifecycle.emergency import fault_of, fault_of_merged, request_of
from daypass.lifecycle.world import RequestFile
from daypass.model.grant import Lane
from daypass.model.instant import Instant
from daypass.model.pullrequest import Account, AccountType, ChangedFile, PullRequest, Push
from daypass.model.settings import GitHubSettings

AT = Instant.parse("2026-11-23T09:00:00Z")
GITHUB = GitHubSettings("acme", 900, "access", 456, 7, 8, 9)
ALICE = Account(1, "alice", AccountType.USER)
BOB = Account(2, "bob", AccountType.USER)
APP = Account(8, "daypass[bot]", AccountType.BOT)
PATH = "access/break-glass/bg-1.yaml"
FILE = ChangedFile(PATH, "added", "b" * 40)
SOUND = PullRequest(
    number=7,
    url="",
    author=ALICE,
    base_repository_id=456,
    base_ref="main",
    base_sha="0" * 40,
    head_repository_id=456,
    head_ref="break-glass/bg-1",
    head_sha="a" * 40,
    open=False,
    merged_at=AT,
    merge_commit_sha="c" * 40,
    merged_by=APP,
    files=(FILE,),
    commits=(),
    pushes=(Push(ALICE, "0" * 40, "a" * 40, AT),),
    reviews=(),
    complete=True,
)
ON_MAIN = RequestFile("bg-1", PATH, "b" * 40, Lane.BREAK_GLASS)


def test_an_emergency_of_its_author_s_own() -> None:
    assert request_of(SOUND) == "bg-1"
    assert fault_of(SOUND, GITHUB) is None
    assert fault_of_merged(SOUND, ON_MAIN, GITHUB) is None


@pytest.mark.parametrize(
    "files",
    [
        (),
        (FILE, replace(FILE, path="access/break-glass/bg-2.yaml")),
        (FILE, replace(FILE, path="access/requests/x.yaml")),
        (FILE, replace(FILE, path="README.md")),
        (replace(FILE, status="modified"),),
        (replace(FILE, status="removed"),),
        (replace(FILE, status="renamed", previous_path="access/requests/x.yaml"),),
        (replace(FILE, path="access/requests/bg-1.yaml"),),
        (replace(FILE, path="access/break-glass/bg-1.yml"),),
        (replace(FILE, path="access/break-glass/x/bg-1.yaml"),),
        (replace(FILE, path="access/break-glass/../policies/x.yaml"),),
        (replace(FILE, path="access/break-glass/Bg.yaml"),),
    ],
)
def test_one_file_and_nothing_else(files: tuple[ChangedFile, ...]) -> None:
    changed = replace(SOUND, files=files)
    assert request_of(changed) is None
    assert "change nothing else" in (fault_of(changed, GITHUB) or "")
    assert fault_of_merged(changed, ON_MAIN, GITHUB)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        (replace(SOUND, author=None), "no person's account"),
        (replace(SOUND, author=APP), "no person's account"),
        (replace(SOUND, head_repository_id=457), "fork"),
        (replace(SOUND, head_repository_id=None), "fork"),
        (replace(SOUND, pushes=(*SOUND.pushes, replace(SOUND.pushes[0], actor=BOB))), "account 2"),
        (replace(SOUND, pushes=(replace(SOUND.pushes[0], actor=None),)), "account is gone"),
    ],
)
def test_written_by_its_invoker_alone(changed: PullRequest, why: str) -> None:
    assert why in (fault_of(changed, GITHUB) or "")
    assert why in (fault_of_merged(changed, ON_MAIN, GITHUB) or "")


@pytest.mark.parametrize("merger", [None, ALICE, BOB, Account(9, "other[bot]", AccountType.BOT)])
def test_only_the_app_merges(merger: Account | None) -> None:
    changed = replace(SOUND, merged_by=merger)
    assert "only daypass merges" in (fault_of_merged(changed, ON_MAIN, GITHUB) or "")


def test_another_request_s_pull_request_brings_nothing() -> None:
    other = replace(ON_MAIN, grant_id="bg-2", path="access/break-glass/bg-2.yaml")
    assert "more than this one" in (fault_of_merged(SOUND, other, GITHUB) or "")
