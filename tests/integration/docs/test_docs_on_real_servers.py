"""What the documents tell people to type, typed: on a real repository, OpenBao and PostgreSQL."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from daypass.errors import SandboxError
from daypass.model import postgresql, postgresql_look
from daypass.model.instant import Instant
from daypass.model.secret import Secret
from daypass.model.target import TargetReport
from daypass.sandbox.organisation import EVIDENCE_EMAIL, request
from support import acting, auditor
from support.doc_pages import Block, blocks, marked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daypass.sandbox.box import Box

pytestmark = pytest.mark.integration
GRANT = "alice-orders-7f3k"  # the one that the pages speak of
AUDITOR = [block for block in blocks("sh") if block.words == ("auditor",)]


def typed(script: str, environment: Mapping[str, str], directory: Path, *, code: int = 0) -> str:
    """What a script prints; it stops at the first command that fails."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        check=False,
        cwd=directory,
        capture_output=True,
        text=True,
        env=dict(environment),
    )
    assert done.returncode == code, f"{script}\n{done.stdout}{done.stderr}"
    return done.stdout


def operator(box: Box, home: Path) -> dict[str, str]:
    """An operator's shell: `bao`, logged in."""
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(home),
        "BAO_ADDR": box.bao.address,
        "BAO_TOKEN": box.bao.root_token.reveal(),
    }


def granted_permissions() -> dict[str, str]:
    """The table of the README, in GitHub's own words."""
    rows = [line.strip("|").split("|") for line in marked("README.md", "permissions").splitlines()]
    names = [(cells[0].strip(), cells[1].strip()) for cells in rows[2:] if len(cells) > 1]
    return {re.sub(r" \(.*\)", "", name).lower().replace(" ", "_"): level for name, level in names}


@pytest.fixture(scope="module")
def told(box: Box) -> dict[str, str]:
    """A history in which a grant was issued, another one denied, and both ended.

    The App holds the permissions that the README names, and no others.
    """
    held, box.github.app.permissions = box.github.app.permissions, granted_permissions()
    alice = box.person("alice")
    number = alice.propose(GRANT, request(GRANT), "Access to orders-db")
    box.person("bob").approve(number)
    box.person("bob").merge(number)
    ghost = request("alice-anew", renews="never-there")  # what only lacks approvals waits
    refused = alice.propose("alice-anew", ghost, "Access to orders-db")
    box.person("bob").merge(refused)
    first = acting.apply(box)
    assert first.code == 0, first.said
    alice.git("pull", "-q", "--ff-only")
    issued = alice.git("log", "-1", "--format=%cI", "--grep=^Daypass-Event: issued$").strip()
    time.sleep(1.1)
    done_with = {f"access/requests/{GRANT}.yaml": None}
    box.person("bob").merge(alice.propose("take-it-back", done_with, "Done"))
    last = acting.apply(box)
    assert last.code == 0, last.said
    box.github.app.permissions = held
    alice.git("pull", "-q", "--ff-only")
    environment = acting.person_environment(alice)
    typed(auditor.selection(box.evidence_fingerprint), environment, alice.clone)
    return {"issued": issued}


@pytest.mark.parametrize(
    "number", range(len(AUDITOR)), ids=[f"{block.page}-{n}" for n, block in enumerate(AUDITOR)]
)
def test_an_auditors_one_liners_find_what_they_say(
    box: Box, told: dict[str, str], number: int
) -> None:
    script = AUDITOR[number].text.replace("2026-11-23T10:00:00Z", told["issued"])
    alice = box.person("alice")
    said = typed(auditor.ASK + script, acting.person_environment(alice), alice.clone)
    looked_for = {
        "ssh-keygen -l": box.evidence_fingerprint,
        "key=Daypass-Ended-At,key=Daypass-Reason,unfold": "+00:00 Revert",
        f"awk '$1 == \"{GRANT}\"'": "Grant alice read on orders-db",
        "%n%(trailers:key=Daypass-Approver,unfold)": (
            f"issued {GRANT}\nDaypass-Approver: {box.accounts['bob'].id} "
        ),
        "cat-file blob": "kind: AccessRequest",
        '"denied"': "Daypass-Reason: policy",
        "access/policies": "Carol",
        "policy-changed": "",  # none has changed here: git takes the words
        "key=Daypass-Event,key=Daypass-Approver": "Daypass-Event: revoked",
        "/^break-glass/": "",  # none was taken here
    }
    wanted = [words for words in looked_for if words in script]
    assert wanted, f"nothing says what this should find: {script}"
    for words in wanted:
        assert looked_for[words] in said, said


