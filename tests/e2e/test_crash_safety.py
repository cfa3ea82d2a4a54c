"""Killed with -9 between all calls that change the world, raced, and run side by side.

What comes after one such call comes before the next: nothing else changes anything in between. So
each call is killed before it begins, and the last one after it has ended, too.

Whatever happened to the run before, one run of `daypass apply` leaves the world as an undisturbed
one would have left it.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from typing import TYPE_CHECKING

import pytest

from daypass.lifecycle.world import accessor_digest
from daypass.sandbox.box import Box
from support import acting, killed_run
from support.town import Asked, Town

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RUNNER = (sys.executable, killed_run.__file__)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with Box.create(tmp_path_factory.mktemp("box")) as box:
        box.vault_bootstrap()
        town = Town(box)
        assert town.apply().code == 0  # what only the first run of all notes
        yield town


def undisturbed(town: Town, folder: Path) -> list[str]:
    """Run to the end; the calls that changed something, in order."""
    with acting.job(town.box) as job:
        done = job.run(*RUNNER, "--list", str(folder / "calls.json"))
    assert done.code == 0, done.said
    names: list[str] = json.loads((folder / "calls.json").read_text())
    return names


def moments(calls: list[str]) -> list[tuple[str, str, str]]:
    """Every moment to be killed in: the call's number, before or after, and its name."""
    last = len(calls)
    before = [(str(number), "before", name) for number, name in enumerate(calls, start=1)]
    return [*before, (str(last), "after", calls[-1])]


def kill(town: Town, number: str, when: str) -> None:
    with acting.job(town.box) as job:
        done = job.run(*RUNNER, "--kill", number, "--when", when)
    assert done.code == -signal.SIGKILL, done.said


def pending(town: Town) -> tuple[str, ...]:
    return town.box.bao.client.list("daypass-kv/metadata/daypass/pending")


def granted_once(town: Town, asked: Asked) -> None:
    """One record, one event, one live token, one delivery that can really be claimed."""
    assert town.events(asked.id) == ["issued"]
    assert f"access/grants/{asked.id}.json" in town.files()
    assert f"access/requests/{asked.id}.yaml" in town.files()
    (accessor,) = town.live_tokens(asked.id)
    assert town.record(asked.id)["vault"]["accessor"] == accessor_digest(accessor)
    assert len(town.comments(asked, "delivery")) == 1
    assert pending(town) == ()
    credential = town.credential(asked)["credential"]
    with town.log_in(credential) as session:
        assert session.execute("select count(*) from orders").fetchone() == (3,)


def ended_once(town: Town, asked: Asked) -> None:
    """Nothing lives, and one revert says so."""
    assert town.events(asked.id) == ["issued", "revoked"]
    assert not {path for path in town.files() if asked.id in path}
    assert town.live_tokens(asked.id) == []
    assert not [name for name in town.box.postgres.roles() if asked.id in name]
    assert pending(town) == ()


def holds(town: Town) -> None:
    done = town.verify()
    assert done.code == 0, done.said
    assert done.json()["verdict"] == "holds"
    assert done.json()["faults"] == []


def test_a_run_killed_anywhere_in_a_grant_leaves_one_grant_and_one_delivery(
    town: Town, tmp_path: Path
) -> None:
    town.grant("whole", duration="1h")
    calls = undisturbed(town, tmp_path)
    for needed in ("issuer.mint", "sealer.seal", "registry.write", "repository.push"):
        assert needed in calls
    assert calls.count("forge.post_comment") == 1
    for number, when, name in moments(calls):
        asked = town.grant(f"grant-{number}-{when}", duration="1h")
        kill(town, number, when)
        repaired = town.apply("schedule")
        where = f"killed {when} call {number}, {name}: {repaired.said}"
        assert repaired.code == 0, where
        assert {line["grant"] for line in repaired.json()["done"]} <= {asked.id, ""}, where
        try:
            granted_once(town, asked)
        except AssertionError as error:
            raise AssertionError(where) from error
    holds(town)


