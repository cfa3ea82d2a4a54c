"""What the bot can mint for an emergency, tried with the bot's own policy on a real server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from daypass.errors import SandboxError
from daypass.model.secret import Secret
from daypass.sandbox.bao_client import BaoClient
from daypass.sandbox.box import Box

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration

ROUTINE = "daypass-orders-db-read-8h"
LANE = "daypass-bg-orders-db-read-1h"


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    with Box.create(tmp_path_factory.mktemp("box")) as box:
        box.vault_bootstrap()
        yield box


@pytest.fixture(scope="module")
def bot(box: Box) -> BaoClient:
    """Whoever holds the bot's policy, and nothing else."""
    body = {"policies": ["daypass-apply"], "no_default_policy": True, "ttl": "10m"}
    made = box.bao.client.write("auth/token/create", body)
    return BaoClient(box.bao.address, Secret(made["auth"]["client_token"]))


def order(role: str, **changes: Any) -> dict[str, Any]:
    return {
        "policies": [role],
        "ttl": "8h",
        "explicit_max_ttl": "8h",
        "renewable": False,
        "no_default_policy": True,
        "num_uses": "2",
        "meta": {"daypass_grant": "x"},
        **changes,
    }


def test_eight_hours_are_an_hour(box: Box, bot: BaoClient) -> None:
    made = bot.write(f"auth/token/create/{LANE}", order(LANE))["auth"]
    assert 0 < made["lease_duration"] <= 3600
    found = box.bao.client.write("auth/token/lookup", {"token": made["client_token"]})["data"]
    assert 0 < found["ttl"] <= 3600
    assert found["policies"] == [LANE]
    assert found["orphan"] is True
    assert found["renewable"] is False


@pytest.mark.parametrize(
    ("role", "body"),
    [
        (LANE, order(ROUTINE)),
        (ROUTINE, order(LANE)),
        (LANE, order(LANE, policies=[LANE, ROUTINE])),
        (LANE, order(LANE, policies=["daypass-apply"])),
        (LANE, order(LANE, num_uses="0")),
        (LANE, order(LANE, renewable=True)),
        (LANE, order(LANE, period="1h")),
        ("daypass-bg-orders-db-read-8h", order("daypass-bg-orders-db-read-8h")),
    ],
)
def test_the_lanes_do_not_mix(bot: BaoClient, role: str, body: dict[str, Any]) -> None:
    with pytest.raises(SandboxError, match=r"with 40[03]"):
        bot.write(f"auth/token/create/{role}", body)


def test_its_credential_is_never_read_in_clear_by_the_bot(box: Box, bot: BaoClient) -> None:
    made = bot.write(f"auth/token/create/{LANE}", order(LANE))["auth"]
    holder = BaoClient(box.bao.address, Secret(made["client_token"]))
    with pytest.raises(SandboxError, match="403"):
        holder.read("database/creds/orders-read-1h")
