"""Commits that name co-authors, and pushes by approvers: said before the merge, and kept after."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from daypass.model.names import SETTINGS_PATH
from daypass.sandbox.box import Box
from daypass.sandbox.organisation import request
from daypass.sandbox.person import Proposal
from support import acting
from support.town import Asked, Town

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daypass.sandbox.github.server import GitHub

POLICY = "access/policies/databases.yaml"
TOOL = "noreply@assistant.example"
BY_TOOL = f"Ask\n\nCo-Authored-By: Some Assistant <{TOOL}>\n"
BY_MAIL = "Ask\n\nCo-authored-by: Dave <dave@acme.example>\n"
BY_OLD_ADDRESS = "Ask\n\nCo-authored-by: Dave <dave@users.noreply.github.com>\n"
BY_APPROVER = "Ask\n\nCo-authored-by: Bob <Bob@acme.example>\n"
SIGNED_OFF = "Ask\n\nSigned-off-by: Alice <alice@acme.example>\n"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with Box.create(tmp_path_factory.mktemp("box")) as box:
        box.vault_bootstrap()
        yield Town(box)


def ask(town: Town, name: str, message: str) -> Asked:
    """Alice pushes a request in a commit with that message."""
    who = town.box.person("alice")
    content = request(name, subject="alice", duration="1h")
    who.push([Proposal(name, content, message)])
    return Asked(name, who.open_pull_request(name, f"Access: {name}"), who)


def plans(town: Town, *asked: Asked) -> list[str]:
    """What the bot's plan says on each pull request now, as people read it."""
    with acting.job(town.box) as job:
        done = job.daypass("plan", "--open", "--comment")
        assert done.code == 0, done.said
    found = []
    for item in asked:
        (body,) = (
            text["body"]
            for text in item.who.comments(item.number)
            if "daypass:plan:merge" in text["body"]
        )
        found.append(body.replace("\\", ""))
    return found


def questions(github: GitHub) -> int:
    return sum(item.path == "/api/graphql" for item in github.requests)


def test_who_wrote_a_request_is_said_before_the_merge_and_decided_so(town: Town) -> None:
    messages = {
        "by-tool": BY_TOOL,
        "by-mail": BY_MAIL,
        "by-old-address": BY_OLD_ADDRESS,
        "by-approver": BY_APPROVER,
        "signed-off": SIGNED_OFF,
    }
    before = questions(town.box.github)
    asked = [ask(town, name, text) for name, text in messages.items()]
    tool, mail, old, approver, signed = plans(town, *asked)
    assert questions(town.box.github) == before + 4, "nothing is asked about the one signed off"
    assert "would be denied: no approval of this pull request counts: a co-author of" in tool
    assert "`machineCoAuthors`" in tool.replace("&#96;", "`")
    assert "needs 1 approval" not in tool
    assert all("needs 1 approval from dba: bob, carol can approve" in it for it in (mail, old))
    assert "needs 1 approval from dba: carol can approve" in approver
    assert "bob cannot approve: the same account is a co-author of commit" in approver
    assert "bob, carol can approve" in signed
    for item in asked:
        town.merge(item)
    done = town.refuse()
    assert done.code == 0, done.said
    assert {item.id: town.events(item.id) for item in asked} == {
        "by-tool": ["denied"],
        "by-mail": ["issued"],
        "by-old-address": ["issued"],
        "by-approver": ["denied"],
        "signed-off": ["issued"],
    }


def test_nobody_takes_an_objection_away_by_naming_who_objects(town: Town) -> None:
    asked = ask(town, "objected", "Ask")
    alice, carol = town.box.person("alice"), town.box.person("carol")
    no = {"event": "REQUEST_CHANGES", "body": "Not today"}
    carol.api("POST", carol._path(f"pulls/{asked.number}/reviews"), no)
    alice.git("fetch", "-q", "origin")
    alice.git("checkout", "-q", "-B", "objected", "origin/objected")
    author = ("--author", "Carol <carol@acme.example>")
    message = "Ask again\n\nCo-authored-by: Carol <carol@acme.example>"
    alice.git("commit", "-q", "--allow-empty", *author, "-m", message)
    alice.git("push", "-q", "origin", "objected")
    town.box.person("bob").approve(asked.number)
    (plan,) = plans(town, asked)
    assert f"account {carol.account.id} asks for changes" in plan
    assert "ready: nothing more is needed" not in plan
    town.merge(asked, approvers=())
    assert town.refuse().code == 0
    assert town.events("objected") == ["denied"]


