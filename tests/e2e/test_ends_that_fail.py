"""Ends that fail: nothing is called revoked that may still open a door, and it is mended."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from support import acting, killed_run
from support.town import Asked, Town

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from daypass.sandbox.box import Box
    from daypass.sandbox.openbao import OpenBao

ADMIN_ROLE = "orders-admin-1h"
LEDGER = {"by": "bob", "resource": "ledger-db", "ticket": "OPS-1", "approvers": ("carol", "dave")}


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    from daypass.sandbox.box import Box  # noqa: PLC0415  -- unit tests need no server

    with Box.create(tmp_path_factory.mktemp("failing") / "box") as made:
        made.vault_bootstrap()
        # As a role may be written that thinks of nothing that a holder can leave behind.
        path = f"database/roles/{ADMIN_ROLE}"
        role = (made.bao.client.read(path) or {})["data"]
        made.bao.client.write(path, role | {"revocation_statements": ['DROP ROLE "{{name}}"']})
        yield made


@pytest.fixture(scope="module")
def town(box: Box) -> Town:
    return Town(box)


def granted(town: Town, *asked: Asked) -> list[dict[str, str]]:
    """Issue what was merged, and claim it: the credentials."""
    done = town.apply()
    assert done.code == 0, done.said
    return [town.credential(item)["credential"] for item in asked]


def opens(town: Town, credential: dict[str, str]) -> bool:
    try:
        town.log_in(credential).close()
    except psycopg.OperationalError:
        return False
    return True


def open_alarms(town: Town) -> set[str]:
    """The causes of the issues that daypass has open."""
    marker = "<!-- daypass:alarm:"
    issues = town.box.repository.issues.values()
    bodies = [item.body or "" for item in issues if item.state == "open"]
    assert len(bodies) == len(set(bodies))
    return {body.split("\n")[0][len(marker) : -4] for body in bodies if body.startswith(marker)}


def status(town: Town, form: str) -> str:
    done = acting.daypass(town.box.person("dave"), "status", "--format", form)
    assert done.code == 0, done.said
    return done.stdout


def make_irrevocable(bao: OpenBao, role: str) -> None:
    """What Vault does by itself after six tries, which take ten minutes: it gives a lease up."""
    config = bao.directory / "openbao.hcl"
    config.write_text(config.read_text() + "raw_storage_endpoint = true\n")
    bao.restart()
    folder = f"sys/raw/sys/expire/id/database/creds/{role}"
    (name,) = bao.client.list(folder)
    path = f"{folder}/{name}"
    entry = json.loads((bao.client.read(path) or {})["data"]["value"])
    entry["RevokeErr"] = "out of retries"
    bao.client.write(path, {"value": json.dumps(entry)})
    bao.restart()
    for _ in range(3000):  # leases are read back in the background
        counted = bao.client.read("sys/leases/count?type=irrevocable") or {}
        if counted["data"]["lease_count"]:
            return
        time.sleep(0.02)
    raise AssertionError("Vault does not count it as irrevocable")


def monitor(town: Town) -> acting.Done:
    made = town.box.bao.client.write("auth/token/create", {"policies": ["daypass-monitor"]})
    token = made["auth"]["client_token"]
    return acting.daypass(town.box.person("carol"), "doctor", VAULT_TOKEN=token)


def test_a_user_who_owns_a_table_is_not_called_revoked_until_it_is_gone(
    town: Town, box: Box
) -> None:
    owner = town.grant("owns-a-table", access="admin", duration="1h")
    beside = town.grant("beside-it", by="dave", access="admin", duration="1h", approvers=("carol",))
    reader = town.grant("only-reads", duration="1h")
    mine, theirs, others = granted(town, owner, beside, reader)
    with town.log_in(mine) as session:
        session.execute("create table left_behind (id integer)")
    for asked in (owner, beside, reader):
        town.delete(asked.id, by=asked.who.account.login)
    done = town.apply()
    assert done.code == 5, done.said

    # Its lease is overdue, and speaks for no other grant of its role: the target tells them apart.
    assert town.events(owner.id) == ["issued", "revoke-failed"]
    assert "its log-in g-owns-a-table-" in town.message(owner.id, "revoke-failed")
    assert f"access/grants/{owner.id}.json" in town.files()
    for asked in (beside, reader):
        assert town.events(asked.id) == ["issued", "revoked"]
        confirmed = "Daypass-Confirmed: credential,sessions\n"
        assert confirmed in town.message(asked.id, "revoked")
    assert not opens(town, others)
    assert not opens(town, theirs)
    assert opens(town, mine)  # that is why
    alarms = open_alarms(town)
    (lease,) = alarms - {"revoke-failed.owns-a-table"}
    assert lease.startswith("overdue-leases.")

    told = monitor(town)
    assert told.code == 1, told.said
    assert f"wrong  revoke-failed.{owner.id}: " in told.stdout
    assert "irrevocable" not in told.said  # Vault itself goes on trying

    first = status(town, "text").splitlines()[1]
    assert "revoke-failed: it may still work since" in first
    rows = {row["grant"]: row for row in json.loads(status(town, "json"))}
    assert rows[owner.id]["state"] == "revoke-failed"
    assert rows[owner.id]["reason"] == "request-deleted"
    assert "daypass_revoke_failed 1\n" in status(town, "openmetrics")

    # Every run tries again, and none of them says twice what has been said.
    make_irrevocable(box.bao, ADMIN_ROLE)
    assert "irrevocable" in monitor(town).said
    tries = syncs(box.bao)
    assert town.apply("schedule").code == 5
    assert syncs(box.bao) > tries
    assert town.events(owner.id) == ["issued", "revoke-failed"]
    assert open_alarms(town) == alarms
    assert opens(town, mine)

    # Vault has given up. The run that finds the cause gone ends it all the same.
    with box.postgres.connect() as superuser:
        superuser.execute("drop table left_behind")
    done = town.apply("schedule")
    assert done.code == 0, done.said
    assert town.events(owner.id) == ["issued", "revoke-failed", "revoked"]
    assert "Daypass-Reason: request-deleted" in town.message(owner.id, "revoked")
    assert not opens(town, mine)
    assert open_alarms(town) == set()
    assert "daypass_revoke_failed 0\n" in status(town, "openmetrics")
    assert town.verify().code == 0


def syncs(bao: OpenBao) -> int:
    """How often anybody has asked Vault to revoke a lease, and waited."""
    return bao.audit_log.read_text().count('"path":"sys/leases/revoke"')


def test_with_the_database_down_nothing_is_revoked_and_nothing_minted_anew(
    town: Town, box: Box
) -> None:
    ending = town.grant("database-down", duration="1h")
    again = town.grant("again-while-down", duration="1h", **LEDGER)
    ended, first = granted(town, ending, again)
    town.delete(ending.id)
    intend(box, again, "redeliver")
    box.postgres.stop()
    try:
        done = town.apply()
    finally:
        box.postgres.start_again()
    assert done.code == 5, done.said
    assert town.events(ending.id) == ["issued", "revoke-failed"]
    # The second delivery would have been a second credential beside the first.
    assert town.events(again.id) == ["issued"]
    assert "nothing was minted anew" in done.said
    assert town.live_tokens(again.id) == []
    assert opens(town, ended)

    done = town.apply("schedule")
    assert done.code == 0, done.said
    assert town.events(ending.id) == ["issued", "revoke-failed", "revoked"]
    assert town.events(again.id) == ["issued", "delivered-again"]
    assert not opens(town, ended)
    assert not opens(town, first)
    assert opens(town, town.credential(again)["credential"])
    assert open_alarms(town) == set()


def intend(box: Box, asked: Asked, kind: str) -> None:
    data = {"kind": kind, "accountId": 1, "at": "2026-11-22T00:00:00Z"}
    box.bao.client.write(f"daypass/data/daypass/intents/{asked.id}", {"data": data})


def test_vault_that_goes_in_the_middle_of_an_end_leaves_nothing_half_said(
    town: Town, box: Box, tmp_path: Path
) -> None:
    asked = town.grant("in-the-middle", duration="1h")
    (credential,) = granted(town, asked)
    session = town.log_in(credential)
    town.delete(asked.id)
    for number, (trouble, code) in enumerate(((box.bao.seal, 1), (box.bao.kill, 1), (None, 0))):
        done = held_at(town, "issuer.revoke", tmp_path / str(number), trouble or box.bao.restart)
        box.bao.restart()
        assert done.code == code, done.said
        kinds = ["issued"] if code else ["issued", "revoked"]
        assert town.events(asked.id) == kinds
        assert len(town.live_tokens(asked.id)) == (1 if code else 0)
    with pytest.raises(psycopg.OperationalError):
        session.execute("select 1")
    session.close()
    assert town.apply("schedule").code == 0


def held_at(town: Town, call: str, folder: Path, meanwhile: Any) -> acting.Done:
    """A run in which something happens right before that call."""
    folder.mkdir()
    with acting.job(town.box) as job:
        words = ("--hold", call, "--folder", str(folder))
        run = job.start(sys.executable, killed_run.__file__, *words)
        while not (folder / "reached").exists():
            assert run.poll() is None, run.communicate()
            time.sleep(0.02)
        meanwhile()
        if run.poll() is None:
            (folder / "go").touch()
        out, err = run.communicate(timeout=60)
    return acting.Done(run.returncode, out, err)


def test_what_a_killed_second_delivery_left_ends_with_its_grant(
    town: Town, box: Box, tmp_path: Path
) -> None:
    """Minted and remembered, and on no record yet: `revoked` speaks of it too."""
    asked = town.grant("killed-again", duration="1h")
    granted(town, asked)
    (first,) = town.live_tokens(asked.id)
    intend(box, asked, "redeliver")
    folder = tmp_path / "held"
    folder.mkdir()
    with acting.job(box) as job:
        words = ("--hold", "repository.push", "--folder", str(folder))
        run = job.start(sys.executable, killed_run.__file__, *words)
        while not (folder / "reached").exists():
            assert run.poll() is None, run.communicate()
            time.sleep(0.02)
        run.kill()
        run.communicate()
    (second,) = town.live_tokens(asked.id)
    assert second != first
    town.delete(asked.id)
    done = town.apply()
    assert done.code == 0, done.said
    assert town.events(asked.id) == ["issued", "revoked"]
    assert town.live_tokens(asked.id) == []
