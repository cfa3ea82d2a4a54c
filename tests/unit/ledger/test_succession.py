"""Which keys a named key vouches for, along the handovers that both keys of each have signed."""

from __future__ import annotations

import pytest

from daypass.ledger.fault import FaultCode
from daypass.ledger.succession import (
    Handover,
    Link,
    Succession,
    handover_of,
    predecessors,
    successors,
)
from daypass.model.event import Event, EventKind, RecordedEvent


def links(*pairs: str) -> list[Link]:
    """`AB` is a handover from A to B; in their order on main."""
    return [Link(Handover(*pair), f"{at}", at) for at, pair in enumerate(pairs)]


@pytest.mark.parametrize(
    ("pairs", "named", "before", "after"),
    [
        (("AB", "BC"), "A", "", "BC"),
        (("AB", "BC"), "B", "A", "C"),
        (("AB", "BC"), "C", "AB", ""),
        (("AB", "BC"), "AC", "AB", "BC"),
        (("AB",), "Z", "", ""),
        ((), "A", "", ""),
        (("AB", "ZB"), "B", "A", ""),  # one key has one predecessor at the most: the first
        (("AB", "BC", "ZB"), "C", "AB", ""),  # a retired key takes in no other
        (("AB", "BC", "ZB"), "BC", "AB", "C"),
        (("AB", "AZ"), "A", "", "B"),  # and hands over once
        (("AB", "AZ"), "BZ", "A", ""),
        (("AB", "BA", "AC"), "A", "", "B"),  # and never comes back
        (("AB", "BA", "AC"), "C", "A", ""),
        (("YZ", "AB"), "B", "A", ""),  # what strangers do among themselves changes nothing
        (("BZ", "AB"), "A", "", "B"),
    ],
)
def test_trust_follows_a_handover_both_ways(
    pairs: tuple[str, ...], named: str, before: str, after: str
) -> None:
    found = links(*pairs)
    assert set(predecessors(found, named)) == set(before)
    assert set(successors(found, named)) == set(after)


def recorded(kind: EventKind, before: str, after: str) -> RecordedEvent:
    keys = (("Daypass-Key-Before", before), ("Daypass-Key", after))
    return RecordedEvent(Event(kind, None, keys), 1, None, "c" * 40, 0)


def test_a_handover_goes_on_after_it_was_remembered() -> None:
    endorsed = recorded(EventKind.KEY_ENDORSED, "A", "B")
    for answer, faults in (("B", []), ("A", [FaultCode.ENDORSEMENT])):
        succession = Succession()
        assert list(succession.take(endorsed, "A")) == []
        again = Succession.from_json(succession.to_json())
        found = again.take(recorded(EventKind.KEY_ROTATED, "A", "B"), answer)
        assert [fault.code for fault in found] == faults
        assert Succession.from_json(again.to_json()) == Succession()


def test_a_key_endorses_in_its_own_name_alone() -> None:
    succession = Succession()
    (fault,) = succession.take(recorded(EventKind.KEY_ENDORSED, "A", "B"), "C")
    assert fault.code is FaultCode.ENDORSEMENT
    assert succession == Succession()


def test_an_event_without_both_keys_hands_nothing_over() -> None:
    assert handover_of(Event(EventKind.KEY_ENDORSED, None, (("Daypass-Key", "B"),))) is None
    assert handover_of(recorded(EventKind.KEY_ENDORSED, "A", "A").event) is None
    assert handover_of(recorded(EventKind.DRIFT, "A", "B").event) is None
