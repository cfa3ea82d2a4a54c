"""A token that ends by itself just while the bot looks at it, or ends it: that is no failure."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from daypass.adapters.vault.issuer import VaultIssuer

if TYPE_CHECKING:
    from vault_house import House

    from daypass.adapters.vault.session import Session

pytestmark = pytest.mark.integration

_TOKENS = 60


def ending(house: House) -> tuple[str, float]:
    """A token of two seconds: its accessor, and when it ends."""
    body = {"ttl": "2s", "explicit_max_ttl": "2s", "policies": ["default"]}
    answer = house.root.call("POST", "auth/token/create", body)
    return str(answer.auth["accessor"]), time.monotonic() + 2


@pytest.mark.parametrize("what", ["lookup", "revoke"])
def test_the_moment_of_its_end_is_no_failure(what: str, bot: Session, house: House) -> None:
    issuer = VaultIssuer(bot)

    def watch(made: tuple[str, float]) -> None:
        accessor, end = made
        time.sleep(max(0.0, end - 0.01 - time.monotonic()))
        is_over = False
        while not is_over:  # once at least, however late this thread comes
            is_over = time.monotonic() >= end + 0.2
            (issuer.lookup if what == "lookup" else issuer.revoke)(accessor)
        while issuer.lookup(accessor) is not None:  # a burst of ends takes Vault a moment
            assert time.monotonic() < end + 60

    with ThreadPoolExecutor(_TOKENS) as pool:
        made = list(pool.map(lambda _: ending(house), range(_TOKENS)))
        list(pool.map(watch, made))