def test_nobody_but_the_bot_claims_to_be_evidence(box: Box, told: dict[str, str]) -> None:
    assert told
    (block,) = [item for item in blocks("sh") if item.words == ("auditor-finds-nothing",)]
    alice = box.person("alice")
    environment = acting.person_environment(alice)
    assert typed(auditor.ASK + block.text, environment, alice.clone) == ""


def test_the_heartbeat_is_found(box: Box, told: dict[str, str], tmp_path: Path) -> None:
    assert told
    (block,) = [item for item in blocks("sh") if item.words == ("heartbeat",)]
    value = json.loads(typed(block.text, operator(box, tmp_path), tmp_path))["data"]["data"]
    assert value["at"] == value["goodAt"]
    assert value["head"] == box.repository.store.git("rev-parse", "main").strip()
    assert Instant.parse(value["at"])


def written(page: str, word: str) -> Block:
    (block,) = [item for item in blocks() if item.page == page and item.words == (word,)]
    return block


def test_a_database_is_set_up_as_the_page_says(fresh_box: Box, tmp_path: Path) -> None:
    """The SQL and the commands of docs/database.md, with this machine's host and other names."""
    box, postgres = fresh_box, fresh_box.postgres
    sql = written("docs/database.md", "vault-user").text
    renamed = re.sub(r"\bvault\b", "page_vault", sql).replace("orders_read", "page_read")
    with postgres.connect() as connection:
        for statement in renamed.split(";\n"):
            connection.execute(statement.encode())
    script = (
        written("docs/database.md", "database")
        .text.replace("orders.example.com:5432", f"{postgres.host}:{postgres.port}")
        .replace("sslmode=verify-full", "sslmode=disable")
        .replace('"username": "vault"', '"username": "page_vault"')
        .replace("orders_read", "page_read")
    )
    shell = operator(box, tmp_path)
    typed("bao secrets disable database", shell, tmp_path)
    typed(script, shell, tmp_path)
    read = "bao read -format=json database/creds/orders-ro-1h"
    answer = json.loads(typed(read, shell, tmp_path))
    assert answer["lease_duration"] == 3600
    credential = answer["data"]
    where = {"host": postgres.host, "port": postgres.port, "dbname": postgres.database}
    login = {"user": credential["username"], "password": credential["password"]}
    with psycopg.connect(**where, **login) as session:  # type: ignore[arg-type]  # strings and a port
        assert session.execute("SELECT count(*) FROM orders").fetchone()
        typed(f"bao lease revoke -sync {answer['lease_id']}", shell, tmp_path)
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
    assert credential["username"] not in postgres.roles()

    # The statements are those of the code, and the look makes no log-in.
    role = (box.bao.client.read("database/roles/orders-ro-1h") or {})["data"]
    assert tuple(role["creation_statements"]) == postgresql.creation("page_read")
    assert tuple(role["revocation_statements"]) == postgresql.REVOCATION
    assert tuple(role["rollback_statements"]) == postgresql.ROLLBACK
    looks = (box.bao.client.read("database/roles/orders-look") or {})["data"]
    assert tuple(looks["creation_statements"]) == postgresql_look.LOOK
    shown = typed(f"{read.replace('orders-ro-1h', 'orders-look')} 2>&1 || true", shell, tmp_path)
    report = TargetReport.find(shown.replace('\\"', '"'))
    assert report is not None
    assert (report.sees, report.ends, report.open, report.logins) == (True, True, (), ())


def test_what_a_holder_left_is_taken_over_as_the_page_says(fresh_box: Box) -> None:
    box, postgres = fresh_box, fresh_box.postgres
    made = box.bao.client.read("database/creds/orders-admin-1h") or {}
    name, password = made["data"]["username"], Secret(made["data"]["password"])
    with postgres.connect(name, password) as holder:
        holder.execute("CREATE TABLE left_here (i integer)")
    box.bao.client.write("sys/leases/revoke", {"lease_id": made["lease_id"], "sync": True})
    with postgres.connect() as administrator:
        administrator.execute("CREATE ROLE orders_owner")
        sql = written("docs/database.md", "take-over").text
        for statement in sql.replace("g-alice-orders-7f3k-a1b2c3-1796000000", name).split(";\n"):
            administrator.execute(statement.encode())
        asked = "SELECT tableowner FROM pg_tables WHERE tablename = 'left_here'"
        assert administrator.execute(asked).fetchone() == ("orders_owner",)
        with contextlib.suppress(SandboxError):  # a look answers by an error
            box.bao.client.read("database/creds/orders-look")
        gone = "SELECT count(*) FROM pg_roles WHERE rolname = %s"
        assert administrator.execute(gone, (name,)).fetchone() == (0,)
        # The lists of what to look at run as they stand.
        for word in ("definers", "restored-list"):
            statement = written("docs/database.md", word).text
            assert administrator.execute(statement.encode()).fetchall() == []


