"""What Vault remembers of main: it goes up only, and what older releases wrote is read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daypass.lifecycle.vault_memory import (
    TIP_NOTE,
    AcceptedLoss,
    VaultMemory,
    accept_loss,
    count_writing_run,
    note_older,
    note_seen,
    note_written,
    read_memory,
)
from daypass.model.epoch import Epoch
from daypass.model.event import Event, EventKind, RecordedEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass
class Notes:
    """Vault's notes."""

    found: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def read_note(self, name: str) -> Mapping[str, Any] | None:
        return self.found.get(name)

    def write_note(self, name: str, data: Mapping[str, Any]) -> None:
        self.found[name] = data

    def update_note(
        self, name: str, change: Callable[[Mapping[str, Any] | None], Mapping[str, Any]]
    ) -> Mapping[str, Any]:
        self.found[name] = change(self.found.get(name))
        return self.found[name]


def commit(number: int) -> str:
    return f"{number:040x}"


def event(number: int, epoch: Epoch | None = None) -> RecordedEvent:
    trailers = (("Daypass-Epoch", str(epoch)),) if epoch else ()
    return RecordedEvent(Event(EventKind.DRIFT, None, trailers), number, None, commit(number), 0)


NUMBERS = st.integers(1, 50)


@given(
    st.lists(
        st.one_of(
            st.just(("count", 0)),
            st.tuples(st.sampled_from(["seen", "written", "older"]), NUMBERS),
        )
    )
)
def test_it_never_goes_down(steps: list[tuple[str, int]]) -> None:
    notes = Notes()
    before = read_memory(notes)
    for step, number in steps:
        if step == "count":
            count_writing_run(notes)
        elif step == "seen":
            note_seen(notes, read_memory(notes), event(number), commit(number))
        elif step == "written":
            note_written(notes, number, commit(number))
        else:
            note_older(notes, event(number, Epoch("f" * 16, number)), commit(number))
        after = read_memory(notes)
        assert after.sequence >= before.sequence
        assert (after.epoch.count if after.epoch else 0) >= (
            before.epoch.count if before.epoch else 0
        )
        assert after.commit == (commit(after.sequence) if after.sequence else "")
        assert bool(after.restored) >= bool(before.restored)
        before = after


def test_what_older_releases_wrote_is_read() -> None:
    notes = Notes({TIP_NOTE: {"sequence": 6, "commit": commit(6)}})
    assert read_memory(notes) == VaultMemory(6, commit(6), commit(6))
    assert count_writing_run(notes).sequence == 6
    assert read_memory(notes).epoch is not None


def test_everything_is_read_back() -> None:
    memory = VaultMemory(
        7,
        commit(7),
        commit(8),
        Epoch("0" * 16, 3),
        floor=5,
        restored=commit(6),
        accepted=AcceptedLoss("both", commit(5), 5),
        was_restored=True,
    )
    assert VaultMemory.from_note(memory.to_note()) == memory


def test_a_loss_that_is_accepted_uses_no_number_again() -> None:
    notes = Notes({TIP_NOTE: VaultMemory(9, commit(9), commit(9), Epoch("0" * 16, 4)).to_note()})
    accept_loss(notes, AcceptedLoss("main", commit(9), 9), event(3), commit(3))
    found = read_memory(notes)
    assert (found.sequence, found.commit, found.floor) == (3, commit(3), 9)
    assert found.epoch is not None
    assert (found.epoch.count, found.epoch.id == "0" * 16) == (5, False)
    assert found.accepted == AcceptedLoss("main", commit(9), 9)
    note_written(notes, 10, commit(10))
    assert read_memory(notes).accepted is None


@pytest.mark.parametrize("text", [None, "", "x 1", "f" * 16, "F" * 16 + " 1", "f" * 16 + " 0"])
def test_what_is_no_epoch_is_none(text: str | None) -> None:
    assert Epoch.parse(text) is None


def test_an_epoch_is_read_back() -> None:
    epoch = Epoch("0123456789abcdef", 12)
    assert Epoch.parse(str(epoch)) == epoch
    assert epoch.next() == Epoch(epoch.id, 13)