def test_a_run_killed_anywhere_in_an_end_leaves_nothing_alive_and_one_revert(
    town: Town, tmp_path: Path
) -> None:
    whole = town.grant("end-whole", duration="1h")
    likely = 16  # more grants than moments to be killed in, made in one run
    asked = [town.grant(f"end-{number:02}", duration="1h") for number in range(likely)]
    assert town.apply().code == 0
    town.delete(whole.id)
    calls = undisturbed(town, tmp_path)
    for needed in ("issuer.revoke", "signer.sign", "repository.push"):
        assert needed in calls
    assert len(calls) < likely
    for ending, (number, when, name) in zip(asked, moments(calls), strict=False):
        if int(number) % 2:
            town.credential(ending)  # half of them hold a lease in the database
        town.delete(ending.id)
        kill(town, number, when)
        repaired = town.apply("schedule")
        where = f"killed {when} call {number}, {name}: {repaired.said}"
        assert repaired.code == 0, where
        try:
            ended_once(town, ending)
        except AssertionError as error:
            raise AssertionError(where) from error
    holds(town)


@pytest.mark.parametrize("runs", [2, 4])
def test_runs_side_by_side_grant_once_and_deliver_once(town: Town, runs: int) -> None:
    asked = [town.grant(f"side-{runs}-{number}", duration="1h") for number in range(5)]
    with acting.job(town.box) as one, acting.job(town.box, "schedule") as other:
        started = [
            (one, other)[number % 2].start(*acting.DAYPASS, "apply", "--format", "json")
            if number < 2
            else None
            for number in range(2)
        ]
        with acting.job(town.box) as third, acting.job(town.box, "workflow_dispatch") as fourth:
            if runs == 4:
                started += [
                    job.start(*acting.DAYPASS, "apply", "--format", "json")
                    for job in (third, fourth)
                ]
            ended = [(run, *run.communicate(timeout=120)) for run in started if run is not None]
    for run, stdout, stderr in ended:
        assert run.returncode in (0, 5), stdout + stderr
        assert "Traceback" not in stderr
    assert town.apply("schedule").code == 0
    for item in asked:
        granted_once(town, item)
    holds(town)


def test_a_push_that_loses_a_race_is_built_again_on_the_new_head(
    town: Town, tmp_path: Path
) -> None:
    first = town.grant("race-first", duration="1h")
    second = town.ask("race-second", duration="1h")
    with acting.job(town.box) as job:
        run = job.start(*RUNNER, "--hold", "repository.push", "--folder", str(tmp_path))
        wait_for(tmp_path / "reached")
        merged = town.merge(second)  # a person, in the moment of the push
        (tmp_path / "go").touch()
        stdout, stderr = run.communicate(timeout=60)
    assert run.returncode == 0, stdout + stderr
    on_main = town.store.git("rev-list", "--first-parent", "main").split()
    message = town.store.git("log", "-1", "--format=%B", on_main[on_main.index(merged) - 1])
    assert "Daypass-Grant: race-first" in message
    # And what was merged meanwhile did not wait for another run.
    granted_once(town, first)
    granted_once(town, second)
    holds(town)


def test_a_deletion_that_wins_the_race_against_an_issue_leaves_nothing(
    town: Town, tmp_path: Path
) -> None:
    asked = town.grant("race-deleted", duration="1h")
    with acting.job(town.box) as job:
        run = job.start(*RUNNER, "--hold", "repository.push", "--folder", str(tmp_path))
        wait_for(tmp_path / "reached")
        town.delete(asked.id)
        (tmp_path / "go").touch()
        stdout, stderr = run.communicate(timeout=60)
    assert run.returncode == 0, stdout + stderr
    assert town.apply("schedule").code == 0
    assert town.live_tokens(asked.id) == []
    assert town.comments(asked, "delivery") == []
    assert not {path for path in town.files() if asked.id in path}
    assert pending(town) == ()
    holds(town)


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} never came"
        time.sleep(0.02)
