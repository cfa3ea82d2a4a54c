"""Pull requests that were closed unmerged: much of it costs a run little, and nothing is lost."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from daypass.errors import ForgeRefusedError
from daypass.lifecycle import chronicle, closing
from daypass.lifecycle.closed_note import CLOSED_NOTE, ClosedNote
from daypass.lifecycle.closing import Closings
from daypass.lifecycle.happening import Happening, Run
from daypass.lifecycle.notes import OddNotes
from daypass.lifecycle.outcome import Outcome
from daypass.lifecycle.recorder import Recorded, Recording
from daypass.lifecycle.turns import take_turns
from daypass.model.instant import Instant
from daypass.model.pullrequest import (
    Account,
    AccountType,
    ChangedFile,
    ClosedPart,
    ClosedPullRequest,
    Closing,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from daypass.lifecycle.recorder import Coming

BEGIN = Instant.parse("2026-11-23T09:00:00Z")
NOW = BEGIN.plus(600)
HEAD = "c0" * 20
ALICE, MALLORY = (Account(number, "x", AccountType.USER) for number in (1, 66))
PAGE = 4  # pull requests that the list gives a run


def closed(number: int, author: Account, minutes: int = 1) -> ClosedPullRequest:
    return ClosedPullRequest(number, author, "a" * 40, 20, BEGIN.plus(60 * minutes))


def asks(*names: str) -> tuple[ChangedFile, ...]:
    return tuple(ChangedFile(f"access/requests/{name}.yaml", "added", None) for name in names)


@dataclass
class Forge:
    """GitHub's list, newest first, a part at a time; and what each pull request changes."""

    listed: list[ClosedPullRequest]
    files: dict[int, tuple[ChangedFile, ...]] = field(default_factory=dict)
    broken: frozenset[int] = frozenset()
    asked: list[int] = field(default_factory=list)

    def closed_pull_requests(self, since: Instant, page: int = 1) -> ClosedPart:
        found = [item for item in self.listed if item.closed_at >= since]
        part = tuple(found[page - 1 : page - 1 + PAGE])
        return ClosedPart(
            part,
            part[0].closed_at if part else None,
            part[-1].closed_at if part else None,
            page + PAGE - 1 if len(part) == PAGE else None,
        )

    def closing_of(self, number: int, most: int) -> Closing:
        self.asked.append(number)
        if number in self.broken:
            raise ForgeRefusedError("GitHub refuses", remedy="Wait.")
        files = self.files.get(number, asks(f"ask-{number}"))
        return Closing(None, files[:most], is_cut=len(files) > most)


@dataclass
class House:
    """All that one look needs, with main as a list of events."""

    forge: Forge
    limit: int = 25
    notes: dict[str, Any] = field(default_factory=dict)
    odd: OddNotes = field(default_factory=OddNotes)
    main: list[Happening] = field(default_factory=list)
    now: Instant = NOW
    dies_after: int | None = None

    def run(self) -> Outcome:
        github = SimpleNamespace(repository_id=20, app_user_id=31)
        limits = SimpleNamespace(requests_per_pull_request=self.limit)
        catalogue = SimpleNamespace(
            settings=SimpleNamespace(github=github, limits=limits),
            identity_of=lambda number: SimpleNamespace(name=f"person-{number}"),
        )
        registry = SimpleNamespace(
            read_note=self.notes.get, write_note=self.notes.__setitem__, odd=self.odd
        )
        ports = SimpleNamespace(
            issuer=SimpleNamespace(now=lambda: self.now),
            registry=registry,
            forge=self.forge,
            repository=SimpleNamespace(blobs=lambda _ids: {}),
            run=Run("7/1", "local"),
            house=self,
        )
        outcome = Outcome()
        Closings(cast("Any", ports), cast("Any", catalogue), outcome).run(HEAD)
        return outcome

    def told(self) -> list[str | None]:
        return [item.event.grant for item in self.main]


class Ledger:
    """What the evidence says: all that this house's main holds."""

    def __init__(self, ports: Any) -> None:
        self._main = ports.house.main

    def since(self, _repository: Any, _head: str, _base: str) -> list[Any]:
        return [SimpleNamespace(event=item.event) for item in self._main]


def write(ports: Any, happenings: Iterable[Coming], *, head: str) -> Recording:
    house, recorded = ports.house, []
    for item in happenings:
        if isinstance(item, Happening):
            if len(recorded) == house.dies_after:
                raise KeyboardInterrupt
            house.main.append(item)
            recorded.append(Recorded(item, "c" * 40, len(recorded)))
    return Recording(head, head, tuple(recorded), ())


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chronicle, "write", write)
    monkeypatch.setattr(chronicle, "LedgerChain", Ledger)
    monkeypatch.setattr(closing, "PULL_REQUESTS", 2)
    monkeypatch.setattr(closing, "FILES", 6)


