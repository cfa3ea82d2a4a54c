"""Odd notes and slots: what others wrote into Vault's KV is an alarm, never the end of a run."""

from __future__ import annotations

import ast
import importlib
import json
import pkgutil
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from daypass import adapters, lifecycle
from daypass.adapters import notify
from daypass.lifecycle.foundation import TRUST, prove_to_head
from daypass.lifecycle.notes import ODD, NoteKind, OddNoteError, OddNotes
from daypass.lifecycle.outcome import Outcome
from daypass.lifecycle.ports import SlotState
from daypass.lifecycle.slot_data import checked_state
from daypass.lifecycle.vault_memory import TIP, VaultMemory, count_writing_run, read_memory
from support.doc_pages import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

COMMIT = "c0" * 20
NOON = "2026-11-23T12:00:00Z"
DEEP = "[" * 100_000


def kinds() -> dict[str, NoteKind[Any]]:
    """Every note that daypass reads, by name."""
    modules = [
        importlib.import_module(f"daypass.lifecycle.{found.name}")
        for found in pkgutil.iter_modules(lifecycle.__path__)
    ]
    return {
        item.name: item
        for module in (*modules, notify)
        for item in vars(module).values()
        if isinstance(item, NoteKind)
    }


KINDS = kinds()
# What daypass itself writes, and reads back.
SOUND: dict[str, dict[str, Any]] = {
    "alarms": {"told": "a b", "unopened": '[["orphan.1", "text"]]', "unsent": "[]"},
    "anchor": {"at": NOON, "tag": "", "digest": ""},
    "closed": {"until": NOON, "commit": COMMIT, "seen": [], "looked": f"7@{NOON}", "page": 1},
    "doubts": {"g-1": NOON},
    "heartbeat": {"at": NOON, "goodAt": None, "head": COMMIT, "said": "{}", "mayLogIn": "[]"},
    "looked": {"trusted": COMMIT, "changes": {"until": "", "approved": []}, "others": {}},
    "missing": {"g-1": NOON},
    "opened": {"openings": json.dumps([["g-1", NOON, NOON, 3, [7], "awaited"]])},
    "plans": {"planned": "1 2"},
    "policies": {"commit": COMMIT},
    "presence": {"commit": COMMIT},
    "seen-once": {"causes": json.dumps({f"orphan.{'0' * 64}": "text"})},
    "tip": {"sequence": 3, "commit": COMMIT, "head": COMMIT, "epoch": f"{'a' * 16} 3"},
    "trust": {"commit": COMMIT},
    "undecided": {"requests": "{}"},
    "webhook": {"url": "https://hooks.example.com:8443/x", "key": "k"},
}
# In the place of each field: wrong kinds, deep, long, and not what a text of that field says.
VALUES: tuple[Any, ...] = (7, 1.5, True, ["x"], {"x": {"y": 1}}, "\n::error::x", DEEP, "9" * 5000)
FREE = {  # texts of any content: nothing follows from them
    *{("alarms", "told"), ("anchor", "digest"), ("anchor", "tag"), ("heartbeat", "head")},
    *{("plans", "planned"), ("webhook", "key")},
}
ADDRESSES = (
    *("https://[", "https://exämple.org/x", "https://h:99999999/", "https://h:0/", "https://a b/"),
    *("http://127.0.0.1:1@evil/", "https://u:p@h/", "ftp://h/", "http://h/", "https://", "", "x"),
    *("https://h/\r\nX: y", "https://h/\u202e", "https://h/" + "x" * 3000),
)


@dataclass
class Notes:
    """Vault's notes, as anybody may have written them."""

    found: dict[str, Any] = field(default_factory=dict)
    odd: OddNotes = field(default_factory=OddNotes)

    def read_note(self, name: str) -> Any:
        return self.found.get(name)

    def write_note(self, name: str, data: Mapping[str, Any]) -> None:
        self.found[name] = data

    def update_note(self, name: str, change: Callable[[Any], Mapping[str, Any]]) -> Any:
        self.found[name] = change(self.found.get(name))
        return self.found[name]


def odd_values(name: str) -> list[tuple[str, Any]]:
    """What daypass writes into no field of that note."""
    return [
        (key, value)
        for key, sound in SOUND[name].items()
        for value in VALUES
        if (type(value) is not type(sound) or isinstance(value, str))
        and not (isinstance(value, str) and (name, key) in FREE)
    ]


def test_each_note_has_a_kind_and_the_documents_name_it() -> None:
    assert KINDS.keys() == SOUND.keys()
    pages = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    assert [name for name in KINDS if f"`note {name}`" not in pages] == []


