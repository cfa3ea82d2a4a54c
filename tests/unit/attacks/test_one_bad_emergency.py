"""An emergency that nobody has merged yet can stop no run, whatever is wrong with it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from daypass.lifecycle.admission import Admission
from daypass.lifecycle.outcome import Outcome

CANARY = "hvs.canary"


class Forge:
    """Two open emergencies; one of them is told in a way that no code expects."""

    seen: list[int]

    def __init__(self) -> None:
        self.seen = []

    def open_pull_requests(self, prefix: str) -> tuple[int, ...]:
        return (7, 8) if prefix == "break-glass/" else ()

    def pull_request(self, number: int) -> Any:
        self.seen.append(number)
        raise IndexError(CANARY)


def test_the_others_are_looked_at_and_a_person_is_called() -> None:
    forge, outcome, nothing = Forge(), Outcome(), cast("Any", None)
    ports = cast("Any", SimpleNamespace(forge=forge))
    Admission(ports, nothing, nothing, nothing, outcome).run()
    assert forge.seen == [7, 8]
    assert set(outcome.causes) == {"bug.pull-request-7", "bug.pull-request-8"}
    assert CANARY not in str(outcome.to_json())
