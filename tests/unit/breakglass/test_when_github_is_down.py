"""What a person reads who asks in an emergency, and GitHub is not there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from daypass.cli.github_down import naming_the_operator, naming_the_way
from daypass.cli.review import demand_ended
from daypass.documents.document import read_document
from daypass.errors import DeniedError, ForgeRefusedError, ForgeUnavailableError
from daypass.model.names import SETTINGS_PATH
from daypass.model.settings import BreakGlassSettings, OfflineSettings, Settings
from support.evidence_bot import START, a_grant

ROOT = Path(__file__).parents[3]
ASKED = {
    "resource": "orders-db",
    "access": "read",
    "incident": "INC-7",
    "reason": "It's down",
    "duration": "30m",
}


def settings(*levels: tuple[str, str], lane: bool = True) -> Settings:
    found = read_document(SETTINGS_PATH, (ROOT / SETTINGS_PATH).read_bytes()).model
    assert isinstance(found, Settings)
    offline = OfflineSettings(("alice", "bob"), levels) if levels else None
    glass = BreakGlassSettings(("dba",), ("security",), "INC-[0-9]+", offline) if lane else None
    return replace(found, break_glass=glass)


def told(here: Settings, **more: object) -> str:
    with pytest.raises(ForgeUnavailableError) as caught, naming_the_way(here, {**ASKED, **more}):
        raise ForgeUnavailableError("GitHub cannot be reached", remedy="Wait.")
    assert caught.value.message == "GitHub cannot be reached"
    return "\n".join((caught.value.remedy, *caught.value.lines))


def test_the_command_is_named_as_it_is_to_be_typed() -> None:
    here = settings(("orders-db", "read"))
    command = "daypass break-glass --offline orders-db read --incident INC-7 --reason "
    assert f"{command}'It'\"'\"'s down' --duration 30m -- COMMAND" in told(here)
    assert "alice, bob" in told(here)
    assert "--offline drill orders-db read --incident" in told(here, drill=True)


def test_what_is_not_configured_is_not_promised() -> None:
    other = told(settings(("ledger-db", "read"), ("orders-db", "write")))
    assert "--offline" not in other
    assert "offers ledger-db/read, orders-db/write" in other
    for here in (settings(), settings(lane=False)):
        assert "--offline" not in told(here)
        assert "has no `breakGlass.offline`" in told(here)


def test_a_refusal_is_no_outage() -> None:
    with (
        pytest.raises(ForgeRefusedError, match="no token"),
        naming_the_way(settings(("orders-db", "read")), ASKED),
    ):
        raise ForgeRefusedError("no token", remedy="Log in.")


def test_an_end_without_github_is_an_operators() -> None:
    grants = [a_grant("one"), a_grant("two")]
    with pytest.raises(ForgeUnavailableError) as caught, naming_the_operator(lambda: grants):
        raise ForgeUnavailableError("GitHub cannot be reached", remedy="Run it again.")
    line = "bao lease revoke -prefix auth/token/create/daypass-orders-db-read-1h"
    assert caught.value.remedy.startswith("Run it again.")
    assert [item for item in caught.value.lines if line in item] == [f"  {line}"]


def test_when_a_review_counts() -> None:
    grant = a_grant("bg-1")
    with pytest.raises(DeniedError, match=f"from {grant.not_after} on, .* .in 30m.") as caught:
        demand_ended(grant, START.plus(1800))
    assert "daypass revoke bg-1" in caught.value.remedy
    late = demand_ended(grant, START.plus(3600))
    assert late is not None
    assert str(grant.not_after) in late
    assert demand_ended(None, START) is None
    with pytest.raises(DeniedError, match="could not be ended yet"):
        demand_ended(grant.failed("unconfirmed", START), START.plus(7200))
