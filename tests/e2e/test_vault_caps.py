"""Caps of Vault below a tier: no grant is promised more time than Vault gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from daypass.model.instant import Instant
from support import acting
from support.town import Town

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daypass.sandbox.box import Box

pytestmark = pytest.mark.e2e

LEDGER: dict[str, Any] = {
    "by": "bob",
    "resource": "ledger-db",
    "ticket": "OPS-1",
    "approvers": ("carol", "dave"),
}
TUNE = "sys/mounts/database/tune"
MEND = "bao secrets tune -max-lease-ttl=1h database/"


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    from daypass.sandbox.box import Box  # noqa: PLC0415  -- unit tests need no server

    with Box.create(tmp_path_factory.mktemp("caps") / "box") as made:
        made.vault_bootstrap()
        yield made


@pytest.fixture
def town(box: Box) -> Iterator[Town]:
    yield Town(box)
    box.bao.client.write(TUNE, {"max_lease_ttl": "0"})


def test_a_request_waits_until_its_cap_is_raised(town: Town, box: Box) -> None:
    box.bao.client.write(TUNE, {"max_lease_ttl": "40s"})
    at_merge = town.grant("capped-at-merge", duration="1h")
    at_claim = town.grant("capped-at-claim", duration="1h", **LEDGER)
    done = town.apply()
    assert done.code == 5, done.said
    failed = {item["grant"]: item for item in done.json()["failed"]}
    for asked in (at_merge, at_claim):
        assert "max_lease_ttl of database/ is 40s, below 1h" in str(failed[asked.id])
        assert MEND in done.said
        assert town.events(asked.id) == []
        assert town.live_tokens(asked.id) == []
    assert not any("capped" in name for name in box.postgres.roles())

    box.bao.client.write(TUNE, {"max_lease_ttl": "1h"})  # what the command does
    done = town.apply("schedule")
    assert done.code == 0, done.said
    for asked in (at_merge, at_claim):
        assert town.events(asked.id) == ["issued"]
        town.log_in(town.credential(asked)["credential"]).close()


def test_a_claim_says_that_vault_will_end_it_early(town: Town, box: Box) -> None:
    asked = town.grant("cut-later", duration="1h", **LEDGER)
    assert town.apply().code == 0
    box.bao.client.write(TUNE, {"max_lease_ttl": "40s"})
    done = town.claim(asked)
    assert done.code == 0, done.said
    promised = Instant.parse(town.record(asked.id)["notAfter"])
    ends = Instant.parse(done.json()["notAfter"])
    assert 3400 < promised.since(ends) < 3600
    assert f"warning: this credential ends at {ends}, and not at {promised}" in done.stderr
    assert "`daypass vault doctor` names the cap" in done.stderr

    box.bao.client.write(TUNE, {"max_lease_ttl": "0"})
    again = town.grant("not-cut", duration="1h", **LEDGER)
    assert town.apply().code == 0
    assert "warning" not in town.claim(again).stderr


def test_access_taken_offline_is_told_its_real_end(town: Town, box: Box) -> None:
    box.bao.client.write(TUNE, {"max_lease_ttl": "40s"})
    done = acting.daypass(
        box.person("alice"),
        *("break-glass", "orders-db", "read", "--incident", "INC-7", "--reason", "Down"),
        *("--offline", "--format", "json"),
        GH_TOKEN="",
        VAULT_TOKEN=box.vault_people.log_in("alice", lasts="8h").reveal(),
    )
    assert done.code == 0, done.said
    assert "warning: this credential ends at" in done.stderr
    assert town.box is box