@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_sound_note_is_read_and_an_odd_one_is_told_once_and_mended(name: str) -> None:
    kind = KINDS[name]
    assert kind.recall(Notes({name: SOUND[name]})) is not None
    assert kind.recall(Notes()) is None
    assert kind.recall(Notes({name: {}})) is None, "an empty note is none"
    for key, value in odd_values(name):
        book, outcome = Notes({name: {**SOUND[name], key: value}}), Outcome()
        with pytest.raises(OddNoteError, match=f"the note {name} ") as told:
            kind.read_strictly(book)
        assert "\n" not in f"{told.value.message}{told.value.remedy}"
        assert kind.recall(book) is None
        assert kind.recall(book) is None
        assert book.odd.tell(outcome)
        assert not book.odd.tell(outcome)
        assert list(outcome.causes) == [f"note.{name}"]
        assert outcome.causes[f"note.{name}"].standing == bool(kind.remedy)
        book.odd.mend(cast("Any", book), outcome)
        assert bool(book.found[name]) == bool(kind.remedy), "a run empties what it can do without"


def test_what_waits_for_an_operator_is_what_no_run_can_know() -> None:
    assert {name for name, kind in KINDS.items() if kind.remedy} == {"trust", "webhook"}


def test_a_note_that_the_run_has_written_since_is_left() -> None:
    book, outcome = Notes({"presence": {"commit": 7}}), Outcome()
    KINDS["presence"].recall(book)
    book.found["presence"] = SOUND["presence"]
    book.odd.mend(cast("Any", book), outcome)
    assert book.found["presence"] == SOUND["presence"]


def test_an_odd_trusted_commit_proves_nothing() -> None:
    book = Notes({"trust": {"commit": "7"}})
    ports = cast("Any", SimpleNamespace(registry=book, repository=None, signers=None))
    found = prove_to_head(ports, cast("Any", None), COMMIT, None, cast("Any", None))
    assert found.rulings == ()
    assert "daypass vault apply --trust REV" in found.unproven[0]
    assert found.notes == {}
    with pytest.raises(OddNoteError, match="trust"):
        TRUST.read_strictly(book)


@pytest.mark.parametrize(
    "odd", [{"sequence": "x"}, {"sequence": 10**30}, {"commit": "7"}, {"anchored": DEEP}, {"x": []}]
)
def test_an_odd_memory_of_main_is_none_and_the_next_write_mends_it(odd: dict[str, Any]) -> None:
    book = Notes({"tip": {**SOUND["tip"], **odd}})
    if odd != {"x": []}:  # what daypass does not ask for is not looked at
        assert read_memory(cast("Any", book)) == VaultMemory()
        assert count_writing_run(cast("Any", book)).epoch is not None
        assert list(book.odd.found) == ["tip"]
    assert TIP.read_strictly(book) is not None


@pytest.mark.parametrize("url", ADDRESSES)
def test_an_odd_address_of_the_webhook_is_an_alarm(url: str) -> None:
    book, outcome = Notes({"webhook": {"url": url, "key": "k"}}), Outcome()
    with pytest.raises(OddNoteError) as told:
        notify.Webhook(book).notify("text")
    assert url not in told.value.message or not url
    assert book.odd.tell(outcome)
    assert "bao kv put -mount=daypass daypass/notes/webhook" in outcome.alarms[0]


def test_notes_are_read_by_their_kinds_alone() -> None:
    """A reader of its own would believe what another one refuses, or end a run by it."""
    allowed = {"notes.py", "registry.py"}
    readers = [
        path.name
        for root in (*lifecycle.__path__, *adapters.__path__, str(ROOT / "src/daypass/cli"))
        for path in Path(root).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "read_note"
    ]
    assert set(readers) <= allowed


@pytest.mark.parametrize(
    ("state", "data"),
    [
        ("minted", {}),
        ("minted", {"record": {}, "accessor": "a"}),
        ("minted", {"record": [], "accessor": "a"}),
        ("minted", {"record": 7, "accessor": 7}),
        ("delivered", {}),
        ("delivered", {"accessor": ["a"]}),
        ("delivered", {"accessor": "a", "wrapping": {}}),
        ("refused", {}),
        ("refused", {"refusal": {}}),
        ("refused", {"refusal": "x"}),
        ("closed", {"accessor": 7}),
        ("gone", {}),
        (7, {}),
        ({}, {}),
    ],
)
def test_an_odd_slot_is_known_by_what_its_state_needs(state: Any, data: dict[str, Any]) -> None:
    with pytest.raises(ODD):
        checked_state("g-1", state, data)


def test_a_sound_slot_is_taken() -> None:
    assert checked_state("g-1", "reserved", {}) is SlotState.RESERVED
    assert checked_state("g-1", "closed", {"forgotten": True}) is SlotState.CLOSED
    assert checked_state("g-1", "delivered", {"accessor": "a", "wrapping": None}) is (
        SlotState.DELIVERED
    )
