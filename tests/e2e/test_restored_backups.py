"""Restored backups: main, Vault or both put back. Each drill of docs/operations.md is played."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from daypass.model.instant import Instant
from daypass.sandbox.organisation import request
from support import acting
from support.backups import note, restore_vault, vault_snapshot
from support.doc_pages import blocks
from support.looks import look_no_more

if TYPE_CHECKING:
    from daypass.sandbox.box import Box

LOST = re.compile(r"it lacks ([0-9a-f]{40})")
FORGOT = re.compile(r"does not know the epoch of ([0-9a-f]{40})")


class Town:
    """A box, and an operator's clone of its repository that is older than any disaster."""

    def __init__(self, box: Box, home: Path) -> None:
        self.box, self.clone = box, home / "clone"
        self.git("clone", "-q", self.store.path.as_uri(), str(self.clone), directory=home)
        self.shell = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(home),
            "VAULT_ADDR": box.bao.address,
            "VAULT_TOKEN": box.bao.root_token.reveal(),
            "GIT_CONFIG_NOSYSTEM": "1",
        }

    @property
    def store(self) -> Any:
        return self.box.repository.store

    def git(self, *words: str, directory: Path | None = None) -> str:
        done = subprocess.run(
            ["git", *words],
            check=True,
            cwd=directory or self.clone,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def head(self) -> str:
        return str(self.store.git("rev-parse", "main")).strip()

    def put_main_back(self, commit: str) -> None:
        self.store.git("update-ref", "refs/heads/main", commit)

    def merge(self, name: str, files: dict[str, str | None]) -> None:
        number = self.box.person("alice").propose(name, files, f"Access: {name}")
        self.box.person("bob").approve(number)
        self.box.person("carol").merge(number)

    def ask(self, *names: str) -> None:
        for name in names:
            self.merge(name, request(name))

    def delete(self, name: str) -> None:
        self.merge(f"no-{name}", {f"access/requests/{name}.yaml": None})

    def apply(self, code: int = 0) -> dict[str, Any]:
        done = acting.apply(self.box)
        assert done.code == code, done.said
        found: dict[str, Any] = done.json()
        return found

    def tokens(self) -> set[str]:
        """The grants of which a token lives."""
        client, found = self.box.bao.client, set()
        for accessor in client.list("auth/token/accessors"):
            data = client.write("auth/token/lookup-accessor", {"accessor": accessor})["data"]
            found.add((data.get("meta") or {}).get("daypass_grant"))
        return found - {None}

    def events(self) -> list[tuple[str, str, str]]:
        """Kind, grant and reason, oldest first."""
        names = ("Event", "Grant", "Reason")
        form = "|".join(f"%(trailers:key=Daypass-{name},valueonly,separator=)" for name in names)
        lines = str(self.store.git("log", "--reverse", f"--format={form}", "main")).splitlines()
        rows = [tuple(line.split("|")) for line in lines if not line.startswith("|")]
        return [(kind, grant, reason) for kind, grant, reason in rows]

    def drill(self, word: str, code: int = 0, **values: str) -> str:
        """Type a block of docs/operations.md, with these values for those that it names."""
        (block,) = [item for item in blocks("sh") if item.words == (word,)]
        script = block.text
        for name, value in values.items():
            line = re.compile(rf"^{name}=[0-9a-z-]+", re.MULTILINE)
            script, count = line.subn(f"{name}={value}", script)
            if not count:
                script = f"{name}={value}\n{script}"
        return self.type(script, code)

    def type(self, script: str, code: int = 0) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            check=False,
            cwd=self.clone,
            capture_output=True,
            text=True,
            env=self.shell,
        )
        assert done.returncode == code, f"{script}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def verify(self, code: int = 0) -> dict[str, Any]:
        alice = self.box.person("alice")
        alice.git("fetch", "-q")
        alice.git("reset", "-q", "--hard", "origin/main")
        words = ("--fingerprint", self.box.evidence_fingerprint, "--format", "json", "--no-cache")
        done = acting.daypass(alice, "audit", "verify", *words)
        assert done.code == code, done.said
        found: dict[str, Any] = done.json()
        return found


@pytest.fixture
def town(fresh_box: Box, tmp_path: Path) -> Town:
    return Town(fresh_box, tmp_path)


def issues(town: Town) -> set[str]:
    """The causes of the alarms that stand."""
    found = set()
    for issue in town.box.repository.issues.values():
        match = re.match(r"<!-- daypass:alarm:(.+) -->", issue.body)
        if match and issue.state == "open":
            found.add(match[1])
    return found


