"""The emergency lane on the whole organisation: taken, refused, reviewed, and not reviewed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from daypass.model.instant import Instant
from daypass.sandbox.box import Box
from daypass.sandbox.organisation import request
from support import acting
from support.village import Emergency, Village, emergency
from support.webhook import hooked

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Village]:
    with Box.create(tmp_path_factory.mktemp("box")) as box:
        box.vault_bootstrap()
        yield Village(box)


@pytest.fixture(scope="module")
def brief(town: Village) -> Emergency:
    """One of a minute, taken first and watched last."""
    return town.granted(duration="1m")


# What is given.


def test_one_run_merges_issues_and_calls_the_reviewers(town: Village, brief: Emergency) -> None:
    assert town.is_merged(brief)
    record = town.record(brief.id)
    assert record["lane"] == "break-glass"
    assert record["approvals"] == []
    assert record["vault"]["tokenRole"] == "daypass-bg-orders-db-read-1m"
    message = town.message(brief.id, "issued")
    assert "Daypass-Lane: break-glass\n" in message
    assert "incident INC-7" in message
    issue = town.issue(brief)
    assert issue.state == "open"
    assert issue.title == "Break-glass: alice took read on orders-db (INC-7)"
    assert "@acme/security" in (issue.body or "")
    assert town.is_owed(brief)
    assert len(town.comments(brief.asked, "delivery")) == 1
    assert len(town.live_tokens(brief.id)) == 1


def test_a_webhook_that_was_away_hears_later_whose_review_is_owed(town: Village) -> None:
    """Once each, though the issue that calls for it stands already."""
    with hooked(town.box) as hook:
        hook.status = 503
        taken = town.take("bob")
        done = town.apply("workflow_dispatch")
        assert done.code == 5, done.said
        assert town.events(taken.id) == ["issued"], "nobody in need waits for a webhook"
        assert town.issue(taken).state == "open"
        hook.status, hook.heard = 200, []
        done = town.apply("schedule")
        assert done.code == 0, done.said
        (heard,) = hook.heard
        assert heard["text"].startswith("Break-glass: bob took read on orders-db (INC-7) (#")
        assert town.apply("schedule").code == 0
        assert len(hook.heard) == 1
        assert hook.forged == 0


def test_its_holder_works_with_it(town: Village, brief: Emergency) -> None:
    credential = town.credential(brief.asked)["credential"]
    with town.log_in(credential) as session:
        assert session.execute("select count(*) from orders").fetchone() == (3,)


def test_a_run_that_finds_nothing_to_do_changes_nothing(town: Village, brief: Emergency) -> None:
    assert brief
    before, issues = town.head(), len(town.box.repository.issues)
    again = town.apply("schedule")
    assert again.json()["done"] == []
    assert (town.head(), len(town.box.repository.issues)) == (before, issues)


def test_status_keeps_it_apart(town: Village, brief: Emergency) -> None:
    rows = acting.daypass(town.box.person("dave"), "status", "--format", "json").json()
    mine = [row for row in rows if row["grant"] == brief.id]
    assert {row["lane"] for row in mine} == {"break-glass"}
    assert {row["state"] for row in mine} == {"active", "review-due"}
    text = acting.daypass(town.box.person("dave"), "status").stdout
    assert "active (break-glass)" in text
    assert "review due until" in text
    log = acting.daypass(town.box.person("dave"), "audit", "log", "--format", "text").stdout
    assert "  break-glass  " in log


def test_a_drill_goes_the_whole_way_and_says_so(town: Village) -> None:
    taken = town.granted("bob", "drill", "orders-db", "read")
    record = town.record(taken.id)
    lasts = Instant.parse(record["notAfter"]).since(Instant.parse(record["notBefore"]))
    assert lasts == 60
    assert "Daypass-Lane: break-glass-drill\n" in town.message(taken.id, "issued")
    assert town.issue(taken).title.startswith("Drill: bob took")
    assert town.is_owed(taken)


def test_vault_itself_caps_the_lane_at_an_hour(town: Village) -> None:
    client = town.box.bao.client
    for role in client.list("auth/token/roles"):
        if role.startswith("daypass-bg-"):
            found = client.read(f"auth/token/roles/{role}") or {}
            assert 0 < found["data"]["token_explicit_max_ttl"] <= 3600
            assert found["data"]["allowed_policies"] == [role]
    assert "daypass-bg-orders-db-read-8h" not in client.list("auth/token/roles")


# What is not.


def test_the_command_says_at_once_what_cannot_be(town: Village) -> None:
    too_long = town.type("alice", "orders-db", "read", "--duration", "2h")
    assert too_long.code == 3
    assert "an hour at the most" in too_long.stderr
    nothing = town.type("alice", "order-db", "read")
    assert nothing.code == 3
    assert "orders-db" in nothing.stderr
    lunch = acting.daypass(
        town.box.person("alice"),
        *("break-glass", "orders-db", "read", "--incident", "lunch", "--reason", "I am hungry"),
    )
    assert lunch.code == 3
    assert "no incident" in lunch.stderr


@pytest.mark.parametrize(
    ("name", "by", "spec", "why"),
    [
        ("not-an-invoker", "mallory", {}, "mallory is no invoker"),
        ("for-somebody-else", "alice", {"subject": "bob"}, "each for themselves"),
        ("over-an-hour", "alice", {"duration": "61m"}, "the form of `Duration`"),
        ("over-an-hour-in-hours", "alice", {"duration": "2h"}, "the form of `Duration`"),
        ("no-incident", "alice", {"incident": "lunch"}, "no incident"),
        ("a-long-drill", "alice", {"drill": True, "duration": "30m"}, "a drill lasts 1m"),
        ("no-policy", "bob", {"resource": "ledger-db"}, "no permit policy"),
    ],
)
def test_it_is_refused_before_it_is_merged(
    town: Village, name: str, by: str, spec: dict[str, Any], why: str
) -> None:
    taken = town.propose(name, by=by, **spec)
    done = town.apply()
    assert done.code == 0, done.said
    assert not town.is_merged(taken)
    assert not town.is_open(taken)
    assert town.events(name) == ["denied"]
    message = town.message(name, "denied")
    assert why in message
    assert "Daypass-Lane: break-glass\n" in message
    assert why in town.said(taken)
    assert town.live_tokens(name) == []
    assert not town.is_owed(taken)


def test_what_was_refused_before_its_merge_is_explained(town: Village) -> None:
    """Its request is nowhere on main: its event is."""
    auditor = town.box.person("dave")
    auditor.git("pull", "-q", "--ff-only")
    told = acting.daypass(auditor, "explain", "no-policy")
    assert told.code == 0, told.said
    assert "deny at" in told.stdout
    assert "no permit policy that is in force is about this request" in told.stdout
    missing = acting.daypass(auditor, "explain", "no-polcy")
    assert missing.code == 2
    assert "did you mean `no-policy`?" in missing.stderr


def test_a_pull_request_that_mixes_lanes_is_turned_away(town: Village) -> None:
    beside = {"routine": request("beside"), "policy": {"access/policies/x.yaml": b"x"}}
    for name, files in beside.items():
        taken = town.propose(f"mixed-{name}", beside=files)
        assert town.apply().code == 0
        assert not town.is_merged(taken)
        assert not town.is_open(taken)
        assert "change nothing else" in town.said(taken)
        assert town.events(taken.id) == []


def test_what_somebody_else_pushed_to_is_turned_away(town: Village) -> None:
    taken = town.propose("pushed-to")
    bob = town.box.person("bob")
    bob.git("fetch", "-q", "origin")
    branch = "break-glass/pushed-to"
    bob.propose("pushed-copy", emergency("pushed-to", access="admin"), "x", onto=f"origin/{branch}")
    bob.git("push", "-q", "origin", f"refs/box/pushed-copy:refs/heads/{branch}")
    assert town.apply().code == 0
    assert not town.is_merged(taken)
    assert "pushed to it" in town.said(taken)
    assert town.live_tokens(taken.id) == []


def test_what_a_person_merged_is_refused_and_alarms(town: Village) -> None:
    taken = town.propose("merged-by-hand")
    town.box.person("carol").merge(taken.number)
    done = town.apply()
    assert done.code == 5
    assert "only daypass merges an emergency" in done.said
    assert town.events(taken.id) == ["denied"]
    assert "Daypass-Reason: unproven" in town.message(taken.id, "denied")
    assert f"access/break-glass/{taken.id}.yaml" not in town.files()
    assert town.live_tokens(taken.id) == []
    assert not town.is_owed(taken)
    town.apply()


def test_a_file_pushed_straight_to_main_is_refused(town: Village) -> None:
    town.push_straight(emergency("straight"))
    done = town.refuse()
    assert done.code == 5
    assert town.events("straight") == ["denied"]
    assert town.live_tokens("straight") == []


def test_a_branch_of_another_name_is_not_looked_at(town: Village) -> None:
    alice = town.box.person("alice")
    number = alice.propose("quiet", emergency("quiet"), "Quietly")
    done = town.apply().json()["done"]
    assert "quiet" not in {line["grant"] for line in done}
    taken = Emergency("quiet", number, alice)
    assert town.is_open(taken)
    alice.close(number)


def test_an_id_is_used_once_in_either_lane(town: Village) -> None:
    asked = town.grant("one-id", duration="1h")
    assert town.apply().code == 0
    taken = town.propose("one-id")
    assert town.apply().code == 0
    assert not town.is_merged(taken)
    assert "used before" in town.said(taken)
    assert len(town.live_tokens(asked.id)) == 1
    # And one that came to main all the same ends nothing and gives nothing.
    town.push_straight(emergency("one-id"))
    town.apply()
    assert len(town.live_tokens(asked.id)) == 1
    town.delete("one-id")
    town.apply()
    assert town.live_tokens("one-id") == []
    assert not {path for path in town.files() if "one-id" in path}


# What is owed.


@pytest.fixture(scope="module")
def owed(town: Village) -> Emergency:
    """One that is over, and not reviewed; carol was too early."""
    taken = town.granted("bob")
    said = len(taken.who.comments(taken.number))
    early = town.review(taken, "carol")
    assert early.code == 4
    ends = town.record(taken.id)["notAfter"]
    assert f"a review counts from {ends} on" in early.stderr
    assert early.stdout == ""
    assert len(taken.who.comments(taken.number)) == said
    town.box.person("carol").comment(taken.number, f"/review {taken.id}\n\nLooks fine already")
    town.end(taken)
    return taken


def test_the_end_leaves_what_is_owed(town: Village, owed: Emergency) -> None:
    assert town.events(owed.id)[:2] == ["issued", "revoked"]
    assert town.live_tokens(owed.id) == []
    assert town.is_owed(owed)
    assert town.issue(owed).state == "open"
    assert not {path for path in town.files() if owed.id in path} - {
        f"access/obligations/{owed.id}.json"
    }


def test_a_review_before_the_end_does_not_count(town: Village, owed: Emergency) -> None:
    town.apply()
    assert town.is_owed(owed)
    assert "before the access had ended" in town.said(owed)


@pytest.mark.parametrize(
    ("by", "why"),
    [
        ("bob", "took the emergency lane"),
        ("alice", "belongs to none of the reviewing groups"),
        ("mallory", "belongs to none of the reviewing groups"),
    ],
)
def test_who_was_involved_or_is_no_reviewer_does_not_count(
    town: Village, owed: Emergency, by: str, why: str
) -> None:
    town.box.person(by).comment(owed.number, f"/review {owed.id}")
    assert town.apply().code == 0
    assert town.is_owed(owed)
    assert why in town.said(owed)
    count = len(owed.who.comments(owed.number))
    town.apply()
    assert len(owed.who.comments(owed.number)) == count  # answered once


def test_a_comment_that_was_edited_does_not_count(town: Village, owed: Emergency) -> None:
    dave = town.box.person("dave")
    number = dave.comment(owed.number, "I am looking into it")
    time.sleep(1.1)
    path = f"/repos/{town.box.repository.full_name}/issues/comments/{number}"
    town.box.person("mallory").api("PATCH", path, {"body": f"/review {owed.id}"})
    town.apply()
    assert town.is_owed(owed)
    assert "was edited" in town.said(owed)


def test_the_command_refuses_who_took_it(town: Village, owed: Emergency) -> None:
    done = town.review(owed, "bob")
    assert done.code == 2
    assert "somebody not involved" in done.stderr


def test_a_debt_is_not_paid_by_deleting_its_record(town: Village, owed: Emergency) -> None:
    path = f"access/obligations/{owed.id}.json"
    before = town.store.git("show", f"main:{path}")
    town.push_straight({path: None})
    waits = town.grant("waits-for-debt", duration="1h")
    done = town.apply()
    assert done.code == 5
    assert f"{path} was changed by hand" in done.json()["alarms"]
    assert town.store.git("show", f"main:{path}") == before
    assert town.live_tokens(waits.id) == []
    assert town.apply().code == 0
    assert len(town.live_tokens(waits.id)) == 1


def test_a_review_by_somebody_not_involved_closes_it(town: Village, owed: Emergency) -> None:
    done = town.review(owed, "carol")
    assert done.code == 0, done.said
    assert town.events(owed.id)[-1] == "reviewed"
    message = town.message(owed.id, "reviewed")
    assert f"Daypass-Approver: {town.box.person('carol').account.id} " in message
    assert not town.is_owed(owed)
    assert town.issue(owed).state == "closed"
    again = town.review(owed, "carol")
    assert again.code == 2
    assert "no review is owed" in again.stderr


def test_the_issue_stands_as_long_as_the_debt(town: Village) -> None:
    taken = town.granted()
    town.box.person("alice").close(town.issue(taken).number)
    assert town.apply().code == 0
    states = [item.state for item in town.issues(f"<!-- daypass:break-glass:{taken.id} -->")]
    assert states == ["closed", "open"]
    town.end(taken)
    town.review(taken)
    states = [item.state for item in town.issues(f"<!-- daypass:break-glass:{taken.id} -->")]
    assert states == ["closed", "closed"]


def test_an_overdue_review_blocks_its_invoker_in_both_lanes(town: Village) -> None:
    taken = town.take("carol")
    assert town.late_run().code == 0
    time.sleep(2.2)  # Vault tells whole seconds: a second more, and it is overdue by its clock
    path = f"access/break-glass/{taken.id}.yaml"
    taken.who.merge(taken.who.propose(f"end-{taken.id}", {path: None}, "It is over"))
    first = town.apply()
    assert first.code == 5
    assert f"the review of {taken.id}" in first.json()["alarms"][0]
    assert town.apply().code == 5
    assert town.events(taken.id) == ["issued", "revoked", "review-overdue"]
    assert town.apply().code == 5
    assert town.events(taken.id).count("review-overdue") == 1

    routine = town.grant("carol-next", by="carol", approvers=("bob",), duration="1h")
    lane = town.take("carol")
    other = town.grant("alice-next", approvers=("bob",), duration="1h")
    town.apply()
    assert town.events(routine.id) == ["denied"]
    assert f"the review of {taken.id} is overdue" in town.message(routine.id, "denied")
    assert town.events(lane.id) == ["denied"]
    assert not town.is_merged(lane)
    assert town.events(other.id) == ["issued"]
    text = acting.daypass(town.box.person("dave"), "status").stdout
    assert "review overdue since" in text
    assert "carol receives nothing" in text

    time.sleep(1.1)
    assert town.review(taken, "dave").code == 0
    assert town.events(taken.id)[-1] == "reviewed"
    again = town.grant("carol-again", by="carol", approvers=("bob",), duration="1h")
    assert town.apply().code == 0
    assert town.events(again.id) == ["issued"]


# What ends by itself.


def test_at_its_time_it_ends_by_itself_and_leaves_what_is_owed(
    town: Village, brief: Emergency
) -> None:
    end = Instant.parse(town.message(brief.id, "issued").partition("Not-After: ")[2].split()[0])
    time.sleep(max(0.0, end.nanoseconds / 1e9 + 1 - time.time()))
    done = town.apply("schedule")
    assert done.code == 0, done.said
    assert town.events(brief.id) == ["issued", "expired"]
    assert town.live_tokens(brief.id) == []
    assert town.is_owed(brief)
    assert town.issue(brief).state == "open"


def test_the_evidence_holds(town: Village) -> None:
    done = town.verify()
    assert done.code == 0, done.said
    report = done.json()
    assert report["verdict"] == "holds"
    assert {fault["code"] for fault in report["faults"]} == {"record-edit"}
