"""Whoever can write intents can write nonsense: it must stop no run, and become no evidence."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from daypass.adapters.vault.intents import IntentList
from daypass.model.instant import Instant
from daypass.model.intent import Intent, IntentKind
from support.vault_answers import entry, listed

AT = "2026-11-23T09:10:00Z"
GOOD = {"kind": "revoke", "accountId": 7, "at": AT}
USED = {"kind": "activity", "accountId": 7, "at": AT}
DIGEST = "sha256:" + "a" * 64


def read(**entries: Any) -> list[Intent]:
    names = {name.replace("__", "/"): value for name, value in entries.items()}

    def call(verb: str, path: str, **_: Any) -> Any:
        if verb == "LIST":
            return listed(*names)
        return entry(names[path.removeprefix("data/")])

    session = cast("Any", SimpleNamespace(call=call))
    return list(IntentList(session, data="data", metadata="metadata").read())


@pytest.mark.parametrize(
    "bad",
    [
        {},
        {**GOOD, "kind": "grant"},
        {**GOOD, "at": "never"},
        {**GOOD, "at": 7},
        {**GOOD, "accountId": "nobody"},
        {**GOOD, "accountId": None},
        {**USED, "usage": "x"},
        {**USED, "usage": {"digest": "x\nDaypass-Approver: 1", "vault": 1, "postgres": 1}},
        {**USED, "usage": {"digest": DIGEST, "vault": "1\nDaypass-Approver: 1", "postgres": 1}},
    ],
)
def test_what_is_no_intent_keeps_none_of_the_others_waiting(bad: Any) -> None:
    good = Intent("a1", IntentKind.REVOKE, 7, Instant.parse(AT))
    assert read(a0=bad, a1=GOOD) == [good]


def test_a_name_that_cannot_be_an_id_is_none() -> None:
    many = {**GOOD, "grants": "a1 ../slots A* a2"}
    found = read(many=many, folder__=GOOD)
    assert [item.grant_id for item in found] == ["a1", "a2"]