def put_back(town: Town) -> tuple[str, str]:
    """Two grants, then main's state is kept; one of them ends and two more come, and it is back."""
    town.ask("a-old", "a-kept")
    town.apply()
    old = town.head()
    town.delete("a-old")
    town.ask("b-one", "b-two")
    town.apply()
    town.git("fetch", "-q")
    new = town.head()
    town.put_main_back(old)
    return old, new


def test_a_main_that_was_put_back_forgets_nothing(town: Town) -> None:
    old, new = put_back(town)
    before, told = note(town.box, "tip"), town.events()
    for _ in range(2):
        (alarm,) = town.apply(5)["alarms"]
        assert LOST.findall(alarm) == [new]
        assert f"`git push --force-with-lease origin {new}:main`" in alarm
        assert town.head() == old
        assert note(town.box, "tip") == before
        assert town.tokens() == {"a-kept", "b-one", "b-two"}
        assert issues(town) == {"main-rolled-back"}
    said = town.type("daypass doctor", 1)
    assert "main-rolled-back: main was put back to an older state" in said
    assert f"`git push --force-with-lease origin {new}:main`" in said
    # What people end still ends; the evidence of it follows.
    town.delete("a-kept")
    town.ask("c-late")
    assert [row["what"] for row in town.apply(5)["done"]] == ["ended"]
    assert town.tokens() == {"b-one", "b-two"}
    assert note(town.box, "tip") == before
    town.drill("drill-main", LOST=new)
    town.apply()
    assert issues(town) == set()
    assert town.events() == [
        *told,
        ("revoked", "a-old", "request-deleted"),
        ("issued", "b-one", ""),
        ("issued", "b-two", ""),
        ("revoked", "a-kept", "revoked-by-hand"),
    ]
    assert town.tokens() == {"b-one", "b-two"}
    assert town.verify()["verdict"] == "holds"


def test_a_loss_that_is_given_up_is_told_and_ends_what_was_lost(town: Town) -> None:
    old, new = put_back(town)
    town.apply(5)
    wrong = town.type(f"daypass vault accept-loss {old}", 2)
    assert f"daypass vault accept-loss {new}" in wrong
    assert "--trust" in town.type(f"daypass vault accept-loss {new}", 2)
    assert note(town.box, "tip")["sequence"] == 5
    town.drill("drill-main-lost", LOST=new)
    town.apply(5)
    assert town.tokens() == {"a-kept"}
    assert [(kind, reason) for kind, _, reason in town.events()[2:]] == [
        ("drift", "loss-accepted"),
        ("revoked", "vanished"),
        ("drift", "orphan"),
        ("drift", "orphan"),
    ]
    (gap,) = town.verify(6)["faults"]
    assert (gap["code"], gap["message"]) == (
        "sequence-gap",
        "events 3 to 5 are missing before number 6",
    )
    town.ask("c-new")
    assert [row["grant"] for row in town.apply()["done"] if row["what"] == "issued"] == ["c-new"]
    assert "main-rolled-back" not in issues(town)


def test_what_a_vault_that_was_put_back_forgot_fails_to_end_until_it_is_locked_out(
    town: Town,
) -> None:
    """Where the target is looked at: what still works there is not called revoked."""
    snapshot = vault_snapshot(town.box)
    town.ask("b-lives")
    town.apply()
    newest = town.head()
    restore_vault(town.box, snapshot)
    found = town.apply(5)
    assert ("revoke-failed", "b-lives", "vault-restored") in town.events()
    (name,) = re.findall(r'ALTER ROLE "(g-b-lives-[^"]+)" NOLOGIN', "\n".join(found["alarms"]))
    with town.box.postgres.connect() as connection:
        connection.execute(f'ALTER ROLE "{name}" NOLOGIN')
    town.apply(5)  # the restored Vault alarms until a person has acted
    assert town.events()[-1] == ("revoked", "b-lives", "vault-restored")
    body = str(town.store.git("log", "-1", "--format=%B", "main"))
    assert "Daypass-Confirmed: credential,sessions\n" in body
    assert "Daypass-Usable-Until" not in body
    assert name not in town.box.postgres.roles()
    town.drill("drill-vault-accept", FORGOT=newest)
    assert town.apply()["alarms"] == []