def test_one_stuck_lease_is_forgotten_and_no_other_access_ends(
    fresh_box: Box, tmp_path: Path
) -> None:
    """By its whole id, of two leases of one role, with the role's statements broken."""
    box = fresh_box
    shell = operator(box, tmp_path)
    path = "database/roles/orders-read-1h"
    role = (box.bao.client.read(path) or {})["data"]
    box.bao.client.write(path, role | {"revocation_statements": ["SELECT 1/0"]})
    stuck, lives = (box.bao.client.read("database/creds/orders-read-1h") or {} for _ in range(2))
    with pytest.raises(SandboxError):
        box.bao.client.write("sys/leases/revoke", {"lease_id": stuck["lease_id"], "sync": True})
    with box.postgres.connect() as administrator:
        administrator.execute(f'DROP ROLE "{stuck["data"]["username"]}"')
    command = written("docs/database.md", "stuck-lease").text
    shown = "database/creds/orders-ro-1h/pvEBLptnrNCWzX8mwtLnYFKh"
    assert shown in command
    typed(command.replace(shown, stuck["lease_id"]), shell, tmp_path)
    left = box.bao.client.list("sys/leases/lookup/database/creds/orders-read-1h")
    assert [f"database/creds/orders-read-1h/{name}" for name in left] == [lives["lease_id"]]
    assert lives["data"]["username"] in box.postgres.roles()


def test_an_archive_is_signed_in_vault_and_checked_with_stock_tools(
    box: Box, told: dict[str, str], tmp_path: Path
) -> None:
    """By an operator as the page says, then by a job of access-reconcile's identity."""
    assert told
    clone, shell = tmp_path / "clone", operator(box, tmp_path)
    typed(f"git clone -q {box.repository.store.path.as_uri()} {clone}", shell, tmp_path)
    said = typed(written("docs/auditing.md", "archive").text, shell, clone)
    assert f"signed by {box.evidence_fingerprint}" in said
    check = written("docs/auditing.md", "archive-check").text
    assert f'Good "file" signature for {EVIDENCE_EMAIL}' in typed(check, shell, clone)
    with (clone / "evidence.bundle").open("ab") as stream:
        stream.write(b"more")
    typed(check, shell, clone, code=1)
    with acting.job(box) as job:  # whose own clone is partial
        words = ("bundle", "by-the-job.bundle", "--sign", "--format", "json")
        done = replace(job, clone=clone).daypass("audit", *words)
        assert done.code == 0, done.said
        assert done.json()["signedBy"] == box.evidence_fingerprint


def test_a_report_that_asks_vault_finds_what_git_does_not_know(
    box: Box, told: dict[str, str], tmp_path: Path
) -> None:
    assert told
    number = box.person("alice").propose("alice-held", request("alice-held"), "Access")
    box.person("bob").approve(number)
    box.person("bob").merge(number)
    assert acting.apply(box).code == 0
    clone, shell = tmp_path / "clone", operator(box, tmp_path)
    typed(f"git clone -q {box.repository.store.path.as_uri()} {clone}", shell, tmp_path)
    (command,) = [
        line
        for line in written("docs/auditing.md", "vault").text.splitlines()
        if line.startswith("daypass")
    ]

    def differences() -> list[dict[str, str]]:
        lines = typed(f"{command} --format jsonl", shell, clone).splitlines()
        return [row for row in map(json.loads, lines) if row["type"] == "row"]

    assert differences() == []
    role = "daypass-orders-db-read-1h"
    made = f"bao token create -format=json -role={role} -policy={role} -ttl=5m "
    made += f"-metadata=daypass_grant=ghost -metadata=daypass_repository={box.repository_id}"
    token = json.loads(typed(made, shell, tmp_path))["auth"]
    (ghost,) = differences()
    assert (ghost["what"], ghost["grant"]) == ("in Vault, unknown to git", "ghost")
    assert token["accessor"] not in json.dumps(ghost)
    typed(f"bao token revoke -accessor {token['accessor']}", shell, tmp_path)
