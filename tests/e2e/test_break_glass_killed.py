"""Runs that take, and that close, an emergency: killed before every call that changes the world."""

from __future__ import annotations

import json
import signal
import sys
import time
from typing import TYPE_CHECKING

import pytest

from daypass.sandbox.box import Box
from support import acting, killed_run
from support.village import Emergency, Village

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RUNNER = (sys.executable, killed_run.__file__)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Village]:
    with Box.create(tmp_path_factory.mktemp("box")) as box:
        box.vault_bootstrap()
        town = Village(box)
        assert town.apply().code == 0  # what only the first run of all notes
        yield town


def undisturbed(town: Village, folder: Path) -> list[str]:
    """Run to the end; the calls that changed something, in order."""
    with acting.job(town.box) as job:
        done = job.run(*RUNNER, "--list", str(folder / "calls.json"))
    assert done.code == 0, done.said
    names: list[str] = json.loads((folder / "calls.json").read_text())
    return names


def moments(calls: list[str]) -> list[tuple[str, str, str]]:
    """Before each call, and after the last one."""
    before = [(str(number), "before", name) for number, name in enumerate(calls, start=1)]
    return [*before, (str(len(calls)), "after", calls[-1])]


def kill(town: Village, number: str, when: str) -> None:
    with acting.job(town.box) as job:
        done = job.run(*RUNNER, "--kill", number, "--when", when)
    assert done.code == -signal.SIGKILL, done.said


def test_an_emergency_is_granted_once_and_called_out_once(town: Village, tmp_path: Path) -> None:
    town.take("bob")
    calls = undisturbed(town, tmp_path)
    for needed in ("forge.merge", "issuer.mint", "repository.push", "forge.open_issue"):
        assert needed in calls
    for number, when, name in moments(calls):
        taken = town.take("bob")
        kill(town, number, when)
        repaired = town.apply("schedule")
        where = f"killed {when} call {number}, {name}: {repaired.said}"
        assert repaired.code == 0, where
        assert town.events(taken.id) == ["issued"], where
        assert len(town.live_tokens(taken.id)) == 1, where
        assert len(town.comments(taken.asked, "delivery")) == 1, where
        assert town.issue(taken).state == "open", where
        assert town.is_owed(taken), where


def test_a_refusal_spends_its_id_and_closes_its_pull_request(town: Village, tmp_path: Path) -> None:
    town.propose("refused", by="mallory", subject="mallory")
    calls = undisturbed(town, tmp_path)
    assert "forge.close_issue" in calls
    for number, when, name in moments(calls):
        taken = town.propose(f"refused-{number}-{when}", by="mallory", subject="mallory")
        kill(town, number, when)
        repaired = town.apply("schedule")
        where = f"killed {when} call {number}, {name}: {repaired.said}"
        assert repaired.code == 0, where
        assert set(town.events(taken.id)) == {"denied"}, where
        assert not town.is_merged(taken), where
        assert not town.is_open(taken), where
        assert len(town.comments(taken.asked, "refused")) == 1, where


def test_a_review_is_recorded_once_and_closes_the_issue(town: Village, tmp_path: Path) -> None:
    likely = 12  # more than there are moments
    taken = [town.take("alice") for _ in range(likely)]
    assert town.apply().code == 0
    alice = town.box.person("alice")
    paths: dict[str, bytes | None] = {f"access/break-glass/{item.id}.yaml": None for item in taken}
    alice.merge(alice.propose("over", paths, "All over"))
    assert town.apply().code == 0
    time.sleep(1.1)  # GitHub tells whole seconds
    town.apply()  # a run notes the head that it has proven: each of these begins from such a note
    say(town, taken[0])
    calls = undisturbed(town, tmp_path)
    assert "forge.close_issue" in calls
    assert len(moments(calls)) < likely
    for item, (number, when, name) in zip(taken[1:], moments(calls), strict=False):
        town.apply()
        say(town, item)
        kill(town, number, when)
        repaired = town.apply("schedule")
        where = f"killed {when} call {number}, {name}: {repaired.said}"
        assert repaired.code == 0, where
        assert town.events(item.id) == ["issued", "revoked", "reviewed"], where
        assert not town.is_owed(item), where
        assert town.issue(item).state == "closed", where


def say(town: Village, taken: Emergency) -> None:
    town.box.person("carol").comment(taken.number, f"/review {taken.id}")


def test_the_evidence_holds(town: Village) -> None:
    report = town.verify().json()
    assert report["verdict"] == "holds"
    assert report["faults"] == []