def house(listed: Sequence[ClosedPullRequest], **more: Any) -> House:
    files = more.pop("files", {})
    broken = more.pop("broken", frozenset())
    made = House(Forge(list(listed), files, broken), **more)
    made.notes[CLOSED_NOTE] = {"until": str(BEGIN), "commit": HEAD, "seen": []}
    return made


def test_people_take_turns() -> None:
    assert take_turns(["m1", "m2", "m3", "a1", "b1", "b2"], lambda item: item[0]) == [
        *("m1", "a1", "b1"),
        *("m2", "b2"),
        "m3",
    ]
    assert take_turns([], lambda item: item) == []


def test_a_flood_delays_the_one_who_made_it_and_nothing_is_lost() -> None:
    there = house([closed(9, ALICE), *(closed(number, MALLORY) for number in (3, 2, 1))])
    first = there.run()
    assert there.told() == ["ask-1", "ask-9"]  # each person's oldest
    assert [line.text for line in first.lines if line.verb == "left"] == [
        "2 and more closed pull requests: the next run goes on with them"
    ]
    there.run()
    assert there.told() == ["ask-1", "ask-9", "ask-2", "ask-3"]
    there.run()  # what is beyond that part of the list
    there.now = there.now.plus(3600)
    there.run()
    assert there.run().lines == []
    assert there.told() == ["ask-1", "ask-9", "ask-2", "ask-3"]
    assert sorted(there.forge.asked) == [1, 2, 3, 9]
    assert ClosedNote.from_note(there.notes[CLOSED_NOTE]).until >= BEGIN.plus(600)


def test_a_list_of_many_pages_is_read_over_many_runs() -> None:
    every = [closed(number, MALLORY, minutes=number) for number in range(20, 0, -1)]
    there = house(every)
    for _ in range(20):
        there.now = there.now.plus(300)
        there.run()
    assert sorted(there.told(), key=str) == sorted(f"ask-{item.number}" for item in every)
    assert len(there.forge.asked) == len(every)


def test_a_list_that_moved_up_is_read_from_its_beginning() -> None:
    every = [closed(number, MALLORY, minutes=number) for number in range(12, 0, -1)]
    there = house(every)
    while ClosedNote.from_note(there.notes[CLOSED_NOTE]).page == 1:
        there.run()
    # Opened again, the newest are no longer listed: where the look goes on, other ones are.
    del there.forge.listed[:4]
    for _ in range(20):
        there.run()
    assert set(there.told()) >= {f"ask-{number}" for number in range(1, 9)}
    assert len(there.told()) == len(set(there.told()))


@pytest.mark.parametrize("dies_after", [1, 2, 3])
def test_a_killed_run_tells_nothing_twice(dies_after: int) -> None:
    files = {1: asks("a", "b", "c", "d")}
    there = house([closed(1, ALICE)], files=files, dies_after=dies_after)
    with pytest.raises(KeyboardInterrupt):
        there.run()
    assert there.told() == list("abcd")[:dies_after]
    there.dies_after = None
    there.run()
    assert there.told() == list("abcd")


def test_of_one_pull_request_as_many_requests_are_told_of_as_one_may_bring() -> None:
    there = house([closed(1, ALICE)], files={1: asks(*"edcba")}, limit=3)
    there.run()
    assert there.told() == ["a", "b", "c"]
    assert "asked for 5 requests, and the limit is 3" in there.main[-1].body
    assert "limit" not in there.main[0].body


def test_of_very_many_files_only_the_first_are_read() -> None:
    there = house([closed(1, ALICE)], files={1: asks(*"abcdefgh")})
    there.run()
    assert there.told() == list("abcdef")
    assert "more than 6 files" in there.main[-1].body


def test_one_that_cannot_be_told_of_is_tried_for_a_day_and_holds_up_nothing() -> None:
    there = house([closed(1, MALLORY), closed(2, ALICE)], broken=frozenset({1}))
    said = there.run()
    assert [name for name, _ in said.failures] == ["pull-request-1"]
    assert there.told() == ["ask-2"]
    there.run()
    assert there.forge.asked.count(1) == 2
    there.now = BEGIN.plus(2 * 86400)
    there.run()
    there.run()
    assert there.forge.asked.count(1) == 3
    assert there.told() == ["ask-2"]


def test_the_note_of_an_older_release_reads_back_unchanged() -> None:
    old = {"until": str(BEGIN), "commit": HEAD, "seen": [[7, str(BEGIN)], [8, str(BEGIN.plus(1))]]}
    note = ClosedNote.from_note(old)
    assert note.seen == {(7, str(BEGIN)), (8, str(BEGIN.plus(1)))}
    assert (note.until, note.commit, note.page, note.begun) == (BEGIN, HEAD, 1, None)
    assert ClosedNote.from_note(note.to_note()) == note
    assert note.to_note()["seen"] == []  # an older release reads it, and looks again
