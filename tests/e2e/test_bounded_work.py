"""What one person can make much of costs others little: a limit, and the order of a run."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from daypass.sandbox.organisation import request
from support import acting, killed_run
from support.town import Asked, Town

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.acting import Done

SETTINGS = "access/daypass.yaml"
LIMITS = "  limits: {requestsPerPullRequest: 2}\n"
RUNNER = (sys.executable, killed_run.__file__)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    from daypass.sandbox.box import Box  # noqa: PLC0415  -- unit tests need no server

    with Box.create(tmp_path_factory.mktemp("bounded") / "box") as box:
        box.vault_bootstrap()
        town = Town(box)
        alice = box.person("alice")
        changed = town.store.git("show", f"main:{SETTINGS}") + LIMITS
        number = alice.propose("limit", {SETTINGS: changed.encode()}, "Two at a time")
        town.merge(Asked("limit", number, alice), approvers=("dave",))
        done = town.apply()
        assert done.code == 0, done.said
        yield town


def several(*names: str, by: str = "alice") -> dict[str, bytes | None]:
    """The files of a pull request that asks for all of these."""
    files: dict[str, bytes | None] = {}
    for name in names:
        files |= request(name, subject=by, duration="1h")
    return files


def told(done: Done, *verbs: str) -> list[str]:
    return [line["grant"] for line in done.json()["done"] if line["what"] in verbs]


def test_what_is_over_the_limit_is_refused_and_ends_are_not_counted(town: Town) -> None:
    alice = town.box.person("alice")
    names = ("over-1", "over-2", "over-3", "over-4")
    number = alice.propose("over", several(*names), "Four at once")
    shown = acting.daypass(alice, "plan", "--pr", str(number)).stdout
    assert "asks for 4 requests, and the limit is 2" in shown
    town.merge(Asked("over", number, alice))
    done = town.apply()
    assert (sorted(told(done, "issued")), sorted(told(done, "denied"))) == (
        ["over-1", "over-2"],
        ["over-3", "over-4"],
    )
    assert "Daypass-Reason: too-many" in town.message("over-3", "denied")
    said = [item["body"] for item in alice.comments(number) if "Not granted" in item["body"]]
    assert len(said) == 1
    assert "the limit is 2" in said[0]

    more = alice.propose("more", several("over-5", "over-6"), "Two more")
    town.merge(Asked("more", more, alice))
    town.apply()
    live = ("over-1", "over-2", "over-5", "over-6")
    gone: dict[str, bytes | None] = {f"access/requests/{name}.yaml": None for name in live}
    town.merge(Asked("gone", alice.propose("gone", gone, "No longer needed"), alice))
    done = town.apply("push", "--max", "0")
    assert sorted(told(done, "revoked")) == sorted(live), done.said
    assert town.verify().json()["verdict"] == "holds"


def test_ends_come_first_then_alarms_then_grants_then_what_others_can_inflate(
    town: Town, tmp_path: Path
) -> None:
    lost = town.grant("lost", duration="1h")
    assert town.apply().code == 0
    for accessor in town.live_tokens(lost.id):
        town.box.bao.client.write("auth/token/revoke-accessor", {"accessor": accessor})
    town.grant("begins", duration="1h")
    alice = town.box.person("alice")
    number = alice.propose("closed", several("closed-1", "closed-2", "closed-3"), "Never mind")
    alice.close(number)

    calls = tmp_path / "calls.json"
    with acting.job(town.box) as job:
        done = job.run(*RUNNER, "--list", str(calls))
    names: list[str] = json.loads(calls.read_text())
    assert town.events("lost")[-1] == "revoked", done.said
    pushes = [place for place, name in enumerate(names) if name == "repository.push"]
    alarm, mint = names.index("forge.open_issue"), names.index("issuer.mint")
    assert len(pushes) == 3
    assert pushes[0] < alarm < mint < pushes[1] < pushes[2]
    # The heartbeat is left when alarms are raised, and before what others can inflate.
    assert "registry.write_note" in names[alarm:mint]
    assert "registry.write_note" in names[pushes[1] : pushes[2]]

    assert town.events("begins") == ["issued"]
    assert town.events("closed-1") == town.events("closed-2") == ["withdrawn"]
    assert town.events("closed-3") == []
    assert "asked for 3 requests, and the limit is 2" in town.message("closed-2", "withdrawn")