def test_github_is_not_asked_about_a_readme(town: Town) -> None:
    """So what asks nothing of anybody fails no run while GraphQL is down."""
    alice, github = town.box.person("alice"), town.box.github
    message = "Explain\n\nCo-authored-by: Eve <eve@elsewhere.example>\n"
    alice.push([Proposal("words", {"README.md": b"# acme, once more\n"}, message)])
    number = alice.open_pull_request("words", "Words")
    before = questions(github)
    github.fail_next("POST", r"/api/graphql", 502, times=20)
    with acting.job(town.box) as job:
        done = job.daypass("plan", "--open", "--comment")
    github.heal()
    assert done.code == 0, done.said
    assert questions(github) == before
    alice.api("PATCH", alice._path(f"pulls/{number}"), {"state": "closed"})


def test_an_approver_who_updated_the_branch_is_out_and_the_plan_says_so(town: Town) -> None:
    asked = ask(town, "up-to-date", "Ask")
    carol, bob = town.box.person("carol"), town.box.person("bob")
    carol.merge(carol.propose("readme", {"README.md": b"# acme, anew\n"}, "Readme"))
    bob.git("fetch", "-q", "origin")
    bob.git("checkout", "-q", "-B", "up-to-date", "origin/up-to-date")
    bob.git("merge", "-q", "--no-ff", "-m", "Update branch", "origin/main")
    bob.git("push", "-q", "origin", "up-to-date")
    (plan,) = plans(town, asked)
    assert "bob cannot approve: the same account is the author of commit" in plan
    assert "needs 1 approval from dba: carol can approve" in plan
    town.merge(asked, approvers=("carol",))
    assert town.apply().code == 0
    assert town.events("up-to-date") == ["issued"]


def test_a_policy_that_an_assistant_wrote_freezes_nothing_once_the_assistant_is_listed(
    town: Town,
) -> None:
    """The plan of the pull request says before the merge what would happen, and how to mend it."""
    alice, carol = town.box.person("alice"), town.box.person("carol")
    text = town.store.git("show", f"main:{POLICY}")
    message = BY_TOOL.replace("Ask", "Explain the policy")
    changed = {POLICY: f"# Who reads what.\n{text}".encode()}
    alice.push([Proposal("explained", changed, message)])
    explained = Asked("explained", alice.open_pull_request("explained", "Explain"), alice)
    (plan,) = plans(town, explained)
    assert "merging this would freeze daypass: #" in plan
    assert "belongs to no GitHub account. Take the line out" in plan
    shown = acting.daypass(alice, "plan", "--pr", str(explained.number))
    assert shown.code != 0
    assert "would freeze daypass" in shown.said
    alice.git("fetch", "-q", "origin")
    alice.git("checkout", "-q", "--detach", "origin/explained")
    told = acting.daypass(alice, "validate", "--base", "origin/main")
    assert (told.code, TOOL in told.said) == (0, True)
    assert "change-co-author" in told.said

    settings = town.store.git("show", f"main:{SETTINGS_PATH}")
    listed = f"{settings}  machineCoAuthors: [{TOOL}]\n".encode()
    listing = Asked("listed", carol.propose("listed", {SETTINGS_PATH: listed}, "List it"), carol)
    (plan,) = plans(town, listing)
    assert "it needs 1 approval(s) of security, and has 0: dave" in plan
    town.merge(listing, approvers=("dave",))

    (plan,) = plans(town, explained)
    assert "freeze daypass" not in plan
    assert "can approve" in plan
    alice.git("fetch", "-q", "origin")
    told = acting.daypass(alice, "validate", "--base", "origin/main")
    assert "change-co-author" not in told.said, "main's list rules, not the branch's"
    town.merge(explained, approvers=("dave",))
    asked = ask(town, "by-listed-tool", BY_TOOL)
    town.merge(asked)
    unseen = {"data": {"repository": {"c0": None}}}
    town.box.github.fail_next(
        "POST", r"/api/graphql", 200, times=50, body=json.dumps(unseen).encode()
    )
    town.apply()
    assert town.events(asked.id) == [], "the list counts once GitHub has said who it is"
    town.box.github.heal()
    done = town.apply()
    assert done.code == 0, done.said
    assert town.events(asked.id) == ["issued"]
