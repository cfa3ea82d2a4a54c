"""What Vault says of a token's time as it mints: a second of its own work is no other token."""

from __future__ import annotations

from typing import Any

import pytest

from daypass.adapters.vault.answer import Answer
from daypass.adapters.vault.minting import refuse_odd, verified
from daypass.errors import VaultRefusedError
from daypass.lifecycle.ports import MintOrder
from daypass.model.resource import IssueMode

LESSER = (
    "Explicit max TTL specified both during creation call and in role; "
    "using the lesser value of {} seconds"
)
CUT = 'TTL of "{}" exceeded the effective max_ttl of "{}"; TTL value is capped accordingly'


def created(*warnings: str) -> Answer:
    return Answer(200, {}, {}, {}, warnings, ())


@pytest.mark.parametrize(
    ("seconds", "asked", "given"),
    [(1800, "30m", "29m59s"), (3600, "1h", "59m59s"), (28800, "8h", "7h59m55s"), (60, "1m", "59s")],
)
def test_a_cut_of_the_seconds_that_minting_took_is_taken(
    seconds: int, asked: str, given: str
) -> None:
    refuse_odd(created(LESSER.format(seconds), CUT.format(asked, given)), "x", seconds)


@pytest.mark.parametrize(
    "warnings",
    [
        (),
        (LESSER.format(900),),
        (LESSER.format(1800), CUT.format("30m", "15m")),
        (LESSER.format(1800), CUT.format("30m", "29m54s")),
        (LESSER.format(1800), CUT.format("1h", "1h")),
        (LESSER.format(1800), CUT.format("30m", "")),
        (CUT.format("30m", "29m59s"),),
        (LESSER.format(1800), "Endpoint ignored unrecognized parameters"),
    ],
)
def test_any_other_warning_refuses_the_token(warnings: tuple[str, ...]) -> None:
    if not warnings:
        refuse_odd(created(), "x", 1800)  # Vault warned of nothing: then nothing is odd
        return
    with pytest.raises(VaultRefusedError, match="did not do all it was asked"):
        refuse_odd(created(*warnings), "x", 1800)


def order() -> MintOrder:
    return MintOrder(
        grant_id="x",
        engine="database",
        mount="database",
        role="orders-ro-1h",
        token_role="daypass-orders-db-read-1h",
        ttl=3600,
        issue=IssueMode.ON_MERGE,
        wrap_ttl=3600,
        meta={},
    )


WRAPPING = {
    "token": "s.x",
    "creation_path": "database/creds/orders-ro-1h",
    "creation_time": "2026-12-01T09:00:00Z",
    "ttl": 3600,
    "accessor": "a",
}


def record_of(creation_ttl: object) -> dict[str, Any]:
    return {
        "explicit_max_ttl": 3600,
        "creation_ttl": creation_ttl,
        "policies": ["daypass-orders-db-read-1h"],
        "orphan": True,
        "renewable": False,
        "type": "service",
        "issue_time": "2026-12-01T09:00:00Z",
        "expire_time": "2026-12-01T09:59:59Z",
    }


@pytest.mark.parametrize(
    ("seconds", "is_taken"),
    [(3600, True), (3599, True), (3595, True), (3594, False), (3601, False)],
)
def test_the_record_may_be_shorter_by_those_seconds_and_never_longer(
    seconds: int, is_taken: bool
) -> None:
    record = record_of(seconds)
    if is_taken:
        assert str(verified(order(), "a", WRAPPING, record).not_after) == "2026-12-01T09:59:59Z"
    else:
        with pytest.raises(VaultRefusedError, match="creation_ttl"):
            verified(order(), "a", WRAPPING, record)


@pytest.mark.parametrize("odd", ["3600", 3599.5, True, None])
def test_a_record_whose_time_is_no_whole_number_is_none(odd: object) -> None:
    with pytest.raises(TypeError):
        verified(order(), "a", WRAPPING, record_of(odd))
