"""What happens without a grant, and around one, is told too: once, whatever run is repeated."""

from __future__ import annotations

import json
import re
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from daypass.sandbox.box import Box
from support import acting, killed_run
from support.town import Asked, Town

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RUNNER = (sys.executable, killed_run.__file__)
POLICY = "access/policies/databases.yaml"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with Box.create(tmp_path_factory.mktemp("box")) as box:
        box.vault_bootstrap()
        town = Town(box)
        assert town.apply().code == 0
        yield town


def trailers(town: Town, request_id: str, kind: str) -> dict[str, str]:
    lines = town.message(request_id, kind).strip().split("\n\n")[-1].split("\n")
    return dict(line.split(": ", 1) for line in lines)


def changes(town: Town) -> list[dict[str, str]]:
    """The trailers of all changes of policies, oldest first, by stock git."""
    log = town.store.git(
        *("log", "--reverse", "--grep=^Daypass-Event: policy-changed$"),
        *("--format=%(trailers:only)%x00", "main"),
    )
    rows = [item.strip().split("\n") for item in log.split("\0") if item.strip()]
    return [dict(line.split(": ", 1) for line in row) for row in rows]


def change_policy(town: Town, name: str, old: str, new: str) -> tuple[int, str]:
    """A change that its owner approves; its pull request and the commit of main."""
    alice = town.box.person("alice")
    text = town.store.git("show", f"main:{POLICY}")
    assert old in text
    number = alice.propose(name, {POLICY: text.replace(old, new).encode()}, name)
    return number, town.merge(Asked(name, number, alice), approvers=("dave",))


def digest(town: Town, revision: str = "main") -> str:
    """The digest that a decision at that commit would carry, by `daypass explain`'s own reading."""
    from daypass.adapters.git import GitRepository  # noqa: PLC0415  -- beside its only use
    from daypass.documents.repository import load_catalogue  # noqa: PLC0415  -- the same

    clone = town.box.person("dave")
    clone.git("fetch", "-q", "origin")
    with GitRepository(
        clone.clone, remote="origin", branch="main", author=("", ""), token=None
    ) as repository:
        commit = town.store.git("rev-parse", revision).strip()
        return load_catalogue(repository.entries(commit, "access"), repository.blobs).policy_digest


def test_a_request_that_is_closed_unmerged_is_rejected_or_withdrawn_once(town: Town) -> None:
    withdrawn, rejected = town.ask("thought-better"), town.ask("no-need", duration="1h")
    drill = town.box.person("bob")
    town.box.person("alice").close(withdrawn.number)
    town.box.person("bob").close(rejected.number)
    other = drill.propose("words", {"README.md": b"words\n"}, "Words")
    drill.close(other)
    merged = town.grant("merged-beside", duration="1h")

    done = town.apply("schedule")

    assert done.code == 0, done.said
    assert {line["what"] for line in done.json()["done"]} == {"issued", "withdrawn", "rejected"}
    assert town.events(withdrawn.id) == ["withdrawn"]
    assert town.events(rejected.id) == ["rejected"]
    assert town.events(merged.id) == ["issued"]
    said = trailers(town, rejected.id, "rejected")
    accounts = town.box.accounts
    assert said["Daypass-Pull-Request"] == str(rejected.number)
    assert said["Daypass-Requester"] == f"alice {accounts['alice'].id}"
    assert said["Daypass-Closed-By"] == f"bob {accounts['bob'].id}"
    assert (said["Daypass-Subject"], said["Daypass-Resource"]) == ("alice", "orders-db")
    head = town.box.repository.pulls[rejected.number].head_sha
    blob = town.store.git("rev-parse", f"{head}:access/requests/{rejected.id}.yaml").strip()
    assert said["Daypass-Request"] == f"{head} {blob}"
    assert "14:00" not in town.message(rejected.id, "rejected")  # nothing that a person wrote

    before = town.head()
    assert town.apply("schedule").json()["done"] == []
    assert town.head() == before


def test_who_closes_a_pull_request_with_a_live_id_in_it_changes_nothing(town: Town) -> None:
    """The id of somebody's live grant, in the pull request of somebody else."""
    live = town.grant("still-live", duration="1h")
    assert town.apply().code == 0
    town.delete(live.id)
    mallory = town.box.person("mallory")
    files = {f"access/requests/{live.id}.yaml": b"kind: x\n"}
    number = mallory.propose("same-id", files, "Mine")
    mallory.close(number)
    done = town.apply()
    assert done.code == 0, done.said
    assert sorted(town.events(live.id)) == ["issued", "revoked", "withdrawn"]
    assert trailers(town, live.id, "withdrawn").keys().isdisjoint({"Daypass-Subject"})
    assert town.verify().json()["faults"] == []


def test_a_change_of_policies_is_told_with_both_digests_and_by_whom(town: Town) -> None:
    before = digest(town)
    number, commit = change_policy(town, "shorter", "maxDuration: 8h", "maxDuration: 4h")
    change_policy(town, "words-only", "people who run it", "people who run them")

    assert town.apply("schedule").code == 0
    assert town.apply("schedule").code == 0

    told = changes(town)
    after = digest(town, commit)
    assert told[0]["Daypass-Policy-Before"] == before
    assert told[0]["Daypass-Policy"] == after != before
    assert told[0]["Daypass-Change"] == commit
    assert told[0]["Daypass-Pull-Request"] == str(number)
    assert told[0]["Daypass-Requester"] == f"alice {town.box.accounts['alice'].id}"
    assert told[0]["Daypass-Approver"].startswith(f"{town.box.accounts['dave'].id} ")
    assert told[0]["Daypass-Reason"] == "approved"
    # Each joins on to the one before it, to what rules now.
    assert [item["Daypass-Policy-Before"] for item in told[1:]] == [
        item["Daypass-Policy"] for item in told[:-1]
    ]
    assert told[-1]["Daypass-Policy"] == digest(town)


