"""`daypass request`, as a person types it: the pull request that it opens, and what it refuses."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support import acting
from support.town import Asked, Town

if TYPE_CHECKING:
    from pathlib import Path

    from daypass.sandbox.box import Box
    from support.acting import Done

pytestmark = pytest.mark.integration
WHY = ("--duration", "1h", "--reason", "Orders stuck: since yesterday's @deploy #12")


@pytest.fixture(scope="module")
def town(box: Box) -> Town:
    return Town(box)


def ask(town: Town, who: str, *words: str, **more: str) -> Done:
    return acting.daypass(town.box.person(who), "request", *words, **more)


def branches(town: Town) -> str:
    return town.store.git("for-each-ref", "--format=%(refname)", "refs/heads/request")


def test_it_opens_a_pull_request_that_is_granted_when_approved(town: Town) -> None:
    done = ask(town, "alice", "orders-db", "read", *WHY, "--ticket", "OPS-7", "--format", "json")
    assert done.code == 0, done.said
    found = done.json()
    assert found["forecast"]["stillNeeded"] == ["needs 1 approval from dba: bob, carol can approve"]
    asked = Asked(found["grant"], found["pullRequest"], town.box.person("alice"))
    subject = town.store.git("log", "-1", "--format=%s by %an", f"request/{asked.id}")
    assert subject.strip() == "Access: read on orders-db for alice by alice"
    assert found["file"] == f"access/requests/{asked.id}.yaml"
    town.merge(asked)
    assert town.apply().code == 0
    assert town.events(asked.id) == ["issued"]


def test_it_says_who_can_approve_and_how_to_claim(town: Town) -> None:
    done = ask(town, "alice", "orders-db", "read", *WHY, "--id", "alice-own-id")
    assert done.code == 0, done.said
    assert "alice-own-id: alice gets read on orders-db" in done.stdout
    assert "bob, carol can approve" in done.stdout
    assert "daypass claim alice-own-id" in done.stdout
    again = ask(town, "alice", "orders-db", "read", *WHY, "--id", "alice-own-id")
    assert again.code == 1
    assert "the branch request/alice-own-id could not be pushed" in again.stderr


def test_an_owner_asks_for_a_machine(town: Town) -> None:
    runs = ("--for", "orders-deployer", "--runs", "deploy: migrate", "--from", "acme/orders")
    done = ask(town, "alice", "orders-db", "read", *WHY, *runs, "--format", "json")
    assert done.code == 0, done.said
    request = done.json()["grant"]
    assert request.startswith("orders-deployer-orders-db-")
    text = town.store.git("show", f"request/{request}:access/requests/{request}.yaml")
    assert 'workload: {"runs": "deploy: migrate", "from": "acme/orders"}' in text


@pytest.mark.parametrize(
    ("who", "words", "code", "why"),
    [
        ("alice", ("order-db", "read", *WHY), 3, "did you mean `orders-db`?"),
        ("alice", ("orders-db", "write", *WHY), 3, "Its levels are read, admin"),
        ("alice", ("orders-db", "read", "--duration", "9d", "--reason", "why not"), 3, "longer"),
        ("alice", ("orders-db", "read", "--duration", "soon", "--reason", "why"), 3, "soon"),
        ("alice", ("orders-db", "read", *WHY, "--for", "bob"), 4, "cannot ask for bob"),
        ("mallory", ("orders-db", "read", *WHY, "--for", "orders-deployer"), 4, "cannot ask for"),
        ("bob", ("ledger-db", "read", *WHY), 4, "critical/ticket"),
        ("alice", ("orders-db", "read", "admin", *WHY), 2, "one word too many"),
        ("alice", ("orders-db", "read"), 2, "On a terminal you are asked"),
        ("alice", ("orders-db", "read", *WHY, "--runs", "x"), 2, "go together"),
        ("alice", ("orders-db", "read", *WHY, "--id", "../x"), 2, "cannot be an id"),
        ("alice", ("orders-db", "read", *WHY, "--not-before", "tomorrow"), 3, "tomorrow"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_pushed(
    town: Town, who: str, words: tuple[str, ...], code: int, why: str
) -> None:
    before = branches(town), len(town.box.repository.pulls)
    done = ask(town, who, *words)
    assert (done.code, "Traceback" in done.said) == (code, False), done.said
    assert why in done.stderr
    assert (branches(town), len(town.box.repository.pulls)) == before


@pytest.mark.parametrize(
    "words",
    [("-o", "upstream"), ("--filter=tree:0", "--no-checkout"), ("--filter=blob:none", "--sparse")],
    ids=" ".join,
)
def test_any_clone_serves_whatever_its_remote_is_called_and_whatever_it_lacks(
    town: Town, tmp_path: Path, words: tuple[str, ...]
) -> None:
    alice = town.box.person("alice")
    clone = tmp_path / "clone"
    alice.git("clone", "-q", *words, alice.git("remote", "get-url", "origin").strip(), str(clone))
    assert "serverUrl" in alice.git("-C", str(clone), "show", "HEAD:access/daypass.yaml")
    # what is missing is fetched with GH_TOKEN: git itself has no log-in
    theirs = acting.person_environment(alice)
    mine = {name: text for name, text in theirs.items() if not name.startswith("GIT_CONFIG_")}
    mine |= {"GIT_CONFIG_GLOBAL": os.devnull}
    name = clone.parent.name.lower().replace("_", "-")[:40]
    asked = ("request", "orders-db", "read", *WHY, "--id", f"alice-{name}")
    plan = ("plan", "--base", "HEAD")
    for command in (("status",), ("audit", "log"), ("audit", "verify"), plan, asked):
        done = acting.run((*acting.DAYPASS, *command), mine, directory=clone)
        assert done.code == 0, done.said
    assert f"request/alice-{name}" in branches(town)


def test_a_dead_token_is_the_persons_in_git_too(town: Town) -> None:
    done = acting.daypass(town.box.person("alice"), "status", GH_TOKEN="ghp_dead")
    assert done.code == 1
    assert "Your token, from GH_TOKEN, is wrong, expired or revoked" in done.stderr
    assert "App" not in done.stderr


def test_without_a_token_it_says_how_to_log_in(town: Town) -> None:
    done = ask(town, "alice", "orders-db", "read", *WHY, GH_TOKEN="", GITHUB_TOKEN="")
    assert done.code == 1
    assert "gh auth login" in done.stderr


def test_it_only_writes_the_file_when_told_so(town: Town) -> None:
    before = branches(town)
    words = ("orders-db", "read", *WHY, "--id", "alice-by-hand", "--write")
    done = ask(town, "alice", *words)
    assert done.code == 0, done.said
    clone = town.box.person("alice").clone
    path = clone / "access/requests/alice-by-hand.yaml"
    assert "written: access/requests/alice-by-hand.yaml" in done.stdout
    valid = acting.daypass(town.box.person("alice"), "validate", str(path))
    assert valid.code == 0, valid.said
    assert branches(town) == before
    again = ask(town, "alice", *words)
    assert again.code == 2
    assert "is there already" in again.stderr
    path.unlink()


def test_on_a_terminal_it_asks_for_what_is_missing(town: Town) -> None:
    alice = town.box.person("alice")
    code = (
        "import os, pty, sys\n"
        "answers = {b'resource?': b'orders-db\\n', b'level?': b'raed\\nread\\n',"
        " b'how long?': b'long\\n30m\\n', b'approve?': b'Orders are stuck\\n'}\n"
        "def read(fd):\n"
        "    data = os.read(fd, 4096)\n"
        "    for question in [name for name in answers if name in data]:\n"
        "        os.write(fd, answers.pop(question))\n"
        "    return data\n"
        "sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:], read)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *acting.DAYPASS, "request", "--id", "alice-by-form"],
        cwd=alice.clone,
        env=acting.person_environment(alice),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout
    assert "did you mean `read`?" in done.stdout
    assert "Write a number and m, h or d" in done.stdout
    text = town.store.git("show", "request/alice-by-form:access/requests/alice-by-form.yaml")
    assert 'duration: "30m"' in text
    assert 'reason: "Orders are stuck"' in text
