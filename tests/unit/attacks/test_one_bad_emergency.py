"""An emergency that nobody has merged yet can stop no run, whatever is wrong with it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from daypass.lifecycle import admission
from daypass.lifecycle.admission import Admission
from daypass.lifecycle.outcome import Outcome
from daypass.lifecycle.undecided_note import UndecidedRequests
from daypass.model.instant import Duration
from daypass.model.pullrequest import OpenPart, OpenPullRequest

if TYPE_CHECKING:
    import pytest

CANARY = "hvs.canary"


def opened(*items: tuple[int, int]) -> OpenPart:
    """Numbers and authors, as GitHub lists them."""
    branch, head = "break-glass/x", "a" * 40
    return OpenPart(tuple(OpenPullRequest(number, who, branch, head) for number, who in items))


def undecided(outcome: Outcome) -> UndecidedRequests:
    """Of a Vault that must not be asked: none of these waits for an answer."""
    return UndecidedRequests(cast("Any", None), cast("Any", None), outcome, Duration(900))


class Forge:
    """Two open emergencies; one of them is told in a way that no code expects."""

    seen: list[int]

    def __init__(self) -> None:
        self.seen = []

    def open_pull_requests(self, prefix: str) -> OpenPart:
        return opened((7, 1), (8, 1)) if prefix == "break-glass/" else OpenPart(())

    def pull_request(self, number: int) -> Any:
        self.seen.append(number)
        raise IndexError(CANARY)


def test_the_others_are_looked_at_and_a_person_is_called() -> None:
    forge, outcome, nothing = Forge(), Outcome(), cast("Any", None)
    ports = cast("Any", SimpleNamespace(forge=forge))
    Admission(ports, nothing, nothing, nothing, outcome, undecided(outcome)).run()
    assert forge.seen == [7, 8]
    assert set(outcome.causes) == {"bug.pull-request-7", "bug.pull-request-8"}
    assert CANARY not in str(outcome.to_json())


def test_of_a_flood_a_run_looks_at_a_few_and_people_take_turns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forge, outcome, nothing = Forge(), Outcome(), cast("Any", None)
    flood = opened(*((number, 66) for number in range(100, 90, -1)), (7, 1))
    monkeypatch.setattr(forge, "open_pull_requests", lambda _prefix: flood)
    monkeypatch.setattr(admission, "PULL_REQUESTS", 3)
    looked = Admission(
        cast("Any", SimpleNamespace(forge=forge)),
        nothing,
        nothing,
        nothing,
        outcome,
        undecided(outcome),
    )
    looked.run()
    assert forge.seen == [100, 7, 99]
    assert not looked.is_sure
    (line,) = outcome.lines
    assert line.verb == "left"
    assert line.text.startswith("8 open pull requests on break-glass/")


class Large:
    """An open pull request past GitHub's limits, and what is done about it."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.closed: list[int] = []

    def open_pull_requests(self, _prefix: str) -> OpenPart:
        return opened((7, 66))

    def pull_request(self, number: int) -> Any:
        return SimpleNamespace(
            number=number,
            open=True,
            base_ref="main",
            files=(),
            complete=False,
            incomplete_because="it has more than 250 commits",
            is_too_large=True,
        )

    def post_comment(self, _number: int, _marker: str, body: str) -> None:
        self.said.append(body)

    def close_issue(self, number: int) -> None:
        self.closed.append(number)


def test_one_that_github_never_tells_the_whole_of_is_closed_and_calls_nobody() -> None:
    forge, outcome, nothing = Large(), Outcome(), cast("Any", None)
    github = SimpleNamespace(default_branch="main")
    catalogue = cast("Any", SimpleNamespace(settings=SimpleNamespace(github=github)))
    ports = cast("Any", SimpleNamespace(forge=forge))
    looked = Admission(ports, nothing, nothing, catalogue, outcome, undecided(outcome))
    looked.run()
    assert forge.closed == [7]
    assert "more than 250 commits" in forge.said[0]
    assert outcome.causes == {}
    assert looked.is_sure