def test_a_renewal_is_linked_to_what_it_renews(town: Town) -> None:
    first = town.grant("shift-1", duration="1h")
    assert town.apply().code == 0
    second = town.grant("shift-2", duration="1h", renews=first.id)
    ghost = town.grant("shift-3", duration="1h", renews="never-there")
    stolen = town.grant("shift-4", by="bob", approvers=("carol",), duration="1h", renews=first.id)
    assert town.apply().code == 0
    assert trailers(town, second.id, "issued")["Daypass-Renews"] == first.id
    for refused in (ghost, stolen):
        assert trailers(town, refused.id, "denied")["Daypass-Reason"] == "policy"
    done = town.verify()
    assert done.code == 0, done.said


def test_an_end_that_was_not_confirmed_is_confirmed_by_name(town: Town) -> None:
    asked = town.grant("stuck", duration="1h")
    assert town.apply().code == 0
    town.credential(asked)
    town.delete(asked.id)
    town.box.postgres.stop()
    try:
        assert town.apply().code == 5
    finally:
        town.box.postgres.start_again()
    assert town.events(asked.id) == ["issued", "revoke-failed"]
    failed = town.store.git("log", "-1", "--format=%H", "--grep=^Daypass-Event: revoke-failed$")
    assert town.apply().code == 0
    assert town.events(asked.id) == ["issued", "revoke-failed", "revoked"]
    assert trailers(town, asked.id, "revoked")["Daypass-Confirms"] == failed.strip()
    assert town.verify().json()["faults"] == []


def close_and_change(town: Town, name: str) -> Asked:
    """One request that is closed unmerged, and one change of policies."""
    asked = town.ask(f"closed-{name}")
    asked.who.close(asked.number)
    text = town.store.git("show", f"main:{POLICY}")
    hours = re.search("maxDuration: ([0-9])h", text)[1]
    change_policy(
        town, f"change-{name}", f"maxDuration: {hours}h", f"maxDuration: {9 - int(hours)}h"
    )
    return asked


def test_a_run_killed_between_writing_and_noting_tells_of_nothing_twice(
    town: Town, tmp_path: Path
) -> None:
    close_and_change(town, "whole")
    with acting.job(town.box, "schedule") as job:
        assert job.run(*RUNNER, "--list", str(tmp_path / "calls")).code == 0
    calls: list[str] = json.loads((tmp_path / "calls").read_text())
    pushes = [number for number, name in enumerate(calls, start=1) if name == "repository.push"]
    assert len(pushes) == 2  # changes of policies before what people wait for, closings after it
    for number in sorted({*pushes, *(push + 1 for push in pushes)}):
        known = len(changes(town))
        asked = close_and_change(town, str(number))
        with acting.job(town.box, "schedule") as job:
            done = job.run(*RUNNER, "--kill", str(number), "--when", "after")
            assert done.code == -signal.SIGKILL, done.said
        repaired = town.apply("schedule")
        where = f"killed after call {number}, {calls[number - 1]}: {repaired.said}"
        assert repaired.code == 0, where
        assert town.events(asked.id) == ["withdrawn"], where
        assert len(changes(town)) == known + 1, where
    assert town.verify().json()["faults"] == []


def test_two_runs_at_once_tell_of_each_once(town: Town, tmp_path: Path) -> None:
    asked = town.ask("closed-while-two-ran")
    asked.who.close(asked.number)
    (tmp_path / "hold").mkdir()
    with acting.job(town.box, "schedule") as job:
        words = ("--hold", "repository.push", "--folder", str(tmp_path / "hold"))
        slow = job.start(*RUNNER, *words)
        while not (tmp_path / "hold" / "reached").exists():
            assert slow.poll() is None, slow.communicate()
        assert town.apply("schedule").code == 0
        (tmp_path / "hold" / "go").touch()
        said = slow.communicate()
    assert slow.returncode == 0, said
    assert town.events(asked.id) == ["withdrawn"]


def test_main_is_anchored_once_a_day_by_a_tag_that_stock_git_verifies(town: Town) -> None:
    note = "daypass/data/daypass/notes/anchor"
    assert "daypass-evidence-" not in town.store.git("tag")
    old = {"at": "2026-01-01T00:00:00Z", "tag": ""}
    town.grant("anchored", duration="1h")
    for _ in range(2):
        town.box.bao.client.write(note, {"data": old})
        done = town.apply("schedule")
        assert done.code == 0, done.said
    assert town.store.git("tag"), done.said
    (name,) = town.store.git("tag").split()
    auditor = town.box.person("dave")
    auditor.git("pull", "-q", "--ff-only", "--tags")
    signers = "gpg.ssh.allowedSignersFile=access/allowed_signers"
    auditor.git("-c", signers, "tag", "-v", name)  # raises when it is not good
    assert town.store.git("rev-parse", f"{name}^{{commit}}") == town.store.git("rev-parse", "main")
    assert town.verify().json()["faults"] == []


def test_an_unproven_change_of_policies_is_told_as_such(town: Town) -> None:
    """Last: main is frozen from here on."""
    text = town.store.git("show", f"main:{POLICY}")
    known = len(changes(town))
    straight = town.push_straight(
        {
            POLICY: text.replace("description:", "# x\ndescription:")
            .replace("maxDuration: ", "maxDuration: 1")
            .encode()
        }
    )
    for _ in range(2):
        assert town.apply("schedule").code == 5
    told = changes(town)
    assert len(told) == known + 1
    assert told[-1]["Daypass-Change"] == straight
    assert told[-1]["Daypass-Reason"] == "unproven"
    assert "Daypass-Approver" not in told[-1]
