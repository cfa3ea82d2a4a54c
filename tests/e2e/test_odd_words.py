"""Odd words: in Vault's notes and slots, in the names of files and branches, in messages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from daypass.sandbox.box import Box
from support.town import Town

if TYPE_CHECKING:
    from collections.abc import Iterator

NOTES = "daypass/data/daypass/notes"
SLOTS = "daypass/data/daypass/grants"
WRITTEN = ("anchor", "closed", "heartbeat", "policies", "presence", "tip", "trust")
ODD = {"commit": 7, "sequence": "x", "at": {}, "until": [], "head": None}


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with Box.create(tmp_path_factory.mktemp("box")) as box:
        box.vault_bootstrap()
        yield Town(box)


def test_odd_notes_and_slots_keep_no_end_from_coming(town: Town) -> None:
    client = town.box.bao.client

    def put(path: str, data: dict[str, Any]) -> None:
        client.write(path, {"data": data})

    def causes() -> set[str]:
        issues = town.box.repository.issues.values()
        return {item.title.removeprefix("daypass: look at ") for item in issues}

    for name in ("ends-1", "ends-2", "ends-3"):
        town.grant(name, duration="1h")
    assert town.apply().code == 0
    sound = {name: client.read(f"{NOTES}/{name}")["data"]["data"] for name in WRITTEN}

    # A slot of one id: the grant of it ends as ever, and what asks for such an id waits alone.
    put(f"{SLOTS}/ends-1", {"state": "minted", "data": json.dumps({"record": {}, "accessor": 7})})
    put(f"{SLOTS}/taken", {"state": ["x"]})
    put("daypass/data/daypass/pending/odd", {"ids": "ends-1 ../x \n taken"})
    put("daypass/data/daypass/intents/ends-2", {"kind": {}, "accountId": [], "at": 7})
    put(f"{NOTES}/webhook", {"url": "https://[", "key": 7})
    town.delete("ends-1")
    town.grant("taken", duration="1h")
    town.grant("fine", duration="1h")
    done = town.apply("schedule")
    assert done.code == 5, done.said
    assert not town.live_tokens("ends-1")
    assert town.events("ends-1")[-1] == "revoked"
    assert town.live_tokens("fine"), done.said
    assert town.events("fine") == ["issued"]
    assert not town.live_tokens("taken")
    assert town.events("taken") == []
    assert {"slot ends-1", "slot taken", "note webhook"} <= causes(), causes()

    # All notes at once: nothing is proven, and nothing is granted; what must end has ended.
    for name in WRITTEN:
        put(f"{NOTES}/{name}", ODD)
    town.delete("ends-2")
    town.grant("too-late", duration="1h")
    done = town.apply("schedule")
    assert done.code == 5, done.said
    assert not town.live_tokens("ends-2")
    assert town.events("ends-2")[-1] == "revoked"
    assert not town.live_tokens("too-late")
    assert {f"note {name}" for name in ("tip", "policies", "presence", "heartbeat")} <= causes()
    assert any("daypass vault apply --trust REV" in text for text in done.json()["alarms"])

    # The run has written the rest anew; an operator writes what is trusted.
    assert client.read(f"{NOTES}/trust")["data"]["data"] == ODD
    for name in ("trust", "tip"):
        put(f"{NOTES}/{name}", sound[name])
    town.delete("ends-3")
    done = town.apply("schedule")
    assert not town.live_tokens("ends-3")
    assert town.events("ends-3")[-1] == "revoked"
    for name in ("closed", "heartbeat", "presence"):
        assert client.read(f"{NOTES}/{name}")["data"]["data"] != ODD, name
