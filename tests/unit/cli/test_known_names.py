"""The nearest that is known: of the kind that was asked for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from daypass.cli.known_names import unknown_id
from daypass.model.tree import REGULAR_FILE, TreeEntry

RULES = ("schema-format", "schema-unknown-field", "tree-mode")


def told(name: str, *ids: str) -> str:
    entries = [TreeEntry(REGULAR_FILE, "b" * 40, f"access/requests/{item}.yaml") for item in ids]
    repository = SimpleNamespace(
        entries=lambda _commit, folder: entries if folder == "access/requests" else [],
        walk=lambda _commit: iter(()),
    )
    remedy = "Look."
    error = unknown_id(cast("Any", repository), "main", name, "x", remedy=remedy, others=RULES)
    return f"{error.message} {error.remedy}"


@pytest.mark.parametrize("name", ["unknown-id", "agree-over", "p10"])
def test_no_rule_is_offered_for_an_id_that_resembles_none(name: str) -> None:
    assert not any(rule in told(name) for rule in RULES)
    assert "The nearest that is known is `orders-7f3k`" in told(name, "orders-7f3k")


def test_a_slip_in_the_name_of_a_rule_is_seen() -> None:
    assert "did you mean `schema-format`?" in told("schema-formt", "orders-7f3k")
