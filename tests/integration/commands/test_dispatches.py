"""Dispatched commands: who may halt, many at once, and what a forged run comes to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import psycopg
import pytest
from command_runs import grant_all

from support.village import Village

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from command_runs import Commands

    from support.town import Asked

pytestmark = pytest.mark.integration
MANY = [f"many-{number:02}" for number in range(20)]


@pytest.fixture(scope="module")
def granted(commands: Commands) -> dict[str, Asked]:
    others = grant_all(commands.town, ["by-dave"], by="dave", access="admin")
    return {**grant_all(commands.town, MANY), **others}


@pytest.fixture(scope="module")
def sessions(
    commands: Commands, granted: dict[str, Asked]
) -> Iterator[dict[str, psycopg.Connection[Any]]]:
    town = commands.town
    opened = {
        name: town.log_in(town.credential(granted[name])["credential"])
        for name in (*MANY[:3], "by-dave")
    }
    yield opened
    for session in opened.values():
        session.close()


def answers(run: Any) -> dict[str, str]:
    return {item["grant"]: item["result"] for item in json.loads(run.stdout)["answers"]}


@pytest.mark.parametrize(
    ("who", "command", "code"),
    [
        ("alice", "halt --type human", 4),
        ("bob", "halt --subject alice", 4),  # a dba: approves grants, and owns no foundation
        ("mallory", "halt --resource orders-db", 4),
        ("mallory", "revoke many-00", 4),
        ("carol", "revoke no-such-grant", 4),
        ("carol", "halt --all", 2),
        ("carol", "halt --subject $(touch hacked)", 2),
        ("carol", "done many-00", 2),
        ("carol", "halt --type agent", 0),  # there is none
        ("carol", "halt --resource ledger-db", 0),
    ],
)
def test_what_does_not_count_or_aims_at_nothing_ends_nothing(
    who: str, command: str, code: int, commands: Commands, granted: dict[str, Asked]
) -> None:
    run = commands.dispatch(who, command)
    assert run.code == code, run.said
    assert "$(" not in run.said
    assert commands.intents() == {}
    assert len(commands.town.live_tokens(MANY[0])) == 1
    assert granted


def test_a_run_that_somebody_starts_again_is_not_its_first_actors_word(
    commands: Commands, granted: dict[str, Asked]
) -> None:
    """Anybody with write access may re-run; GitHub goes on to name carol as the actor."""
    run = commands.dispatch("carol", "halt --type human", attempt=2)
    assert run.code == 1
    assert "started again" in run.stderr
    assert commands.intents() == {}
    assert granted


def test_the_event_file_must_be_of_the_event_that_github_vouches_for(
    commands: Commands, granted: dict[str, Asked]
) -> None:
    """A comment's run, whose event file says that it was dispatched; and the other way round."""
    carol = commands.box.accounts["carol"]
    dispatch = {"inputs": {"command": "halt --type human"}}
    run = commands._run("issue_comment", dispatch, carol, 1)
    assert run.code == 1
    assert "issue_comment" in run.stderr
    comment = {
        "issue": {"number": granted[MANY[0]].number, "pull_request": {}},
        "comment": {"id": 1, "body": "/done"},
    }
    assert commands._run("workflow_dispatch", comment, carol, 1).code == 1
    assert commands.intents() == {}


def test_somebody_of_the_resource_revokes_by_dispatch(
    commands: Commands,
    granted: dict[str, Asked],
    sessions: dict[str, psycopg.Connection[Any]],
) -> None:
    assert granted
    run = commands.dispatch("bob", "revoke by-dave")
    assert run.code == 0, run.said
    assert answers(run) == {"by-dave": "ending"}
    with pytest.raises(psycopg.OperationalError):
        sessions["by-dave"].execute("select 1")


def test_twenty_grants_are_halted_in_one_run(
    commands: Commands,
    granted: dict[str, Asked],
    sessions: dict[str, psycopg.Connection[Any]],
) -> None:
    town = commands.town
    bystander = grant_all(town, ["bystander"], by="dave")
    run = commands.dispatch("dave", "halt --subject alice")
    assert run.code == 0, run.said
    assert answers(run) == dict.fromkeys(MANY, "ending")
    for name in MANY[:3]:
        with pytest.raises(psycopg.OperationalError):
            sessions[name].execute("select 1")
    noted = commands.intents()
    assert {noted[name]["kind"] for name in MANY} == {"halt"}
    assert {noted[name]["accountId"] for name in MANY} == {commands.box.accounts["dave"].id}
    assert not [name for _, name in town.tokens() if name in granted]
    assert len(town.live_tokens("bystander")) == 1

    done = town.apply("schedule", "--max", "0")  # what people meant is never counted
    assert done.code == 0, done.said
    for name in MANY:
        assert "Daypass-Reason: halt" in town.message(name, "revoked")
    assert town.events("bystander") == ["issued"]
    assert commands.intents() == {}
    assert not [name for name in commands.box.postgres.roles() if "many-" in name]
    assert town.verify().code == 0
    assert bystander


