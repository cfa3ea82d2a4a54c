"""What a grant that has ended was given on is read back from its record, not from today's words."""

from __future__ import annotations

import pytest
from policy_house import ID, NOW, House
from policy_world import catalogue, policy

from daypass.adapters.git.repository import GitRepository
from daypass.ledger.allowed_signers import Signers
from daypass.lifecycle import past
from daypass.model.event import Event, EventKind, RecordedEvent

WINDOW = {"window": {"hours": 4, "per": "7d"}}
ENDED = (("Daypass-Ended-At", str(NOW.plus(3600))),)
ISSUED = (
    ("Daypass-Subject", "alice"),
    ("Daypass-Resource", "orders-db-replica"),
    ("Daypass-Access", "read"),
    ("Daypass-Not-Before", str(NOW)),
)


@pytest.mark.parametrize(
    ("match", "read"),
    [
        ({"resources": {"labels": {"data": ["personal"]}}}, True),
        ({"resources": {"names": ["orders-db-replica"]}}, False),  # nothing that could change
    ],
)
def test_the_resource_of_then_comes_from_the_record_that_an_issue_brought(
    tmp_path, monkeypatch, match, read
):
    house = House(tmp_path)
    house.record("carol")
    commit = house.git("rev-parse", "HEAD").strip()
    (tmp_path / f"access/grants/{ID}.json").unlink()
    house.commit("End")
    events = [
        RecordedEvent(Event(EventKind.EXPIRED, ID, ENDED), 2, commit, "e" * 40, NOW.seconds + 3600),
        RecordedEvent(Event(EventKind.ISSUED, ID, ISSUED), 1, None, commit, NOW.seconds),
    ]
    monkeypatch.setattr(past, "read_events", lambda *_: iter(events))
    ruling = [catalogue(policy(limits=WINDOW, match=match))]
    with GitRepository(
        tmp_path, remote="origin", branch="main", author=("", ""), token=None
    ) as repository:
        found = past.past_at(repository, commit, Signers(()), (), ruling, NOW.plus(7200))
    (grant,) = found["alice"]
    assert (grant.id, grant.resource, grant.live) == (ID, "orders-db-replica", False)
    then = grant.resource_then
    assert (then and then["environment"]) == ("production" if read else None)
