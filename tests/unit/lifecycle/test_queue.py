"""Very many merged requests: one person's flood delays that person, and ends never wait."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from daypass.lifecycle import queue
from daypass.lifecycle.plan import Action, Plan, Step
from daypass.lifecycle.world import RequestFile

if TYPE_CHECKING:
    import pytest

TEXT = """\
apiVersion: daypass.dev/v1
kind: AccessRequest
metadata: {{id: {name}}}
spec: {{subject: {subject}, resource: orders-db, access: read, duration: 1h, reason: a reason}}
"""


def asked(name: str) -> Action:
    file = RequestFile(name, f"access/requests/{name}.yaml", name)
    return Action(Step.JUDGE, name, file)


def contents(names: list[str]) -> dict[str, bytes]:
    """Each request is of the person that its name begins with; one of them cannot be read."""
    texts = {
        name: TEXT.format(name=name, subject=name.partition("-")[0]).encode() for name in names
    }
    return texts | ({"zz": b"{"} if "zz" in names else {})


def test_people_take_turns_and_no_end_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "REQUESTS", 4)
    flood = [asked(f"mallory-{number}") for number in range(9)]
    ends = [Action(Step.END, f"old-{number}") for number in range(500)]
    plan = Plan((*ends, *flood, asked("peter-1"), asked("zz")))
    repository = cast("Any", SimpleNamespace(blobs=contents))
    found, left = queue.narrow(plan, repository)
    assert [item.grant_id for item in found.of(Step.JUDGE)] == [
        "mallory-0",
        "mallory-1",
        "peter-1",
        "zz",
    ]
    assert len(found.of(Step.END)) == 500
    assert left == 7


def test_whoever_waits_keeps_their_turn_beside_a_flood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "REQUESTS", 4)
    flood = [asked(f"mallory-{number}") for number in range(9)]
    plan = Plan((asked("alice-1"), asked("alice-2"), *flood))
    repository = cast("Any", SimpleNamespace(blobs=contents))
    for waiting, first in ((("alice-1",), "alice-2"), (("alice-1", "alice-2"), "alice-1")):
        found, _ = queue.narrow(plan, repository, waiting)
        mine = [item.grant_id for item in found.actions if item.grant_id.startswith("alice")]
        assert mine == ["alice-1", "alice-2"]
        monkeypatch.setattr(queue, "REQUESTS", 2)
        found, _ = queue.narrow(plan, repository, waiting)
        assert [item.grant_id for item in found.actions] == [first, "mallory-0"]
        monkeypatch.setattr(queue, "REQUESTS", 4)


def test_few_are_left_as_they_are() -> None:
    plan = Plan((asked("a"), asked("b")))
    assert queue.narrow(plan, cast("Any", None)) == (plan, 0)