@pytest.mark.parametrize("aim", ["type human", "resource orders-db"])
def test_a_halt_goes_by_type_and_by_resource(aim: str, commands: Commands) -> None:
    name = f"by-{aim.partition(' ')[0]}"
    grant_all(commands.town, [name])
    run = commands.dispatch("carol", f"halt --{aim}")
    assert answers(run)[name] == "ending"
    assert not commands.town.live_tokens(name)
    assert answers(commands.dispatch("carol", f"halt --{aim}"))[name] == "ending"  # twice
    assert commands.town.apply().code == 0


def test_a_halt_refuses_what_was_merged_before_it_and_is_not_issued_yet(commands: Commands) -> None:
    town = commands.town
    late = town.ask("too-late")
    town.merge(late)
    run = commands.dispatch("carol", "halt --resource orders-db")
    assert run.code == 0, run.said
    assert answers(run)["too-late"] == "noted"
    done = town.apply()
    assert done.code == 0, done.said
    assert town.events("too-late") == ["denied"]
    assert "Daypass-Reason: halt" in town.message("too-late", "denied")
    assert not town.live_tokens("too-late")
    town.apply()
    assert commands.intents() == {}


def test_a_halt_refuses_emergencies_that_were_open_before_it(commands: Commands) -> None:
    """Nobody but daypass merges them, so that nobody could think again. What comes later may."""
    village, box = Village(commands.box), commands.box
    before = village.propose("before-it", by="bob")
    beside = village.propose("beside-it", by="alice")
    run = commands.dispatch("carol", "halt --subject bob")
    assert run.code == 0, run.said
    assert answers(run) == {"before-it": "noted"}

    # A run that cannot see whether it is open keeps the word; so does one that is to act elsewhere.
    box.github.fail_next("GET", r"/pulls(\?|$)", 502, 200)
    assert village.apply("schedule").code == 5
    box.github.heal()
    assert village.apply("schedule", "--only", beside.id).code == 0
    assert set(commands.intents()) == {before.id}
    assert village.is_open(before)
    assert village.events(beside.id) == ["issued"]

    after = village.propose("after-it", by="bob")
    done = village.apply()
    assert done.code == 0, done.said
    assert village.events(before.id) == ["denied"]
    assert "Daypass-Reason: halt" in village.message(before.id, "denied")
    assert "ended before it began" in village.said(before)
    assert not village.is_open(before)
    assert not village.is_merged(before)
    assert village.live_tokens(before.id) == []
    assert village.events(after.id) == ["issued"]
    assert commands.intents() == {}
    assert village.verify().code == 0


def test_a_halt_that_cannot_see_the_open_emergencies_ends_what_lives_and_says_so(
    commands: Commands,
) -> None:
    grant_all(commands.town, ["lives-on"])
    commands.box.github.fail_next("GET", r"/pulls(\?|$)", 502, 200)
    run = commands.dispatch("carol", "halt --resource orders-db")
    commands.box.github.heal()
    assert run.code == 5, run.said
    assert answers(run)["lives-on"] == "ending"
    assert "may begin" in run.said
    assert commands.town.live_tokens("lives-on") == []
    assert commands.town.apply().code == 0


def test_an_open_emergency_that_cannot_be_read_does_not_hide_the_others(
    commands: Commands,
) -> None:
    """Else whoever opens one, and pushes to it again and again, keeps a halt from all of them."""
    village = Village(commands.box)
    hidden = village.propose("hidden", by="bob")
    seen = village.propose("seen", by="bob")
    commands.box.github.fail_next("GET", rf"/pulls/{hidden.number}(\?|/|$)", 502, 200)
    run = commands.dispatch("carol", "halt --subject bob")
    commands.box.github.heal()
    assert run.code == 5, run.said
    assert answers(run)[seen.id] == "noted"
    assert f"#{hidden.number} may begin" in run.said


def test_an_id_that_a_run_is_to_act_on_alone_is_known_or_named(commands: Commands) -> None:
    done = commands.town.apply("schedule", "--only", "before-ti")
    assert done.code == 2, done.said
    assert "main has no request and no grant of that id" in done.stderr
    assert "did you mean `before-it`?" in done.stderr
    assert commands.town.apply("schedule", "--only", "before-it").code == 0