def test_a_vault_that_was_put_back_names_what_it_forgot(town: Town) -> None:
    """Where no role looks at the target: nothing but the records and the tiers tells."""
    box = town.box
    look_no_more(box)
    town.git("pull", "-q", "--ff-only")
    town.ask("a-ended", "a-kept")
    town.apply()
    snapshot = vault_snapshot(box)
    town.delete("a-ended")
    town.ask("b-gone", "b-lives")
    town.apply()
    town.delete("b-gone")
    town.apply()
    claimed = acting.daypass(box.person("alice"), "claim", "b-lives", "--format", "json")
    assert claimed.code == 0, claimed.said
    credential = claimed.json()["credential"]
    newest, was = town.head(), town.events()
    restore_vault(box, snapshot)
    assert town.tokens() == {"a-ended", "a-kept"}
    found = town.apply(5)
    assert [FORGOT.findall(text) for text in found["alarms"] if "restored from a" in text] == [
        [newest]
    ]
    assert town.tokens() == {"a-kept"}
    assert town.events() == [
        *was,
        ("revoked", "b-lives", "vault-restored"),
        ("drift", "", "orphan"),
    ]
    body = str(box.repository.store.git("log", "-1", "--format=%B", "main~1"))
    until = re.findall(r"^Daypass-Usable-Until: (.*)$", body, re.MULTILINE)[0]
    asked = "SELECT rolvaliduntil FROM pg_roles WHERE rolname = %s"
    with box.postgres.connect() as connection:
        ((end,),) = connection.execute(asked, (credential["username"],)).fetchall()
    assert 0 <= Instant.parse(until).seconds - end.timestamp() < 60
    # The alarm stands, and nothing is granted, until a person has acted.
    town.ask("c-new")
    assert town.apply(5)["done"] == []
    assert "vault-restored" in issues(town)
    said = town.drill("drill-vault")
    assert said.count("b-lives") == 2, said
    assert said.count(f"alice may still log in until {until}: read on orders-db") == 2
    (block,) = [item for item in blocks("sql") if item.words == ("drill-lock-out",)]
    with box.postgres.connect() as connection:
        connection.execute(block.text.replace("alice-orders-7f3k", "b-lives").encode())
    where = {"host": box.postgres.host, "port": box.postgres.port, "dbname": box.postgres.database}
    login = {"user": credential["username"], "password": credential["password"]}
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(**where, **login)
    town.drill("drill-vault-accept", FORGOT=newest)
    # An id that this Vault never knew is used once all the same.
    town.merge("again", request("b-gone"))
    done = {(row["what"], row["grant"]) for row in town.apply()["done"]}
    assert {("issued", "c-new"), ("denied", "b-gone")} <= done
    assert ("denied", "b-gone", "id-reused") in town.events()
    assert "vault-restored" not in issues(town)
    assert town.verify()["verdict"] == "holds"


def test_when_both_were_put_back_an_anchor_tells(town: Town) -> None:
    look_no_more(town.box)
    town.ask("a-kept")
    town.apply()
    old, snapshot = town.head(), vault_snapshot(town.box)
    town.ask("b-one")
    town.apply()
    newest = town.head()
    town.git("pull", "-q", "--ff-only")
    town.type("daypass audit anchor && git push -q origin daypass-evidence-000000002")
    town.put_main_back(old)
    restore_vault(town.box, snapshot)
    # A tag that the evidence key did not sign tells nothing, and many hide nothing.
    author = ("-c", "user.name=mallory", "-c", "user.email=mallory@example.com")
    theirs = town.git(*author, "commit-tree", f"{old}^{{tree}}", "-p", old, "-m", "Not main's")
    town.git("push", "-q", "origin", f"{theirs}:refs/tags/daypass-evidence-999999999")
    for number in range(100, 310):
        town.store.git("update-ref", f"refs/tags/daypass-evidence-999999{number}", theirs)
    for _ in range(2):
        alarms = town.apply(5)["alarms"]
        assert [LOST.findall(text) for text in alarms] == [[newest], []]
        assert issues(town) == {"main-rolled-back", "vault-restored"}
        assert town.head() == old
        (tag,) = re.findall(r"signed tag (daypass-evidence-[0-9]+)", alarms[0])
    town.git("tag", "-d", tag)
    for name, lost in (("daypass-evidence-999999999", theirs), (tag, old)):
        town.drill("drill-both", 1, LOST=lost, TAG=name)  # unsigned; or another commit's
    assert 'Good "git" signature' in town.drill("drill-both", LOST=newest, TAG=tag)
    assert town.head() == old
    # What an anchor told is known without it, until a person has acted.
    town.store.git("update-ref", "-d", f"refs/tags/{tag}")
    assert [LOST.findall(text) for text in town.apply(5)["alarms"]] == [[newest], []]
    town.drill("drill-main", LOST=newest)
    assert town.head() == newest
    town.apply(5)
    assert town.events()[-1] == ("revoked", "b-one", "vault-restored")
    town.drill("drill-vault-accept", FORGOT=newest)
    assert town.apply()["alarms"] == []
    assert town.verify()["verdict"] == "holds"
