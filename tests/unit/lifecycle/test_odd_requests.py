"""What lies in the place of a request and is no regular file: said, since nothing comes of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from daypass.lifecycle.outcome import Outcome
from daypass.lifecycle.repairs import alarm_frozen
from daypass.lifecycle.world import RequestFile
from daypass.model.tree import DOUBLED, EXECUTABLE_FILE, REGULAR_FILE, SYMBOLIC_LINK

MODES = {"a": REGULAR_FILE, "b": EXECUTABLE_FILE, "c": SYMBOLIC_LINK, "d": DOUBLED}


def alarms(*granted: str) -> dict[str, str]:
    files = {
        name: RequestFile(name, f"access/requests/{name}.yaml", "b" * 40, mode=mode)
        for name, mode in MODES.items()
    }
    world = SimpleNamespace(frozen=(), requests=files, grants=dict.fromkeys(granted), odd_slots={})
    seen = SimpleNamespace(world=world, restored={}, misused=frozenset(), doubled=())
    outcome = Outcome()
    alarm_frozen(cast("Any", seen), outcome)
    return {cause: item.text for cause, item in outcome.causes.items()}


def test_a_request_that_is_no_regular_file_raises_one_alarm_for_all() -> None:
    found = alarms()
    assert list(found) == ["odd-requests"]
    assert (
        "access/requests/b.yaml (100755), access/requests/c.yaml (120000)"
        in (found["odd-requests"])
    )
    assert "a.yaml" not in found["odd-requests"]


def test_of_what_was_granted_the_end_is_told_and_no_alarm_raised() -> None:
    assert alarms("b", "c") == {}
