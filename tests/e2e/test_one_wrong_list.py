"""One wrong list of GitHub, once: it opens nothing, and it ends nothing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from daypass.model.instant import Instant
from daypass.model.names import Kind
from daypass.sandbox.organisation import document, request
from support.town import Asked, Town

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daypass.sandbox.box import Box


@pytest.fixture(scope="module")
def town(box: Box) -> Iterator[Town]:
    yield Town(box)
    box.github.heal()


def change_policy(town: Town, name: str, content: bytes | None) -> None:
    """Write or delete a policy, approved by its owners."""
    alice, what = town.box.person("alice"), f"{'write' if content else 'delete'}-{name}"
    number = alice.propose(what, {f"access/policies/{name}.yaml": content}, what)
    town.merge(Asked(what, number, alice), approvers=("dave",))
    assert town.apply().code == 0


def test_a_guard_about_a_team_holds_when_github_lists_no_member_once(town: Town) -> None:
    """Without its members the guard would be about no one, and an hour would be issued."""
    spec = {
        "description": "Security reads for a minute.",
        "effect": "guard",
        "enforcement": "enforce",
        "match": {"subjects": {"groups": ["security"]}, "resources": {"names": ["orders-db"]}},
        "limits": {"maxDuration": "1m"},
    }
    change_policy(town, "security-briefly", document(Kind.ACCESS_POLICY, "security-briefly", spec))
    town.grant("guarded", by="dave", duration="1h")
    team = town.box.github.teams["security"].id
    town.box.github.fail_next("GET", f"/team/{team}/members$", 200, times=2, body=b"[]")
    done = town.apply()
    assert town.events("guarded") == ["issued"], done.said
    record = town.record("guarded")
    assert Instant.parse(record["notAfter"]).since(Instant.parse(record["notBefore"])) == 60
    change_policy(town, "security-briefly", None)


def test_an_approval_of_another_branch_counts_for_nothing_when_events_are_missing_once(
    town: Town,
) -> None:
    bob, name = town.box.person("bob"), "aimed-elsewhere"
    bob.git("push", "-q", "origin", "refs/remotes/origin/main:refs/heads/elsewhere")
    number = bob.propose(name, request(name, subject="bob", duration="1h"), "Access")
    pull = f"/repos/{town.box.repository.full_name}/pulls/{number}"
    bob.api("PATCH", pull, {"base": "elsewhere"})
    town.box.person("carol").approve(number)
    time.sleep(1.01)  # GitHub tells whole seconds
    bob.api("PATCH", pull, {"base": "main"})
    town.box.person("carol").merge(number)
    town.box.github.fail_next("GET", f"/issues/{number}/events$", 200, times=1, body=b"[]")
    done = town.refuse()
    assert town.events(name) == ["denied"], done.said
